"""The options of a new paper world, for `paper reset` and the first `paper serve`."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Struct

from capcli.cli.inputs import instant
from capcli.cli.options import flag, option
from capcli.domain.money import NotANumber, parse_decimal
from capcli.errors import UsageError

FASTEST = 10_000


class WorldOptions(Struct, frozen=True):
    """Options of a new world, as typed."""

    seed: Annotated[str | None, option("Other prices: any text.", "TEXT")] = None
    start: Annotated[str | None, option("The market's clock begins here (UTC).", "TIME")] = None
    speed: Annotated[str | None, option("Market time in real time; 1440 is a day a minute.", "X")] = None
    ticks: Annotated[
        int | None, option("Ticks a second of every open market on the stream.", "N", min=1, max=250)
    ] = None
    replay: Annotated[
        list[str] | None, option("Play a file's candles as this market; repeatable.", "EPIC=FILE")
    ] = None
    no_limits: Annotated[bool, flag("--no-limits", "No request limits, for tests.")] = False
    accounts: Annotated[
        str | None, option("Other accounts, such as GBP:5000,PLN (default 10,000).", "CUR:CASH,...")
    ] = None
    behaviour: Annotated[
        Literal["kind", "awkward"] | None,
        option("kind: for a first try, nothing late or limited; awkward: for a bot before it trades.", None),
    ] = None
    confirms: Annotated[
        Literal["prompt", "late"] | None,
        option("late: one confirm in three is a 404 for up to 0.4 s (the default).", None),
    ] = None
    real_hours: Annotated[
        bool, flag("--real-hours", "SILVER, GOLD and EURUSD close at night and on weekends too.")
    ] = False
    market: Annotated[
        Path | None,
        option("More markets, from a TOML file; `paper reset --help` shows its form.", "FILE"),
    ] = None

    def read(self) -> dict[str, Any]:
        """Return the options that differ from the defaults. Raises UsageError."""
        kind = self.behaviour == "kind"
        late = False if kind else None
        wanted = {
            "seed": self.seed,
            "start": instant("--start", self.start),
            "speed": _speed(self.speed),
            "ticks": self.ticks,
            "replays": _replays(self.replay or []) or None,
            "limits": False if self.no_limits or kind else None,
            "accounts": _accounts(self.accounts),
            "late_confirms": late if self.confirms is None else self.confirms == "late",
            "real_hours": self.real_hours or None,
            "markets": self.market,
        }
        return {name: value for name, value in wanted.items() if value is not None}


def _speed(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        speed = parse_decimal(text)
    except NotANumber:
        speed = Decimal(0)
    if not 0 < speed <= FASTEST:
        raise _unusable("--speed", f"is {text[:60]!a}: a number above 0, at most {FASTEST}")
    return speed


def _replays(texts: list[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for text in texts:
        epic, given, file = text.partition("=")
        if not (epic and given and file) or epic in files:
            why = "is given twice" if epic in files else "is not EPIC=FILE"
            raise _unusable("--replay", f"{text[:60]!a} {why}")
        files[epic] = Path(file)
    return files


def _accounts(text: str | None) -> list[tuple[str, Decimal]] | None:
    """Read `GBP:5000,PLN`: currencies with what their accounts begin with."""
    if text is None:
        return None
    found = []
    for word in text.replace(",", " ").split():
        currency, _, cash = word.partition(":")
        try:
            found.append((currency.upper(), parse_decimal(cash or "10000")))
        except NotANumber:
            why = f"{word[:60]!a} is not CURRENCY:CASH, such as GBP:5000"
            raise _unusable("--accounts", why) from None
    if not found:
        raise _unusable("--accounts", "names no currency")
    return found


def _unusable(option: str, why: str) -> UsageError:
    return UsageError(
        f"{option} {why}. Nothing was changed.", next="capcli paper reset --help", option=option
    )
