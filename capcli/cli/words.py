"""Words that traders type, and the command that each of them means here.

The tables grow by a line a word. A line that is read by them is answered with the finished command and never
run: whoever typed it decides.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import join

# A word that is no command, and what takes its place; the rest of the line stays.
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
    "leverage": "accounts preferences",
    "hedge": "accounts preferences",
    "hedging": "accounts preferences",
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
    "download": "prices --output",
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
    "status": "health",
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
# Options that are what happens anyway at these commands: they are left out there, and stay elsewhere.
_ANYWAY = frozenset({"preview", "buy"})
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
    """What a line means: `why` it cannot be run as it stands, and the finished command."""

    why: str
    command: str


def meant(line: Sequence[str], known: Sequence[str]) -> Meant | None:
    """Return what a line means, None where the tables do not know it."""
    words = list(line)
    place = next((at for at, word in enumerate(words) if word in known or word.lower() in COMMANDS), None)
    if place is None:
        return None
    named = _command(words, place, known)
    command = named[place]
    options = [word.partition("=")[0] for word in words if _option(word, command) != word]
    sized = _sized([one for word in named if (one := _option(word, command))], place)
    if sized == words:
        return None
    if named != words:
        why = f"There is no command {' '.join(words[place : place + 1 + (words[place] in known)])!a}."
    elif options:
        why = f"There is no option {' or '.join(options)} here."
    elif "--size" in sized and "--size" not in words:
        why = "The size has an option here: --size."
    else:
        why = "The market comes first, then the size."
    return Meant(why, join(["capcli", *sized]))


def _place(words: Sequence[str], known: Sequence[str]) -> int | None:
    return next((at for at, word in enumerate(words) if word in known), None)


def _command(words: list[str], place: int, known: Sequence[str]) -> list[str]:
    """Put the command in that the first words mean, its own options behind what was typed."""
    name, rest = words[place].lower(), words[place + 1 :]
    if rest and (name, rest[0].lower()) in PAIRS:
        command, rest = PAIRS[name, rest[0].lower()], rest[1:]
    elif words[place] in known:
        return words
    else:
        command = COMMANDS[name]
    own = command.split()
    options = [word for word in own if word.startswith("--") and own[0] != word]
    if own[0].startswith("--"):
        return [*words[:place], *own]
    return [*words[:place], *(word for word in own if word not in options), *rest, *options]


def _option(word: str, command: str) -> str:
    """Return our name of an option; nothing where what it says needs no option at this command."""
    name, equals, value = word.partition("=")
    ours = OPTIONS.get(name, name)
    if ours == "--size" and command in _SIZE_STANDS:
        return value
    if name not in OPTIONS or (not ours and command not in _ANYWAY):
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
