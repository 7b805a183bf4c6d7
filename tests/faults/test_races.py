"""Group D and C13 in process: threads of two faces, calls that nobody waits for, and the same order twice."""

from threading import Barrier, Event, Thread

import httpx
import pytest
from fastmcp.tools import ToolResult

from capcli.mcp.in_flight_calls import InFlightCalls
from tests.faults.bench import Bench, order, tell
from tests.faults.checker import Told, violations
from tests.faults.matrix import Case, cases
from tests.faults.wire import ALWAYS, before, meanwhile, not_before


@cases("D3")
def test_case_two_faces_at_the_same_time(case: Case, bench: Bench) -> None:
    preview_id = bench.preview()
    faces = [bench.app, bench.process()]
    start, told = Barrier(len(faces)), list[Told]()

    def run(index: int) -> None:
        start.wait()
        told.append(bench.execute(preview_id, faces[index]))

    threads = [Thread(target=run, args=(index,)) for index in range(len(faces))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = bench.evidence()
    assert violations(found) == []
    assert found.posts == case.posts
    assert any(one.state == "LANDED" for one in told)
    assert {one.attempt_id for one in told if one.attempt_id} == set(found.books.attempts)
    bench.finish(case, preview_id)


@cases("D5")
def test_case_identical_previews(case: Case, bench: Bench) -> None:
    first, second = bench.preview(), bench.preview()
    assert bench.execute(first).state == "LANDED"
    bench.judge(case, case.first, bench.execute(second), second)
    assert bench.evidence().posts == case.posts
    assert bench.execute(second, again=True).state == "LANDED"
    found = bench.evidence()
    assert (violations(found), found.posts) == ([], 2)


@pytest.mark.parametrize("state", ["UNKNOWN", "ACKED"])
def test_an_unresolved_order_blocks_the_next_and_no_close(state: str, bench: Bench) -> None:
    landed, third = bench.execute(bench.preview()), bench.preview(order("3"))
    if state == "UNKNOWN":
        bench.wire.on("POST", "/positions", before(httpx.ReadTimeout))
    else:
        bench.wire.on("GET", "/confirms/", not_before(bench.time.now, 600), times=ALWAYS)
    assert bench.execute(bench.preview(order("2"))).state == state
    blocked = bench.execute(third)
    assert (blocked.exit, blocked.code) == (10, "BLOCKED")
    deal = bench.app.journal.attempt(landed.attempt_id)
    assert deal is not None
    told = tell("", lambda: bench.app.closings.close(deal.deal_ids[0], confirmed=True))
    assert told.exit == 0
    assert violations(bench.evidence()) == []


@cases("C13")
def test_case_a_cancelled_call(case: Case, bench: Bench) -> None:
    """What sends runs on a thread of its own; whoever asked for it has left."""
    flights, arrived, release = InFlightCalls(), Event(), Event()

    def waits() -> None:
        arrived.set()
        assert release.wait(60)

    bench.wire.on("POST", "/positions", meanwhile(waits))
    preview_id = bench.preview()

    def work() -> ToolResult:
        bench.execute(preview_id)
        return ToolResult("sent")

    assert flights.start(work) is not None
    assert arrived.wait(60)
    bench.judge(case, case.first, None, preview_id)
    busy = bench.execute(preview_id, bench.process())
    assert (busy.exit, busy.state) == (10, "SENDING"), "a second call does not send beside it"
    release.set()
    flights.finish(60)
    bench.finish(case, preview_id)
