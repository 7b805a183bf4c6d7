"""`buy` and `sell`: the preview is always looked at before anything is sent."""

import re
from typing import Any

import pytest

_PREVIEW = re.compile(r"p_[0-9a-z]{12}")


def test_a_yes_at_a_terminal_sends_what_was_shown(capcli: Any) -> None:
    done = capcli("buy", "SILVER", "1.5", "--stop", "24.50", typed="y\n")
    assert done.code == 0, done.err
    shown, _, told = done.out.partition("Bought 1.5 SILVER at")
    assert "BUY 1.5 SILVER at market" in shown
    assert "stop 24.50 in place" in told
    assert len(set(_PREVIEW.findall(done.out))) == 1
    (row,) = capcli("positions", "--json").data["positions"]
    assert (row["side"], row["size"], row["stop_level"]) == ("BUY", 1.5, 24.5)


@pytest.mark.parametrize("typed", ["n\n", "\n", "yess\n"])
def test_without_a_yes_nothing_is_sent(capcli: Any, typed: str) -> None:
    done = capcli("sell", "SILVER", "1.5", typed=typed)
    assert done.code == 5
    assert "SELL 1.5 SILVER at market" in done.out
    assert "You did not say yes, so nothing was sent." in done.err
    assert capcli("positions", "--json").data["positions"] == []


@pytest.mark.parametrize("words", [(), ("--confirm",), ("--json",), ("--confirm", "--json")])
def test_without_a_terminal_it_stops_after_the_preview(capcli: Any, words: tuple[str, ...]) -> None:
    done = capcli("buy", "SILVER", "1.5", *words)
    assert done.code == 5
    (preview,) = set(_PREVIEW.findall(done.out))
    following = done.error["next"] if "--json" in words else re.findall("next: (.*)", done.err)[0]
    assert following == f"capcli execute {preview} --confirm"
    assert capcli("positions", "--json").data["positions"] == []
    sent = capcli(*following.split()[1:], "--json")
    assert (sent.code, sent.data["state"]) == (0, "LANDED")


def test_a_confirm_at_a_terminal_is_asked_all_the_same(capcli: Any) -> None:
    assert capcli("buy", "SILVER", "1.5", "--confirm", typed="n\n").code == 5
    assert capcli("positions", "--json").data["positions"] == []


def test_a_preview_that_failed_is_shown_and_not_asked_about(capcli: Any) -> None:
    done = capcli("buy", "SILVER", "1.5", "--stop", "99", typed="y\n")
    assert done.code == 5
    assert "CHECKS_FAILED" in done.err
    assert "Send it?" not in done.err


def test_a_json_document_holds_the_preview_and_says_that_nobody_looked(capcli: Any) -> None:
    done = capcli("sell", "SILVER", "1.5", "--json")
    assert done.json["ok"] is False
    assert done.data["executable"] is True
    assert done.error["code"] == "NOT_CONFIRMED"


def test_a_size_can_be_worked_out_from_the_risk(capcli: Any) -> None:
    done = capcli("buy", "SILVER", "--risk", "1%", "--stop", "24.50", "--json")
    assert done.data["side"] == "BUY"
    assert 95 < done.data["stop"]["amount"] <= 100


def test_a_working_order_is_bought_alike(capcli: Any) -> None:
    done = capcli("buy", "SILVER", "1", "--at", "25", "--type", "limit", typed="y\n")
    assert done.code == 0, done.err
    assert len(capcli("orders", "--json").data["orders"]) == 1


@pytest.mark.parametrize(
    ("words", "following"),
    [
        (("buy", "SILVER"), "capcli buy SILVER SIZE"),
        (("buy", "1", "SILVER"), "capcli buy SILVER 1"),
        (("sell", "SILVER", "1", "--risk", "1%"), "capcli sell --help"),
        (("sell", "SILVER", "--qty", "2"), "capcli sell SILVER 2"),
        (("buy", "SILVER", "1", "--type", "limit"), "capcli buy --help"),
    ],
)
def test_a_slip_is_answered_with_the_next_command(
    capcli: Any, words: tuple[str, ...], following: str
) -> None:
    done = capcli(*words)
    assert (done.code, done.err.rpartition("next: ")[2]) == (2, f"{following}\n")
