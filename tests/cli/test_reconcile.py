"""`capcli reconcile`, `resolve` and `history executions`, as people and scripts use them."""

import csv
import re
from io import StringIO

import httpx
import pytest

from capcli.app import Surroundings
from capcli.paper.transport import PaperTransport
from tests.support.tap import Tap

STOP = ("--stop", "24.50")


@pytest.fixture
def tap(capcli):
    return Tap(PaperTransport(capcli.home / "paper.db", capcli.time.clock))


@pytest.fixture
def around(capcli, tap):
    time = capcli.time
    return Surroundings(clock=time.clock, sleep=time.sleep, monotonic=time.monotonic, transport=tap)


def lose(capcli, tap, around, *, landed):
    """Execute an order whose answer is lost; return its attempt."""
    preview = capcli("preview", "SILVER", "--size", "1.5", *STOP, "-q", around=around).out.strip()
    capcli.time.sleep(2)
    tap.breaks("POST", "/positions", **{"after" if landed else "before": httpx.ReadTimeout("no answer")})
    lost = capcli("execute", preview, "--confirm", "--json", around=around)
    assert lost.code == 8
    capcli.time.sleep(2)
    attempt = lost.data["attempt_id"]
    assert lost.error["message"] == (
        f"The order may be live. Do not send it again. Run: capcli reconcile {attempt}"
    )
    assert lost.error["next"] == f"capcli reconcile {attempt}"
    return attempt


def test_a_lost_order_that_landed_is_settled(capcli, tap, around):
    attempt = lose(capcli, tap, around, landed=True)
    done = capcli("reconcile", attempt, around=around)
    assert done.code == 0
    assert "Bought 1.5 SILVER at" in done.out
    assert "unknown, now landed" in done.out
    assert len(tap.orders()) == 1
    assert "Nothing to settle" in capcli("reconcile", around=around).out


def test_reconcile_says_8_until_it_is_decided(capcli, tap, around):
    attempt = lose(capcli, tap, around, landed=False)
    first = capcli("reconcile", "--json", around=around)
    assert (first.code, first.json["ok"], first.data["undecided"]) == (8, False, 1)
    assert first.data["attempts"][0]["attempt_id"] == attempt
    assert first.error["message"] == (
        "The order may be live. Do not send it again. "
        "No trace yet in positions, working orders and activity. "
        "Absence counts from 120 s after the send, in two looks 30 s apart."
    )
    assert first.error["next"] == f"capcli reconcile {attempt} --wait"
    asked = capcli("resolve", attempt, "--json", around=around)
    assert asked.error["message"].endswith(" No deal fits it yet.")
    assert asked.error["next"] == f"capcli reconcile {attempt} --wait"
    waited = capcli("reconcile", attempt, "--wait", "--json", around=around)
    row = waited.data["attempts"][0]
    assert (waited.code, row["state_before"], row["state"]) == (8, "UNKNOWN", "ABSENT")
    assert row["next"] == f"capcli resolve {attempt}"
    assert "Ctrl-C stops" in waited.err
    assert "Ctrl-C" not in capcli("reconcile", attempt, "--wait", "-q", around=around).err


def test_ctrl_c_ends_a_wait_cleanly(capcli, tap, around):
    attempt = lose(capcli, tap, around, landed=False)

    def interrupt(_):
        raise KeyboardInterrupt

    time = capcli.time
    around = Surroundings(clock=time.clock, sleep=interrupt, monotonic=time.monotonic, transport=tap)
    done = capcli("reconcile", attempt, "--wait", around=around)
    assert (done.code, "may be live" in done.err, "Traceback" in done.err) == (8, True, False)


def test_a_blocked_order_names_the_attempt_and_health_the_command(capcli, tap, around):
    preview = capcli("preview", "SILVER", "--size", "2", "-q", around=around).out.strip()
    attempt = lose(capcli, tap, around, landed=False)
    blocked = capcli("execute", preview, "--confirm", "--json", around=around)
    assert (blocked.code, blocked.error["code"]) == (10, "BLOCKED")
    assert blocked.error["next"] == f"capcli reconcile {attempt}"
    health = capcli("health", "--json", around=around).data["checks"]
    assert [row["fix"] for row in health if row["name"] == "unresolved"] == ["capcli reconcile"]
    assert "Healthy, with 1 warning." in capcli("health", around=around).out


