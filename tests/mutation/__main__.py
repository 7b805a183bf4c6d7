"""How many small changes of the order path do the tests notice? `python -m tests.mutation --sample 1500`."""

import argparse
import json
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from tests.mutation.mutants import ROOT, Mutant
from tests.mutation.plugin import OPTIONS, Mutation

_PROTOCOL = (
    "trading/execute trading/sending reconcile/reconciler reconcile/reconcile reconcile/resolve "
    "reconcile/lookup reconcile/readback reconcile/attribution trading/mutation trading/close "
    "trading/cancel trading/amend trading/partial_close trading/snapshot trading/open_risk "
    "reconcile/blocking trading/flatten"
)
_JOURNAL = "schema db journal audit events records halt lock"


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    ask.add_argument(
        "modules", nargs="*", help="paths such as capcli/domain/money.py; all that matter by default"
    )
    ask.add_argument("--sample", type=int, help="this many, drawn by the seed; all by default")
    ask.add_argument("--seed", type=int, default=12)
    ask.add_argument("--budget", type=float, default=10, help="CPU seconds of tests for each mutant")
    ask.add_argument("--jobs", type=int, default=2)
    ask.add_argument(
        "--out", type=Path, default=Path("mutants.jsonl"), help="every mutant with the test that noticed"
    )
    ask.add_argument("--memory", type=Path, default=Path("mutants.json"), help="which test runs which line")
    asked = ask.parse_args()

    def picked(mutants: list[Mutant]) -> list[Mutant]:
        # The same seed picks the same places in the next version.
        wanted = [each for each in mutants if not asked.modules or each.path in asked.modules]
        drawn = sorted(wanted, key=lambda each: sha256(f"{asked.seed} {each.name}".encode()).digest())
        return drawn[: asked.sample]

    before = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    run = Mutation(
        _modules(),
        picked,
        budget_s=asked.budget,
        jobs=asked.jobs,
        out=asked.out,
        memory=asked.memory,
        before=before,
    )
    if code := pytest.main([*OPTIONS, str(ROOT / "tests")], plugins=[run]):
        return int(code)
    _report([json.loads(line) for line in asked.out.read_text().splitlines()])
    return 0


def _modules() -> list[str]:
    found = [f"capcli/domain/{path.name}" for path in sorted((ROOT / "capcli/domain").glob("[a-z]*.py"))]
    found += [f"capcli/{name}.py" for name in _PROTOCOL.split()]
    found += [f"capcli/store/{name}.py" for name in _JOURNAL.split()]
    return [*found, "capcli/log.py"]


def _report(rows: list[dict[str, str]]) -> None:
    tried = Counter(row["path"] for row in rows)
    alive = Counter(row["path"] for row in rows if row["by"] is None)
    for row in sorted(rows, key=lambda row: (row["path"], int(row["first_line"]))):
        if row["by"] is None:
            print(f"{row['path']}:{row['first_line']} {row['said']}")
    for path in sorted(tried):
        print(f"{path:40}{tried[path]:6}{tried[path] - alive[path]:6} killed")
    share = 1 - alive.total() / max(1, tried.total())
    print(f"{tried.total()} mutants, {tried.total() - alive.total()} killed: {share:.1%}")


if __name__ == "__main__":
    sys.exit(main())
