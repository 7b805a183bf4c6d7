"""Words that traders type, and the command that each means here.

One line a word. A line found here is answered with the finished command and never run: the user decides.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import takewhile
from shlex import join

from msgspec import Struct

from capcli.cli.global_options import first_word, place_of
from capcli.cli.phrases import epic_of, phrase_of
from capcli.cli.word_tables import (
    ANYWAY,
    FILLERS,
    FIRST,
    NOISE,
    OPTIONS,
    ORDER_WORDS,
    ORDERS,
    PAIRS,
    SHARES,
    SIDES,
    WORDS,
)
from capcli.ids import PREVIEW

_DRY = "--dry-run"
_STAND_INS = {"--stop": "PRICE", "--limit": "PRICE", "--stop-distance": "DISTANCE", "--size": "SIZE"}
_SIZE_SECOND = frozenset({"preview", "close"})
_SIZE_STANDS = frozenset({"buy", "sell"})
_MARKETS_FIRST = frozenset({"buy", "sell", "preview", "propose", "quote", "prices", "alert", "watch"})
_STOPS = frozenset(
    {"stop", "sl", "stoploss", "stop-loss", "--stop", "--sl", "--stop-loss", "--stoploss", "--stop-level"}
)
_ORDERING = frozenset({"buy", "sell", "preview", "long", "short"})
_NUMBER = re.compile(r"[+]?\d+(\.\d+)?%?")
_WIDTH = re.compile(r"[0-9]{1,2}[mhdw]")


class Meant(Struct, frozen=True):
    """A corrected line, and `why` the typed one cannot be run."""

    why: str
    words: tuple[str, ...]

    @property
    def command(self) -> str:
        return join(["capcli", *self.words])


def meant(line: Sequence[str], known: Sequence[str]) -> Meant | None:
    """Return the corrected line, None if the tables do not have it."""
    typed = list(line)
    first = first_word(typed)
    if first is not None and typed[first].lower() in known:
        typed[first] = typed[first].lower()
    if first is not None and (found := phrase_of(typed[first:])):
        words = [*typed[:first], *found[0]]
        if words != typed:
            return Meant(found[1] or _otherwise(typed), tuple(words))
    words = _brief(_without_fillers(typed), known)
    place = place_of(words, (*known, *WORDS, *FIRST))
    if place is None:
        return None
    named = _unsent(_command(words, place, known), place)
    spelt = _spelt(named, place)
    sized = _sized([part for word in spelt for part in _option(word, named[place])], place)
    if sized == list(line):
        return None
    why = _why(line, words, named, spelt, place)
    if why is None and named != words:
        why = f"There is no command {' '.join(words[place : place + 1 + (words[place] in known)])!a}."
    elif why is None:
        lacking = [word.partition("=")[0] for word in words if _option(word, named[place]) != [word]]
        why = "The market comes first, then the size."
        if lacking:
            why = f"There is no option {' or '.join(lacking)} here."
        elif "--size" in sized and "--size" not in words:
            why = "The size has an option here: --size."
    return Meant(why, tuple(_completed(sized, place)))


def _why(line: Sequence[str], words: list[str], named: list[str], spelt: list[str], place: int) -> str | None:
    """Say why a line cannot be run, None if only an option or its place is wrong."""
    if _DRY in words and _DRY not in named:
        return "A preview sends nothing, so it is what a dry run is here."
    if "--stop" in spelt and not _STOPS & {word.lower() for word in words}:
        price = spelt[spelt.index("--stop") + 1]
        return f"{price} is read as the stop. A limit is --limit {price}, an entry price --at {price}."
    if words != list(line):
        return _otherwise(line)
    if spelt != named and named[place] == "prices":
        return "The width and the span have options here: --resolution, --last."
    return "A stop, a limit and a level have options here: --stop, --limit, --at." if spelt != named else None


def _otherwise(line: Sequence[str]) -> str:
    return f"{' '.join(line)[:60]!a} is written differently here."


def _completed(words: list[str], place: int) -> list[str]:
    """Replace the market's name with its epic, and add what an order still needs."""
    name, rest = words[place], words[place + 1 :]
    if name in _MARKETS_FIRST and rest and not rest[0].startswith("-"):
        rest[0] = epic_of(rest[0])
    sized = "--risk" in rest or "--size" in rest
    alone = len(rest) == 1 or (len(rest) > 1 and rest[1].startswith("-"))
    if name in ORDERS and alone and not sized and "--help" not in rest and not rest[0].startswith("-"):
        rest[1:1] = ["SIZE"] if name in _SIZE_STANDS else ["--size", "SIZE"]
    return [*words[: place + 1], *rest]


def _without_fillers(words: list[str]) -> list[str]:
    """Drop filler words of an order, and split `sl=25`."""
    place = first_word(words)
    if place is None or not {word.lower() for word in words[place : place + 2]} & _ORDERING:
        return words
    found = words[: place + 1]
    for word in words[place + 1 :]:
        name, equals, value = word.partition("=")
        if word.lower() in FILLERS and not found[-1].startswith("--"):
            found = found[:-1] if found[-1] == "at" else found
        elif equals and name.lower() in ORDER_WORDS:
            found += [name.lower(), value]
        else:
            found.append(word)
    return found


