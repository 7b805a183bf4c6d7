"""Every limit gives one verdict on every kind of change, at the preview or the question and at the send.

The sends are rehearsed: a dry run passes every check and leaves the book as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.domain.bracket import Change
from capcli.domain.market import Side
from capcli.domain.order import Trigger
from capcli.errors import CapcliError, WouldSend
from capcli.trading.preview import Preview
from tests.support.fixtures import Seats
from tests.support.seat import Seat, stop_at

D = Decimal
Verdicts = tuple[set[str], set[str]]
LIMITS = {
    "epic_allowed": {"CAP_ALLOWED_EPICS": "GOLD"},
    "max_size": {"CAP_MAX_POSITION_SIZE": "0.1", "CAP_MAX_WORKING_ORDER_SIZE": "0.1"},
    "open_positions": {"CAP_MAX_OPEN_POSITIONS": "2"},
    "orders_per_day": {"CAP_MAX_ORDERS_PER_DAY": "1"},
    "risk": {"CAP_MAX_RISK_PCT": "0.001"},
    "total_risk": {"CAP_MAX_TOTAL_RISK_PCT": "0.001"},
    "margin": {"CAP_MAX_MARGIN_PCT": "0.001"},
    "daily_loss": {"CAP_MAX_DAILY_LOSS": "0.5"},
    "stop_required": {"CAP_REQUIRE_STOP": "true"},
    "halt": {},
    "unresolved": {},
}
ORDERS = {
    "opens": {"size": "1"},
    "reduces": {"size": "1", "side": Side.SELL},
    "closes": {"size": "2", "side": Side.SELL},
    "reverses": {"size": "3", "side": Side.SELL},
    "waits": {"size": "1", "trigger": Trigger(D(25))},
}
NEW_RISK = {"opens", "reverses", "waits", "amends looser", "moves"}
ORDERS_ALONE = {"opens", "reverses", "waits"}
# Written by hand: which of them a limit refuses.
REFUSED = dict.fromkeys(LIMITS, NEW_RISK) | {
    "max_size": ORDERS_ALONE,
    "orders_per_day": ORDERS_ALONE,
    # The reversed deal takes the place of the one that it closes.
    "open_positions": {"opens", "waits"},
    # A stop has no margin.
    "margin": ORDERS_ALONE | {"moves"},
}
CODES = {"HALTED": {"halt"}, "BLOCKED": {"unresolved"}}


@dataclass(frozen=True)
class Book:
    """Two SILVER with a stop and one order that waits without one, after a day that cost something."""

    free: Seat
    deal: str
    order: str

    @classmethod
    def laid(cls, free: Seat) -> "Book":
        free.app.closings.close(free.open(size="100").deal_id or "", confirmed=True)
        deal = free.open(size="2", stop=stop_at("24.50")).deal_id
        return cls(free, deal or "", free.open(size="1", trigger=Trigger(D(26))).deal_id or "")

    def amendments(self, seat: Seat) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
        """Return the question and the send of each amendment."""
        tighter, looser = Change(stop=stop_at("25")), Change(no_stop=True)
        moved = Change(level=D("26.5"))
        positions, orders = seat.app.amendments, seat.app.order_amendments
        return {
            "amends tighter": (
                lambda: positions.question(self.deal, tighter),
                lambda: positions.amend(self.deal, tighter, confirmed=True),
            ),
            "amends looser": (
                lambda: positions.question(self.deal, looser),
                lambda: positions.amend(self.deal, looser, confirmed=True),
            ),
            "moves": (
                lambda: orders.question(self.order, moved),
                lambda: orders.amend(self.order, moved, confirmed=True),
            ),
        }


def of_order(bound: Seat, words: dict[str, Any], ready: Preview) -> Verdicts:
    """Return what fails of an order at its preview, and when one that was previewed before would be sent."""
    first = {check.rule.value for check in bound.preview(**words).failed}
    return first, failed(lambda: bound.execute(ready.preview_id, again=True))


def failed(work: Callable[[], object]) -> set[str]:
    """Return the checks that stop some work; a rehearsed send is stopped by none."""
    try:
        work()
    except WouldSend:
        return set()
    except CapcliError as error:
        return CODES.get(error.code) or set(error.details.get("failed", {error.code}))
    return set()


@pytest.mark.parametrize(
    "rules",
    [[rule for rule in LIMITS if LIMITS[rule]], ["halt"], ["unresolved"]],
    ids=["set", "halt", "unresolved"],
)
def test_a_limit_says_the_same_before_the_question_and_at_the_send(seats: Seats, rules: list[str]) -> None:
    book = Book.laid(seats())
    for rule in rules:
        bound = seats(CAP_DRY_RUN="true", **LIMITS[rule])
        ready = {name: book.free.preview(**words) for name, words in ORDERS.items()}
        if rule == "halt":
            book.free.app.halting.halt("", by="capcli halt")
        if rule == "unresolved":
            lost_order(book.free, "GOLD", "0.1")
        found = {name: of_order(bound, words, ready[name]) for name, words in ORDERS.items()}
        for name, (question, send) in book.amendments(bound).items():
            found[name] = failed(question), failed(send)
        refused = REFUSED[rule]
        assert found == {name: ({rule},) * 2 if name in refused else (set(), set()) for name in found}, rule


def test_an_unresolved_order_in_the_market_refuses_what_it_may_change_at_both_times(seats: Seats) -> None:
    book, bound = Book.laid(seats()), seats(CAP_DRY_RUN="true")
    ready = {name: book.free.preview(**words) for name, words in ORDERS.items()}
    lost_order(book.free, "SILVER", "7")
    for name, words in ORDERS.items():
        assert of_order(bound, words, ready[name]) == ({"unresolved"}, {"unresolved"}), name


def lost_order(seat: Seat, epic: str, size: str) -> None:
    """Leave an order behind of which nobody knows what became."""
    seat.tap.breaks("POST", "/positions", before=httpx.ReadTimeout("no answer"))
    assert seat.execute(seat.preview(epic, size=size).preview_id).exit_code == 8
