"""Group E: the answer of the POST is lost, and what the broker shows afterwards is hard to read."""

from collections.abc import Callable

import httpx
import pytest

from capcli.paper.state import set_fault
from tests.faults.bench import Bench, order
from tests.faults.checker import Told, counts, violations
from tests.faults.matrix import Case, cases
from tests.faults.wire import (
    ALWAYS,
    Fault,
    Forward,
    Json,
    after,
    before,
    cut_body,
    edited,
    instead,
    late_rows,
    meanwhile,
)

BLIND: dict[str, Fault] = {
    "E5": instead(500, {"errorCode": "java.lang.NullPointerException"}),
    "E6": cut_body(),
}


def lose_the_answer(bench: Bench) -> None:
    bench.wire.on("POST", "/positions", after(httpx.ReadTimeout))


@cases("E1")
def test_case_hand_trade_in_the_window(case: Case, bench: Bench) -> None:
    hand = bench.hand()
    lose_the_answer(bench)
    preview_id = bench.preview()
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    bench.time.tick(2)
    hand.trades("BUY", "1.5")
    bench.finish(case, preview_id)


@cases("E13")
def test_case_another_computers_order(case: Case, bench: Bench) -> None:
    hand = bench.hand()
    bench.wire.on("POST", "/positions", before(httpx.ReadTimeout))
    preview_id = bench.preview()
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    bench.time.tick(4)
    hand.trades("BUY", "1.5")
    bench.finish(case, preview_id)


@cases("E2")
def test_case_older_twin(case: Case, bench: Bench) -> None:
    bench.hand().trades("BUY", "1.5")
    bench.time.tick(90)
    (older,) = bench.evidence().ledger.positions
    lose_the_answer(bench)
    told = bench.play(case)
    attempt = bench.app.journal.attempt(told.attempt_id)
    assert attempt is not None
    assert older not in attempt.deal_ids
    assert len(attempt.deal_ids) == 1


@pytest.mark.parametrize("lost", [before(httpx.ReadTimeout), instead(503, text="later")])
def test_an_older_twin_is_never_taken_for_an_order_that_did_not_land(lost: Fault, bench: Bench) -> None:
    bench.hand().trades("BUY", "1.5")
    bench.time.tick(90)
    bench.wire.on("POST", "/positions", lost)
    preview_id = bench.preview()
    assert bench.execute(preview_id).state == "UNKNOWN"
    assert bench.settle(preview_id).state in {"UNKNOWN", "ABSENT"}


@cases(*BLIND)
def test_case(case: Case, bench: Bench) -> None:
    lose_the_answer(bench)
    preview_id = bench.preview()
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    bench.wire.on("GET", "/positions", BLIND[case.id], times=ALWAYS)
    told = bench.settle(preview_id)
    assert case.then is not None
    bench.judge(case, case.then, told, preview_id)
    assert counts(case, bench.evidence()) == []
    bench.wire.mend()
    assert bench.settle(preview_id).state == "LANDED", "what could be read at last is believed"


@pytest.mark.parametrize(("side", "size"), [("BUY", "1.6"), ("SELL", "1.5")], ids=["size", "side"])
def test_a_hand_trade_that_only_looks_similar_is_not_taken(side: str, size: str, bench: Bench) -> None:
    hand = bench.hand()
    bench.wire.on("POST", "/positions", before(httpx.ReadTimeout))
    preview_id = bench.preview()
    bench.execute(preview_id)
    bench.time.tick(2)
    hand.trades(side, size)
    assert bench.settle(preview_id).state in {"UNKNOWN", "ABSENT"}


def test_two_lost_orders_do_not_share_a_deal(bench: Bench) -> None:
    """The second is refused until the first is settled; then each has a deal of its own."""
    lose_the_answer(bench)
    first, second = bench.preview(), bench.preview()
    assert bench.execute(first).state == "UNKNOWN"
    bench.time.tick(70)
    lose_the_answer(bench)
    assert bench.execute(second).state == "UNKNOWN"
    told = [bench.settle(preview_id) for preview_id in (first, second)]
    deals = [bench.app.journal.attempt(one.attempt_id) for one in told]
    assert [one.state for one in told] == ["LANDED", "LANDED"]
    assert len({deal for one in deals if one for deal in one.deal_ids}) == 2


@cases("E3")
def test_case_landed_and_closed_before_anybody_looked(case: Case, bench: Bench) -> None:
    hand = bench.hand()
    lose_the_answer(bench)
    preview_id = bench.preview()
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    hand.closes_all()
    bench.finish(case, preview_id)


LATE: dict[str, Callable[[Bench], None]] = {
    "rows missing": lambda bench: bench.wire.on(
        "GET", "/history/activity", late_rows(bench.time.now, 70), times=ALWAYS
    ),
    "rows without a level first": lambda bench: set_fault(
        bench.paper, "activity-late", at=bench.time.now(), value="70"
    ),
}


@cases("E4")
@pytest.mark.parametrize("late", LATE)
def test_case_activity_is_late(case: Case, late: str, bench: Bench) -> None:
    hand = bench.hand()
    lose_the_answer(bench)
    preview_id = bench.preview()
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    hand.closes_all()
    LATE[late](bench)
    for _ in range(6):
        told = bench.execute(preview_id)
        assert told.state == "UNKNOWN", "what is late is not absent"
        bench.time.tick(11)
    bench.time.tick(60)
    told = bench.execute(preview_id)
    assert case.then is not None
    bench.judge(case, case.then, told, preview_id)
    assert counts(case, bench.evidence()) == []


