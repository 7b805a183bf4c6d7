"""Stored alerts: each is told once, with what tells of it, to whoever looks at the events next."""

from collections.abc import Callable
from decimal import Decimal

import httpx
import pytest

from capcli.account.stored_alerts import MOST
from capcli.domain.alerts import AlertState, Level, Measure, Way
from capcli.errors import EpicUnknown, UsageError
from tests.support.seat import SECOND_ACCOUNT, Seat, refusal
from tests.support.tap import says

REACHED = Level("SILVER", Way.ABOVE, Decimal(1))
FAR = Level("SILVER", Way.ABOVE, Decimal(1000))


def alerts(seat: Seat) -> list[tuple[int, str]]:
    return [(row.alert_id, row.state.value) for row in seat.app.stored_alerts.found().data.alerts]


def told(seat: Seat, since: str | None = None) -> list[str]:
    return [row.text for row in seat.app.events.recent(since=since).data.events]


def test_what_is_reached_is_told_once_and_the_rest_waits(seat: Seat) -> None:
    seat.app.stored_alerts.add([FAR, REACHED])
    assert alerts(seat) == [(1, "WAITING"), (2, "WAITING")]
    (text,) = told(seat)
    assert text.startswith("Alert: SILVER is above 1: bid ")
    assert alerts(seat) == [(1, "WAITING"), (2, "FIRED")]
    seat.time.tick(60)
    assert len(told(seat)) == 1


def test_who_follows_hears_of_it_though_another_looked_first(seats: Callable[..., Seat]) -> None:
    one, other = seats(), seats()
    feed = one.app.events.follow()
    other.app.stored_alerts.add([REACHED])
    assert len(told(other)) == 1
    (row,) = feed.poll()
    assert (row.kind, row.alert_id, row.repeat) == ("alert", "1", False)


def test_a_move_counts_from_when_it_was_added(seat: Seat) -> None:
    seat.app.stored_alerts.add([Level("SILVER", Way.ABOVE, Decimal("0.5"), Measure.MOVE)])
    (row,) = seat.app.stored_alerts.found().data.alerts
    assert row.start is not None
    assert told(seat) == []
    for _ in range(200):
        seat.time.tick(3600)
        if found := told(seat):
            break
    moved = Decimal(found[0].partition("SILVER moved ")[2].partition(" %")[0])
    assert abs(moved) >= Decimal("0.5")


def test_levels_of_the_account(seat: Seat) -> None:
    seat.open(size="1000")
    loss = Level("", Way.BELOW, Decimal(-1), Measure.PNL)
    margin = Level("", Way.ABOVE, Decimal("0.1"), Measure.MARGIN)
    seat.app.stored_alerts.add([loss, margin])
    texts = [text for text in told(seat) if text.startswith("Alert: ")]
    assert [text.partition(": ")[2].rpartition(": ")[0] for text in texts] == [
        "Open P&L is below -1",
        "Margin is above 0.1 % of equity",
    ]


def test_each_account_has_its_own_and_their_numbers_are_not_used_again(seats: Callable[..., Seat]) -> None:
    one, other = seats(), seats(CAP_DEFAULT_ACCOUNT_ID=SECOND_ACCOUNT)
    one.app.stored_alerts.add([FAR])
    assert alerts(other) == []
    one.app.stored_alerts.remove([1])
    assert alerts(one) == []
    one.app.stored_alerts.add([FAR])
    assert alerts(one) == [(2, "WAITING")]


def test_what_was_removed_is_not_told(seat: Seat) -> None:
    seat.app.stored_alerts.add([REACHED, FAR])
    reply = seat.app.stored_alerts.remove([], every=True)
    assert reply.data.sentence == "2 alerts removed."
    assert told(seat) == []


def test_a_number_that_is_none_removes_nothing(seat: Seat) -> None:
    seat.app.stored_alerts.add([FAR])
    error = refusal(lambda: seat.app.stored_alerts.remove([1, 7]))
    assert isinstance(error, UsageError)
    assert "has the number 7" in error.message
    assert alerts(seat) == [(1, "WAITING")]


def test_what_cannot_be_waited_for_is_not_stored(seat: Seat) -> None:
    wrong = Level("silver", Way.ABOVE, Decimal(1))
    assert isinstance(refusal(lambda: seat.app.stored_alerts.add([FAR, wrong])), EpicUnknown)
    many = [Level("", Way.ABOVE, Decimal(n), Measure.PNL) for n in range(10_000, 10_001 + MOST)]
    assert "100 stored alerts" in refusal(lambda: seat.app.stored_alerts.add(many)).message
    assert alerts(seat) == []


def test_a_market_that_is_gone_keeps_nobody_from_hearing_of_the_others(seat: Seat) -> None:
    seat.app.stored_alerts.add([REACHED, Level("GOLD", Way.ABOVE, Decimal(1))])

    def gone(request: httpx.Request) -> httpx.Response | None:
        return says(404, {"errorCode": "error.not-found.epic"}) if "SILVER" in str(request.url) else None

    seat.tap.breaks("GET", "/markets", before=gone, times=100)
    found = seat.app.events.recent().data
    assert [row.epic for row in found.events] == ["GOLD"]
    assert "waits for a market that is gone: No market has the epic SILVER" in found.problems[0]


@pytest.mark.parametrize("state", [AlertState.FIRED, AlertState.REMOVED])
def test_an_alert_that_ended_is_not_fired_again(seat: Seat, state: AlertState) -> None:
    seat.app.stored_alerts.add([REACHED])
    place = seat.app.env, seat.app.broker.host, seat.app.broker.account_id or ""
    fact = seat.app.events.recent().data.events[0]
    if state is AlertState.REMOVED:
        seat.app.stored_alerts.remove([1])
    assert seat.app.journal.alerts.waiting(place) == ()
    assert fact.alert_id == "1"
    assert seat.app.journal.inspect(None).breaks == ()
