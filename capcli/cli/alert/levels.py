"""The levels of `capcli alert`: their options, and what is read from them."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated

from msgspec import Struct

from capcli import ids
from capcli.cli.inputs import above_zero, listed, percent
from capcli.cli.options import argument, option
from capcli.domain.alerts import Level, Measure, Way
from capcli.domain.money import NotANumber, parse_decimal
from capcli.errors import UsageError

HELP = "capcli alert --help"
NOTHING = "Name what to wait for: --above, --below, --moves and others."
Epics = Annotated[list[str] | None, argument("[EPIC...]", "Markets.")]


class LevelOptions(Struct, frozen=True):
    """The levels as typed."""

    above: Annotated[list[str] | None, option("When the bid is at L or above.", "[EPIC=]L")] = None
    below: Annotated[list[str] | None, option("When the bid is at L or below.", "[EPIC=]L")] = None
    moves: Annotated[
        list[str] | None, option("When the bid has moved this much, up or down.", "[EPIC=]P%")
    ] = None
    pnl_above: Annotated[str | None, option("When open P&L is at AMOUNT or above.", "AMOUNT")] = None
    pnl_below: Annotated[str | None, option("When open P&L is at AMOUNT or below: -100.", "AMOUNT")] = None
    margin_above: Annotated[str | None, option("When this share of equity is margin.", "P%")] = None


def levels(epics: Sequence[str] | None, given: LevelOptions) -> list[Level]:
    """Read the levels of the options. Raises UsageError for one whose market or form is open."""
    named = [ids.epic(epic) for epic in listed(epics)]
    found = [
        Level(ids.epic(epic), way, above_zero(option, text))
        for option, way, texts in (("--above", Way.ABOVE, given.above), ("--below", Way.BELOW, given.below))
        for epic, text in _by_market(option, texts, named)
    ]
    found += [
        Level(ids.epic(epic), Way.ABOVE, _percent("--moves", text), Measure.MOVE)
        for epic, text in _by_market("--moves", given.moves, named, each=True)
    ]
    if idle := [epic for epic in named if epic not in {level.epic for level in found}]:
        raise UsageError(
            f"Nothing is asked of {idle[0]}. Add --above {idle[0]}=LEVEL, --below {idle[0]}=LEVEL or --moves "
            f"{idle[0]}=2%.",
            next=HELP,
        )
    if given.pnl_above is not None:
        found.append(Level("", Way.ABOVE, _amount("--pnl-above", given.pnl_above), Measure.PNL))
    if given.pnl_below is not None:
        found.append(Level("", Way.BELOW, _amount("--pnl-below", given.pnl_below), Measure.PNL))
    if given.margin_above is not None:
        found.append(Level("", Way.ABOVE, _percent("--margin-above", given.margin_above), Measure.MARGIN))
    if not found:
        raise UsageError(NOTHING, next=HELP)
    return found


def _by_market(
    option: str, texts: Sequence[str] | None, named: Sequence[str], *, each: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield market and value of each text: `SILVER=31.5`, or bare for the one named (`each`: for all)."""
    for text in texts or ():
        epic, equals, value = text.rpartition("=")
        if equals:
            yield epic.strip(), value
        elif named and (each or len(named) == 1):
            yield from ((epic, text) for epic in named)
        else:
            how = (
                f"Write {option} {named[0]}={text[:40]}"
                if named
                else (f"Name it before, or write {option} SILVER=31.5")
            )
            raise UsageError(f"{option} is {text[:40]!a}: for which market? {how}.", next=HELP)


def _percent(option: str, text: str) -> Decimal:
    share = percent(option, text)
    if share is None:
        raise UsageError(f"{option} is {text[:40]!a}: write a percentage such as 2%.", option=option)
    return share


def _amount(option: str, text: str) -> Decimal:
    try:
        return parse_decimal(text)
    except NotANumber as error:
        raise UsageError(
            f"{option} is {text[:40]!a}: {error}. Write an amount in account currency, such as -100.",
            option=option,
        ) from None
