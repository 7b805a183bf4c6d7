"""A cache of recently shown values (epics, deals, accounts, watchlists) for shell completion.

Read at every completion, so it imports next to nothing. A file that cannot be used counts as absent.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from capcli.errors import CapcliError
from capcli.system import open_private, private_folder, put_in_place

MOST = 200
DEALS = ("positions", "orders")
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")
_LONGEST_ABOUT = 48

Seen = dict[str, dict[str, str]]


def seen_file(cache: Path, env: str) -> Path:
    """Return the file of an environment in the cache folder."""
    return cache / f"seen-{env}.txt"


def read_seen(file: Path) -> Seen:
    """Return the values by kind, newest first, each with a description."""
    found: Seen = {}
    with suppress(OSError, ValueError):
        for line in file.read_text(encoding="utf-8").splitlines():
            kind, value, about = line.split("\t")
            found.setdefault(kind, {})[value] = about
    return found


def book_of(seen: Seen, book: str, account: str = "") -> str:
    """Return the kind of an account's positions or orders; without an account the last one's."""
    return f"{book}@{account or next(iter(seen.get('active', {})), '')}"


class SeenValues:
    """The cache of one environment, as commands write it."""

    def __init__(self, cache: Path, env: str) -> None:
        self._file = seen_file(cache, env)

    def is_first(self, what: str) -> bool:
        """Whether this user sees a hint for the first time; False if that cannot be stored."""
        with suppress(OSError, CapcliError):
            open_private(private_folder(self._file.parent) / f"told-{what}", "xb").close()
            return True
        return False

    def note(
        self,
        shown: Mapping[str, Mapping[str, str]],
        *,
        whole: Iterable[str] = (),
        gone: Iterable[str] = (),
    ) -> None:
        """Put shown values first. A `whole` kind was listed completely; `gone` values are removed."""
        before = read_seen(self._file)
        after = {kind: dict(values) for kind, values in before.items()}
        for kind in whole:
            after[kind] = {}
        for kind, values in shown.items():
            known = after.get(kind, {})
            fresh = {
                value: _about(text) or known.get(value, "")
                for value, text in values.items()
                if _VALUE.fullmatch(value)
            }
            after[kind] = dict([*(fresh | known | fresh).items()][:MOST])
        for value in gone:
            for values in after.values():
                values.pop(value, None)
        if _lines(after) != _lines(before):
            with suppress(OSError, CapcliError):
                # On Windows it cannot be replaced while another process reads it.
                private_folder(self._file.parent)
                put_in_place(self._file, _lines(after).encode())

    def forget(self) -> None:
        """Remove the cache."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)


def _about(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_LONGEST_ABOUT].strip()


def _lines(seen: Seen) -> str:
    return "".join(
        f"{kind}\t{value}\t{about}\n" for kind, values in seen.items() for value, about in values.items()
    )
