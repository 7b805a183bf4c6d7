from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from capcli.domain.account import Activity, OrderType, Position, WorkingOrder
from capcli.domain.attempt import Ending
from capcli.domain.candidates import CompetingOrder, LookupOutcome, Seen, UnconfirmedOrder, Window
from capcli.domain.market import MarketStatus, Side
from capcli.domain.matching import find
from capcli.domain.order import Trigger
from tests.domain.builders import NOW, a_quote, an_order, distance, level

D = Decimal
SENT = Window(NOW - timedelta(seconds=1), NOW + timedelta(days=1))
LOST = UnconfirmedOrder(an_order("1.5", stop=level("24.5")), SENT, frozenset({"old", "order-of-old"}))
POSITION = Position(
    deal_id="new",
    epic="SILVER",
    name="Silver",
    type="COMMODITIES",
    side=Side.BUY,
    size=D("1.50"),
    level=D(30),
    bid=a_quote().bid,
    offer=a_quote().offer,
    market_status=a_quote().status,
    upl=D(0),
    currency="USD",
    leverage=None,
    contract_size=D(10),
    stop_level=D("24.5"),
    limit_level=None,
    trailing=False,
    stop_distance=None,
    guaranteed=False,
    working_order_id="order-of-new",
    opened_at=NOW + timedelta(seconds=1),
)
ORDER = WorkingOrder(
    deal_id="new",
    epic="SILVER",
    name="Silver",
    side=Side.BUY,
    type=OrderType.LIMIT,
    size=D("1.5"),
    level=D("27.0"),
    currency="USD",
    stop_level=None,
    limit_level=None,
    trailing=False,
    guaranteed=False,
    good_till=None,
    created_at=NOW,
    bid=None,
    offer=None,
    market_status=MarketStatus.TRADEABLE,
)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"stop_level": None}, True),
        ({"working_order_id": None}, True),
        ({"opened_at": NOW - timedelta(seconds=1)}, True),
        ({"opened_at": NOW - timedelta(seconds=2)}, False),
        ({"deal_id": "old"}, False),
        ({"working_order_id": "order-of-old"}, False),
        ({"epic": "GOLD"}, False),
        ({"side": Side.SELL}, False),
    ],
)
def test_a_position_fits_a_lost_order(changes: dict[str, Any], *, fits: bool) -> None:
    found = find(LOST, Seen((replace(POSITION, **changes),), (), ()))
    assert found.outcome is (LookupOutcome.LANDED if fits else LookupOutcome.NOTHING_THERE)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, LookupOutcome.LANDED),
        ({"level": D(28)}, LookupOutcome.UNDECIDED),
        ({"size": D(1)}, LookupOutcome.UNDECIDED),
        ({"deal_id": "old"}, LookupOutcome.NOTHING_THERE),
        ({"created_at": NOW - timedelta(seconds=3)}, LookupOutcome.NOTHING_THERE),
        ({"side": Side.SELL}, LookupOutcome.NOTHING_THERE),
    ],
)
def test_a_waiting_order_fits_a_lost_one(changes: dict[str, Any], outcome: LookupOutcome) -> None:
    found = find(LOST_ORDER, Seen((), (replace(ORDER, **changes),), ()))
    assert found.outcome is outcome


NOTHING = Seen((), (), ())
LOST_ORDER = replace(LOST, request=replace(LOST.request, trigger=Trigger(D(27))))
OPPOSITE = replace(POSITION, deal_id="old", side=Side.SELL, size=D(1), opened_at=NOW - timedelta(hours=1))


def row(deal_id: str, **changes: Any) -> Activity:
    facts: dict[str, Any] = {
        "at": NOW + timedelta(seconds=1),
        "epic": "SILVER",
        "deal_id": deal_id,
        "source": "USER",
        "type": "POSITION",
        "status": "ACCEPTED",
        "size": D("1.5"),
        "level": D(30),
        "side": Side.BUY,
        "deal_reference": None,
        "working_order_id": None,
    }
    return Activity(**(facts | changes))


def order_row(deal_id: str = "o1", **changes: Any) -> Activity:
    return row(deal_id, type="WORKING_ORDER", **changes)


def seen(*rows: Activity, positions: Any = (), orders: Any = ()) -> Seen:
    """A look whose activity is given oldest first, as it happened."""
    return Seen(tuple(positions), tuple(orders), tuple(reversed(rows)))


OPENED = row("new")
CLOSED = row("new", side=Side.SELL, source="SL", at=NOW + timedelta(seconds=9))
REFUSED = order_row(status="REJECTED", level=None)
FILL = row("new", working_order_id="o1", at=NOW + timedelta(seconds=5))
MADE = order_row(level=D(27))
EXECUTED = order_row(level=D("26.99"), status="EXECUTED", at=NOW + timedelta(seconds=5))
V = LookupOutcome


SMALL = replace(POSITION, size=D(1), working_order_id=None)


