"""Ids that people type: previews, attempts, deals, epics, checked before they reach a path."""

import re

from capcli.domain.market import is_epic
from capcli.errors import UsageError

PREVIEW = re.compile(r"p_[0-9a-z]{12}")
_ATTEMPT = re.compile(r"a_[0-9a-z]{12}")
_SHOWN = 60
_NODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_\-]*(?:\.[0-9A-Za-z_\-]+)+")
_LONGEST_EPIC = 64
_LONGEST_NODE = 120
_WATCHLIST = re.compile(r"[0-9A-Za-z][0-9A-Za-z_\-]{0,63}")
_NOT_IN_NAMES = frozenset("/\\%?#")
_DEAL = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z_\-]{0,62}[0-9A-Za-z])?")


def preview_id(text: str) -> str:
    """Return a preview id as it is stored; case and surrounding dashes do not matter. Raises UsageError."""
    return _shaped(text, PREVIEW, "preview id", "p_ and 12 letters or digits", "capcli preview --help")


def attempt_id(text: str) -> str:
    """Return an attempt id as it is stored. Raises UsageError."""
    return _shaped(text, _ATTEMPT, "attempt id", "a_ and 12 letters or digits", "capcli positions")


def _shaped(text: str, pattern: re.Pattern[str], what: str, form: str, command: str) -> str:
    cleaned = text.strip().strip("-").lower()
    if not pattern.fullmatch(cleaned):
        article = "an" if what[0] in "aeiou" else "a"
        raise UsageError(f"{shown(text)} is not {article} {what}; one looks like {form}.", next=command)
    return cleaned


def deal_id(text: str) -> str:
    """Return a deal id, checked so that it can stand in a path. Raises UsageError."""
    cleaned = text.strip()
    if not cleaned.isascii() or not _DEAL.fullmatch(cleaned):
        raise UsageError(
            f"{shown(text)} is not a deal id; one is made of letters, digits and dashes.",
            next="capcli positions",
        )
    return cleaned


def epic(text: str) -> str:
    """Return an epic as typed (its case is kept). Raises UsageError if it cannot be one."""
    cleaned = text.strip()
    if not is_epic(cleaned):
        raise UsageError(
            f"{shown(text)} is not an epic; one looks like SILVER or OIL_CRUDE.",
            next="capcli markets search silver",
            epic=cleaned[:_LONGEST_EPIC],
        )
    return cleaned


def is_node(text: str) -> bool:
    """Whether text has the form of a node id: words separated by points."""
    return text.isascii() and len(text) <= _LONGEST_NODE and bool(_NODE.fullmatch(text))


def watchlist(text: str) -> str:
    """Return a watchlist's id or name. Raises UsageError for text that can be neither.

    A name may contain characters that would change a path: such a list is addressed by its id.
    """
    cleaned = text.strip()
    odd = not cleaned.isprintable() or not cleaned.strip(".") or _NOT_IN_NAMES & set(cleaned)
    if odd or len(cleaned) > _SHOWN:
        raise UsageError(
            f"{shown(text)} is not a watchlist's id or name.", "Nothing was sent.", next="capcli watchlists"
        )
    return cleaned


def is_watchlist(text: str) -> bool:
    """Whether text can be used in a path as a watchlist's id."""
    return text.isascii() and bool(_WATCHLIST.fullmatch(text))


def shown(text: str) -> str:
    """Quote a user's text for a message: control characters escaped, length capped."""
    return ascii(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
