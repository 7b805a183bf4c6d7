"""Words that traders type, and the command that each of them means here.

The tables grow by a line a word. A line that is read by them is answered with the finished command and never
run: whoever typed it decides.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import join

from capcli.cli.globals import VALUES

# A word that is no command, and what takes its place; the rest of the line stays. An option that ends with =
# takes the next word.
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
    # positions
    "pos": "positions",
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
    "sl": "positions amend",
    "tp": "positions amend",
    "exit": "close",
    "liquidate": "close",
    "closeall": "close --all",
    "close-all": "close --all",
    # orders
    "order": "orders",
    "pending": "orders",
    "working": "orders",
    "cancel": "orders cancel",
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
    "size": "propose",
    "risk": "exposure",
    "exposures": "exposure",
    # markets
    "search": "markets search",
    "find": "markets search",
    "symbol": "markets search",
    "symbols": "markets search",
    "info": "markets show",
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
    "candles": "prices",
    "candle": "prices",
    "ohlc": "prices",
    "bars": "prices",
    "download": "prices",
    "stream": "watch",
    "live-prices": "watch",
    "alerts": "alert",
    "watchlist": "watchlists",
    "lists": "watchlists",
    # history
    "trades": "history activity",
    "activity": "history activity",
    "activities": "history activity",
    "transactions": "history transactions",
    "bookings": "history transactions",
    "fees": "history report",
    "report": "history report",
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
    "continue": "resume",
    "approvals": "approve",
    "recover": "reconcile",
    # set-up
    "doctor": "health",
    "check": "health",
    "diagnose": "health",
    "ping": "health",
    "version": "--version",
    "setup": "login",
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
    "demo": "positions --env demo",
    "server": "mcp serve",
    "serve": "mcp serve",
    "install": "mcp install",
    "tools": "mcp tools",
    "commands": "help reference",
    "man": "help reference",
}
# A command and a word that it does not have.
PAIRS: Mapping[tuple[str, str], str] = {
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
    ("alert", "list"): "alert --help",
}
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
    "--days": "--last",
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
_LISTS = frozenset({"positions", "orders", "accounts"})
_LISTING = frozenset({"list", "ls", "show", "all"})
_SIZE_SECOND = frozenset({"preview", "close"})
_SIZE_STANDS = frozenset({"buy", "sell"})
_NUMBER = re.compile(r"[+]?\d+(\.\d+)?%?")


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
    words = list(line)
    place = _place(words, (*known, *COMMANDS))
    if place is None:
        return None
    named = _unsent(_command(words, place, known), place)
    command = named[place]
    options = [word.partition("=")[0] for word in words if _option(word, command) != word]
    sized = _sized([one for word in named if (one := _option(word, command))], place)
    if sized == words:
        return None
    if _DRY in words and _DRY not in named:
        why = "A preview sends nothing, so it is what a dry run is here."
    elif named != words:
        why = f"There is no command {' '.join(words[place : place + 1 + (words[place] in known)])!a}."
    elif options:
        why = f"There is no option {' or '.join(options)} here."
    elif "--size" in sized and "--size" not in words:
        why = "The size has an option here: --size."
    else:
        why = "The market comes first, then the size."
    return Meant(why, tuple(sized))


def _place(words: Sequence[str], names: Sequence[str]) -> int | None:
    """Find the command of a line: the value of a global option is none."""
    values = {at + 1 for at, word in enumerate(words) if word in VALUES}
    return next((at for at, one in enumerate(words) if one.lower() in names and at not in values), None)


def _command(words: list[str], place: int, known: Sequence[str]) -> list[str]:
    """Put the command in that the first words mean, its own options behind what was typed."""
    name, rest = words[place].lower(), words[place + 1 :]
    if rest and (name, rest[0].lower()) in PAIRS:
        command, rest = PAIRS[name, rest[0].lower()], rest[1:]
    elif words[place] in known:
        return words
    else:
        command = COMMANDS[name]
    if command.endswith("="):
        command, _, option = command.rpartition(" ")
        rest = [option.rstrip("="), *rest] if rest else rest
    own = command.split()
    options = [word for word in own if word.startswith("--") and own[0] != word]
    if own[0].startswith("--"):
        return [*words[:place], *own]
    return [*words[:place], *(word for word in own if word not in options), *rest, *options]


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