@pytest.mark.parametrize(
    ("look", "outcome", "deals"),
    [
        (NOTHING, V.NOTHING_THERE, ()),
        (seen(positions=[POSITION]), V.LANDED, ("new",)),
        (seen(OPENED, positions=[POSITION]), V.LANDED, ("new",)),
        (seen(positions=[POSITION, replace(POSITION, deal_id="b")]), V.UNDECIDED, ("new", "b")),
        (seen(OPENED, CLOSED), V.LANDED, ("new",)),
        (seen(OPENED, CLOSED, positions=[replace(POSITION, deal_id="b")]), V.UNDECIDED, ("b", "new")),
        (seen(OPENED), V.UNDECIDED, ("new",)),
        (seen(replace(OPENED, level=None), CLOSED), V.UNDECIDED, ("new",)),
        (seen(replace(OPENED, size=None), CLOSED), V.UNDECIDED, ("new",)),
        (seen(CLOSED), V.NOTHING_THERE, ()),
        (seen(replace(OPENED, side=Side.SELL), replace(CLOSED, side=Side.BUY)), V.NOTHING_THERE, ()),
        *((seen(replace(OPENED, source=end)), V.NOTHING_THERE, ()) for end in ("SL", "TP", "CLOSE_OUT")),
        (seen(replace(OPENED, at=NOW - timedelta(seconds=3)), CLOSED), V.NOTHING_THERE, ()),
        (seen(replace(OPENED, epic="GOLD"), CLOSED), V.NOTHING_THERE, ()),
        (seen(replace(OPENED, deal_id="old"), replace(CLOSED, deal_id="old")), V.NOTHING_THERE, ()),
        (seen(REFUSED), V.REJECTED, ()),
        (seen(replace(REFUSED, side=None)), V.NOTHING_THERE, ()),
        (seen(replace(REFUSED, size=D(2))), V.NOTHING_THERE, ()),
        (seen(REFUSED, replace(REFUSED, deal_id="o2")), V.UNDECIDED, ()),
        (seen(REFUSED, positions=[POSITION]), V.UNDECIDED, ("new",)),
        (seen(order_row()), V.UNDECIDED, ()),
        (seen(order_row(), order_row(status="CANCELLED")), V.NOTHING_THERE, ()),
        (seen(order_row("new"), orders=[ORDER]), V.NOTHING_THERE, ()),
        (seen(OPENED, row("new", side=None, status="MODIFIED")), V.UNDECIDED, ("new",)),
        (seen(replace(OPENED, at=SENT.since), CLOSED), V.LANDED, ("new",)),
        (seen(replace(REFUSED, size=None)), V.NOTHING_THERE, ()),
        (seen(order_row(), order_row(status="CREATED")), V.UNDECIDED, ()),
        (seen(order_row(side=Side.SELL)), V.NOTHING_THERE, ()),
        (seen(row("new", side=Side.SELL, size=D("0.5")), positions=[SMALL]), V.UNDECIDED, ("new",)),
        (seen(MADE, EXECUTED, positions=[replace(POSITION, working_order_id="o1")]), V.NOTHING_THERE, ()),
    ],
)
def test_what_a_look_proves_about_a_market_order(
    look: Seen, outcome: LookupOutcome, deals: tuple[str, ...]
) -> None:
    found = find(LOST, look)
    assert (found.outcome, found.deals) == (outcome, deals)


FILLED = replace(POSITION, working_order_id="o1")


@pytest.mark.parametrize(
    ("look", "outcome", "deals"),
    [
        (NOTHING, V.NOTHING_THERE, ()),
        (seen(orders=[ORDER]), V.LANDED, ("new",)),
        (seen(MADE, EXECUTED, FILL, positions=[FILLED]), V.LANDED, ("new",)),
        (seen(MADE, positions=[FILLED]), V.LANDED, ("new",)),
        (seen(MADE, EXECUTED, FILL), V.UNDECIDED, ("new",)),
        (seen(MADE, EXECUTED, FILL, CLOSED), V.LANDED, ("new",)),
        (seen(MADE, EXECUTED), V.UNDECIDED, ("o1",)),
        (seen(MADE), V.UNDECIDED, ("o1",)),
        (seen(MADE, replace(MADE, status="CANCELLED")), V.LANDED, ("o1",)),
        (seen(MADE, replace(MADE, status="EXPIRED")), V.LANDED, ("o1",)),
        (seen(MADE, replace(MADE, status="REJECTED")), V.LANDED, ("o1",)),
        (seen(replace(MADE, level=None), replace(MADE, status="CANCELLED")), V.UNDECIDED, ("o1",)),
        (seen(replace(MADE, level=D(28)), positions=[FILLED]), V.NOTHING_THERE, ()),
        (seen(positions=[FILLED]), V.UNDECIDED, ("new",)),
        (seen(REFUSED), V.REJECTED, ()),
        (seen(MADE, replace(MADE, status="CANCELLED"), orders=[ORDER]), V.UNDECIDED, ("new", "o1")),
        (seen(replace(MADE, size=D(2)), replace(MADE, status="CANCELLED")), V.NOTHING_THERE, ()),
        (seen(positions=[replace(POSITION, working_order_id=None)]), V.NOTHING_THERE, ()),
        (seen(MADE, EXECUTED, replace(FILL, deal_id="old")), V.UNDECIDED, ("o1",)),
        (seen(MADE, EXECUTED, FILL, replace(FILL, deal_id="b"), CLOSED), V.UNDECIDED, ("b", "new")),
        (seen(MADE, EXECUTED, FILL, replace(CLOSED, deal_id="b")), V.UNDECIDED, ("new",)),
    ],
)
def test_what_a_look_proves_about_a_working_order(
    look: Seen, outcome: LookupOutcome, deals: tuple[str, ...]
) -> None:
    found = find(LOST_ORDER, look)
    assert (found.outcome, found.deals) == (outcome, deals)


