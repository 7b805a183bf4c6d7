"""Group D with 50 processes on one home, all let go at the same instant."""

from pathlib import Path

import pytest

from tests.faults.bench import order
from tests.faults.checker import counts, violations
from tests.faults.matrix import Case, cases
from tests.faults.processes import Home

pytestmark = pytest.mark.faults

MANY, CAP = 50, 10


@pytest.fixture
def home(memory: Path) -> Home:
    return Home(memory / "home")


@cases("D1", "D2")
def test_case(case: Case, home: Home) -> None:
    preview_id = home.preview()
    told = home.race(preview_id, copies=MANY, lose=case.id == "D2")
    found = home.evidence()
    assert violations(found) + counts(case, found) == []
    assert len(found.books.attempts) == 1
    winners = [one for one in told if one.attempt_id and not one.replayed]
    assert len(winners) == 1, "one sent it, the others are told what became of it"
    assert {one.attempt_id for one in told if one.attempt_id} == set(found.books.attempts)
    (winner,) = winners
    assert (winner.exit, winner.state) == (case.first.exit, case.first.state)
    # Whoever looks after the winner may know more than it did.
    due = {case.first.exit, 10, *([case.then.exit] if case.then else [])}
    assert {one.exit for one in told} <= due
    home.finish(case, preview_id)


@cases("D4")
def test_case_as_many_as_the_cap(case: Case, home: Home) -> None:
    sizes = [f"{number / 10}" for number in range(10, 10 + MANY)]
    previews = home.previews(*map(order, sizes))
    told = home.race(*previews, copies=MANY, settings={"CAP_MAX_ORDERS_PER_DAY": str(CAP)})
    found = home.evidence()
    assert violations(found) + counts(case, found) == []
    landed = [one for one in told if one.state == "LANDED"]
    assert len(landed) == CAP
    assert all(one.exit in {5, 10} for one in told if one not in landed)
    refused = [one for one in told if one.exit == 5]
    assert refused
    assert all("orders" in one.sentence for one in refused), refused[:1]


@cases("D7")
def test_case_ten_settle_one_order(case: Case, home: Home) -> None:
    preview_id = home.preview()
    home.judge(case, case.first, home.run(preview_id, lose=True), preview_id)
    told = home.race(preview_id, copies=10)
    found = home.evidence()
    assert violations(found) + counts(case, found) == []
    moves = [move["to_state"] for move in found.books.moves]
    assert moves == ["CLAIMED", "SENDING", "UNKNOWN", "LANDED"], "each verdict is written once"
    assert {one.exit for one in told} <= {0, 10}
    home.finish(case, preview_id)
