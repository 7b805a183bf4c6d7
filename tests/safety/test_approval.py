"""Nothing that changes the account leaves without a person's yes, where the settings ask for one."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from capcli.account.preferences import Wanted
from capcli.domain.approval import ApprovalState, code_hash
from capcli.domain.bracket import Change
from capcli.errors import ApprovalRequired, CapcliError
from capcli.paper.state import set_fault
from capcli.reconcile.outcomes import StopWork
from capcli.safety.approval_text import harmless
from capcli.trading.protect import ProtectedExecutions
from tests.support.clock import Time
from tests.support.seat import FIRST_ACCOUNT, Seat, refusal, stop_at

READS = ("GET",)


@pytest.fixture
def human(tmp_path: Path) -> Any:
    seat = Seat(tmp_path / "home", Time(), CAP_APPROVAL="human")
    yield seat
    seat.close()


def sent(seat: Seat) -> list[str]:
    """Return what reached the paper broker and changes an account."""
    lines = [(request.method, request.url.path.removeprefix("/api/v1")) for request in seat.tap.requests]
    return [f"{method} {path}" for method, path in lines if method not in READS and path != "/session"]


def waits(work: Any) -> ApprovalRequired:
    error = refusal(work)
    assert isinstance(error, ApprovalRequired), error
    return error


def approve(seat: Seat, error: ApprovalRequired, *, yes: bool = True) -> None:
    seat.app.approvals.decide(error.approval_code, approved=yes, by="a test")


def bought(seat: Seat, **changes: Any) -> str:
    """Open a position with a person's yes and return its deal id; what was sent for it is forgotten."""
    preview_id = seat.preview(**changes).preview_id
    approve(seat, waits(lambda: seat.execute(preview_id, again=True)))
    done = seat.execute(preview_id, again=True).data
    seat.tap.requests.clear()
    return str(done.deal_ids[0])


def test_an_order_waits_for_a_person_and_is_then_sent_once(human: Seat) -> None:
    preview = human.preview(stop=stop_at("24.50"))
    error = waits(lambda: human.execute(preview.preview_id))

    assert (error.code, error.exit_code) == ("APPROVAL_REQUIRED", 5)
    assert error.next == f"capcli approve {error.approval_code} --env paper"
    assert error.data["preview_id"] == preview.preview_id
    assert sent(human) == []
    approve(human, error)
    assert human.execute(preview.preview_id).exit_code == 0
    assert human.execute(preview.preview_id).data.replayed
    assert sent(human) == ["POST /positions"]


def test_the_person_is_told_side_size_market_entry_legs_loss_margin_and_place(human: Seat) -> None:
    preview = human.preview(stop=stop_at("24.50"))
    shown = waits(lambda: human.execute(preview.preview_id)).shown

    first, stop, limit, margin, place = shown.splitlines()
    # The figures are those of the fresh look: the price may have moved since the preview.
    about = re.fullmatch(r"BUY 1\.5 SILVER \(Silver\), at market, about (30\.8\d+) USD", first)
    assert about
    assert stop == f"Stop 24.50, loss there {(Decimal(about[1]) - Decimal('24.50')) * Decimal('1.5'):.2f} USD"
    assert limit == "No limit"
    needed = f"{Decimal(about[1]) * Decimal('0.15'):.2f}"
    # What is in use afterwards is reckoned at the mid price.
    assert re.fullmatch(rf"Margin {needed} USD, in use 0\.00 → 4\.6\d USD", margin)
    assert place == f"On PAPER, account {FIRST_ACCOUNT}"


def test_a_preview_lives_ten_minutes_and_its_approval_no_longer(human: Seat) -> None:
    preview = human.preview()
    assert preview.ttl_s == 600
    human.time.tick(595)
    error = waits(lambda: human.execute(preview.preview_id))
    assert error.details["expires_at"] == preview.expires_at.isoformat()
    approve(human, error)
    human.time.tick(10)

    assert refusal(lambda: human.execute(preview.preview_id)).code == "PREVIEW_EXPIRED"
    assert sent(human) == []


def test_a_question_that_is_put_again_keeps_its_code(human: Seat) -> None:
    preview_id = human.preview().preview_id
    codes = {waits(lambda: human.execute(preview_id)).approval_code for _ in range(3)}
    assert len(codes) == 1
    assert len(human.app.approvals.waiting().data.approvals) == 1


def test_an_approval_is_good_for_the_preview_it_was_given_for_only(human: Seat) -> None:
    one, other = human.preview().preview_id, human.preview().preview_id
    approve(human, waits(lambda: human.execute(one)))

    waits(lambda: human.execute(other))
    assert sent(human) == []


