"""The account cannot change under an order, whatever becomes of old tokens after a switch (API page 18)."""

from collections.abc import Callable
from decimal import Decimal
from threading import Event, Thread

import httpx
import pytest

from capcli.domain.attempt import AttemptState
from capcli.domain.order import Trigger
from capcli.store.lock import FileSessionLock
from tests.reconcile.test_reconcile import held, only, reconcile
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, refusal

S = AttemptState
VENUES = ["kept", "rotate-tokens", "old-token-follows"]


def before_the_post(seat: Seat, deed: Callable[[], None]) -> None:
    def strike(_: httpx.Request) -> None:
        deed()

    seat.tap.breaks("POST", "/positions", before=strike)


def venue(seat: Seat, kind: str) -> None:
    seat.book()
    if kind != "kept":
        seat.app.paper.set_fault(kind)


@pytest.mark.parametrize(
    ("old_tokens", "state", "code"),
    [("stay", S.LANDED, 0), ("die", S.REFUSED, 4), ("follow", S.UNKNOWN, 8)],
)
def test_an_account_that_another_program_switches_under_an_order_is_never_told_wrong(
    seat: Seat, old_tokens: str, state: AttemptState, code: int
) -> None:
    shown = seat.preview()

    def deed() -> None:
        seat.switched_by_another_program(SECOND_ACCOUNT, old_tokens)

    before_the_post(seat, deed)
    reply = seat.execute(shown.preview_id)
    assert (reply.data.state, reply.exit_code) == (state, code), reply
    assert len(seat.tap.orders()) == 1
    if state is S.UNKNOWN:
        assert held(seat, reply.data.attempt_id).other_account_id == SECOND_ACCOUNT
        assert FIRST_ACCOUNT in reply.data.sentence
        assert SECOND_ACCOUNT in reply.data.sentence


def test_an_order_that_went_to_another_account_is_never_presumed_absent(seat: Seat) -> None:
    shown = seat.preview()

    def deed() -> None:
        seat.switched_by_another_program(SECOND_ACCOUNT, "follow")

    before_the_post(seat, deed)
    attempt_id = seat.execute(shown.preview_id).data.attempt_id
    for pause in (121, 31, 31):
        seat.time.tick(pause)
        row = only(reconcile(seat, attempt_id))
        assert (row.state, row.next) == (S.UNKNOWN, f"capcli resolve {attempt_id}")
    assert SECOND_ACCOUNT in row.sentence
    assert only(seat.app.reconciliations.wait(attempt_id)).state is S.UNKNOWN


@pytest.mark.parametrize("kind", VENUES)
def test_a_switch_and_the_next_order_land_where_they_should(seats: Seats, kind: str) -> None:
    one, two = seats(), seats()
    venue(one, kind)
    two.book()
    one.app.accounts.use(SECOND_ACCOUNT)
    assert one.open().state is S.LANDED
    assert one.app.broker.session().account_id == SECOND_ACCOUNT
    two.time.tick(1)
    reply = two.execute(two.preview().preview_id, again=True)
    assert reply.data.state is S.LANDED
    assert two.app.broker.session().account_id == reply.account_id


def lock_of(seat: Seat) -> FileSessionLock:
    key = f"{seat.app.env}\nhttp://paper\n{seat.app.credentials.fingerprint_hint()}"
    return FileSessionLock(seat.app.folders.locks, key, wait_s=0.2)


def test_while_another_process_sends_nothing_is_sent_and_no_account_is_switched(
    seat: Seat, time: Time
) -> None:
    shown = seat.preview()
    with lock_of(seat)():
        error = refusal(lambda: seat.execute(shown.preview_id))
        assert (error.code, int(error.exit_code)) == ("BUSY", 10)
        assert "Nothing was sent." in error.message
        error = refusal(lambda: seat.app.accounts.use(SECOND_ACCOUNT))
        assert (error.code, int(error.exit_code)) == ("BUSY", 10)
        assert not seat.tap.seen("PUT")
        assert len(seat.app.portfolio.positions().data.positions) == 0, "reads go on"
    assert not seat.tap.orders()
    assert seat.execute(shown.preview_id).exit_code == 0


def test_closing_goes_ahead_while_another_process_sends(seat: Seat) -> None:
    deal_id = seat.open().deal_id or ""
    with lock_of(seat)():
        assert seat.app.closings.close(deal_id, confirmed=True).exit_code == 0


def switching(seat: Seat, found: list[str]) -> Callable[[httpx.Request], None]:
    """Return what tries to switch the account from another thread, and notes how that was refused."""

    def look(_: httpx.Request) -> None:
        def switch() -> None:
            found.append(refusal(lambda: seat.app.broker.switch_account(SECOND_ACCOUNT)).code)

        thread = Thread(target=switch)
        thread.start()
        thread.join()

    return look


def test_the_account_is_held_from_the_look_at_it_to_the_answer(seat: Seat) -> None:
    shown = seat.preview()
    found: list[str] = []
    seat.tap.breaks("GET", "/accounts", before=switching(seat, found))
    seat.tap.breaks("POST", "/positions", before=switching(seat, found))
    assert seat.execute(shown.preview_id).exit_code == 0
    assert found == ["BUSY", "BUSY"]


