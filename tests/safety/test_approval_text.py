"""What an amendment does to a deal, in money: every way from one stop and limit to another."""

from decimal import Decimal

import pytest

from capcli.domain.bracket import Bracket
from capcli.safety.approval_text import Ends, ExitOrders, change_lines

D = Decimal
# The level counts for nothing here: only whether there is a stop, and what the deal ends with there.
SOME = D(1)


def legs(stop: str | None, limit: str | None = None, *, guaranteed: bool = False) -> ExitOrders:
    ends = Ends(D(stop) if stop else None, D(limit) if limit else None)
    bracket = Bracket(SOME if stop else None, SOME if limit else None, guaranteed=guaranteed)
    return ExitOrders(bracket, ends)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (legs("-40"), legs("-115"), "Loosens the stop: loss there 40.00 → 115.00 EUR"),
        (legs("-115"), legs("-40"), "Tightens the stop: loss there 115.00 → 40.00 EUR"),
        (legs("-40"), legs("12"), "Tightens the stop: loss there 40.00 → gain there 12.00 EUR"),
        (legs("12"), legs("-40"), "Loosens the stop: gain there 12.00 → loss there 40.00 EUR"),
        (legs("12"), legs("5"), "Loosens the stop: gain there 12.00 → 5.00 EUR"),
        (legs("-40"), legs("0"), "Tightens the stop: loss there 40.00 → 0.00 EUR"),
        (legs("-40"), legs("-40"), "Keeps the stop: loss 40.00 EUR there"),
        (legs(None), legs("-40"), "Sets a stop: loss 40.00 EUR there; until now the loss was unlimited"),
        (
            legs("-1040"),
            legs(None),
            "Removes the stop: the loss is unlimited (until now: loss 1,040.00 EUR there)",
        ),
        (legs(None), legs(None), "NO STOP: the loss is unlimited"),
    ],
)
def test_the_stop_of_an_amendment_is_told_in_money(before: ExitOrders, after: ExitOrders, said: str) -> None:
    assert change_lines(before, after, "EUR") == [said]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (None, "20", ["Sets a limit: gain 20.00 EUR there"]),
        ("20", None, ["Removes the limit (gain 20.00 EUR there)"]),
        ("20", "35", ["Moves the limit: gain there 20.00 → 35.00 EUR"]),
        ("20", "-5", ["Moves the limit: gain there 20.00 → loss there 5.00 EUR"]),
        ("20", "20", []),
        (None, None, []),
    ],
)
def test_the_limit_of_an_amendment_is_told_where_it_changes(
    before: str | None, after: str | None, said: list[str]
) -> None:
    assert change_lines(legs("-1", before), legs("-1", after), "EUR")[1:] == said


def test_a_trailing_stop_whose_level_is_not_known_is_still_a_stop() -> None:
    trailing = ExitOrders(Bracket(None, None, trail=SOME), Ends(None, None))
    assert change_lines(legs(None), trailing, "EUR") == ["The loss at the stop is not known"]
    assert change_lines(trailing, legs("-40"), "EUR") == ["Sets the stop anew: loss 40.00 EUR there"]


def test_a_guarantee_that_is_given_up_is_named() -> None:
    lines = change_lines(legs("-40", guaranteed=True), legs("-40"), "EUR")
    assert lines[1:] == ["Gives up the guarantee of the stop: a gap may lose more than that"]
    assert change_lines(legs("-40", guaranteed=True), legs(None), "EUR")[1:] == []
