"""Whatever a test opens has an owner who closes it; what is left is told with where it was opened."""

import linecache
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

Place = tuple[str, int]
"""A file and a line."""


@dataclass(frozen=True)
class _Opened:
    connection: sqlite3.Connection
    places: tuple[Place, ...]

    @property
    def where(self) -> str:
        return "\n".join(
            f"  {file}:{line}: {linecache.getline(file, line).strip()}" for file, line in self.places
        )

    @property
    def closed(self) -> bool:
        try:
            self.connection.total_changes  # noqa: B018 - refused once it is closed
        except sqlite3.ProgrammingError:
            return True
        return False


_DEPTH = 12
PATIENCE_S = 10  # for a thread that was left behind: it closes what it was lent when it is done


class Connections:
    """Opens SQLite files in place of `sqlite3.connect` and remembers them, so that none is lost unclosed."""

    def __init__(self, connect: Callable[..., sqlite3.Connection]) -> None:
        self._connect = connect
        self._opened: list[_Opened] = []

    def __call__(self, *args: Any, **options: Any) -> sqlite3.Connection:
        connection = self._connect(*args, **options)
        self._opened.append(_Opened(connection, tuple(_callers(sys._getframe(1)))))
        return connection

    def left_open(self) -> list[str]:
        """Return where each connection was opened that nobody closed, and close it."""
        ends = time.monotonic() + PATIENCE_S
        while (left := [one for one in self._opened if not one.closed]) and time.monotonic() < ends:
            time.sleep(0.01)
        for one in left:
            one.connection.close()
        return [one.where for one in left]


def _callers(frame: FrameType | None) -> Iterator[Place]:
    """Note where a call comes from; the text of the lines is read only when it is told."""
    for _ in range(_DEPTH):
        if frame is None:
            return
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
