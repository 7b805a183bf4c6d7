"""Words that traders type, and the command that each of them means here.

The tables grow by a line a word. A line that is read by them is answered with the finished command and never
run: whoever typed it decides.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from shlex import join

from capcli.cli.globals import VALUES

# A word that is no command, and what takes its place; the rest of the line stays. An option that ends with =
# takes the next word, and {} is the next word. A word in capitals is for the reader to replace.
COMMANDS: Mapping[str, str] = {
    # account
    "account": "accounts",
    "acc": "accounts",
    "balance": "accounts",
    "bal": "accounts",
    "equity": "accounts",
    "margin": "accounts",
    "funds": "accounts",
    "cash": "accounts",
    "deposit": "accounts topup",
    "topup": "accounts topup",
    "leverage": "accounts preferences --leverage=",
    "hedge": "accounts preferences --hedging=",
    "hedging": "accounts preferences --hedging=",
    "preferences": "accounts preferences",
    "switch": "accounts use",
    "use": "accounts use",
    "prefs": "accounts preferences",
    "summary": "status",
    "overview": "status",
    "dashboard": "status",
    "glance": "status",
    "limits": "status",
    # positions
    "pos": "positions",
    "ls": "positions",
    "position": "positions",
    "portfolio": "positions",
    "holdings": "positions",
    "deals": "positions",
    "pnl": "positions",
    "p&l": "positions",
    "pl": "positions",
    "profit": "positions",
    "modify": "positions amend",
    "amend": "positions amend",
    "edit": "positions amend",
    "update": "positions amend",
    "change": "positions amend",
    "move": "positions amend",
    "sl": "positions amend {} --stop {}",
    "stoploss": "positions amend {} --stop {}",
    "tp": "positions amend {} --limit {}",
    "trail": "positions amend {} --stop-distance {} --trailing",
    "breakeven": "positions breakeven {}",
    "be": "positions breakeven {}",
    "reduce": "close {} --size {}",
    "partial": "close {} --size {}",
    "scale-out": "close {} --size {}",
    "exit": "close",
    "liquidate": "close",
    "closeall": "close --all",
    "close-all": "close --all",
    # orders
    "order": "orders",
    "pending": "orders",
    "working": "orders",
    "cancel": "orders cancel",
    "delete": "orders cancel",
    "remove": "orders cancel",
    "cancelall": "orders cancel --all",
    "cancel-all": "orders cancel --all",
    "trade": "preview",
    "open": "preview",
    "place": "preview",
    "market": "markets show",
    "long": "buy",
    "short": "sell",
    "send": "execute",
    "confirm": "execute",
    "submit": "execute",
    "exec": "execute",
    "do": "execute",
    "run": "execute",
    "go": "execute",
    "simulate": "preview",
    "dry-run": "preview",
    "what-if": "preview",
    "calc": "propose",
    "size": "propose",
    "risk": "exposure",
    "exposures": "exposure",
    # markets
    "search": "markets search",
    "find": "markets search",
    "symbol": "markets search",
    "symbols": "markets search",
    "info": "markets show",
    "hours": "markets show",
    "spread": "quote",
    "rate": "quote",
    "p": "quote",
    "q": "quote",
    "lookup": "markets search",
    "instruments": "markets browse",
    "epics": "markets browse",
    "categories": "markets browse",
    "details": "markets show",
    "show": "markets show",
    "browse": "markets browse",
    "sentiment": "markets sentiment",
    "price": "quote",
    "quotes": "quote",
    "ticker": "quote",
    "bid": "quote",
    "ask": "quote",
    "chart": "prices --chart",
    "plot": "prices --chart",
    "graph": "prices --chart",
    "klines": "prices",
    "data": "prices",
    "export": "prices --output FILE",
    "candles": "prices",
    "candle": "prices",
    "ohlc": "prices",
    "bars": "prices",
    "download": "prices --output FILE",
    "stream": "watch",
    "follow": "watch",
    "monitor": "watch",
    "tick": "watch",
    "ticks": "watch",
    "notify": "alert",
    "alarm": "alert",
    "live-prices": "watch",
    "alerts": "alert",
    "watchlist": "watchlists",
    "lists": "watchlists",
    # history
    "trades": "history activity",
    "ledger": "history transactions",
    "tax": "history report",
    "pnl-report": "history report",
    "activity": "history activity",
    "activities": "history activity",
    "transactions": "history transactions",
    "bookings": "history transactions",
    "fees": "history report",
    "report": "history report",
    "stats": "history report",
    "performance": "history report",
    "statement": "history report",
    "executions": "history executions",
    "journal": "history executions",
    "log": "history executions",
    "logs": "history executions",
    "verify": "history verify",
    # safety
    "stop": "halt",
    "pause": "halt",
    "kill": "flatten",
    "panic": "flatten",
    "flat": "flatten",
    "unhalt": "resume",
    "unpause": "resume",
    "emergency": "flatten",
    "continue": "resume",
    "approvals": "approve",
    "recover": "reconcile",
    # set-up
    "unlock": "live checklist",
    "go-live": "live checklist",
    "permissions": "mandate list",
    "mandates": "mandate list",
    "doctor": "health",
    "check": "health",
    "diagnose": "health",
    "ping": "health",
    "version": "--version",
    "setup": "login",
    "configure": "login",
    "key": "login",
    "apikey": "login",
    "credentials": "login --status",
    "init": "login",
    "auth": "login",
    "signin": "login",
    "signout": "logout",
    "whoami": "login --status",
    "settings": "config",
    "set": "config set",
    "get": "config get",
    "env": "config",
    "simulator": "paper status",
    "demo": "login --env demo",
    "server": "mcp serve",
    "serve": "mcp serve",
    "install": "mcp install",
    "claude": "mcp install claude-desktop",
    "tools": "mcp tools",
    "commands": "help reference",
    "?": "--help",
    "usage": "--help",
    "about": "--version",
    "man": "help reference",
}
# A command and a word that it does not have.
PAIRS: Mapping[tuple[str, str], str] = {
    ("account", "switch"): "accounts use",
    ("account", "use"): "accounts use",
    ("open", "positions"): "positions",
    ("open", "orders"): "orders",
    ("pending", "orders"): "orders",
    ("pending", "approvals"): "approve",
    ("working", "orders"): "orders",
    ("list", "positions"): "positions",
    ("list", "orders"): "orders",
    ("list", "markets"): "markets browse",
    ("list", "accounts"): "accounts",
    ("show", "positions"): "positions",
    ("show", "orders"): "orders",
    ("cancel", "orders"): "orders cancel --all",
    ("orders", "cancel all"): "orders cancel --all",
    ("close", "positions"): "close --all",
    ("close", "everything"): "close --all",
    ("exit", "all"): "close --all",
    ("flat", "all"): "flatten",
    ("move", "stop"): "positions amend {} --stop {}",
    ("set", "stop"): "positions amend {} --stop {}",
    ("set", "limit"): "positions amend {} --limit {}",
    ("set", "sl"): "positions amend {} --stop {}",
    ("set", "tp"): "positions amend {} --limit {}",
    ("trades", "today"): "history activity --from today",
    ("history", "today"): "history activity --from today",
    ("history", "yesterday"): "history activity --from yesterday --to today",
    ("pnl", "today"): "status",
    ("login", "demo"): "login --env demo",
    ("login", "live"): "login --env live",
    ("install", "claude"): "mcp install claude-desktop",
    ("live", "on"): "live checklist",
    ("live", "unlock"): "live checklist",
    ("watchlist", "new"): "watchlists create",
    ("watchlists", "new"): "watchlists create",
    ("positions", "show"): "positions",
    ("positions", "close"): "close",
    ("positions", "edit"): "positions amend",
    ("positions", "modify"): "positions amend",
    ("positions", "open"): "preview",
    ("orders", "close"): "orders cancel",
    ("orders", "delete"): "orders cancel",
    ("orders", "remove"): "orders cancel",
    ("orders", "new"): "preview",
    ("orders", "create"): "preview",
    ("orders", "place"): "preview",
    ("orders", "edit"): "orders amend",
    ("orders", "modify"): "orders amend",
    ("close", "all"): "close --all",
    ("sell", "all"): "close --all",
    ("halt", "now"): "halt",
    ("resume", "now"): "resume",
    ("cancel", "all"): "orders cancel --all",
    ("accounts", "switch"): "accounts use",
    ("accounts", "set"): "accounts use",
    ("accounts", "balance"): "accounts",
    ("markets", "find"): "markets search",
    ("markets", "list"): "markets browse",
    ("markets", "info"): "markets show",
    ("history", "trades"): "history activity",
    ("history", "orders"): "history executions",
    ("history", "pnl"): "history report",
    ("paper", "start"): "paper serve",
    ("paper", "run"): "paper serve",
    ("mcp", "start"): "mcp serve",
    ("mcp", "run"): "mcp serve",
    ("config", "list"): "config",
    ("config", "show"): "config",
}
# In the line of an order: words without dashes, and the options that they mean.
ORDER_WORDS: Mapping[str, str] = {
    "sl": "--stop",
    "stop": "--stop",
    "stoploss": "--stop",
    "tp": "--limit",
    "target": "--limit",
    "at": "--at",
    "@": "--at",
    "limit": "--type limit --at",
    "risk": "--risk",
    "size": "--size",
}
SHARES: Mapping[str, str] = {"half": "50%", "quarter": "25%"}
# Before a side they say nothing.
_NOISE = frozenset({"go", "order", "trade", "place", "market", "open", "make", "new", "please", "enter"})
_FIRST = frozenset(first for first, _ in PAIRS)
_SIDES = frozenset({"buy", "sell", "long", "short"})
_ORDERS = frozenset({"buy", "sell", "preview"})
OPTIONS: Mapping[str, str] = {
    "--qty": "--size",
    "--quantity": "--size",
    "--amount": "--size",
    "--units": "--size",
    "--lots": "--size",
    "--volume": "--size",
    "--sl": "--stop",
    "--stop-loss": "--stop",
    "--stoploss": "--stop",
    "--stop-level": "--stop",
    "--tp": "--limit",
    "--take-profit": "--limit",
    "--takeprofit": "--limit",
    "--target": "--limit",
    "--profit": "--limit",
    "--short": "--sell",
    "--price": "--at",
    "--entry": "--at",
    "--level": "--at",
    "--gtd": "--good-till",
    "--expiry": "--good-till",
    "--gsl": "--guaranteed",
    "--trail": "--trailing",
    "--timeframe": "--resolution",
    "--interval": "--resolution",
    "--tf": "--resolution",
    "--period": "--resolution",
    "--since": "--from",
    "--start": "--from",
    "--until": "--to",
    "--end": "--to",
    "--count": "--last",
    "--max": "--last",
    "--force-yes": "--confirm",
    "-y": "--confirm",
    "--no-confirm": "--confirm",
    "--dry-run": "",
    "--buy": "",
    "--long": "",
    "--market": "",
}
# Options without a name of ours say what happens anyway at these commands; elsewhere they stay.
_ANYWAY = {
    "preview": frozenset({"--dry-run", "--buy", "--long", "--market"}),
    "buy": frozenset({"--buy", "--long", "--market"}),
}
_DRY = "--dry-run"
_STAND_INS = {"--stop": "PRICE", "--limit": "PRICE", "--stop-distance": "DISTANCE", "--size": "SIZE"}
_LISTS = frozenset({"positions", "orders", "accounts"})
_LISTING = frozenset({"list", "ls", "show", "all"})
_SIZE_SECOND = frozenset({"preview", "close"})
_SIZE_STANDS = frozenset({"buy", "sell"})
_NUMBER = re.compile(r"[+]?\d+(\.\d+)?%?")
_WIDTH = re.compile(r"[0-9]{1,2}[mhdw]")
_PREVIEW = re.compile(r"p_[0-9a-z]{12}")


def plain(line: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return a line whose words all have a place: `orders list` is `orders`, `preview help` its help page."""
    words = list(line)
    place = _place(words, known)
    if place is None or place + 1 >= len(words):
        return words
    name, second = words[place], words[place + 1]
    if second == "help" and name != "help":
        return [*words[: place + 1], "--help"]
    if name in _LISTS and second in _LISTING and len(words) == place + 2:
        return words[: place + 1]
    return words