def test_health_names_what_is_unresolved_on_another_account(capcli, tap, around):
    attempt = lose(capcli, tap, around, landed=False)
    accounts = capcli("accounts", "--json", around=around).data["accounts"]
    used = next(row["account_id"] for row in accounts if row["active"])
    other = next(row["account_id"] for row in accounts if not row["active"])
    checks = capcli("health", "--account", other, "--json", around=around).data["checks"]
    row = next(row for row in checks if row["name"] == "unresolved")
    assert (row["status"], row["fix"]) == ("warning", f"capcli reconcile {attempt}")
    assert f"{attempt} (account {used})" in row["message"]


def test_a_person_settles_what_left_no_trace(capcli, tap, around):
    attempt = lose(capcli, tap, around, landed=False)
    capcli("reconcile", attempt, "--wait", around=around)
    open_still = capcli("resolve", attempt, "--json", around=around)
    assert open_still.code == 8
    assert "To settle" not in open_still.error["message"]
    assert open_still.error["next"] == f"capcli resolve {attempt} --not-placed"
    unsaid = capcli("resolve", attempt, "--not-placed", around=around)
    assert (unsaid.code, f"capcli resolve {attempt} --not-placed --confirm" in unsaid.err) == (5, True)
    asked = capcli("resolve", attempt, "--not-placed", typed="n\n", around=around)
    assert (asked.code, "Record it?" in asked.err) == (5, True)
    done = capcli("resolve", attempt, "--not-placed", typed="y\n", around=around)
    assert done.code == 0
    assert "It was not placed: a person settled that." in done.out
    assert capcli("reconcile", around=around).code == 0


def test_a_paper_reset_settles_what_was_lost_there(capcli, tap, around):
    attempt = lose(capcli, tap, around, landed=True)
    done = capcli("paper", "reset", "--confirm", around=around)
    assert (done.code, attempt in done.out) == (0, True)
    rows = capcli("history", "executions", "--json", around=around).data["executions"]
    assert [(row["attempt_id"], row["state"]) for row in rows] == [(attempt, "NOT_SENT")]
    again = capcli("paper", "reset", "--confirm", "--json", around=around)
    assert again.data["settled"] == []
    capcli("logout", around=around)
    preview = capcli("preview", "SILVER", "--size", "2", "-q", around=around).out.strip()
    assert capcli("execute", preview, "--confirm", around=around).code == 0


def test_a_verdict_against_the_evidence_is_refused(capcli, tap, around):
    attempt = lose(capcli, tap, around, landed=True)
    refused = capcli("resolve", attempt, "--not-placed", "--yes", "--json", around=around)
    assert (refused.code, refused.error["code"]) == (5, "EVIDENCE_AGAINST")
    assert capcli("reconcile", attempt, "--json", around=around).data["attempts"][0]["state"] == "LANDED"


def test_the_history_tells_what_was_sent(capcli, tap, around):
    assert "Nothing was sent" in capcli("history", "executions").out
    attempt = lose(capcli, tap, around, landed=True)
    requests = len(tap.requests)
    shown = capcli("history", "executions", around=around)
    assert ("BUY 1.5 SILVER" in shown.out, attempt in shown.out, "unknown" in shown.out) == (True, True, True)
    rows = list(csv.DictReader(StringIO(capcli("history", "executions", "--csv", around=around).out)))
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
def test_a_lost_order_that_another_command_settles_is_told_and_named_by_reconcile(capcli, tap, around, words):
    attempt = lose(capcli, tap, around, landed=True)
    shown = capcli(*words.split(), "--json", around=around)
    told = f"{attempt} was settled now: Bought 1.5 SILVER at "
    assert [one for one in shown.data["warnings"] if str(one.get("text", one)).startswith(told)], shown.data
    assert f"warning: {told}" in shown.err
    later = capcli("reconcile", around=around)
    assert "Nothing to settle" in later.out
    assert re.search(rf"{attempt} was settled at [0-9:]+Z: Bought 1.5 SILVER at ", later.out), later.out
    capcli.time.sleep(3700)
    assert attempt not in capcli("reconcile", around=around).out


def test_an_execution_that_settles_a_lost_order_says_so(capcli, tap, around):
    ready = capcli("preview", "GOLD", "--size", "1", "-q", around=around).out.strip()
    attempt = lose(capcli, tap, around, landed=True)
    done = capcli("execute", ready, "--confirm", "--json", around=around)
    assert done.code == 0, done
    assert any(one.startswith(f"{attempt} was settled now: Bought 1.5") for one in done.data["warnings"])


def test_an_order_that_was_never_lost_is_not_told_as_settled(capcli):
    capcli.bought("--stop", "24.50")
    assert capcli("reconcile", "--json").data["lately"] == []
