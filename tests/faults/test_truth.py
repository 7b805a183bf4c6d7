"""Group E: the answer of the POST is lost, and what the broker shows afterwards is hard to read."""

import httpx
import pytest

from tests.faults.bench import Bench
from tests.faults.checker import counts
from tests.faults.matrix import Case, cases
from tests.faults.wire import ALWAYS, Fault, after, before, cut_body, instead

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