def netting(size: str, **sizes: str) -> UnconfirmedOrder:
    order = an_order(size, stop=level("24.5"))
    known = frozenset(sizes) | {"order-of-old"}
    return UnconfirmedOrder(
        order, SENT, known, {name: D(text) for name, text in sizes.items()}, opposite=frozenset(sizes)
    )


def settled(look: Seen) -> Seen:
    """The same look when no row can be late any more."""
    return replace(look, at=SENT.until + timedelta(hours=1))


def hidden(size: str) -> Activity:
    return order_row("hidden", size=D(size))


CUT = row("old", size=D(1), working_order_id=None)
MEANWHILE = row("short", side=Side.SELL, size=D(1))
NO_ORDER = V.NOTHING_THERE, ()
REST = replace(POSITION, deal_id="rest", size=D("0.5"), working_order_id="hidden")


@pytest.mark.parametrize(
    ("lost", "look", "outcome", "deals"),
    [
        (netting("1", old="3"), seen(positions=[replace(OPPOSITE, size=D(2))]), V.LANDED, ("old",)),
        (netting("1", old="3"), seen(positions=[replace(OPPOSITE, size=D("2.5"))]), V.NOTHING_THERE, ()),
        (netting("1", old="1"), seen(CUT), V.UNDECIDED, ("old",)),
        (netting("1"), seen(MEANWHILE, replace(CUT, deal_id="short")), V.UNDECIDED, ("short",)),
        (netting("1"), seen(replace(MEANWHILE, status="DELETED"), replace(CUT, deal_id="short")), *NO_ORDER),
        (netting("1"), seen(replace(MEANWHILE, source="SL"), replace(CUT, deal_id="short")), *NO_ORDER),
        (netting("1", old="1"), seen(hidden("1"), CUT), V.LANDED, ("old",)),
        (netting("1.5", old="1"), seen(hidden("1.5"), CUT, positions=[REST]), V.LANDED, ("rest", "old")),
        (netting("1.5", old="1"), seen(CUT, positions=[REST]), V.UNDECIDED, ("rest", "old")),
        (netting("1", old="1"), seen(replace(CUT, source="TP")), V.NOTHING_THERE, ()),
        (netting("1", old="1"), settled(seen(replace(CUT, epic="GOLD"))), V.NOTHING_THERE, ()),
        (netting("1", old="1"), seen(positions=[OPPOSITE]), V.NOTHING_THERE, ()),
        (netting("1", old="1"), settled(seen(replace(CUT, type="WORKING_ORDER"))), V.NOTHING_THERE, ()),
        (
            netting("1", old="1"),
            settled(seen(replace(CUT, at=NOW - timedelta(hours=1)))),
            V.NOTHING_THERE,
            (),
        ),
        (
            netting("1.5", old="1"),
            seen(hidden("1.5"), CUT, positions=[replace(REST, size=D("0.4"))]),
            V.UNDECIDED,
            ("rest",),
        ),
    ],
)
def test_what_netting_took_and_opened_together_is_the_order(
    lost: UnconfirmedOrder, look: Seen, outcome: LookupOutcome, deals: tuple[str, ...]
) -> None:
    found = find(lost, look)
    assert (found.outcome, found.deals) == (outcome, deals)


def test_an_order_that_netting_filled_in_part_has_the_level_of_what_it_opened() -> None:
    opened = replace(REST, level=D("24.7"), opened_at=NOW + timedelta(seconds=2))
    found = find(netting("1.5", old="1"), seen(hidden("1.5"), CUT, positions=[opened]))
    assert [(trace.level, trace.at) for trace in found.traces] == [(D("24.7"), opened.opened_at)]


SMALLER = replace(POSITION, size=D("0.5"), working_order_id="o1")


