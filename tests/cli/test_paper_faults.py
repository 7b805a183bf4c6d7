"""`capcli paper faults`: what is set, setting it, clearing it, and an order on a bad day."""

import os
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from capcli.paper.faults import KINDS, SPECS
from tests.cli.test_process import ROOT, finished, start

FAULTS = ("paper", "faults")


def names(result):
    return [row["name"] for row in result.data["faults"]]


def test_nothing_is_set_by_itself(capcli):
    said = "No faults are set. capcli paper faults set --help lists them."
    assert capcli(*FAULTS).out.split("\n") == ["paper", "", said, ""]
    result = capcli(*FAULTS, "--json")
    assert (result.json["command"], result.json["env"], result.data) == (
        "paper faults",
        "paper",
        {"faults": []},
    )


def test_faults_are_set_listed_and_cleared(capcli):
    first = capcli(*FAULTS, "set", "drop-after", "--times", "2", "--json")
    assert first.json["command"] == "paper faults set"
    assert first.data["faults"] == [
        {
            "name": "drop-after",
            "effect": SPECS["drop-after"].effect,
            "on": "orders",
            "value": None,
            "times": 2,
            "until": None,
        }
    ]
    shown = capcli(*FAULTS, "set", "delay", "--for", "60", "--value", "2.5", "--on", "reads").out
    assert "2 more requests" in shown
    assert "2026-11-21 12:01:0" in shown
    assert capcli("paper", "status", "--json").data["faults"] == 2
    assert capcli(*FAULTS, "--csv").out.splitlines()[0] == "name,effect,on,value,times,until"
    assert capcli(*FAULTS, "--fields", "name,on").out.split() == [
        "paper", "name", "on", "delay", "reads", "drop-after", "orders",
    ]  # fmt: skip
    assert names(capcli(*FAULTS, "clear", "delay", "--json")) == ["drop-after"]
    assert "until" not in capcli(*FAULTS, "clear").out
    assert names(capcli(*FAULTS, "--json")) == []


def test_a_fault_without_an_end_stays_until_it_is_cleared(capcli):
    assert "cleared" in capcli(*FAULTS, "set", "drop-stop").out
    assert "1 more request" in capcli(*FAULTS, "set", "drop-stop", "--times", "1").out


def test_a_reset_clears_them(capcli):
    capcli(*FAULTS, "set", "drop-stop")
    capcli("paper", "reset", "--confirm")
    assert names(capcli(*FAULTS, "--json")) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "drop-aftr"), "Did you mean drop-after?"),
        (("clear", "dealy"), "Did you mean delay?"),
        (("set", "drop-after", "--on", "order"), "Did you mean orders?"),
        (("set", "band", "--on", "reads"), "band meets orders"),
        (("set", "status", "--value", "200"), "502"),
        (("set", "delay", "--times", "0"), "--times"),
        (("set", "delay", "--for", "0"), "--for"),
        (("set",), "NAME"),
    ],
)
def test_mistakes_change_nothing(capcli, words, said):
    result = capcli(*FAULTS, *words)
    assert result.code == 2
    assert said in result.err
    assert capcli(*FAULTS, *words, "--json").error["code"] == "USAGE"
    assert names(capcli(*FAULTS, "--json")) == []


def test_help_names_every_fault_and_says_that_only_paper_is_affected(capcli):
    shown = capcli(*FAULTS, "set", "--help").out
    assert all(f"\n    {name} " in shown for name in SPECS)
    assert all(kind in shown for kind in KINDS)
    about = " ".join(capcli(*FAULTS, "--help").out.split())
    assert "Only the paper broker is affected" in about
    assert "capcli paper faults set drop-after --times 1" in about


@pytest.mark.parametrize(("words", "code"), [(("drop-after",), 8), (("drop-stop",), 9), (("too-many",), 11)])
def test_an_order_on_a_bad_day(capcli, words, code):
    """What the example in the help promises: nothing is sent twice."""
    preview = capcli("preview", "SILVER", "--size", "1.5", "--stop", "24.50", "--json").data["preview_id"]
    capcli(*FAULTS, "set", *words, "--times", "1", "--on", "orders")
    assert capcli("execute", preview, "--confirm").code == code
    assert names(capcli(*FAULTS, "--json")) == []
    again = capcli("execute", preview, "--confirm", "--json")
    assert again.data["replayed"] is True
    held = capcli("positions", "--json").data["positions"]
    assert len(held) == (code != 11)


def test_a_broker_that_is_served_meets_what_another_process_sets():
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with start(environ, "paper", "serve", "--port", "0", "--env", "paper") as process:
        url = f"{process.stdout.readline().strip()}/api/v1/time"
        code, out, err = finished(environ, "paper", "faults", "set", "status", "--on", "all", "--times", "1")
        assert (code, err) == (0, ""), out
        with pytest.raises(HTTPError, match="502") as failed:
            urlopen(url, timeout=60)
        failed.value.close()
        with urlopen(url, timeout=60) as answer:
            assert answer.status == 200
        process.terminate()
        process.wait(60)