def test_the_no_of_a_person_ends_it(human: Seat) -> None:
    preview_id = human.preview().preview_id
    approve(human, waits(lambda: human.execute(preview_id)), yes=False)

    assert refusal(lambda: human.execute(preview_id)).code == "APPROVAL_DENIED"
    assert sent(human) == []


def test_a_yes_can_be_taken_back_until_it_is_used(human: Seat) -> None:
    preview_id = human.preview().preview_id
    error = waits(lambda: human.execute(preview_id))
    approve(human, error)
    approve(human, error, yes=False)

    assert refusal(lambda: human.execute(preview_id)).code == "APPROVAL_DENIED"
    assert sent(human) == []


def test_a_later_no_goes_before_an_earlier_yes_under_another_code(human: Seat) -> None:
    preview_id = human.preview().preview_id
    other = Seat(human.home, human.time, number=1, CAP_APPROVAL="human")
    one, two = waits(lambda: human.execute(preview_id)), waits(lambda: other.execute(preview_id))
    assert one.approval_code != two.approval_code
    approve(human, one)
    human.time.tick(1)
    approve(human, two, yes=False)

    assert refusal(lambda: human.execute(preview_id)).code == "APPROVAL_DENIED"
    assert [*sent(human), *sent(other)] == []
    other.close()


def test_once_one_of_two_approved_codes_is_used_the_other_sends_nothing(human: Seat) -> None:
    other = Seat(human.home, human.time, number=1, CAP_APPROVAL="human")
    codes = [waits(lambda seat=seat: act(seat, "topup", "")) for seat in (human, other)]
    assert codes[0].approval_code != codes[1].approval_code
    for error in codes:
        approve(human, error)
    act(human, "topup", "")

    waits(lambda: act(human, "topup", ""))
    waits(lambda: act(other, "topup", ""))
    held = [human.app.journal.approvals(code_hash(error.approval_code))[0].state for error in codes]
    assert held == [ApprovalState.USED, ApprovalState.VOID]
    assert [*sent(human), *sent(other)] == ["POST /accounts/topUp"]
    other.close()


def test_a_code_is_decided_once(human: Seat) -> None:
    error = waits(lambda: human.execute(human.preview().preview_id))
    approve(human, error, yes=False)
    again = refusal(lambda: approve(human, error))
    assert (again.code, again.exit_code) == ("APPROVAL_UNKNOWN", 5)
    assert "denied" in again.message


def test_an_expired_code_approves_nothing(human: Seat) -> None:
    error = waits(lambda: human.execute(human.preview().preview_id))
    human.time.tick(601)
    assert "expired" in refusal(lambda: approve(human, error)).message
    assert human.app.approvals.waiting().data.approvals == ()


def test_an_unknown_code_approves_nothing(human: Seat) -> None:
    assert refusal(lambda: human.app.approvals.found("nope")).code == "APPROVAL_UNKNOWN"


def test_a_code_is_read_in_any_case_and_kept_nowhere(human: Seat) -> None:
    error = waits(lambda: human.execute(human.preview().preview_id))
    code = error.approval_code
    assert human.app.approvals.found(f" {code[:3].lower()}-{code[3:]} ".replace("0", "o").replace("1", "l"))
    record = human.app.journal.approvals(code_hash(code))[0]
    assert code not in repr(record)