@cases("E7")
def test_case_netting(case: Case, bench: Bench) -> None:
    bench.hand().trades("SELL", "1.5")
    lose_the_answer(bench)
    bench.play(case)
    assert bench.evidence().ledger.positions == ()


def opposite_there(body: Json) -> Json:
    """Show a position of the other side that no order of ours ever touches, as hedging accounts do."""
    twin = {"market": body["positions"][0]["market"], "position": dict(body["positions"][0]["position"])}
    twin["position"] |= {"direction": "SELL", "dealId": "hedge", "dealReference": "p_hedge"}
    return body | {"positions": [*body["positions"], twin]}


@cases("E8")
def test_case_hedging(case: Case, bench: Bench) -> None:
    """The paper broker nets, so the opposite position is written into its answers."""
    bench.hand().trades("BUY", "1.5")
    bench.time.tick(90)
    bench.wire.on("GET", "/positions", edited(opposite_there), times=ALWAYS)
    lose_the_answer(bench)
    preview_id = bench.preview()
    told = bench.execute(preview_id)
    bench.judge(case, case.first, told, preview_id)
    told = bench.settle(preview_id)
    assert case.then is not None
    bench.judge(case, case.then, told, preview_id)
    attempt = bench.app.journal.attempt(told.attempt_id)
    assert attempt is not None
    assert len(attempt.deal_ids) == 1, "it reduced nothing"
    assert set(attempt.deal_ids) <= set(bench.evidence().ledger.positions)
    assert counts(case, bench.evidence()) == []


@cases("E9")
@pytest.mark.parametrize("before_orders", [True, False])
def test_case_filled_between_the_reads(case: Case, before_orders: bool, bench: Bench) -> None:
    """Orders are read first: what fills after that is in both lists, and what filled before is in one."""
    hand = bench.hand()
    bench.wire.on("POST", "/workingorders", after(httpx.ReadTimeout))
    preview_id = bench.preview(order(level=hand.near()))
    bench.judge(case, case.first, bench.execute(preview_id), preview_id)
    bench.wire.on("GET", "/workingorders", meanwhile(hand.waits_for_fills, first=before_orders))
    bench.execute(preview_id)
    bench.finish(case, preview_id)
    ending = ": it was filled. " if before_orders else " is waiting. "
    assert ending in bench.told[-1].sentence


@cases("E10")
def test_case_late_landing(case: Case, bench: Bench) -> None:
    """The request is held up on its way for minutes, longer than anybody waits."""
    held: list[Callable[[], object]] = []

    def holds(request: httpx.Request, forward: Forward) -> httpx.Response:
        held.append(lambda: forward(request))
        raise httpx.ReadTimeout("scripted")

    bench.wire.on("POST", "/positions", holds)
    preview_id = bench.preview()
    assert bench.execute(preview_id).state == "UNKNOWN"
    told = bench.settle(preview_id)
    bench.judge(case, case.first, told, preview_id)
    (late,) = held
    late()
    bench.time.tick(5)
    bench.finish(case, preview_id)
    (deal,) = bench.evidence().ledger.positions
    assert deal in bench.told[-1].sentence, "it is said, not only recorded"
    bench.app.resolutions.resolve(bench.told[-1].attempt_id, landed=deal, confirmed=True)
    told = bench.execute(preview_id)
    assert (told.state, told.exit) == ("LANDED", 0)
    assert "landed late" in told.sentence
    assert violations(bench.evidence()) == []


def test_a_late_landing_is_reported_by_the_next_order(bench: Bench) -> None:
    """Whatever opens risk looks again for what was presumed absent."""
    held: list[Callable[[], object]] = []

    def holds(request: httpx.Request, forward: Forward) -> httpx.Response:
        held.append(lambda: forward(request))
        raise httpx.ReadTimeout("scripted")

    bench.wire.on("POST", "/positions", holds)
    lost = bench.preview()
    bench.execute(lost)
    assert bench.settle(lost).state == "ABSENT"
    held[0]()
    bench.time.tick(5)
    told = bench.execute(bench.preview(order("2")))
    found = bench.evidence()
    assert (told.code, told.exit) == ("LATE_LANDING", 10)
    (deal,) = found.ledger.positions
    assert deal in told.sentence
    assert violations(found) == []


def test_two_lost_orders_alike_are_not_taken_for_each_other(bench: Bench) -> None:
    """The first never arrived and the second did: naming the first again gives it nothing."""
    bench.wire.on("POST", "/positions", before(httpx.ReadTimeout))
    first = bench.preview()
    bench.execute(first)
    assert bench.settle(first).state == "ABSENT"
    lose_the_answer(bench)
    second = bench.preview()
    assert bench.execute(second).state == "UNKNOWN"
    assert bench.execute(first).state == "ABSENT"
    assert bench.settle(second).state == "LANDED"
    assert bench.execute(first).state == "ABSENT"
    assert violations(bench.evidence()) == []


@cases("E12")
def test_case_rejected_in_activity(case: Case, bench: Bench) -> None:
    """Somebody else takes the money in the moment before the order arrives."""
    hand = bench.hand()
    takes_the_money = meanwhile(lambda: hand.trades("BUY", "3000"), after(httpx.ReadTimeout))
    bench.wire.on("POST", "/positions", takes_the_money)
    bench.play(case, order("2500"))


def test_a_refusal_of_somebody_elses_order_is_not_ours(bench: Bench) -> None:
    hand = bench.hand()
    bench.wire.on("POST", "/positions", before(httpx.ReadTimeout))
    preview_id = bench.preview()
    bench.execute(preview_id)
    hand.trades("BUY", "90000")
    told: Told = bench.settle(preview_id)
    assert told.state == "ABSENT"