@dataclass(frozen=True, slots=True)
class Meant:
    """What a line means: `why` it cannot be run as it stands, and the words of the finished one."""

    why: str
    words: tuple[str, ...]

    @property
    def command(self) -> str:
        return join(["capcli", *self.words])


def meant(line: Sequence[str], known: Sequence[str]) -> Meant | None:
    """Return what a line means, None where the tables do not know it."""
    words = _brief(list(line), known)
    place = _place(words, (*known, *COMMANDS, *_FIRST))
    if place is None:
        return None
    named = _unsent(_command(words, place, known), place)
    command = named[place]
    options = [word.partition("=")[0] for word in words if _option(word, command) != word]
    spelt = _spelt(named, place)
    sized = _sized([one for word in spelt if (one := _option(word, command))], place)
    if sized == list(line):
        return None
    if _DRY in words and _DRY not in named:
        why = "A preview sends nothing, so it is what a dry run is here."
    elif words != list(line):
        why = f"{' '.join(line)[:60]!a} is understood, and written otherwise."
    elif spelt != named:
        why = "A stop, a limit and a level have options here: --stop, --limit, --at."
        if command == "prices":
            why = "The width and the span have options here: --resolution, --last."
    elif named != words:
        why = f"There is no command {' '.join(words[place : place + 1 + (words[place] in known)])!a}."
    elif options:
        why = f"There is no option {' or '.join(options)} here."
    elif "--size" in sized and "--size" not in words:
        why = "The size has an option here: --size."
    else:
        why = "The market comes first, then the size."
    return Meant(why, tuple(sized))


