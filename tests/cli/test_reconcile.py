"""`capcli reconcile`, `resolve` and `history executions`, as people and scripts use them."""

import csv
import re
from io import StringIO

import httpx
import pytest

from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.support.tap import Tap

STOP = ("--stop", "24.50")


@pytest.fixture
def tap(capcli):
    return Tap(PaperTransport(capcli.home / "paper.db", capcli.time.clock))


@pytest.fixture
def runtime(capcli, tap):
    time = capcli.time
    return Runtime(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, transport=tap)


def lose(capcli, tap, runtime, *, landed):
    """Execute an order whose answer is lost; return its attempt."""
    preview = capcli("preview", "SILVER", "--size", "1.5", *STOP, "-q", runtime=runtime).out.strip()
    capcli.time.sleep(2)
    tap.breaks("POST", "/positions", **{"after" if landed else "before": httpx.ReadTimeout("no answer")})
    lost = capcli("execute", preview, "--confirm", "--json", runtime=runtime)
    assert lost.code == 8
    capcli.time.sleep(2)
    attempt = lost.data["attempt_id"]
    assert lost.error["message"] == (
        f"The order may be live. Do not send it again. Run: capcli reconcile {attempt}"
    )
    assert lost.error["next"] == f"capcli reconcile {attempt}"
    return attempt


def test_a_lost_order_that_landed_is_settled(capcli, tap, runtime):
    attempt = lose(capcli, tap, runtime, landed=True)
    done = capcli("reconcile", attempt, runtime=runtime)
    assert done.code == 0
    assert "Bought 1.5 SILVER at" in done.out
    assert "unknown, now landed" in done.out
    assert len(tap.orders()) == 1
    assert "Nothing to settle" in capcli("reconcile", runtime=runtime).out


def test_reconcile_says_8_until_it_is_decided(capcli, tap, runtime):
    attempt = lose(capcli, tap, runtime, landed=False)
    first = capcli("reconcile", "--json", runtime=runtime)
    assert (first.code, first.json["ok"], first.data["undecided"]) == (8, False, 1)
    assert first.data["attempts"][0]["attempt_id"] == attempt
    assert first.error["message"] == (
        "The order may be live. Do not send it again. "
        "No trace yet in positions, working orders and activity. "
        "It counts as not placed from 120 s after the send, in two looks 30 s apart."
    )
    assert first.error["next"] == f"capcli reconcile {attempt} --wait"
    asked = capcli("resolve", attempt, "--json", runtime=runtime)
    assert asked.error["message"].endswith(" No deal fits it yet.")
    assert asked.error["next"] == f"capcli reconcile {attempt} --wait"
    waited = capcli("reconcile", attempt, "--wait", "--json", runtime=runtime)
    row = waited.data["attempts"][0]
    assert (waited.code, row["state_before"], row["state"]) == (8, "UNKNOWN", "ABSENT")
    assert row["next"] == f"capcli resolve {attempt}"
    assert "Ctrl-C stops" in waited.err
    assert "Ctrl-C" not in capcli("reconcile", attempt, "--wait", "-q", runtime=runtime).err


def test_ctrl_c_ends_a_wait_cleanly(capcli, tap, runtime):
    attempt = lose(capcli, tap, runtime, landed=False)

    def interrupt(_):
        raise KeyboardInterrupt

    time = capcli.time
    runtime = Runtime(clock=time.clock, sleep=interrupt, monotonic=time.monotonic, transport=tap)
    done = capcli("reconcile", attempt, "--wait", runtime=runtime)
    assert (done.code, "may be live" in done.err, "Traceback" in done.err) == (8, True, False)


def test_a_blocked_order_names_the_attempt_and_health_the_command(capcli, tap, runtime):
    preview = capcli("preview", "SILVER", "--size", "2", "-q", runtime=runtime).out.strip()
    attempt = lose(capcli, tap, runtime, landed=False)
    blocked = capcli("execute", preview, "--confirm", "--json", runtime=runtime)
    assert (blocked.code, blocked.error["code"]) == (10, "BLOCKED")
    assert blocked.error["next"] == f"capcli reconcile {attempt}"
    health = capcli("health", "--json", runtime=runtime).data["checks"]
    assert [row["fix"] for row in health if row["name"] == "unresolved"] == ["capcli reconcile"]
    assert "Healthy, with 1 warning." in capcli("health", runtime=runtime).out


def test_health_names_what_is_unresolved_on_another_account(capcli, tap, runtime):
    attempt = lose(capcli, tap, runtime, landed=False)
    accounts = capcli("accounts", "--json", runtime=runtime).data["accounts"]
    used = next(row["account_id"] for row in accounts if row["active"])
    other = next(row["account_id"] for row in accounts if not row["active"])
    checks = capcli("health", "--account", other, "--json", runtime=runtime).data["checks"]
    row = next(row for row in checks if row["name"] == "unresolved")
    assert (row["status"], row["fix"]) == ("warning", f"capcli reconcile {attempt}")
    assert f"{attempt} (account {used})" in row["message"]