@pytest.mark.parametrize(
    ("look", "outcome", "deals"),
    [
        (seen(positions=[SMALLER]), V.UNDECIDED, ("new",)),
        (seen(OPENED, positions=[SMALLER]), V.LANDED, ("new",)),
        (seen(replace(OPENED, size=None), positions=[SMALLER]), V.UNDECIDED, ("new",)),
        (seen(order_row(), positions=[SMALLER]), V.UNDECIDED, ("new",)),
        (seen(row("new", size=D("0.5")), positions=[SMALLER]), V.UNDECIDED, ("new",)),
        (seen(order_row(), row("new", size=D("0.5")), positions=[SMALLER]), V.UNDECIDED, ("new",)),
        (
            seen(order_row(size=D("0.5")), row("new", size=D("0.5")), positions=[SMALLER]),
            V.NOTHING_THERE,
            (),
        ),
        (
            seen(row("new", size=D(2)), positions=[replace(POSITION, working_order_id=None)]),
            V.NOTHING_THERE,
            (),
        ),
        (seen(order_row("o9"), positions=[POSITION]), V.UNDECIDED, ("new",)),
        (seen(positions=[SMALLER, replace(POSITION, deal_id="b")]), V.UNDECIDED, ("new", "b")),
    ],
)
def test_a_position_that_a_person_reduced_counts_with_the_size_that_it_was_opened_with(
    look: Seen, outcome: LookupOutcome, deals: tuple[str, ...]
) -> None:
    found = find(LOST, look)
    assert (found.outcome, set(found.deals)) == (outcome, set(deals))


def test_an_order_that_only_its_own_row_shows_is_not_explained_by_another_position() -> None:
    other = replace(POSITION, size=D("0.5"), working_order_id="o2")
    look = seen(order_row("o1"), order_row("o2", size=D("0.5")), row("new", size=D("0.5")), positions=[other])
    found = find(LOST, look)
    assert (found.outcome, [trace.ids for trace in found.traces]) == (V.UNDECIDED, [("o1",)])


MOVED = replace(ORDER, level=D("27.2"))


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ((), V.UNDECIDED),
        ((order_row("new", level=D(27)),), V.LANDED),
        ((order_row("new", level=D(27)), order_row("new", level=D("27.2"), status="MODIFIED")), V.LANDED),
        ((order_row("new", level=None),), V.UNDECIDED),
        ((order_row("new", level=D(27), size=None),), V.LANDED),
        ((order_row("new", level=D("27.2")),), V.NOTHING_THERE),
        ((order_row("new", level=D("27.2"), status="MODIFIED"),), V.UNDECIDED),
        ((order_row("new", level=D(27), size=D(2)),), V.NOTHING_THERE),
    ],
)
def test_an_order_that_a_person_moved_counts_with_the_level_that_it_was_made_with(
    rows: tuple[Activity, ...], outcome: LookupOutcome
) -> None:
    found = find(LOST_ORDER, seen(*rows, orders=[MOVED]))
    assert found.outcome is outcome
    assert found.naming("new") is not None, "a person may know better than the rows"


def test_a_person_may_name_any_new_deal_of_that_side_and_no_other() -> None:
    others = (replace(POSITION, side=Side.SELL), replace(POSITION, deal_id="old"))
    look = seen(row("gone", size=D(9)), positions=[replace(POSITION, deal_id="b", size=D(2)), *others])
    found = find(LOST, look)
    assert [found.naming(deal) is not None for deal in ("b", "gone", "new", "old")] == [
        True,
        True,
        False,
        False,
    ]


# The last byte left 4 s after the send: what comes within 2 s of it is in time, one more for the clocks.
BOUNDED = replace(LOST, window=Window.of(NOW, NOW + timedelta(seconds=4)))


