"""Levels that a price is waited for: which side of each it is on, and when it crosses."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from capcli.domain.stream import Tick
from capcli.errors import UsageError


class Way(StrEnum):
    """From which side a level is waited for."""

    ABOVE = "above"
    BELOW = "below"


class Level(Struct, frozen=True):
    """A price to wait for, compared with the bid, in the instrument's currency."""

    epic: str
    way: Way
    price: Decimal

    def is_met(self, bid: Decimal) -> bool:
        return bid >= self.price if self.way is Way.ABOVE else bid <= self.price

    @property
    def key(self) -> str:
        return f"{self.epic} {self.way.value} {self.price:f}"


class Fired(Struct, frozen=True):
    """A level that was met: by which tick."""

    level: Level
    tick: Tick


class Alarms:
    """Fires each level once, or with `repeat` at every crossing: again after the price was back.

    A level that is met by the first price it sees fires at once. `met` is what an earlier watch knew.
    """

    def __init__(
        self, levels: Iterable[Level], *, repeat: bool = False, met: Mapping[str, bool] | None = None
    ) -> None:
        self._levels: dict[str, list[Level]] = {}
        for level in dict.fromkeys(levels):
            self._levels.setdefault(level.epic, []).append(level)
        if not self._levels:
            raise UsageError("Name a level: --above or --below.", next="capcli alert --help")
        self._repeat = repeat
        self._met = dict(met or {})

    @property
    def epics(self) -> tuple[str, ...]:
        return tuple(self._levels)

    @property
    def waiting(self) -> tuple[Level, ...]:
        """The levels that have not fired."""
        return tuple(one for some in self._levels.values() for one in some if not self._met.get(one.key))

    @property
    def met(self) -> Mapping[str, bool]:
        """By the key of each level, whether it fired, or with `repeat` whether the price is beyond it."""
        return dict(self._met)

    def look(self, tick: Tick) -> list[Fired]:
        """Return what this tick fires."""
        fired = []
        for level in self._levels.get(tick.epic, ()):
            is_met, was_met = level.is_met(tick.bid), self._met.get(level.key, False)
            if is_met and not was_met:
                fired.append(Fired(level, tick))
            if is_met or self._repeat:
                self._met[level.key] = is_met
        return fired
