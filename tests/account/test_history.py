"""History of any span: windows, bounds, filters, late rows, and a report that ties out with the cash."""

from datetime import datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from capcli.account.history import Span, Wanted
from capcli.domain.account import Activity
from capcli.errors import Busy, UsageError
from capcli.ports import Lane
from tests.support.clock import START
from tests.support.seat import SECOND_ACCOUNT, Seat, refusal, stop_at
from tests.support.tap import says

DAY = timedelta(days=1)


def days(seat: Seat, count: float) -> None:
    seat.time.sleep(count * 86_400)


def traded(seat: Seat, epic: str = "SILVER", size: str = "10") -> str:
    deal = seat.open(epic, size).deal_id or ""
    seat.app.closings.close(deal, confirmed=True)
    return deal


def asked(seat: Seat, path: str) -> list[httpx.QueryParams]:
    return [request.url.params for request in seat.tap.requests if request.url.path.endswith(path)]


def test_a_long_span_is_read_a_day_at_a_time_and_complete(seat: Seat) -> None:
    first = traded(seat)
    days(seat, 5)
    last = traded(seat)
    found = seat.app.history.activity(Span(length=timedelta(days=10))).data
    assert {first, last} <= {row.deal_id for row in found.activities}
    assert list(found.activities) == sorted(found.activities, key=lambda row: row.at, reverse=True)
    assert len(asked(seat, "/history/activity")) == 11
    assert found.end - found.start == timedelta(days=10)
    assert found.may_grow


def test_what_just_happened_is_in_the_latest_window(seat: Seat) -> None:
    deal = traded(seat)
    rows = seat.app.history.activity(Span(length=timedelta(minutes=5))).data.activities
    assert [row.type for row in rows if row.deal_id == deal] == ["POSITION", "POSITION"]
    assert [query.get("to") for query in asked(seat, "/history/activity")] == [None]


@pytest.mark.parametrize("path", ["activity", "transactions"])
def test_a_request_that_waits_brings_its_whole_window_all_the_same(seat: Seat, path: str) -> None:
    """The broker counts the latest window back from its own now, which is later than when it was asked."""
    traded(seat)
    started = seat.time.now()
    seat.time.sleep(10)
    whole = shown(seat, path, started - timedelta(minutes=1))

    def waits(_: httpx.Request) -> None:
        seat.time.sleep(600)

    seat.tap.breaks("GET", f"/history/{path}", before=waits)
    assert whole
    assert shown(seat, path, started - timedelta(minutes=1)) == whole


def shown(seat: Seat, path: str, start: datetime) -> tuple[object, ...]:
    if path == "activity":
        return seat.app.history.activity(Span(start=start)).data.activities
    return seat.app.history.transactions(Span(start=start)).data.transactions


def swaps(rows: tuple[Activity, ...]) -> list[Activity]:
    return [row for row in rows if row.type == "SWAP"]


def test_a_row_on_the_bound_of_two_windows_comes_once(seat: Seat) -> None:
    seat.open(stop=stop_at("20"))
    days(seat, 4)
    charged = swaps(seat.app.history.activity(Span(length=timedelta(days=5))).data.activities)
    assert len(charged) == 4
    bound = charged[1].at
    assert bound.microsecond == 0
    again = seat.app.history.activity(Span(bound - 2 * DAY, bound + DAY)).data.activities
    assert swaps(again) == charged[0:4]
    ends = [query.get("to") for query in asked(seat, "/history/activity")]
    assert ends.count(f"{bound:%Y-%m-%dT%H:%M:%S}") == 1


