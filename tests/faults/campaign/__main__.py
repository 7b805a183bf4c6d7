"""`python -m tests.faults.campaign --seed 7` replays one run; `--runs 1000 --first 1` makes many."""

import argparse
import gc
import os
import pickle
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.faults.campaign.history import History
from tests.faults.campaign.plan import draw
from tests.faults.campaign.processes import preload
from tests.faults.campaign.report import Tally, missing, tally, text
from tests.faults.campaign.runner import memory, play, template
from tests.faults.campaign.sabotage import SABOTAGES, plan_of

# So many runs meet every kind of fault, and run every command.
_ALL_RUNS = 1000


def main() -> int:
    """Play runs one after the other and print the report; 1 where a promise was broken.

    Of 1,000 runs it is 1 as well where a kind of fault struck nothing, or a command was never run.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaign", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one and show every command")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--sabotage", choices=SABOTAGES, help="break capcli itself, and see it found")
    parser.add_argument("--jobs", type=int, default=1, help="so many runs at the same time")
    asked = parser.parse_args()
    preload()
    gc.collect()
    gc.freeze()
    total = Tally()
    with memory() as folder:
        broker = template(folder)
        if asked.seed is not None or asked.sabotage:
            plan = plan_of(asked.sabotage) if asked.sabotage else draw(asked.seed)
            total.add(play(plan, broker, shown))
        else:
            for one in _at_once(broker, range(asked.first, asked.first + asked.runs), asked.jobs):
                total.add(one)
    print(text(total))
    lacking = missing(total) if total.runs >= _ALL_RUNS else []
    if lacking:
        print(f"never struck or never run: {', '.join(lacking)}")
    return 1 if total.seeds or lacking else 0


def _at_once(broker: Path, seeds: range, jobs: int) -> Iterator[Tally]:
    """Share the seeds among some processes and yield what each of them found."""
    started = []
    for job in range(jobs):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            with os.fdopen(writing, "wb") as out:
                pickle.dump(_many(broker, seeds[job::jobs]), out)
            os._exit(0)
        os.close(writing)
        started.append((pid, reading))
    for pid, reading in started:
        with os.fdopen(reading, "rb") as found:
            yield pickle.load(found)
        os.waitpid(pid, 0)


def _many(broker: Path, seeds: range) -> Tally:
    total = Tally()
    for seed in seeds:
        try:
            total.add(play(draw(seed), broker, tally))
        except Exception:  # noqa: BLE001 - one run that cannot be judged must not hide the others
            what = f"seed {seed}: {traceback.format_exc()}"
            total.add(Tally(1, broken=Counter(["the campaign broke"]), seeds={seed: [what]}))
        if seed in total.seeds:
            print("\n".join(total.seeds[seed]), file=sys.stderr, flush=True)
    return total


def shown(history: History) -> Tally:
    """Judge a run and show what happened in it, in the order in which it did."""
    if history.plan.sabotage:
        SABOTAGES[history.plan.sabotage].recorded(history)
    happened = [
        (one.began, f"{one.step} {one.deed}: {one.tool or 'capcli'} {' '.join(one.words)}")
        for one in history.commands
    ]
    happened += [
        (one.ended, f"  {one.step} ended with {one.exit}, {one.state or '-'}: {one.said[:400]}")
        for one in history.commands
    ]
    for one in history.entries:
        if one.changes or one.struck or not one.step:
            done = f"{one.status} {one.confirm.get('dealStatus', '')}" if one.reached else "never reached"
            struck = f" [{one.struck}]" if one.struck else ""
            happened.append((one.at, f"      {one.step} {one.method} {one.path} {one.body}: {done}{struck}"))
    for at, what in sorted(happened):
        print(f"{at:9.2f}  {what}")
    return tally(history)


if __name__ == "__main__":
    sys.exit(main())
