"""The kill switch as a value: since when, by whom, and why."""

from datetime import datetime

from msgspec import Struct


class Halt(Struct, frozen=True):
    """A halt in force. `at` is None if the switch is on and its content cannot be read."""

    at: datetime | None
    by: str
    pid: int | None
    reason: str

    @property
    def detail(self) -> str:
        """Say since when, by whom and why."""
        if self.at is None:
            return self.reason
        why = f": {self.reason}" if self.reason else ""
        return f"since {self.at:%Y-%m-%d %H:%M:%S}Z by {self.by} (process {self.pid}){why}"

    @property
    def words(self) -> str:
        return f"halted{':' if self.at is None else ''} {self.detail}"


class HaltKept(Struct, frozen=True):
    """The halt in force, the files that keep it, and those that could not be written; without any, it holds
    in this process alone. `everywhere`: every process of the user reads one of them.
    """

    halt: Halt
    places: tuple[str, ...]
    failed: tuple[str, ...]
    everywhere: bool