def _brief(words: list[str], known: Sequence[str]) -> list[str]:
    """Take out what says nothing before a side, and put `execute` before a preview's id that stands alone."""
    place = _place(words, tuple(_NOISE))
    if place is not None and place + 1 < len(words) and words[place + 1].lower() in _SIDES:
        return [*words[:place], *words[place + 1 :]]
    if _place(words, (*known, *COMMANDS)) is None and words and _PREVIEW.fullmatch(words[0].lower()):
        return ["execute", *words]
    return words


def _spelt(words: list[str], place: int) -> list[str]:
    """Write the words of an order without dashes as options; a share of a position in percent."""
    if words[place] == "close":
        return [SHARES.get(word, word) if at == place + 2 else word for at, word in enumerate(words)]
    if words[place] == "prices":
        return _candles(words, place)
    if words[place] not in _ORDERS:
        return words
    found: list[str] = []
    for at, word in enumerate(words):
        if at <= place + 1 or words[at - 1].startswith("--"):
            found.append(word)
        elif word[:1] == "@" and word[1:]:
            found += ["--at", word[1:]]
        elif at + 1 < len(words) and word.lower() in ORDER_WORDS and not words[at + 1].startswith("-"):
            found += ORDER_WORDS[word.lower()].split()
        else:
            found.append(word)
    return found