def _brief(words: list[str], known: Sequence[str]) -> list[str]:
    """Drop filler words before a side, and put `execute` before a lone preview id."""
    place = place_of(words, tuple(NOISE))
    if place is not None and place + 1 < len(words) and words[place + 1].lower() in SIDES:
        return [*words[:place], *words[place + 1 :]]
    if place_of(words, (*known, *WORDS)) is None and words and PREVIEW.fullmatch(words[0].lower()):
        return ["execute", *words]
    return words


def _spelt(words: list[str], place: int) -> list[str]:
    """Turn words without dashes into options; a share of a position into percent."""
    if words[place] == "close":
        return [SHARES.get(word, word) if at == place + 2 else word for at, word in enumerate(words)]
    if words[place] == "prices":
        return _candles(words, place)
    if words[place] not in ORDERS:
        return words
    words = _bare_prices(words, place)
    as_exit = bool(_STOPS & {word.lower() for word in words[place + 1 :]})
    found: list[str] = []
    for at, word in enumerate(words):
        if at <= place + 1 or words[at - 1].startswith("--"):
            found.append(word)
        elif word[:1] == "@" and word[1:]:
            found += ["--at", word[1:]]
        elif at + 1 < len(words) and word.lower() in ORDER_WORDS and not words[at + 1].startswith("-"):
            found += ["--limit"] if as_exit and word.lower() == "limit" else ORDER_WORDS[word.lower()].split()
        else:
            found.append(word)
    return found


def _bare_prices(words: list[str], place: int) -> list[str]:
    """Read bare prices after market and size: one is the stop, two are stop and limit."""
    prices = words[place + 3 : place + 5]
    prices = list(takewhile(lambda word: bool(_NUMBER.fullmatch(word)), prices))
    if not prices or not _NUMBER.fullmatch(words[place + 2]):
        return words
    options = ["--stop", prices[0]]
    if len(prices) > 1:
        low, high = sorted(prices, key=Decimal)
        selling = words[place] == "sell" or "--sell" in words
        options = ["--stop", high, "--limit", low] if selling else ["--stop", low, "--limit", high]
    return [*words[: place + 3], *options, *words[place + 3 + len(prices) :]]


def _candles(words: list[str], place: int) -> list[str]:
    """Give a bare candle width its option, and count days as --last does."""
    found = words[: place + 2]
    for word in words[place + 2 :]:
        if found[-1] == "--days" and word.isdecimal():
            found[-1:] = ["--last", f"{word}d"]
        elif _WIDTH.fullmatch(word) and not found[-1].startswith("--"):
            found += ["--resolution", word]
        else:
            found.append(word)
    return found


def _command(words: list[str], place: int, known: Sequence[str]) -> list[str]:
    """Replace the first words with the command they mean, its options after the typed words."""
    name, rest = words[place].lower(), words[place + 1 :]
    if rest and (name, rest[0].lower()) in PAIRS:
        command, rest = PAIRS[name, rest[0].lower()], rest[1:]
    elif words[place] in known or name not in WORDS:
        return words
    else:
        command = WORDS[name]
    if name == "stop" and rest and not rest[0].startswith("-"):
        # With a deal or a price the stop of a position is meant.
        command = PAIRS["move", name]
    if command.endswith("="):
        command, _, option = command.rpartition(" ")
        rest = [option.rstrip("="), *rest] if rest else rest
    wanted = command.count("{}")
    values = list(takewhile(lambda word: not word.startswith("-"), rest[:wanted]))
    if wanted and not values:
        command, wanted = command.partition(" {}")[0], 0
    own = command.format(*_filled(values, command)[:wanted]).split()
    wanted = min(wanted, len(values))
    if own[0].startswith("--"):
        return [*words[:place], *own]
    split = next((at for at, word in enumerate(own) if word.startswith("--")), len(own))
    if "FILE" in own and own[split] in rest:
        own = own[:split]
    return [*words[:place], *own[:split], *rest[wanted:], *own[split:]]


def _filled(values: list[str], command: str) -> list[str]:
    """Add a placeholder beside a single value: a number is the price, not the deal."""
    if len(values) != 1 or command.count("{}") == 1:
        return values
    option = command.partition(" {} ")[2].split()[0]
    return ["DEAL", *values] if _NUMBER.fullmatch(values[0]) else [*values, _STAND_INS[option]]


def _unsent(words: list[str], place: int) -> list[str]:
    """Turn an order that must not be sent into its preview."""
    if _DRY not in words or words[place] not in _SIZE_STANDS:
        return words
    side = ["--sell"] if words[place] == "sell" else []
    return [*words[:place], "preview", *(word for word in words[place + 1 :] if word != _DRY), *side]


def _option(word: str, command: str) -> list[str]:
    """Return our option with its value; empty if this command needs no option for it."""
    name, equals, value = word.partition("=")
    ours = OPTIONS.get(name, name)
    if ours == "--size" and command in _SIZE_STANDS:
        return value.split()
    if name not in OPTIONS or (not ours and name not in ANYWAY.get(command, ())):
        return [word]
    return f"{ours}{equals}{value}".split() if ours else []


def _sized(words: list[str], place: int) -> list[str]:
    """Give a bare size its option, and put it after the market."""
    if place + 2 >= len(words):
        return words
    name, first, second = words[place : place + 3]
    if _NUMBER.fullmatch(first) and not second.startswith("-") and not _NUMBER.fullmatch(second):
        first, second = second, first
    size = ["--size"] if name in _SIZE_SECOND and _NUMBER.fullmatch(second) else []
    return [*words[:place], name, first, *size, second, *words[place + 3 :]]
