"""A note in a person's own words beside an order, and a tag to count trades by; kept on this computer."""

import re

from msgspec import Struct

LONGEST_NOTE = 200


class OrderNotes(Struct, frozen=True):
    """The note and tag of an order."""

    note: str | None = None
    tag: str | None = None


_TAG = re.compile(r"[0-9a-z][0-9a-z_-]{0,31}")
# Characters that every shell accepts unchanged in double quotes.
_PLAIN = re.compile(r"[\w .,:+-]+")


def on_one_line(text: str) -> str:
    """Return another's text on one line, without control, format and direction characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def read_note(text: str) -> str | None:
    """Return a note as one printable line, None if empty. Raises ValueError for more than 200 characters."""
    line = on_one_line(text)
    if len(line) > LONGEST_NOTE:
        raise ValueError(f"must be at most {LONGEST_NOTE} characters, not {len(line)}")
    return line or None


def read_tag(text: str) -> str | None:
    """Return a tag in lower case, None for an empty one. Raises ValueError unless it is a single word."""
    word = text.strip().lower()
    if word and not _TAG.fullmatch(word):
        raise ValueError("must be one word of letters a-z, digits, - and _, at most 32, such as breakout")
    return word or None


def as_options(note: str | None, tag: str | None) -> list[str]:
    """Return them as words of a command. A note that a shell could misread is left out."""
    words = [f'--note "{note}"'] if note and _PLAIN.fullmatch(note) else []
    return [*words, f"--tag {tag}"] if tag else words