def opened_after(seconds: int) -> Position:
    return replace(POSITION, opened_at=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(("seconds", "outcome"), [(-1, V.LANDED), (7, V.LANDED), (8, V.UNDECIDED)])
def test_what_was_opened_after_the_window_is_no_verdict(seconds: int, outcome: LookupOutcome) -> None:
    found = find(BOUNDED, seen(positions=[opened_after(seconds)]))
    assert (found.outcome, found.deals) == (outcome, ("new",))
    assert bool(found.late) is (outcome is V.UNDECIDED)


def test_a_refusal_after_the_window_is_another_orders() -> None:
    late = replace(REFUSED, at=NOW + timedelta(seconds=8))
    assert find(BOUNDED, seen(late)).outcome is V.NOTHING_THERE


def test_a_reduction_whose_time_is_not_told_is_as_late_as_the_look() -> None:
    reduced = seen(positions=[replace(OPPOSITE, size=D(2))])
    lost = replace(netting("1", old="3"), window=BOUNDED.window)
    looks = [replace(reduced, at=NOW + timedelta(seconds=seconds)) for seconds in (6, 60)]
    assert [find(lost, look).outcome for look in looks] == [V.LANDED, V.UNDECIDED]


def rival(sent_after: int, *known: str) -> CompetingOrder:
    sent = NOW + timedelta(seconds=sent_after)
    window = Window.of(sent, sent)
    return CompetingOrder("a_other", window, frozenset(known))


@pytest.mark.parametrize(
    ("other", "opened", "outcome"),
    [
        (rival(0), 1, V.UNDECIDED),
        (rival(4), 4, V.UNDECIDED),
        (rival(4), 2, V.LANDED),
        (rival(0, "new"), 1, V.LANDED),
        (rival(-300), 1, V.LANDED),
        (rival(20), 21, V.NOTHING_THERE),
        (rival(40), 21, V.UNDECIDED),
    ],
)
def test_a_deal_that_another_lost_order_may_be_as_well_is_no_verdict(
    other: CompetingOrder, opened: int, outcome: LookupOutcome
) -> None:
    found = find(replace(BOUNDED, rivals=(other,)), seen(positions=[opened_after(opened)]))
    assert found.outcome is outcome


@pytest.mark.parametrize(("other", "outcome"), [(rival(0, "old"), V.UNDECIDED), (rival(20, "old"), V.LANDED)])
def test_what_an_opposite_deal_lost_may_be_of_any_order_that_met_it(
    other: CompetingOrder, outcome: LookupOutcome
) -> None:
    """That it was there before their send excludes only that they opened it."""
    lost = replace(netting("1", old="3"), window=BOUNDED.window, rivals=(other,))
    look = replace(seen(positions=[replace(OPPOSITE, size=D(2))]), at=NOW + timedelta(seconds=2))
    assert find(lost, look).outcome is outcome


SHRUNK = replace(OPPOSITE, size=D(2))
TOOK = row("old", size=D("1.5"))


@pytest.mark.parametrize(
    ("size", "look", "outcome", "deals"),
    [
        ("3.5", seen(positions=[POSITION, SHRUNK]), V.UNDECIDED, ("new", "old")),
        ("3.4", seen(positions=[POSITION, SHRUNK]), V.LANDED, ("new",)),
        ("3.5", seen(TOOK, positions=[POSITION, SHRUNK]), V.UNDECIDED, ("new", "old")),
        ("3.5", seen(replace(TOOK, source="TP"), positions=[POSITION, SHRUNK]), V.LANDED, ("new",)),
        ("3.5", seen(TOOK, order_row("o2", size=D(4)), positions=[POSITION, SHRUNK]), V.LANDED, ("new",)),
        (
            "3.5",
            seen(
                TOOK,
                order_row("o2", size=D(4)),
                positions=[POSITION, SHRUNK],
                orders=[replace(ORDER, deal_id="o2")],
            ),
            V.UNDECIDED,
            ("new", "old"),
        ),
        (
            "3.5",
            replace(seen(positions=[POSITION, SHRUNK]), at=SENT.until + timedelta(seconds=119)),
            V.UNDECIDED,
            ("new", "old"),
        ),
        (
            "3.5",
            replace(seen(positions=[POSITION, SHRUNK]), at=SENT.until + timedelta(seconds=121)),
            V.LANDED,
            ("new",),
        ),
        ("1.5", seen(positions=[POSITION]), V.UNDECIDED, ("new", "old")),
        ("1.4", seen(positions=[POSITION]), V.LANDED, ("new",)),
        ("1", seen(row("rest", size=D("0.5")), positions=[POSITION]), V.UNDECIDED, ("rest", "new", "old")),
        ("1", seen(row("rest", size=D("0.4")), positions=[POSITION]), V.LANDED, ("new",)),
    ],
)
def test_a_deal_of_the_size_is_no_verdict_where_opposite_deals_lost_enough_for_the_order(
    size: str, look: Seen, outcome: LookupOutcome, deals: tuple[str, ...]
) -> None:
    lost = netting("1.5", old=size)
    found = find(lost, look)
    assert (found.outcome, set(found.deals)) == (outcome, set(deals))
    if outcome is V.UNDECIDED:
        hedging = find(replace(lost, hedges=True), look)
        assert hedging.outcome is V.LANDED


LATER = {"at": NOW + timedelta(seconds=8)}


@pytest.mark.parametrize(
    ("size", "rows", "outcome"),
    [
        ("1.5", (OPENED, CLOSED, TOOK), V.UNDECIDED),
        ("1.5", (OPENED, CLOSED, replace(TOOK, **LATER)), V.LANDED),
        ("1", (OPENED, CLOSED, replace(TOOK, size=D(1)), row("rest", size=D("0.5"))), V.UNDECIDED),
        ("1", (OPENED, CLOSED, replace(TOOK, size=D(1)), row("rest", size=D("0.5"), **LATER)), V.LANDED),
        ("1", (OPENED, CLOSED, TOOK), V.LANDED),
        ("3", (OPENED, CLOSED, replace(TOOK, size=None)), V.UNDECIDED),
    ],
)
def test_only_what_happened_in_its_time_speaks_against_a_deal_of_the_size(
    size: str, rows: tuple[Activity, ...], outcome: LookupOutcome
) -> None:
    lost = replace(netting("1.5", old=size), window=BOUNDED.window)
    assert find(lost, replace(seen(*rows), at=BOUNDED.window.until + timedelta(hours=1))).outcome is outcome


def test_a_position_of_another_market_that_is_gone_is_no_doubt() -> None:
    lost = replace(netting("1.5", gone="2"), opposite=frozenset())
    assert find(lost, seen(positions=[POSITION])).outcome is V.LANDED


def test_an_order_like_it_that_left_no_deal_is_named_however_late_it_came() -> None:
    found = find(BOUNDED, seen(order_row(**LATER)))
    assert (found.outcome, len(found.late)) == (V.UNDECIDED, 1)


def test_a_hedging_account_reduces_nothing() -> None:
    lost = replace(netting("1", old="3"), hedges=True)
    assert find(lost, seen(positions=[SHRUNK])).outcome is V.NOTHING_THERE


def test_who_names_an_opposite_deal_means_no_other() -> None:
    look = seen(row("rest", size=D("0.5")), TOOK, OPENED, CLOSED)
    found = find(netting("1.5", old="1.5"), look)
    assert [found.naming(deal).deal_ids for deal in ("rest", "old", "new")] == [  # type: ignore[union-attr]
        ("rest", "old"),
        ("old",),
        ("new",),
    ]


@pytest.mark.parametrize(
    ("look", "outcome"),
    [
        (seen(order_row("o1"), order_row("o2"), OPENED, CLOSED), V.UNDECIDED),
        (seen(order_row("o1"), OPENED, CLOSED), V.LANDED),
        (seen(order_row("o1"), order_row("known"), row("old"), OPENED, CLOSED), V.LANDED),
        (seen(order_row("o1"), order_row("known"), OPENED, CLOSED), V.UNDECIDED),
        (
            seen(order_row("order-of-new"), order_row("o2"), row("known"), OPENED, positions=[POSITION]),
            V.LANDED,
        ),
        (seen(order_row("o1"), order_row("o2", at=NOW + timedelta(days=2)), OPENED, CLOSED), V.LANDED),
        (seen(order_row("order-of-new"), order_row("o2"), OPENED, positions=[POSITION]), V.UNDECIDED),
        (
            seen(order_row("order-of-new"), order_row("o2"), OPENED, row("b"), positions=[POSITION]),
            V.UNDECIDED,
        ),
    ],
)
def test_an_order_like_it_that_no_deal_explains_leaves_no_verdict(look: Seen, outcome: LookupOutcome) -> None:
    lost = replace(LOST, known=LOST.known | {"known"})
    assert find(lost, look).outcome is outcome


def test_a_refusal_that_another_lost_order_may_have_got_is_no_verdict() -> None:
    assert find(replace(BOUNDED, rivals=(rival(0),)), seen(REFUSED)).outcome is V.UNDECIDED


def test_what_is_not_of_the_orders_kind_or_is_named_already_is_no_other_deal() -> None:
    assert find(LOST, seen(orders=[ORDER])).naming("new") is None
    for lost, look in ((LOST, seen(positions=[POSITION])), (LOST_ORDER, seen(MADE, orders=[ORDER]))):
        assert find(lost, look).others == ()


def test_a_reduction_has_the_price_of_the_first_row_since_the_send() -> None:
    rows = [row("old", level=D(price), at=NOW + timedelta(seconds=at)) for price, at in ((28, -2), (29, -1))]
    look = seen(*rows, positions=[replace(OPPOSITE, size=D(2))])
    assert [trace.level for trace in find(netting("1", old="3"), look).traces] == [D(29)]


def test_without_a_stop_the_deal_that_has_none_comes_first() -> None:
    bare = replace(POSITION, deal_id="bare", stop_level=None)
    lost = replace(LOST, request=an_order("1.5"))
    assert find(lost, seen(positions=[POSITION, bare])).deals == ("bare", "new")


def test_a_look_names_every_deal_and_order_in_it() -> None:
    own = replace(POSITION, deal_id="p", working_order_id="o")
    look = seen(
        row("a", working_order_id="b"), row("c"), positions=[own], orders=[replace(ORDER, deal_id="w")]
    )
    assert look.names == {"a", "b", "c", "p", "o", "w"}
    assert seen(positions=[replace(own, working_order_id=None)]).names == {"p"}


def test_a_deal_that_fits_the_stop_comes_first() -> None:
    bare = replace(POSITION, deal_id="bare", stop_level=None)
    assert find(LOST, seen(positions=[bare, POSITION])).deals == ("new", "bare")
    assert find(LOST, seen(positions=[bare])).outcome is V.LANDED


IDS = st.sampled_from(["a", "b", "c", "old", "order-of-old"])
SIDES = st.sampled_from([Side.BUY, Side.SELL])
SIZES = st.sampled_from([D(1), D("1.5"), D("1.50"), D(2)])
SECONDS = st.integers(-5, 200)


@st.composite
def activities(draw: st.DrawFn) -> Activity:
    return row(
        draw(IDS),
        type=draw(st.sampled_from(["POSITION", "WORKING_ORDER", "EDIT_STOP_AND_LIMIT", "SYSTEM"])),
        status=draw(st.sampled_from(["ACCEPTED", "REJECTED", "EXECUTED", "CANCELLED", "EXPIRED"])),
        source=draw(st.sampled_from(["USER", "SYSTEM", "SL", "TP"])),
        side=draw(SIDES | st.none()),
        size=draw(SIZES | st.none()),
        level=draw(st.sampled_from([D(27), D(30)]) | st.none()),
        epic=draw(st.sampled_from(["SILVER", "GOLD"])),
        working_order_id=draw(IDS | st.none()),
        at=NOW + timedelta(seconds=draw(SECONDS)),
    )


@st.composite
def open_deals(draw: st.DrawFn) -> Position:
    return replace(
        POSITION,
        deal_id=draw(IDS),
        side=draw(SIDES),
        size=draw(SIZES),
        working_order_id=draw(IDS | st.none()),
        opened_at=NOW + timedelta(seconds=draw(SECONDS)),
    )


@st.composite
def waiting_orders(draw: st.DrawFn) -> WorkingOrder:
    return replace(ORDER, deal_id=draw(IDS), side=draw(SIDES), size=draw(SIZES))


def few(one: st.SearchStrategy[Any]) -> Any:
    return st.lists(one, max_size=4, unique_by=lambda row: row.deal_id).map(tuple)


LOOKS = st.builds(
    Seen, few(open_deals()), few(waiting_orders()), st.lists(activities(), max_size=7).map(tuple)
)
LOSSES = st.sampled_from([LOST, LOST_ORDER, netting("1.5", old="2")])


@given(LOSSES, LOOKS)
def test_one_sure_trace_and_nothing_else_is_a_landing(lost: UnconfirmedOrder, look: Seen) -> None:
    found = find(lost, look)
    sure = [trace for trace in found.traces if trace.sure]
    assert (found.outcome is V.LANDED) == (len(sure) == len(found.traces) == 1 and not found.rejected)
    assert (found.outcome is V.NOTHING_THERE) == (not found.traces and not found.rejected)


ORDER_OF_OLD = Seen(
    (replace(POSITION, deal_id="old", working_order_id="a"),),
    (),
    (row("a", type="WORKING_ORDER", status="ACCEPTED", size=D("1.5"), level=None, side=None),),
)


@example(LOST_ORDER, ORDER_OF_OLD)
@given(LOSSES, LOOKS)
def test_a_deal_that_somebody_accounts_for_is_never_what_was_opened(
    lost: UnconfirmedOrder, look: Seen
) -> None:
    found = find(lost, look)
    opened = {deal for trace in found.traces for deal in {*trace.deal_ids} - {*trace.reduced}}
    assert not opened & lost.known
    assert not set(found.rejected) & lost.known


# The order that a position came from was placed before the send, so it is somebody else's.
FILLED_FROM_AN_OLDER = Seen(
    (replace(POSITION, deal_id="a", working_order_id="a"),),
    (),
    (row("a", type="WORKING_ORDER", status="EXECUTED", at=NOW - timedelta(seconds=3)),),
)


@example(LOST_ORDER, FILLED_FROM_AN_OLDER)
@given(LOSSES, LOOKS)
def test_what_happened_before_the_send_can_only_account_for_a_deal(
    lost: UnconfirmedOrder, look: Seen
) -> None:
    since = NOW - timedelta(seconds=2)
    later = replace(look, activity=tuple(row for row in look.activity if row.at >= since))
    found, without = find(lost, look), find(lost, later)
    assert {trace.deal_ids for trace in found.traces} <= {trace.deal_ids for trace in without.traces}
    assert set(found.rejected) <= set(without.rejected)


@given(LOSSES, LOOKS)
def test_the_order_of_the_lists_changes_no_verdict(lost: UnconfirmedOrder, look: Seen) -> None:
    turned = replace(look, positions=look.positions[::-1], orders=look.orders[::-1])
    assert find(lost, look).outcome is find(lost, turned).outcome


@given(LOOKS, open_deals())
def test_an_equal_deal_more_never_leaves_nothing_there(look: Seen, deal: Position) -> None:
    twin = replace(deal, deal_id="twin", side=Side.BUY, size=D("1.5"), working_order_id=None, opened_at=NOW)
    found = find(LOST, replace(look, positions=(*look.positions, twin)))
    assert found.outcome in {V.LANDED, V.UNDECIDED}
    assert "twin" in found.deals


EARLY = {"at": NOW - timedelta(seconds=1)}


@pytest.mark.parametrize(
    ("look", "outcome", "deals"),
    [
        (seen(OPENED, replace(CLOSED, side=None)), V.UNDECIDED, ("new",)),
        (seen(OPENED, replace(CLOSED, side=Side.BUY)), V.UNDECIDED, ("new",)),
        (seen(replace(OPENED, **EARLY), CLOSED), V.LANDED, ("new",)),
        (seen(replace(REFUSED, size=None)), V.NOTHING_THERE, ()),
        (seen(replace(REFUSED, **EARLY)), V.REJECTED, ()),
        (seen(replace(REFUSED, at=NOW - timedelta(seconds=2))), V.NOTHING_THERE, ()),
    ],
)
def test_rows_at_the_edge_of_a_market_order(
    look: Seen, outcome: LookupOutcome, deals: tuple[str, ...]
) -> None:
    found = find(LOST, look)
    assert (found.outcome, found.deals) == (outcome, deals)


GONE = replace(MADE, status="CANCELLED")


@pytest.mark.parametrize(
    ("look", "outcome", "deals"),
    [
        (seen(replace(MADE, size=D(2)), replace(GONE, size=D(2))), V.NOTHING_THERE, ()),
        (seen(positions=[replace(POSITION, working_order_id=None)]), V.NOTHING_THERE, ()),
        (seen(order_row("new", level=D(27), size=None), orders=[ORDER]), V.LANDED, ("new",)),
        (seen(order_row("new", level=D(27)), orders=[replace(ORDER, size=D(1))]), V.LANDED, ("new",)),
        (seen(MADE, EXECUTED, replace(FILL, deal_id="old")), V.UNDECIDED, ("o1",)),
        (seen(MADE, EXECUTED, FILL, replace(FILL, deal_id="b"), CLOSED), V.UNDECIDED, ("b", "new")),
        (seen(MADE, EXECUTED, FILL, replace(CLOSED, deal_id="other")), V.UNDECIDED, ("new",)),
        (seen(MADE, EXECUTED, FILL, replace(CLOSED, type="WORKING_ORDER")), V.UNDECIDED, ("new",)),
    ],
)
def test_rows_at_the_edge_of_a_working_order(
    look: Seen, outcome: LookupOutcome, deals: tuple[str, ...]
) -> None:
    found = find(LOST_ORDER, look)
    assert (found.outcome, found.deals) == (outcome, deals)


REDUCED = replace(OPPOSITE, size=D(2))


@pytest.mark.parametrize(
    ("lost", "look", "outcome"),
    [
        (netting("1", old="1"), settled(seen(replace(CUT, type="WORKING_ORDER"))), V.NOTHING_THERE),
        (netting("1", old="1"), settled(seen(replace(CUT, at=NOW - timedelta(seconds=2)))), V.NOTHING_THERE),
        (netting("1", old="1"), settled(seen(replace(CUT, side=Side.SELL))), V.NOTHING_THERE),
        *(
            (replace(netting("1", old="3"), opposite=frozenset()), seen(positions=[other]), V.NOTHING_THERE)
            for other in (replace(REDUCED, side=Side.BUY), replace(REDUCED, epic="GOLD"))
        ),
        (
            netting("1.5", old="1"),
            seen(hidden("1.5"), CUT, positions=[replace(REST, size=D("0.4"))]),
            V.UNDECIDED,
        ),
    ],
)
def test_what_only_looks_like_netting_is_no_order(
    lost: UnconfirmedOrder, look: Seen, outcome: LookupOutcome
) -> None:
    assert find(lost, look).outcome is outcome


def test_a_waiting_order_is_no_deal_that_a_market_order_may_be() -> None:
    assert find(LOST, seen(orders=[ORDER])).naming("new") is None
    assert find(LOST_ORDER, seen(orders=[ORDER])).others == ()


def test_a_waiting_order_that_was_made_otherwise_can_be_named_by_a_person_alone() -> None:
    found = find(LOST_ORDER, seen(order_row("new", level=D("27.2")), orders=[MOVED]))
    assert (named := found.naming("new"))
    assert (found.deals, named.rows, named.ending) == ((), (MOVED,), Ending.WAITING)


def test_a_working_order_that_was_filled_and_closed_is_told_as_that() -> None:
    (trace,) = find(LOST_ORDER, seen(MADE, EXECUTED, FILL, CLOSED)).traces
    assert trace.ending is Ending.FILLED_AND_CLOSED


@pytest.mark.parametrize(
    ("stop", "first"), [(level("24.5"), "at"), (distance("1"), "at"), (None, "bare"), (level("25"), "bare")]
)
def test_the_deal_whose_stop_is_as_asked_comes_first(stop: Any, first: str) -> None:
    lost = replace(LOST, request=replace(LOST.request, stop=stop))
    bare, at = (
        replace(POSITION, deal_id=name, stop_level=D("24.5") if name == "at" else None)
        for name in ("bare", "at")
    )
    assert find(lost, seen(positions=[bare, at])).deals[0] == first
    if stop is not None and first == "at":
        assert find(lost, seen(positions=[at, bare])).deals[0] == first