def test_what_was_approved_and_drifts_away_is_not_sent(human: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    preview_id = human.preview().preview_id
    approve(human, waits(lambda: human.execute(preview_id)))
    human.time.tick(500)
    moved = refusal(lambda: _far_away(human, monkeypatch, preview_id))

    assert (moved.code, sent(human)) == ("CHECKS_FAILED", [])
    assert "drift" in moved.details["failed"]


def _far_away(seat: Seat, monkeypatch: pytest.MonkeyPatch, preview_id: str) -> Any:
    from msgspec.structs import replace

    broker = seat.app.orders.broker
    market = broker.market

    def dear(epic: str) -> Any:
        found = market(epic)
        quote = replace(found.quote, bid=found.quote.bid * 2, offer=found.quote.offer * 2)
        return replace(found, quote=quote)

    monkeypatch.setattr(broker, "market", dear)
    return seat.execute(preview_id)


def test_what_was_approved_is_not_sent_after_a_halt(human: Seat) -> None:
    preview_id = human.preview().preview_id
    approve(human, waits(lambda: human.execute(preview_id)))
    human.app.halting.halt("enough", by="a test")

    assert refusal(lambda: human.execute(preview_id)).code == "HALTED"
    assert sent(human) == []


def act(seat: Seat, what: str, deal_id: str) -> Any:
    """Make one of the changes that need a person."""
    app = seat.app
    if what == "close":
        return app.closings.close(deal_id, confirmed=True)
    if what == "reduce":
        return app.reductions.reduce(deal_id, Decimal("0.5"), confirmed=True, again=True)
    if what == "amend":
        return app.amendments.amend(deal_id, Change(stop=stop_at("24.10")), confirmed=True)
    if what == "preferences":
        return app.account_changes.prefer(Wanted(leverages={"SHARES": Decimal(2)}), confirmed=True)
    return app.account_changes.top_up(Decimal(5), confirmed=True)


@pytest.mark.parametrize(
    ("what", "request_"),
    [
        ("close", "DELETE /positions/"),
        ("reduce", "POST /positions"),
        ("amend", "PUT /positions/"),
        ("preferences", "PUT /accounts/preferences"),
        ("topup", "POST /accounts/topUp"),
    ],
)
def test_every_change_waits_and_its_approval_is_used_up(human: Seat, what: str, request_: str) -> None:
    deal_id = bought(human, stop=stop_at("24.50"))
    error = waits(lambda: act(human, what, deal_id))
    assert sent(human) == []
    assert f"On PAPER, account {FIRST_ACCOUNT}" in error.shown
    approve(human, error)
    assert act(human, what, deal_id).exit_code == 0
    assert [line for line in sent(human) if line.startswith(request_)] == sent(human)
    assert len(sent(human)) == 1
    record = human.app.journal.approvals(code_hash(error.approval_code))[0]
    assert record.state is ApprovalState.USED


def test_a_used_approval_does_not_send_the_same_change_again(human: Seat) -> None:
    approve(human, waits(lambda: act(human, "topup", "")))
    act(human, "topup", "")

    waits(lambda: act(human, "topup", ""))
    assert len(sent(human)) == 1


def test_a_cancellation_waits_for_a_person(human: Seat) -> None:
    from capcli.domain.order import Trigger

    preview_id = human.preview(trigger=Trigger(Decimal("20.5"), None, None)).preview_id
    approve(human, waits(lambda: human.execute(preview_id)))
    order = human.execute(preview_id).data.deal_ids[0]
    human.tap.requests.clear()

    error = waits(lambda: human.app.cancellations.cancel(order, confirmed=True))
    assert "Cancel the LIMIT order to BUY 1.5 SILVER at 20.5" in error.shown
    assert "If filled, the margin is 3.08 USD and the loss is unlimited" in error.shown
    assert sent(human) == []
    approve(human, error)
    human.tap.requests.clear()
    assert human.app.cancellations.cancel(order, confirmed=True).exit_code == 0
    # What it would have opened was for the question: nothing more is read before it is cancelled.
    assert not [line for line in human.tap.seen() if line.startswith(("GET /markets", "GET /accounts"))]


def test_an_amendment_by_a_distance_names_the_level_instead(human: Seat) -> None:
    from capcli.domain.order import ExitForm, ExitOrder

    deal_id = bought(human)
    change = Change(stop=ExitOrder(ExitForm.DISTANCE, Decimal(1)))
    error = refusal(lambda: human.app.amendments.amend(deal_id, change, confirmed=True))
    assert (error.code, sent(human)) == ("USAGE", [])
    assert (error.next or "").startswith(f"capcli positions amend {deal_id} --stop ")


def test_closing_all_asks_once_for_all_of_them(human: Seat) -> None:
    deals = [bought(human), bought(human)]
    close_all = lambda: human.app.closings_of_all.close_all(confirmed=True)  # noqa: E731
    error = waits(close_all)
    assert error.shown.count("Close BUY 1.5 SILVER") == 2
    assert sent(human) == []
    approve(human, error)

    assert close_all().data.closed == 2
    assert sorted(sent(human)) == sorted(f"DELETE /positions/{deal}" for deal in deals)


def test_two_processes_with_one_approval_send_once(human: Seat) -> None:
    approve(human, waits(lambda: act(human, "topup", "")))
    other = Seat(human.home, human.time, number=1, CAP_APPROVAL="human")
    journals = (human.app.journal, other.app.journal)
    digest = human.app.journal.approvals_waiting(now=human.time.now())[0].digest
    start, ends = Barrier(2), []

    def use(journal: Any) -> None:
        start.wait()
        try:
            journal.note(None, "account_change", at=human.time.now(), detail={}, permit=digest)
            ends.append("used")
        except CapcliError as error:
            ends.append(error.code)

    threads = [Thread(target=use, args=(journal,)) for journal in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()

    assert sorted(ends) == ["APPROVAL_UNKNOWN", "used"]


def test_a_claim_without_an_approval_left_leaves_the_preview_ready(
    human: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview_id = human.preview().preview_id
    monkeypatch.setattr(human.app.approvals, "permit", lambda *_: "never asked")

    assert refusal(lambda: human.execute(preview_id)).code == "APPROVAL_UNKNOWN"
    assert sent(human) == []
    monkeypatch.undo()
    approve(human, waits(lambda: human.execute(preview_id)))
    assert human.execute(preview_id).exit_code == 0


def test_another_environment_does_not_sign(human: Seat) -> None:
    error = waits(lambda: human.execute(human.preview().preview_id))
    demo = Seat(human.home, human.time, number=1, CAP_ENV="demo")
    elsewhere = refusal(lambda: demo.app.approvals.found(error.approval_code))
    demo.close()
    assert (elsewhere.code, elsewhere.next) == (
        "APPROVAL_ELSEWHERE",
        f"capcli approve {error.approval_code} --env paper",
    )


def test_a_dry_run_asks_nobody(tmp_path: Path) -> None:
    from capcli.errors import WouldSend

    seat = Seat(tmp_path / "home", Time(), CAP_APPROVAL="human", CAP_DRY_RUN="true")
    preview_id = seat.preview().preview_id
    with pytest.raises(WouldSend):
        seat.execute(preview_id)
    assert seat.app.approvals.waiting().data.approvals == ()
    seat.close()


def test_without_the_setting_nobody_is_asked(tmp_path: Path) -> None:
    seat = Seat(tmp_path / "home", Time())
    assert seat.open().deal_ids
    assert seat.app.approvals.waiting().data.mode == "confirm"
    seat.close()


def test_on_live_the_variable_alone_does_not_take_the_person_out(tmp_path: Path) -> None:
    seat = Seat(tmp_path / "home", Time(), CAP_ENV="live", CAP_APPROVAL="confirm")
    assert seat.app.approvals.needed
    seat.close()


def test_the_journal_keeps_the_chain_of_what_was_asked_and_said(human: Seat) -> None:
    bought(human)
    assert human.app.journal.inspect(None).breaks == ()
    assert human.app.approvals.waiting().data.approvals == ()


@pytest.mark.parametrize("change", ["state = 'APPROVED'", "text = 'BUY a trifle'"])
def test_an_approval_that_was_altered_in_the_file_is_found(human: Seat, change: str) -> None:
    import sqlite3
    from contextlib import closing

    waits(lambda: human.execute(human.preview().preview_id))
    with closing(sqlite3.connect(human.home / "journal.db")) as raw, raw:
        raw.execute(f"UPDATE approvals SET {change}")
    (found,) = human.app.journal.inspect(None).breaks
    assert found.table == "approvals"


def test_names_of_markets_carry_no_control_or_direction_characters() -> None:
    assert harmless("Gold\x1b[2J\u202e\n\tApprove  this") == "Gold [2J Approve this"
    assert len(harmless("x" * 500)) == 60


def test_the_clock_of_an_approval_is_its_own(human: Seat) -> None:
    deal_id = bought(human)
    error = waits(lambda: act(human, "close", deal_id))
    assert error.details["expires_at"] == (human.time.now() + timedelta(minutes=10)).isoformat()
    approve(human, error)
    human.time.tick(601)
    waits(lambda: act(human, "close", deal_id))
    assert sent(human) == []


def ensured(human: Seat) -> Any:
    """Send an approved order whose stop the broker leaves out; return the reply."""
    preview_id = human.preview(stop=stop_at("24.5")).preview_id
    approve(human, waits(lambda: human.execute(preview_id)))
    set_fault(human.home / "paper.db", "drop-stop", at=human.time.now(), times=1)
    return human.app.protected_executions.execute(preview_id, confirmed=True, ensure_stop=True)


def test_an_order_whose_missing_stop_waits_for_a_person_is_reported_as_placed(human: Seat) -> None:
    reply = ensured(human)

    assert (reply.exit_code, reply.problem.code, sent(human)) == (9, "NO_STOP", ["POST /positions"])
    assert "othing was sent" not in reply.problem.message
    (step,) = reply.data.stop_steps
    assert (step.work, step.done) == (StopWork.SET, False)
    code = step.told.partition("capcli approve ")[2].split()[0]
    human.app.approvals.decide(code, approved=True, by="a test")
    stop = Change(stop=stop_at("24.5"))
    human.app.amendments.amend(reply.data.deal_id, stop, confirmed=True)
    assert human.app.broker.positions()[0].stop_level == Decimal("24.5")


def test_a_deal_that_is_to_be_ended_for_its_missing_stop_waits_for_a_person_too(
    human: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A person approved the stop meanwhile, and the broker refused it.
    monkeypatch.setattr(ProtectedExecutions, "set_stop", lambda _self, reply: reply)

    reply = ensured(human)

    assert (reply.exit_code, reply.problem.code, sent(human)) == (9, "NO_STOP", ["POST /positions"])
    assert [(step.work, step.done) for step in reply.data.stop_steps] == [(StopWork.CLOSE, False)]
    assert "Ending it waits for a person: capcli approve" in reply.problem.message
