"""Alert levels: which side of each a value is on, and when it crosses."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct

from capcli.domain.alerts import AccountLevels, Level
from capcli.domain.stream import Tick
from capcli.errors import UsageError


class Fired(Struct, frozen=True):
    """A level that was reached, with its value, and for a market the tick."""

    level: Level
    value: Decimal
    tick: Tick | None = None


class Alarms:
    """Fires each level once, or with `repeat` at every crossing. `met` is the state of an earlier watch.

    A level that the first value meets fires at once; a move counts from there.
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
        return tuple(filter(None, self._levels))

    @property
    def asks_account(self) -> bool:
        """Whether a level is compared with the account."""
        return "" in self._levels

    @property
    def waiting(self) -> tuple[Level, ...]:
        """The levels that have not fired."""
        return tuple(one for some in self._levels.values() for one in some if not self._met.get(one.key))

    @property
    def met(self) -> Mapping[str, bool]:
        """By level key: whether it fired, or with `repeat` whether the value is beyond it."""
        return dict(self._met)

    def fire(self, tick: Tick) -> list[Fired]:
        """Return the levels that this tick fires."""
        levels = [level.begun(tick.bid) for level in self._levels.get(tick.epic, ())]
        if levels:
            self._levels[tick.epic] = levels
        found = ((level, level.value(tick.bid)) for level in levels)
        return [Fired(level, value, tick) for level, value in found if self._crosses(level, value)]

    def fire_account(self, account: AccountLevels) -> list[Fired]:
        """Return the levels that the account's figures fire."""
        found = ((level, account.value(level.measure)) for level in self._levels.get("", ()))
        return [Fired(level, value) for level, value in found if self._crosses(level, value)]

    def _crosses(self, level: Level, value: Decimal) -> bool:
        is_met, was_met = level.is_met(value), self._met.get(level.key, False)
        if is_met or self._repeat:
            self._met[level.key] = is_met
        return is_met and not was_met