def test_the_account_is_held_while_a_position_is_closed_and_an_order_cancelled(seat: Seat) -> None:
    deal_id = seat.open().deal_id or ""
    order = seat.open(trigger=Trigger(Decimal(20))).deal_id or ""
    found: list[str] = []
    seat.tap.breaks("DELETE", "/", before=switching(seat, found), times=2)
    assert seat.app.closings.close(deal_id, confirmed=True).exit_code == 0
    assert seat.app.cancellations.cancel(order, confirmed=True).exit_code == 0
    assert found == ["BUSY", "BUSY"]


def test_a_session_that_dies_among_the_reads_of_an_order_is_renewed_at_once(seat: Seat) -> None:
    shown = seat.preview()

    def end(_: httpx.Request) -> None:
        seat.app.paper.set_fault("expire-session", times=1)

    seat.tap.breaks("GET", "/accounts", before=end)
    assert seat.execute(shown.preview_id).exit_code == 0


def test_a_session_that_is_renewed_on_another_account_during_the_reads_sends_nothing(seat: Seat) -> None:
    seat.app.accounts.use(SECOND_ACCOUNT)
    shown = seat.preview()
    seat.app.accounts.use(FIRST_ACCOUNT)
    seat.time.tick(2)  # Another program knows nothing of our pace: its request must not be one too many.
    seat.switched_by_another_program(SECOND_ACCOUNT, "follow")

    def end(_: httpx.Request) -> None:
        seat.app.paper.set_fault("expire-session", times=1)

    # The last of the reads: all others were answered on the account that the preview belongs to.
    seat.tap.breaks("GET", "/markets/EURUSD", before=end)
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, int(error.exit_code)) == ("PREVIEW_ELSEWHERE", 5)
    assert f"belongs to account {SECOND_ACCOUNT}, this is {FIRST_ACCOUNT}" in error.message
    assert error.next == f"capcli execute {shown.preview_id} --account {SECOND_ACCOUNT}"
    assert not seat.tap.orders()


def test_a_part_is_not_closed_where_the_session_is_renewed_on_another_account(seats: Seats) -> None:
    other, seat = seats(), seats()
    other.app.accounts.use(SECOND_ACCOUNT)
    deal = other.open(size="5").deal_id or ""
    assert seat.book() == [deal]
    other.time.tick(2)
    other.app.accounts.use(FIRST_ACCOUNT)
    other.app.broker.login(force=True)

    def end(_: httpx.Request) -> None:
        seat.app.paper.set_fault("expire-session", times=1)

    seat.tap.breaks("GET", "/markets/EURUSD", before=end)
    error = refusal(lambda: seat.app.reductions.reduce(deal, Decimal(2), confirmed=True))
    assert (error.code, error.next) == ("REFUSED", f"capcli positions {deal} --account {SECOND_ACCOUNT}")
    assert not seat.tap.orders()


def test_a_flattening_whose_account_another_program_switches_proves_nothing(seat: Seat) -> None:
    seat.open()
    seat.open(trigger=Trigger(Decimal(20)))
    ordered = Event()

    def moved(_: httpx.Request) -> None:
        # Both lists are read at the same time: this one is answered on the other account, that one was not.
        assert ordered.wait(60)
        seat.switched_by_another_program(SECOND_ACCOUNT, "follow")

    seat.tap.breaks("GET", "/workingorders", after=lambda _: ordered.set())
    seat.tap.breaks("GET", "/positions", before=moved)

    reply = seat.app.flattenings.flatten(confirmed=True, by="a test")

    assert reply.problem is not None
    assert (reply.problem.code, any(row.done for row in reply.data.deals)) == ("NOT_FLAT", False)
    assert not seat.tap.seen("DELETE")


@pytest.mark.parametrize("name", ["flatten", "close --all", "orders cancel --all"])
def test_an_empty_list_of_another_account_is_not_told_as_flat(seat: Seat, name: str) -> None:
    deal_id = seat.open().deal_id
    if name.startswith("orders"):
        seat.open(trigger=Trigger(Decimal(20)))
    ways: dict[str, Callable[[], object]] = {
        "flatten": lambda: seat.app.flattenings.flatten(confirmed=True, by="a test"),
        "close --all": lambda: seat.app.closings_of_all.close_all(confirmed=True),
        "orders cancel --all": lambda: seat.app.cancellations_of_all.cancel_all(confirmed=True),
    }

    def moved(_: httpx.Request) -> None:
        seat.switched_by_another_program(SECOND_ACCOUNT, "follow")

    where = "/workingorders" if name.startswith("orders") else "/positions"
    seat.tap.breaks("GET", where, before=moved)

    error = refusal(ways[name])

    assert error.code == "UNREADABLE_ANSWER"
    assert (error.next or "").endswith(f"--account {FIRST_ACCOUNT}")
    assert not seat.tap.seen("DELETE")
    seat.app.broker.switch_account(FIRST_ACCOUNT)
    assert seat.book() == [deal_id]
