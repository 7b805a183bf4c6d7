"""Answers of a form as the wire carries them, malformed and forged: the tool answers, and nothing is sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.mcp.test_process import hear, say, started

pytestmark = pytest.mark.faults

TOPUP = {"name": "cap_account_demo_topup", "arguments": {"amount": 5, "confirm": True}}
YES = {"action": "accept", "content": {"decision": "yes", "read": True}}
MALFORMED: tuple[Any, ...] = (
    {"action": 5},
    {"action": "accept", "content": ["yes"]},
    {"action": "accept", "content": {"decision": {"yes": True}, "read": True}},
    {"action": "accept", "content": {"decision": "yes", "read": "true"}},
    {"action": "accept", "content": None},
    {},
    [],
    "yes",
    7,
    None,
)
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
}


def reply(process: Any) -> dict[str, Any]:
    """Return the next message that is no notification."""
    while "id" not in (message := hear(process)):
        pass
    return message


def refused(message: dict[str, Any]) -> str:
    """Return the code of a tool's refusal, or `protocol` where the request itself was refused."""
    if "error" in message:
        assert message["error"]["code"] in {-32600, -32602}, message
        return "protocol"
    result = message["result"]
    assert result["isError"] is True, message
    assert "Error calling tool" not in json.dumps(result), message
    return str(result["structuredContent"]["error"]["code"])


def booked(home: Path) -> list[Any]:
    from contextlib import closing

    from capcli.app import App

    with closing(App.build(environ={"CAPCLI_HOME": str(home)})) as app:
        (account, *_) = app.accounts.list().data.accounts
        return [account.cash]


# What is no object is no answer in the protocol, and waits as one that never comes.
@pytest.mark.parametrize("answer", [one for one in MALFORMED if isinstance(one, dict)], ids=repr)
def test_a_form_in_a_conversation(tmp_path: Path, answer: Any) -> None:
    home = tmp_path / "home"
    before = booked(home)
    with started(home, tmp_path, CAP_APPROVAL="human") as process:
        client = {"name": "raw", "version": "1"}
        asks = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": client}
        say(process, {"id": 1, "method": "initialize", "params": asks})
        reply(process)
        say(process, {"method": "notifications/initialized"})
        say(process, {"id": 2, "method": "tools/call", "params": TOPUP})
        question = reply(process)
        assert question["method"] == "elicitation/create"
        say(process, {"id": question["id"], "result": answer})
        assert refused(reply(process)) == "APPROVAL_REQUIRED"
        say(
            process,
            {"id": 3, "method": "tools/call", "params": {"name": "cap_session_ping", "arguments": {}}},
        )
        assert reply(process)["result"].get("isError") is not True
    assert booked(home) == before


def test_a_form_in_rounds(tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = booked(home)
    number = iter(range(1, 100))
    with started(home, tmp_path, CAP_APPROVAL="human") as process:

        def call(**more: Any) -> dict[str, Any]:
            say(
                process,
                {"id": next(number), "method": "tools/call", "params": TOPUP | {"_meta": META} | more},
            )
            return reply(process)

        def asked() -> str:
            return str(call()["result"]["requestState"])

        for answer in MALFORMED:
            assert refused(call(inputResponses={"approve": answer}, requestState=asked())) in {
                "APPROVAL_REQUIRED",
                "protocol",
            }
        state = asked()
        forged: tuple[dict[str, Any], ...] = (
            {"inputResponses": {"approve": YES}, "requestState": "7K2M9X"},
            {"inputResponses": {"approve": YES}, "requestState": state[:-4] + "AAAA"},
            {"inputResponses": {"another": YES}, "requestState": state},
            # In time and by nobody's hand: the question was put a moment ago.
            {"inputResponses": {"approve": YES}, "requestState": state},
            {"inputResponses": {"approve": YES}, "requestState": state},
        )
        for attack in forged:
            assert refused(call(**attack)) in {"APPROVAL_REQUIRED", "protocol"}
        other = {"name": "cap_account_demo_topup", "arguments": {"amount": 500, "confirm": True}}
        assert refused(call(**other, inputResponses={"approve": YES}, requestState=asked())) in {
            "APPROVAL_REQUIRED",
            "protocol",
        }
    assert booked(home) == before
