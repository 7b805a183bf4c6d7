"""Group H: closes and amendments whose answer is lost."""

from typing import Any

import httpx

from capcli.domain.bracket import Change
from tests.faults.bench import Bench, order, stop_at, tell
from tests.faults.checker import Told, violations
from tests.faults.matrix import Case, cases
from tests.faults.wire import after, before, instead, meanwhile


def _open(bench: Bench) -> str:
    told = bench.execute(bench.preview())
    assert told.state == "LANDED"
    (deal,) = bench.evidence().ledger.positions
    bench.told.clear()
    return deal


def _close(bench: Bench, deal: str) -> Told:
    told = tell("", lambda: bench.app.closings.close(deal, confirmed=True))
    bench.told.append(told)
    return told


def _judge_close(case: Case, bench: Bench, told: Told) -> None:
    found = bench.evidence()
    assert violations(found) == []
    assert (told.exit, told.state) == (case.first.exit, case.first.state), told
    assert case.first.reads(told.sentence), told.sentence
    row = found.books.attempts[told.attempt_id]
    assert (row["kind"], row["state"]) == ("CLOSE", case.first.recorded)
    assert found.ledger.positions == ()


@cases("H1")
def test_case_delete_times_out_and_closed(case: Case, bench: Bench) -> None:
    deal = _open(bench)
    bench.wire.on("DELETE", "/positions/", after(httpx.ReadTimeout))
    _judge_close(case, bench, _close(bench, deal))
    assert bench.wire.calls("DELETE") == [f"DELETE /positions/{deal}"]


@cases("H2")
def test_case_delete_says_404(case: Case, bench: Bench) -> None:
    deal, hand = _open(bench), bench.hand()
    bench.wire.on("DELETE", "/positions/", meanwhile(hand.closes_all))
    _judge_close(case, bench, _close(bench, deal))


def test_a_close_that_never_arrived_is_sent_again_after_a_read_back(bench: Bench) -> None:
    deal = _open(bench)
    bench.wire.on("DELETE", "/positions/", before(httpx.ReadTimeout))
    told = _close(bench, deal)
    assert (told.exit, bench.evidence().ledger.positions) == (0, ())
    assert len(bench.wire.calls("DELETE")) == 2


def test_a_close_that_is_lost_twice_claims_nothing(bench: Bench) -> None:
    deal = _open(bench)
    bench.wire.on("DELETE", "/positions/", before(httpx.ReadTimeout), times=9)
    told = _close(bench, deal)
    assert told.exit == 8
    assert violations(bench.evidence()) == []
    assert bench.evidence().ledger.positions == (deal,)


def test_a_close_that_is_refused_leaves_the_position(bench: Bench) -> None:
    deal = _open(bench)
    bench.wire.on("DELETE", "/positions/", instead(400, {"errorCode": "error.invalid.dealId"}))
    told = _close(bench, deal)
    assert (told.exit, bench.evidence().ledger.positions) == (6, (deal,))
    assert violations(bench.evidence()) == []


def _amend(case: Case, bench: Bench) -> None:
    assert bench.execute(bench.preview(order(stop="29"))).state == "LANDED"
    (position,) = bench.app.broker.positions()
    both = Change(stop=stop_at("28"), limit=stop_at("33"))
    assert tell("", lambda: _amended(bench, position.deal_id, both)).exit == 0
    bench.told.clear()
    if case.id == "H3":
        bench.wire.on("PUT", "/positions/", after(httpx.ReadTimeout))
    told = tell("", lambda: _amended(bench, position.deal_id, Change(stop=stop_at("27"))))
    bench.told.append(told)
    found = bench.evidence()
    assert violations(found) == []
    assert (told.exit, told.state) == (case.first.exit, case.first.state), told
    assert case.first.reads(told.sentence), told.sentence
    (row,) = bench.app.broker.positions()
    assert (str(row.stop_level), str(row.limit_level)) == ("27", "33")
    assert found.posts == case.posts


def _amended(bench: Bench, deal: str, change: Change) -> Any:
    return bench.app.amendments.amend(deal, change, confirmed=True)


@cases("H3", "H4")
def test_case(case: Case, bench: Bench) -> None:
    _amend(case, bench)


@cases("H5")
def test_case_cancel_of_a_filled_order(case: Case, bench: Bench) -> None:
    hand = bench.hand()
    placed = bench.execute(bench.preview(order(level=hand.near())))
    attempt = bench.app.journal.attempt(placed.attempt_id)
    assert attempt is not None
    (deal,) = attempt.deal_ids
    bench.told.clear()
    bench.wire.on("DELETE", "/workingorders/", meanwhile(hand.waits_for_fills))
    told = tell("", lambda: bench.app.cancellations.cancel(deal, confirmed=True))
    bench.told.append(told)
    found = bench.evidence()
    assert violations(found) == []
    assert (told.exit, case.first.reads(told.sentence)) == (case.first.exit, True), told
    (row,) = [row for row in found.books.attempts.values() if row["kind"] == "CANCEL"]
    assert row["state"] == case.first.recorded
    assert (found.posts, len(found.ledger.positions)) == (case.posts, 1)
