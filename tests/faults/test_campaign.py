"""The campaign: random runs of real processes against everything that can go wrong; no promise is broken.

One run again: `python -m tests.faults.campaign --seed 7`; many: `--first 1 --runs 1000 --jobs 2`.
"""

import subprocess
import sys
from collections import Counter

import pytest

from capcli.app import App
from capcli.cli.commands import COMMANDS, Changes
from capcli.mcp.server import tools
from capcli.mcp.tool_runner import ToolRunner
from tests.faults.campaign.deeds import DO, SENT_BY
from tests.faults.campaign.kinds import BY_NAME, KINDS, On
from tests.faults.campaign.plan import DEEDS, draw
from tests.faults.campaign.report import Tally, missing
from tests.faults.campaign.sabotage import SABOTAGES
from tests.faults.campaign.strikes import STRIKES
from tests.store.builders import CHILD_ENV
from tests.support.launched import as_own_user

ENVIRON = {name: value for name, value in CHILD_ENV.items() if not name.startswith("CAP")}


def campaign(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *as_own_user(), "-m", "tests.faults.campaign", *words]
    return subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=False)


@pytest.mark.faults
def test_60_runs_break_no_promise(capsys: pytest.CaptureFixture[str]) -> None:
    done = campaign("--first", "1", "--runs", "60", "--jobs", "2")
    with capsys.disabled():
        print(f"\n{done.stdout}")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


@pytest.mark.soak
def test_1000_runs_break_no_promise(capsys: pytest.CaptureFixture[str]) -> None:
    done = campaign("--first", "1001", "--runs", "1000", "--jobs", "2")
    with capsys.disabled():
        print(f"\n{done.stdout}")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


def test_a_seed_is_always_the_same_run() -> None:
    assert [draw(seed) for seed in range(20)] == [draw(seed) for seed in range(20)]
    assert len({draw(seed) for seed in range(20)}) == 20


# What sends something and is no deed of the campaign, with the reason.
NO_DEED = {
    "buy": "asks on a terminal; what it sends after the yes is sent by `execute`",
    "sell": "the same",
    "desk": "a full screen; what its keys send is sent by the use cases of the other commands",
    "mcp serve": "the server that the tools of the deeds are called on",
    "mandate revoke": "cancels as `orders cancel` does; test_mandates.py has mandates",
    "cap_session_logout": "ends a session and changes nothing else; sessions end by a kind of fault",
}


def test_whatever_sends_something_is_a_deed_or_has_a_reason() -> None:
    sends = {name for name, row in COMMANDS.items() if row.changes is Changes.ACCOUNT}
    sends |= {tool.name for tool in tools(ToolRunner(App.build)) if tool.changes}
    assert set(SENT_BY).isdisjoint(NO_DEED)
    assert sends == {*SENT_BY, *NO_DEED}
    assert set(SENT_BY.values()) <= set(DEEDS) == set(DO)


def test_a_kind_that_struck_nothing_and_a_command_that_never_ran_are_named() -> None:
    met = Counter(kind.name for kind in KINDS)
    ran = Counter(SENT_BY.keys())
    assert missing(Tally(struck=met, commands=ran)) == []
    assert missing(Tally(struck=met - Counter(["held up"]), commands=ran - Counter(["close"]))) == [
        "held up",
        "close",
    ]


def test_every_kind_has_a_strike_and_is_drawn() -> None:
    at_the_venue = {kind.name for kind in KINDS if On.PROCESS not in kind.on}
    assert set(STRIKES) == at_the_venue
    drawn = Counter(one.kind for seed in range(1000) for step in draw(seed).steps for one in step.faults)
    assert set(drawn) == set(BY_NAME)
    assert min(drawn.values()) >= 10
    assert len(KINDS) >= 25


def test_a_thousand_runs_do_every_deed_and_a_fifth_has_two_homes() -> None:
    plans = [draw(seed) for seed in range(1000)]
    assert {step.deed for plan in plans for step in plan.steps} == set(DEEDS)
    assert sum(len(plan.homes) == 2 for plan in plans) == 200
    assert {step.copies for plan in plans for step in plan.steps} == set(range(1, 11))


@pytest.mark.faults
@pytest.mark.parametrize("name", SABOTAGES)
def test_the_judge_finds_what_is_broken_on_purpose(name: str) -> None:
    done = campaign("--sabotage", name)
    assert f"BROKEN, {SABOTAGES[name].promise}" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