def test_long_spans_leave_the_way_free_and_short_ones_do_not_wait(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import contextmanager

    from capcli.broker.limits import Pace, RequestKind

    lanes, real = [], Pace.turn

    @contextmanager
    def turn(self, lane, kind=RequestKind.PLAIN):
        lanes.append(lane)
        with real(self, lane, kind):
            yield

    seat.app.accounts.login()
    monkeypatch.setattr(Pace, "turn", turn)
    seat.app.history.activity(Span(length=timedelta(days=2)))
    assert set(lanes) == {Lane.READS}
    lanes.clear()
    seat.app.history.activity(Span(length=timedelta(days=8)))
    assert set(lanes) == {Lane.BULK}


def test_it_says_how_far_it_is(seat: Seat) -> None:
    told = []
    history = seat.app.history.with_progress(lambda done, windows: told.append((done, windows)))
    history.activity(Span(length=timedelta(days=7)))
    assert told == [(4, 8), (8, 8)]


def test_filters_go_to_the_broker_where_it_has_them(seat: Seat) -> None:
    silver, gold = traded(seat), traded(seat, "GOLD", "0.1")
    rows = seat.app.history.activity(Span(), Wanted(epics=("GOLD",), types=("position",))).data.activities
    assert {row.deal_id for row in rows} == {gold}
    assert asked(seat, "/history/activity")[0]["filter"] == "epic==GOLD;type==POSITION"
    rows = seat.app.history.activity(Span(), Wanted(deal_id=silver)).data.activities
    assert {row.deal_id for row in rows} == {silver}


def test_bookings_are_filtered_here_where_the_broker_cannot(seat: Seat) -> None:
    silver, _ = traded(seat), traded(seat, "GOLD", "0.1")
    of_silver = seat.app.history.transactions(Span(), Wanted(epics=("SILVER",))).data
    (row,) = of_silver.transactions
    assert (row.type, row.epic, row.deal_id, row.currency) == ("TRADE", "SILVER", silver, "USD")
    assert (of_silver.total, of_silver.currency) == (row.amount, "USD")
    deposits = seat.app.history.transactions(Span(), Wanted(types=("deposit",))).data.transactions
    assert [(row.amount, row.epic) for row in deposits] == [(Decimal(10_000), None)]
    both = seat.app.history.transactions(Span(), Wanted(types=("TRADE", "DEPOSIT"))).data.transactions
    assert len(both) == 3


def test_bookings_of_a_year_take_few_requests(seat: Seat) -> None:
    traded(seat)
    days(seat, 100)
    found = seat.app.history.transactions(Span(length=timedelta(days=365))).data
    assert [row.type for row in found.transactions] == ["TRADE", "DEPOSIT"]
    assert len(asked(seat, "/history/transactions")) == 13


def test_a_broker_that_keeps_bookings_to_a_day_is_asked_by_days(seat: Seat) -> None:
    traded(seat)
    days(seat, 3)
    seat.tap.breaks(
        "GET",
        "/history/transactions",
        before=lambda request: (
            None
            if "to" not in request.url.params or _span(request.url.params) <= DAY
            else says(400, {"errorCode": "error.invalid.daterange"})
        ),
        times=99,
    )
    found = seat.app.history.transactions(Span(length=timedelta(days=6))).data.transactions
    assert [row.type for row in found] == ["TRADE", "DEPOSIT"]


def _span(query: httpx.QueryParams) -> timedelta:
    from datetime import datetime

    return datetime.fromisoformat(query["to"]) - datetime.fromisoformat(query["from"])


def test_a_report_ties_out_with_the_cash(seat: Seat) -> None:
    traded(seat)
    seat.open(size="30", stop=stop_at("20"))
    days(seat, 3)
    traded(seat, "GOLD", "0.1")
    report = seat.app.history.report(Span()).data
    cash = seat.app.accounts.list().data.accounts[0].cash
    assert (report.opening_balance, report.closing_balance) == (Decimal(0), cash)
    total = report.total
    assert total.net == total.realised_pl + total.overnight + total.commission + total.other
    assert report.closing_balance == total.net + total.deposits
    assert total.deposits == 10_000
    assert total.overnight < 0
    assert {row.key: row.closes for row in report.lines} == {"": 0, "GOLD": 1, "SILVER": 1}
    assert sum(row.net for row in report.lines) == total.net


def test_reports_of_neighbouring_spans_meet(seat: Seat) -> None:
    traded(seat)
    days(seat, 4)
    middle = seat.time.now().replace(microsecond=0)
    days(seat, 1)
    traded(seat)
    before = seat.app.history.report(Span(START - DAY, middle), by="day").data
    after = seat.app.history.report(Span(middle), by="month").data
    assert before.opening_balance == 0
    assert before.closing_balance == after.opening_balance
    assert after.closing_balance == seat.app.accounts.list().data.accounts[0].cash
    assert [row.key for row in before.lines] == ["2026-03-02"]
    assert [row.key for row in after.lines] == ["2026-03"]


def test_balances_are_not_claimed_while_the_cash_moves(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    moved = []

    def meanwhile(_: httpx.Request) -> None:
        if not moved:
            moved.append(deal)
            seat.app.closings.close(deal, confirmed=True)

    seat.tap.breaks("GET", "/history/transactions", after=meanwhile)
    report = seat.app.history.report(Span()).data
    assert (report.opening_balance, report.closing_balance) == (None, None)


def test_rows_of_two_accounts_are_never_mixed(seat: Seat) -> None:
    history = seat.app.history.with_progress(
        lambda *_: seat.app.broker.switch_account(SECOND_ACCOUNT) and None
    )
    assert isinstance(refusal(lambda: history.activity(Span(length=timedelta(days=8)))), Busy)


@pytest.mark.parametrize(
    ("span", "says_what"),
    [
        (Span(START + DAY), "empty or in the future"),
        (Span(START - DAY, START - 2 * DAY), "empty or in the future"),
        (Span(length=timedelta(days=400)), "more than 366 days"),
    ],
)
def test_a_span_that_cannot_be_read_is_refused(seat: Seat, span: Span, says_what: str) -> None:
    error = refusal(lambda: seat.app.history.activity(span))
    assert isinstance(error, UsageError)
    assert says_what in error.message


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(epics=("GOLD;type==X",)),
        Wanted(types=("A==B",)),
        Wanted(deal_id="../x"),
        Wanted(statuses=("",)),
    ],
)
def test_a_filter_cannot_carry_another_one(seat: Seat, wanted: Wanted) -> None:
    assert isinstance(refusal(lambda: seat.app.history.activity(Span(), wanted)), UsageError)
    assert seat.tap.requests == []


def test_a_grouping_that_is_none_is_refused(seat: Seat) -> None:
    assert isinstance(refusal(lambda: seat.app.history.report(Span(), by="week")), UsageError)