def _candles(words: list[str], place: int) -> list[str]:
    """Give a width that stands alone its option, and count days as --last does."""
    found = words[: place + 2]
    for word in words[place + 2 :]:
        if found[-1] == "--days" and word.isdecimal():
            found[-1:] = ["--last", f"{word}d"]
        elif _WIDTH.fullmatch(word) and not found[-1].startswith("--"):
            found += ["--resolution", word]
        else:
            found.append(word)
    return found


def _place(words: Sequence[str], names: Sequence[str]) -> int | None:
    """Find the command of a line: its first word that is no option and no option's value."""
    values = {at + 1 for at, word in enumerate(words) if word in VALUES}
    first = next((at for at, one in enumerate(words) if not one.startswith("-") and at not in values), None)
    return first if first is not None and words[first].lower() in names else None


def _command(words: list[str], place: int, known: Sequence[str]) -> list[str]:
    """Put the command in that the first words mean, its own options behind what was typed."""
    name, rest = words[place].lower(), words[place + 1 :]
    if rest and (name, rest[0].lower()) in PAIRS:
        command, rest = PAIRS[name, rest[0].lower()], rest[1:]
    elif words[place] in known or name not in COMMANDS:
        return words
    else:
        command = COMMANDS[name]
    if name == "stop" and rest and not rest[0].startswith("-"):
        # Somebody who names a deal or a price means the stop of a position.
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
    """Put what stands for the missing one beside a single value: a number is the price, not the deal."""
    if len(values) != 1 or command.count("{}") == 1:
        return values
    option = command.partition(" {} ")[2].split()[0]
    return ["DEAL", *values] if _NUMBER.fullmatch(values[0]) else [*values, _STAND_INS[option]]


def _unsent(words: list[str], place: int) -> list[str]:
    """Turn an order that is not to be sent into its preview."""
    if _DRY not in words or words[place] not in _SIZE_STANDS:
        return words
    side = ["--sell"] if words[place] == "sell" else []
    return [*words[:place], "preview", *(word for word in words[place + 1 :] if word != _DRY), *side]


def _option(word: str, command: str) -> str:
    """Return our name of an option; nothing where what it says needs no option at this command."""
    name, equals, value = word.partition("=")
    ours = OPTIONS.get(name, name)
    if ours == "--size" and command in _SIZE_STANDS:
        return value
    if name not in OPTIONS or (not ours and name not in _ANYWAY.get(command, ())):
        return word
    return f"{ours}{equals}{value}" if ours else ""


def _sized(words: list[str], place: int) -> list[str]:
    """Give a size that stands alone its option, and put it behind the market."""
    if place + 2 >= len(words):
        return words
    name, first, second = words[place : place + 3]
    if _NUMBER.fullmatch(first) and not second.startswith("-") and not _NUMBER.fullmatch(second):
        first, second = second, first
    if name not in _SIZE_SECOND or not _NUMBER.fullmatch(second):
        return [*words[:place], name, first, second, *words[place + 3 :]]
    return [*words[:place], name, first, "--size", second, *words[place + 3 :]]
