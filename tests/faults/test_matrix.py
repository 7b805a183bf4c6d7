"""The matrix is whole, and every case has a test."""

from importlib import import_module
from pathlib import Path

from tests.faults.matrix import CASES, COVERED, DESIGN, TIERS

STATES = {"READY", "NONE", "CLAIMED", "SENDING", "ACKED", "NOT_SENT", "REFUSED", "UNKNOWN"} | {
    "LANDED",
    "REJECTED",
    "ABSENT",
}
KILLED = -9
# Orders that somebody else sent are in the ledger too.
HAND_TRADES = {"A28", "B8", "E1", "E2", "E7", "E8", "E12"}
MAY_BE_LIVE = {"UNKNOWN", "ACKED", "ABSENT"}


def _import_all() -> None:
    for path in Path(__file__).parent.glob("test_*.py"):
        import_module(f"tests.faults.{path.stem}")


def test_every_id_is_known() -> None:
    assert sorted(CASES) == sorted(DESIGN)


def test_every_case_has_a_test() -> None:
    _import_all()
    assert sorted(set(CASES) - COVERED) == []


def test_every_case_is_consistent() -> None:
    for name, case in CASES.items():
        assert set(case.tier) <= TIERS, name
        assert case.posts >= 0, name
        for outcome in filter(None, (case.first, case.then)):
            assert outcome.state in STATES, name
            if outcome.exit != KILLED:
                assert (outcome.exit == 8) is (outcome.state in MAY_BE_LIVE), name
        single = not name.startswith("D") and name not in HAND_TRADES
        assert not single or (case.posts <= 1 and case.orders <= 1), name
