"""`capcli approve`, and who says yes where a person has to: a terminal, never an option or a pipe."""

import re
from typing import Any

import pytest

HUMAN = {"CAP_APPROVAL": "human"}


@pytest.fixture
def human(capcli: Any) -> Any:
    """Run commands where a person approves."""
    return lambda *words, **more: capcli(*words, env=HUMAN, **more)


def a_code(result: Any) -> str:
    assert (result.code, result.error["code"]) == (5, "APPROVAL_REQUIRED"), result
    return str(result.error["details"]["approval_code"])


def previewed(human: Any) -> str:
    return str(human("preview", "SILVER", "--size", "1.5", "--stop", "24.50", "-q").out.strip())


def positions(human: Any) -> int:
    return len(human("positions", "--json").data["positions"])


def test_a_script_waits_for_a_person_who_signs_on_a_terminal(human: Any) -> None:
    preview_id = previewed(human)
    code = a_code(human("execute", preview_id, "--confirm", "--json"))
    assert positions(human) == 0

    signed = human("approve", code, typed="y\n")

    assert signed.code == 0, signed
    assert "BUY 1.5 SILVER (Silver), at market, about" in signed.err
    assert "Stop 24.50, loss there" in signed.err
    assert "Margin" in signed.err
    assert "On PAPER, account" in signed.err
    assert f"capcli execute {preview_id}" in signed.out
    assert positions(human) == 0
    assert human("execute", preview_id, "--confirm", "--json").data["state"] == "LANDED"
    assert positions(human) == 1
    assert human("execute", preview_id, "--confirm", "--json").data["replayed"] is True
    assert positions(human) == 1


@pytest.mark.parametrize("words", [(), ("--json",), ("--quiet",)])
def test_a_pipe_does_not_sign(human: Any, words: tuple[str, ...]) -> None:
    preview_id = previewed(human)
    code = a_code(human("execute", preview_id, "--confirm", "--json"))
    for typed in (None, "y\n") if "--json" in words else (None,):
        result = human("approve", code, *words, stdin="y\n", typed=typed)
        assert result.code == 5
        assert "terminal" in result.err + result.out
    a_code(human("execute", preview_id, "--confirm", "--json"))
    assert positions(human) == 0


@pytest.mark.parametrize("option", ["--confirm", "--yes", "--approve"])
def test_no_option_signs(human: Any, option: str) -> None:
    code = a_code(human("execute", previewed(human), "--confirm", "--json"))
    assert human("approve", code, option).code == 2


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_what_is_no_yes_signs_nothing(human: Any, answer: str) -> None:
    preview_id = previewed(human)
    code = a_code(human("execute", preview_id, "--confirm", "--json"))
    assert human("approve", code, typed=answer).code == 5
    a_code(human("execute", preview_id, "--confirm", "--json"))


def test_a_denied_code_sends_nothing(human: Any) -> None:
    preview_id = previewed(human)
    code = a_code(human("execute", preview_id, "--confirm", "--json"))
    denied = human("approve", "--deny", code)
    assert (denied.code, "Denied. Nothing was sent." in denied.out) == (0, True)
    assert human("execute", preview_id, "--confirm", "--json").error["code"] == "APPROVAL_DENIED"
    assert human("approve", code, typed="y\n").code == 5
    assert positions(human) == 0


def test_alone_it_lists_what_waits_without_the_codes(human: Any) -> None:
    assert "No request is waiting." in human("approve").out
    code = a_code(human("execute", previewed(human), "--confirm", "--json"))
    listed = human("approve")
    assert "capcli approve --watch" in listed.out
    assert "BUY 1.5 SILVER (Silver)" in listed.out
    assert code not in listed.out
    rows = human("approve", "--json").data
    assert (rows["mode"], rows["approvals"][0]["state"]) == ("human", "PENDING")


def test_a_person_at_a_terminal_is_asked_once_and_it_is_sent(human: Any) -> None:
    done = human("execute", previewed(human), typed="y\n")
    assert done.code == 0, done
    assert len(re.findall(r"\[y/N\]", done.err)) == 1
    assert "Margin" in done.err
    assert positions(human) == 1


def test_at_a_terminal_confirm_does_not_stand_for_the_person(human: Any) -> None:
    preview_id = previewed(human)
    refused = human("execute", preview_id, "--confirm", typed="n\n")
    assert (refused.code, positions(human)) == (5, 0)
    assert human("execute", preview_id, "--confirm", typed="y\n").code == 0
    assert positions(human) == 1


def test_who_says_no_at_a_terminal_may_say_yes_later(human: Any) -> None:
    preview_id = previewed(human)
    assert human("execute", preview_id, typed="n\n").code == 5
    assert "No request is waiting." in human("approve").out
    assert human("execute", preview_id, typed="y\n").code == 0


def test_closing_amending_and_money_ask_too(human: Any) -> None:
    deal = human("execute", previewed(human), "--json", "--confirm", typed=None)
    assert deal.error["code"] == "APPROVAL_REQUIRED"
    human("execute", previewed(human), typed="y\n")
    deal_id = human("positions", "--json").data["positions"][0]["deal_id"]
    for words in (
        ("positions", "amend", deal_id, "--stop", "24.10"),
        ("close", deal_id, "--size", "0.5"),
        ("accounts", "topup", "5"),
        ("accounts", "preferences", "--leverage", "SHARES=2"),
        ("close", "--all"),
    ):
        a_code(human(*words, "--confirm", "--json"))
        done = human(*words, typed="y\n")
        assert (done.code, len(re.findall(r"\[y/N\]", done.err))) == (0, 1), done
    assert positions(human) == 0


def test_an_unknown_code_is_refused_without_a_question(human: Any) -> None:
    result = human("approve", "ABC123", typed="y\n")
    assert result.code == 5
    assert "Nothing waits under the code 'ABC123'" in result.err
    assert "[y/N]" not in result.err


def test_deny_needs_a_code(human: Any) -> None:
    assert human("approve", "--deny").code == 2