def test_a_person_settles_what_left_no_trace(capcli, tap, runtime):
    attempt = lose(capcli, tap, runtime, landed=False)
    capcli("reconcile", attempt, "--wait", runtime=runtime)
    open_still = capcli("resolve", attempt, "--json", runtime=runtime)
    assert open_still.code == 8
    assert "To settle" not in open_still.error["message"]
    assert open_still.error["next"] == f"capcli resolve {attempt} --not-placed"
    unsaid = capcli("resolve", attempt, "--not-placed", runtime=runtime)
    assert (unsaid.code, f"capcli resolve {attempt} --not-placed --confirm" in unsaid.err) == (5, True)
    asked = capcli("resolve", attempt, "--not-placed", typed="n\n", runtime=runtime)
    assert (asked.code, "Record it?" in asked.err) == (5, True)
    done = capcli("resolve", attempt, "--not-placed", typed="y\n", runtime=runtime)
    assert done.code == 0
    assert "It was not placed: a person settled that." in done.out
    assert capcli("reconcile", runtime=runtime).code == 0


def test_a_paper_reset_settles_what_was_lost_there(capcli, tap, runtime):
    attempt = lose(capcli, tap, runtime, landed=True)
    done = capcli("paper", "reset", "--confirm", runtime=runtime)
    assert (done.code, attempt in done.out) == (0, True)
    rows = capcli("history", "executions", "--json", runtime=runtime).data["executions"]
    assert [(row["attempt_id"], row["state"]) for row in rows] == [(attempt, "NOT_SENT")]
    again = capcli("paper", "reset", "--confirm", "--json", runtime=runtime)
    assert again.data["settled"] == []
    capcli("logout", runtime=runtime)
    preview = capcli("preview", "SILVER", "--size", "2", "-q", runtime=runtime).out.strip()
    assert capcli("execute", preview, "--confirm", runtime=runtime).code == 0


def test_a_verdict_against_the_evidence_is_refused(capcli, tap, runtime):
    attempt = lose(capcli, tap, runtime, landed=True)
    refused = capcli("resolve", attempt, "--not-placed", "--yes", "--json", runtime=runtime)
    assert (refused.code, refused.error["code"]) == (5, "EVIDENCE_AGAINST")
    assert capcli("reconcile", attempt, "--json", runtime=runtime).data["attempts"][0]["state"] == "LANDED"


def test_the_history_tells_what_was_sent(capcli, tap, runtime):
    assert "Nothing was sent" in capcli("history", "executions").out
    attempt = lose(capcli, tap, runtime, landed=True)
    requests = len(tap.requests)
    shown = capcli("history", "executions", runtime=runtime)
    assert ("BUY 1.5 SILVER" in shown.out, attempt in shown.out, "unknown" in shown.out) == (True, True, True)
    rows = list(csv.DictReader(StringIO(capcli("history", "executions", "--csv", runtime=runtime).out)))
    assert (rows[0]["attempt_id"], rows[0]["state"], rows[0]["kind"]) == (attempt, "UNKNOWN", "MARKET")
    assert len(tap.requests) == requests


@pytest.mark.parametrize(
    "words", [("history", "executions", "--last", "0"), ("reconcile", "nonsense"), ("resolve",)]
)
def test_what_cannot_be_read_is_a_usage_error(capcli, words):
    assert capcli(*words).code == 2


def test_history_alone_shows_its_commands(capcli):
    alone = capcli("history")
    assert alone.code == 2
    assert "executions" in alone.err


@pytest.mark.parametrize("words", ["preview SILVER --size 1", "propose SILVER --risk 1%"])
def test_a_lost_order_that_another_command_settles_is_told_and_named_by_reconcile(
    capcli, tap, runtime, words
):
    attempt = lose(capcli, tap, runtime, landed=True)
    shown = capcli(*words.split(), "--json", runtime=runtime)
    told = f"{attempt} was settled now: Bought 1.5 SILVER at "
    assert [one for one in shown.data["warnings"] if str(one.get("text", one)).startswith(told)], shown.data
    assert f"warning: {told}" in shown.err
    later = capcli("reconcile", runtime=runtime)
    assert "Nothing to settle" in later.out
    assert re.search(rf"{attempt} was settled at [0-9:]+Z: Bought 1.5 SILVER at ", later.out), later.out
    capcli.time.sleep(3700)
    assert attempt not in capcli("reconcile", runtime=runtime).out


def test_an_execution_that_settles_a_lost_order_says_so(capcli, tap, runtime):
    ready = capcli("preview", "GOLD", "--size", "1", "-q", runtime=runtime).out.strip()
    attempt = lose(capcli, tap, runtime, landed=True)
    done = capcli("execute", ready, "--confirm", "--json", runtime=runtime)
    assert done.code == 0, done
    assert any(one.startswith(f"{attempt} was settled now: Bought 1.5") for one in done.data["warnings"])


def test_an_order_that_was_never_lost_is_not_told_as_settled(capcli):
    capcli.bought("--stop", "24.50")
    assert capcli("reconcile", "--json").data["lately"] == []
