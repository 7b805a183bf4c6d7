"""What happened on the account: told in order, at least once, whoever else looks and whatever comes late."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from capcli.account.events import EventRow
from capcli.account.journal_events import SwitchSeen, switch_events
from capcli.domain.account_events import JournalEntry
from capcli.domain.halt import Halt
from capcli.domain.market import Side
from capcli.domain.order import Trigger
from capcli.errors import ApprovalRequired, Busy, Unreachable, UsageError
from tests.support.clock import Time
from tests.support.seat import SECOND_ACCOUNT, Seat, refusal, stop_at
from tests.support.tap import says

DOWN = httpx.ConnectError("down")


def told(seat: Seat, since: str | None = None) -> tuple[EventRow, ...]:
    return seat.app.events.recent(since=since, last=timedelta(days=30)).data.events


def kinds(seat: Seat, since: str | None = None) -> list[str]:
    return [row.kind.value for row in told(seat, since)]


def cursor(seat: Seat) -> str:
    return seat.app.events.recent().data.cursor


def closed(seat: Seat, deal: str) -> None:
    assert seat.app.closings.close(deal, confirmed=True).exit_code == 0


def wait(seat: Seat, until: Callable[[], bool]) -> None:
    for _ in range(200):
        if until():
            return
        seat.time.tick(3600)
    raise AssertionError("it never happened")


def test_a_trade_is_told_in_order_with_what_it_brought(seat: Seat) -> None:
    done = seat.open(size="3")
    (deal,) = seat.book()
    closed(seat, deal)

    opened, ended = told(seat)

    assert (opened.kind, opened.side, opened.size, opened.epic) == ("filled", Side.BUY, Decimal(3), "SILVER")
    assert opened.attempt_id == done.attempt_id
    assert opened.text == f"Filled: BUY 3 SILVER at {opened.level:f}."
    assert (ended.kind, ended.deal_id, ended.side, ended.currency) == ("closed", deal, Side.BUY, "USD")
    booked = seat.app.broker.transactions(seat.time.now() - timedelta(hours=1), None)
    assert ended.amount == next(row.amount for row in booked if row.deal_id == deal)
    assert opened.cursor < ended.cursor
    assert (opened.repeat, ended.repeat) == (False, False)


def test_nothing_is_told_twice_behind_a_cursor(seat: Seat) -> None:
    start = cursor(seat)
    seat.open()
    (opened,) = told(seat, start)
    assert told(seat, opened.cursor) == ()
    closed(seat, seat.book()[0])
    assert kinds(seat, opened.cursor) == ["closed"]
    assert kinds(seat, start) == ["filled", "closed"]
    assert told(seat)[0] == opened


def test_a_page_says_that_there_is_more(seat: Seat) -> None:
    start = cursor(seat)
    seat.open()
    closed(seat, seat.book()[0])
    page = seat.app.events.recent(since=start, limit=1).data
    assert ([row.kind for row in page.events], page.more) == (["filled"], True)
    rest = seat.app.events.recent(since=page.cursor, limit=1).data
    assert ([row.kind for row in rest.events], rest.more) == (["closed"], False)


def test_stops_and_limits_that_are_hit(seat: Seat) -> None:
    seat.open(stop=stop_at("30.2"), limit=stop_at("31.4"))
    wait(seat, lambda: not seat.book())
    last = told(seat)[-1]
    assert last.kind in {"stop_hit", "limit_hit"}
    assert (last.side, last.source) == (Side.BUY, "SL" if last.kind == "stop_hit" else "TP")
    assert last.amount is not None
    assert last.text.startswith(("Stop hit: BUY 1.5 SILVER at ", "Limit hit: BUY 1.5 SILVER at "))


def test_a_working_order_that_fills_is_told_by_its_position(seat: Seat) -> None:
    seat.open(trigger=Trigger(Decimal("30.5")))
    assert kinds(seat) == []
    wait(seat, lambda: bool(seat.book()))
    (filled,) = told(seat)
    assert (filled.kind, filled.deal_id) == ("filled", seat.book()[0])
    assert filled.order_id
    assert filled.text.startswith("Order filled: BUY 1.5 SILVER at ")


def test_an_order_that_expires(seat: Seat) -> None:
    seat.open(trigger=Trigger(Decimal(20), good_till=seat.time.now() + timedelta(hours=2)))
    seat.time.tick(7300)
    (expired,) = told(seat)
    assert (expired.kind, expired.level) == ("order_expired", Decimal(20))


def test_a_rejection_is_told(seat: Seat) -> None:
    preview = seat.preview().preview_id
    seat.app.paper.set_fault("reject", times=1)
    seat.execute(preview)
    assert kinds(seat) == ["rejected"]


def test_an_order_whose_answer_is_lost_is_told_and_so_is_what_became_of_it(seat: Seat) -> None:
    preview = seat.preview().preview_id

    def lost(_request: httpx.Request) -> None:
        seat.tap.breaks("GET", "/", before=DOWN, times=1000)
        raise httpx.ReadError("gone")

    seat.tap.breaks("POST", "/positions", after=lost)
    seat.execute(preview)
    seat.tap.mend()
    start = told(seat)
    unresolved = next(row for row in start if row.kind == "unresolved")
    assert (unresolved.state, unresolved.epic) == ("UNKNOWN", "SILVER")
    assert f"Run: capcli reconcile {unresolved.attempt_id}" in unresolved.text

    seat.app.reconciliations.reconcile()

    settled = told(seat, start[-1].cursor)[-1]
    assert (settled.kind, settled.state, settled.attempt_id) == ("settled", "LANDED", unresolved.attempt_id)


def test_a_row_that_comes_late_is_told_late_and_again_with_its_price(seat: Seat) -> None:
    seat.app.paper.set_fault("activity-late", value="61")
    start = cursor(seat)
    seat.open()
    assert told(seat, start) == ()
    seat.time.tick(65)
    (first,) = told(seat, start)
    assert (first.level, first.repeat) == (None, False)
    seat.time.tick(10)
    (again,) = told(seat, first.cursor)
    assert (again.kind, again.repeat, again.deal_id) == ("filled", True, first.deal_id)
    assert again.level
    seat.time.tick(60)
    assert told(seat, again.cursor) == ()


def test_who_looks_beside_it_takes_nothing_away(seats: Callable[..., Seat]) -> None:
    one, other = seats(), seats()
    start = cursor(one)
    feed = other.app.events.follow()
    one.open()
    assert kinds(one, start) == ["filled"]
    assert [row.kind.value for row in feed.poll()] == ["filled"]
    assert feed.poll() == ()


def test_what_happened_while_nobody_followed_is_told_afterwards(seat: Seat, time: Time) -> None:
    start = cursor(seat)
    seat.open()
    time.tick(9 * 86400)
    closed(seat, seat.book()[0])
    feed = seat.app.events.follow(start)
    assert [row.kind.value for row in feed.poll()][:1] == ["filled"]
    assert kinds(seat, start).count("filled") == 1
    assert kinds(seat, start)[-1] == "closed"


def test_a_broker_that_is_away_keeps_nobody_from_hearing_of_a_halt(seat: Seat) -> None:
    feed = seat.app.events.follow()
    seat.tap.breaks("GET", "/", before=DOWN, times=1000)
    seat.app.halting.halt("lunch", by="a person")
    assert [row.text for row in feed.poll()] == ["Halted by a person: lunch. Nothing that adds risk is sent."]
    assert isinstance(feed.failure, Unreachable)
    seat.tap.mend()
    seat.app.halting.resume(confirmed=True, by="a person")
    assert [row.kind.value for row in feed.poll()] == ["resumed"]
    assert feed.failure is None


def entry(seq: int, kind: str, at: datetime) -> JournalEntry:
    return JournalEntry(seq, f"{seq}", kind, at, None, None, None, {"by": "somebody", "reason": ""})


def test_a_halt_that_no_journal_took_is_told_by_the_switch_and_once() -> None:
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    halt, later = Halt(at, "somebody", 1, "why"), at + timedelta(minutes=1)
    told, seen = switch_events(halt, [], SwitchSeen(), later)
    assert ([fact.kind for _, fact in told], seen.halted) == (["halted"], True)
    # The journal tells of it after all.
    assert switch_events(halt, [entry(1, "halt", at)], seen, later) == ([], seen)
    told, seen = switch_events(None, [], seen, later)
    assert ([fact.kind for _, fact in told], seen.halted) == (["resumed"], False)


def test_a_switch_that_is_just_being_turned_off_is_no_new_halt() -> None:
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    halt, entries = (
        Halt(at, "me", 1, ""),
        [entry(1, "halt", at), entry(2, "resume", at + timedelta(seconds=9))],
    )
    told, seen = switch_events(halt, entries, SwitchSeen(), at + timedelta(seconds=10))
    assert [fact.kind for _, fact in told] == ["halted", "resumed"]
    assert switch_events(None, [], seen, at)[0] == []


def test_a_request_for_approval_is_told_once(seats: Callable[..., Seat]) -> None:
    seat = seats(CAP_APPROVAL="human")
    preview = seat.preview().preview_id
    assert isinstance(refusal(lambda: seat.execute(preview)), ApprovalRequired)
    (waits,) = told(seat)
    assert waits.kind == "approval_waits"
    assert "BUY 1.5 SILVER" in waits.text
    assert told(seat, waits.cursor) == ()


def test_low_margin_is_told_at_each_step_once(seat: Seat) -> None:
    start = cursor(seat)
    falls = []
    for equity in (1200, 900, 900, 700, 900, 1200, 700):
        has_equity(seat, equity, margin=1000)
        new = told(seat, start)
        falls.append([round(row.margin_level or 0) for row in new])
        start = new[-1].cursor if new else start
    assert falls == [[], [90], [], [70], [], [], [70]]


def has_equity(seat: Seat, equity: int, *, margin: int) -> None:
    """Let the broker say so when it is asked for the accounts next."""

    def said(request: httpx.Request) -> httpx.Response:
        body = seat.tap._inner.handle_request(request).json()
        body["accounts"][0]["balance"] |= {"balance": equity, "available": equity - margin}
        return says(200, body)

    seat.tap.breaks("GET", "/accounts", before=said)


def test_a_cursor_of_elsewhere_is_refused_with_a_sentence(seat: Seat, seats: Callable[..., Seat]) -> None:
    mine = cursor(seat)
    for wrong in ("1", "", "x" * 5000, mine.replace("-", "_"), f"{mine}0"):
        error = refusal(lambda wrong=wrong: seat.app.events.recent(since=wrong))
        assert isinstance(error, UsageError)
        assert "is not a cursor" in error.message
        assert len(error.message) < 200
    other = seats(CAP_DEFAULT_ACCOUNT_ID=SECOND_ACCOUNT)
    for wrong, asked in ((mine, other), (cursor(other), seat), (f"{mine[:9]}0000000099", seat)):
        error = refusal(lambda wrong=wrong, asked=asked: asked.app.events.recent(since=wrong))
        assert "is of another environment, account or computer" in error.message


def test_a_feed_stays_with_its_account(seat: Seat) -> None:
    feed = seat.app.events.follow()
    seat.app.accounts.use(SECOND_ACCOUNT)
    assert feed.poll() == ()
    assert isinstance(feed.failure, Busy)
    assert feed.account_id in feed.failure.message


def test_the_list_of_events_is_protected_like_the_rest_of_the_journal(seat: Seat) -> None:
    seat.open()
    told(seat)
    assert seat.app.journal.inspect(None).breaks == ()


def test_looking_writes_only_where_something_is_new(seat: Seat) -> None:
    told(seat)
    before = seat.app.journal.inspect(None).events
    for _ in range(20):
        seat.time.tick(5)
        assert told(seat) == ()
    assert seat.app.journal.inspect(None).events == before


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_clock_that_was_set_back_hides_nothing(
    seats: Callable[..., Seat], time: Time, seconds: int
) -> None:
    seat = seats(clock=lambda: time.now() + timedelta(seconds=seconds))
    start = cursor(seat)
    seat.open()
    assert kinds(seat, start) == ["filled"]
