"""Parses the text of settings, and detects slips. Pure."""

import os
import re
import shlex
import sys
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from urllib.parse import urlsplit

from capcli.domain.hosts import is_loopback
from capcli.domain.market import is_epic
from capcli.domain.money import parse_decimal, plain


class Env(StrEnum):
    """Which broker to use."""

    PAPER = "paper"
    DEMO = "demo"
    LIVE = "live"


class Explained(ValueError):
    """A value that cannot be used, with what is wrong with it in words for the user."""


_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_QUOTES = ("''", '""', "``", "\u2018\u2019", "\u201c\u201d")
_PLACEHOLDER = re.compile(r"\$\{.*\}|ENTER_.*|your[_-].*|<[^<>]*>", re.IGNORECASE | re.DOTALL)
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}")
_WHOLE = re.compile(r"[0-9]{1,9}")
_SHOWN = 60


def slip(text: str) -> str | None:
    """Describe the slip of a placeholder or of a quoted value; the text is not repeated."""
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] + stripped[-1] in _QUOTES:
        return "still wrapped in quotes; remove the outer pair"
    if _PLACEHOLDER.fullmatch(stripped):
        return "a placeholder; put in the real value, or remove it"
    return None


def env(text: str) -> Env:
    return Env(text.lower())


def boolean(text: str) -> bool:
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def decimal(low: str, high: str) -> Callable[[str], Decimal]:
    """Make a parser for numbers above `low` and up to `high`."""

    def parse(text: str) -> Decimal:
        number = parse_decimal(text)
        if not Decimal(low) < number <= Decimal(high):
            raise ValueError
        return number

    return parse


def percent(text: str) -> Decimal:
    """Read a percentage above 0 and up to 100, with or without its sign."""
    return decimal("0", "100")(text.removesuffix("%").rstrip())


def whole(low: int, high: int) -> Callable[[str], int]:
    """Make a parser for whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return parse


def seconds(text: str) -> float:
    number = parse_decimal(text)
    if not 1 <= number <= 120:  # noqa: PLR2004 - the table's `allowed` text says the same
        raise ValueError
    return float(number)


def choice(*words: str) -> Callable[[str], str]:
    """Make a parser for one of several words in any case."""

    def parse(text: str) -> str:
        for word in words:
            if text.lower() == word.lower():
                return word
        raise ValueError

    return parse


def epics(text: str) -> frozenset[str] | None:
    """Read a comma list of epics; empty or ALL means every market (None)."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if text.strip() and not names:
        # Two unset variables joined by a comma must not become "all".
        raise Explained("it holds only separators; name the markets, or write ALL")
    wrong = [name for name in names if not is_epic(name)]
    if wrong:
        raise Explained(f"{wrong[0][:_SHOWN]!r} is not an epic")
    if "ALL" in (name.upper() for name in names):
        if len(names) > 1:
            raise Explained("ALL cannot be combined with epics")
        return None
    return frozenset(names) or None


def file(text: str) -> str:
    if not os.path.isabs(text):  # noqa: PTH117
        raise ValueError
    return text


def account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError
    return text


_PORTS = {"https": 443, "http": 80, "wss": 443, "ws": 80}


def address(secure: str, loopback: str) -> Callable[[str], str]:
    """Make a parser for a host's address: the secure scheme, or the plain one for this computer only."""

    def parse(text: str) -> str:
        parts = urlsplit(text)
        if not parts.hostname or parts.username is not None or parts.password is not None:
            raise ValueError
        if parts.path not in {"", "/"} or "?" in text or "#" in text or not text.isascii():
            raise ValueError
        if parts.scheme != secure and not (parts.scheme == loopback and is_loopback(parts.hostname)):
            raise ValueError
        if not re.fullmatch(r"[a-z0-9.\-]+|[0-9a-f:.]+", parts.hostname):
            raise ValueError
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        # The default port is dropped, so that the host's name is the same everywhere (locks use it).
        own = parts.port in {None, _PORTS[parts.scheme]}
        return f"{parts.scheme}://{host}{'' if own else f':{parts.port}'}"

    return parse


def command(text: str) -> tuple[str, ...]:
    """Read a command line as argv; no shell reads it. Raises Explained."""
    windows = sys.platform == "win32"
    try:
        argv = shlex.split(text, posix=not windows)
    except ValueError:
        argv = []
    argv = [part.strip('"') for part in argv] if windows else argv
    if not argv:
        raise Explained("not a command line: a quote is not closed")
    if os.path.dirname(argv[0]) and not os.path.isabs(argv[0]):  # noqa: PTH117, PTH120
        raise Explained("a command in the current directory; write its full path")
    return tuple(argv)


def program_only(argv: tuple[str, ...] | None) -> str:
    """Show a command without its arguments, which may hold an address or a token."""
    return "not set" if argv is None else f"{argv[0]}{' ...' if argv[1:] else ''}"


def epics_written(epics: frozenset[str] | None) -> str:
    return "ALL" if epics is None else written(epics)


def shown(text: str) -> str:
    """Quote a refused value for a message, masked by `safe`."""
    return repr(safe(text))


def safe(text: str) -> str:
    """Shorten a refused value and remove a password inside an address."""
    masked = re.sub(r"//[^/]*@", "//***@", text)
    if "://" in masked:
        masked = re.sub(r"[?#].*", "?***", masked, flags=re.DOTALL)
    return masked if len(masked) <= _SHOWN else masked[:_SHOWN] + "…"


def written(value: object) -> str:
    """Format a setting's value as a person would write it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, frozenset):
        return ",".join(sorted(value))
    return str(value)
