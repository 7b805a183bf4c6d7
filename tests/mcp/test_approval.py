"""A person approves: by a form where the client draws one, else by a code for a terminal; in both eras."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastmcp import Client, FastMCP
from fastmcp.client.elicitation import ElicitResult
from fastmcp.tools import ToolResult

from capcli.app import App
from capcli.domain.approval import ApprovalRequest
from capcli.mcp.in_flight_calls import InFlightCalls
from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from capcli.runtime import Options
from tests.mcp.conftest import ERAS, Assistant, Said
from tests.mcp.patience import Patience
from tests.support.clock import Time
from tests.support.seat import FIRST_ACCOUNT, Seat

pytestmark = pytest.mark.anyio

LEGACY, ROUNDS = ERAS
YES, NO = {"decision": "yes", "read": True}, {"decision": "no", "read": True}
SILVER = {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stop_level": 24.5}
RESTING = {"epic": "SILVER", "direction": "BUY", "type": "LIMIT", "level": 20.5, "size": 2}
Handler = Callable[..., Any]


@pytest.fixture
def human(tmp_path: Path) -> Any:
    seat = Seat(tmp_path / "home", Time(), CAP_APPROVAL="human")
    yield seat
    seat.close()


@asynccontextmanager
async def client(
    seat: Seat, era: str, handler: Handler | None = None, **options: Any
) -> AsyncIterator[Assistant]:
    runner = ToolRunner(lambda: seat.app, **options)
    async with Client(build_server(runner), mode=era, elicitation_handler=handler) as found:
        yield Assistant(found)


def sent(seat: Seat) -> list[str]:
    changes = (request for request in seat.tap.requests if request.method != "GET")
    lines = [f"{request.method} {request.url.path.removeprefix('/api/v1')}" for request in changes]
    return [line for line in lines if not line.endswith(" /session")]


async def bought(ask: Assistant, **more: Any) -> tuple[str, Said]:
    """Preview SILVER and have it executed; return the preview and what was said."""
    preview = await ask.works("cap_trade_preview_position", **SILVER)
    call = {"preview_id": preview["preview_id"], "confirm": True, **more}
    return preview["preview_id"], await ask("cap_trade_execute_position", **call)


def code_of(said: Said) -> str:
    assert (said.is_error, said.code) == (True, "APPROVAL_REQUIRED"), said.text
    return str(said.data["error"]["details"]["approval_code"])


class Forms:
    """An elicitation handler that writes down what it was asked."""

    def __init__(self, answer: Any, *, never: bool = False) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._never = never
        self.open = anyio.Event()

    async def __call__(self, message: str, *_: Any) -> Any:
        self.asked.append(message)
        self.open.set()
        if self._never:
            await anyio.sleep_forever()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_a_yes_on_the_form_sends_it_once(human: Seat, era: str) -> None:
    forms = Forms(YES)
    async with client(human, era, forms, reading_s=0.0) as ask:
        preview_id, said = await bought(ask)
        assert (said.is_error, said.data["state"]) == (False, "LANDED"), said.text
        again = await ask("cap_trade_execute_position", preview_id=preview_id, confirm=True)
    assert again.data["replayed"] is True
    assert sent(human) == ["POST /positions"]
    assert len(forms.asked) == 1
    assert forms.asked[0].startswith("BUY 1.5 SILVER (Silver), at market, about ")
    assert "Stop 24.5, loss there " in forms.asked[0]
    assert forms.asked[0].endswith(f"On PAPER, account {FIRST_ACCOUNT}")


async def test_without_forms_the_code_is_for_a_terminal_and_the_same_call_sends(
    human: Seat, era: str
) -> None:
    async with client(human, era) as ask:
        preview_id, said = await bought(ask)
        code = code_of(said)
        assert f"`capcli approve {code} --env paper`" in said.text
        assert sent(human) == []
        human.app.approvals.decide(code, approved=True, by="a test")
        done = await ask("cap_trade_execute_position", preview_id=preview_id, confirm=True)
    assert (done.is_error, done.data["state"]) == (False, "LANDED"), done.text
    assert sent(human) == ["POST /positions"]


UNREAD: tuple[tuple[str, Any, float], ...] = (
    ("a yes at once", YES, 2.0),
    ("a no at once", NO, 2.0),
    ("a yes without the box", {"decision": "yes", "read": False}, 0.0),
    ("a no without the box", {"decision": "no", "read": False}, 0.0),
    ("the box alone", {"decision": "", "read": True}, 0.0),
    ("another word", {"decision": "YES, send everything", "read": True}, 0.0),
    ("an answer to another form", {"approve": True}, 0.0),
    ("a box that is a text", {"decision": "yes", "read": "true"}, 0.0),
    ("nothing", {}, 0.0),
    ("put away", ElicitResult(action="cancel"), 0.0),
    ("declined", ElicitResult(action="decline"), 0.0),
    ("declined with a no", ElicitResult(action="decline", content=NO), 0.0),
)


async def test_what_no_reader_said_counts_neither_as_yes_nor_as_no(human: Seat, era: str) -> None:
    forms = Forms(None)
    runner = ToolRunner(lambda: human.app)
    async with Client(build_server(runner), mode=era, elicitation_handler=forms) as found:
        ask = Assistant(found)
        for name, answer, reading_s in UNREAD:
            forms._answer, runner.reading_s = answer, reading_s
            said = await ask("cap_account_demo_topup", amount=5, confirm=True)
            assert (said.code, sent(human)) == ("APPROVAL_REQUIRED", []), name
        assert len(forms.asked) == len(UNREAD)
        human.app.approvals.decide(code_of(said), approved=True, by="a test")
        await ask.works("cap_account_demo_topup", amount=5, confirm=True)
    assert sent(human) == ["POST /accounts/topUp"]


async def test_a_client_that_breaks_at_its_form_leaves_the_code(human: Seat) -> None:
    async with client(human, LEGACY, Forms(RuntimeError("no window")), reading_s=0.0) as ask:
        _, said = await bought(ask)
    assert code_of(said)
    assert sent(human) == []


@pytest.mark.parametrize(("era", "answer"), [(LEGACY, NO), (ROUNDS, NO)])
async def test_the_no_of_a_person_who_read_it_is_final(human: Seat, era: str, answer: Any) -> None:
    forms = Forms(answer)
    async with client(human, era, forms, reading_s=0.0) as ask:
        preview_id, said = await bought(ask)
        assert said.code == "APPROVAL_DENIED", said.text
        again = await ask("cap_trade_execute_position", preview_id=preview_id, confirm=True)
    assert again.code == "APPROVAL_DENIED", again.text
    assert len(forms.asked) == 1
    assert sent(human) == []


async def test_a_form_that_nobody_answers_ends_in_time_and_leaves_the_code(human: Seat) -> None:
    forms = Forms(YES, never=True)
    async with client(human, LEGACY, forms, in_flight=InFlightCalls(0.1, wait=Patience())) as ask:
        preview_id, said = await bought(ask)
        human.app.approvals.decide(code_of(said), approved=True, by="a test")
        forms._answer = ElicitResult(action="cancel")
        done = await ask("cap_trade_execute_position", preview_id=preview_id, confirm=True)
    assert done.data["state"] == "LANDED"
    assert sent(human) == ["POST /positions"]


async def test_a_call_that_is_cancelled_at_its_form_sends_nothing(human: Seat) -> None:
    forms = Forms(YES, never=True)
    async with client(human, LEGACY, forms) as ask:
        preview = await ask.works("cap_trade_preview_position", **SILVER)
        call = {"preview_id": preview["preview_id"], "confirm": True}
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: ask("cap_trade_execute_position", **call))
            await forms.open.wait()
            group.cancel_scope.cancel()
        assert len(forms.asked) == 1
        listed = await ask.works("cap_approvals_list")
    assert [row["state"] for row in listed["approvals"]] == ["PENDING"]
    assert sent(human) == []


async def test_without_confirm_nobody_is_asked(human: Seat) -> None:
    forms = Forms(YES)
    async with client(human, LEGACY, forms) as ask:
        _, said = await bought(ask, confirm=False)
    assert (said.code, forms.asked, sent(human)) == ("NOT_CONFIRMED", [], [])


async def test_every_tool_that_changes_the_account_asks(human: Seat) -> None:
    forms = Forms(YES)
    async with client(human, LEGACY, forms, reading_s=0.0) as ask:
        _, said = await bought(ask)
        deal_id = said.data["deal_ids"][0]
        resting = await ask.works("cap_trade_preview_working_order", **RESTING)
        order = {"preview_id": resting["preview_id"]}
        waiting = await ask.works("cap_trade_execute_working_order", confirm=True, **order)
        order_id = waiting["deal_ids"][0]
        update = await ask.works("cap_trade_preview_working_order_update", deal_id=order_id, level=20.25)
        assert len(forms.asked) == 2
        calls = (
            ("cap_trade_execute_working_order_update", {"preview_id": update["preview_id"]}),
            ("cap_trade_orders_cancel", {"deal_id": order_id}),
            ("cap_trade_positions_amend", {"deal_id": deal_id, "stop_level": 24.1}),
            ("cap_trade_positions_close", {"deal_id": deal_id, "size": 0.5}),
            ("cap_account_preferences_set", {"leverages": {"SHARES": 2}}),
            ("cap_account_demo_topup", {"amount": 5}),
            ("cap_trade_flatten", {}),
        )
        for number, (tool, arguments) in enumerate(calls, 3):
            await ask.works(tool, confirm=True, **arguments)
            assert len(forms.asked) == number, tool
        confirmed = {
            tool.name
            for tool in await ask.client.list_tools()
            if "confirm" in tool.input_schema["properties"] and "watchlist" not in tool.name
        }
    executes = {"cap_trade_execute_position", "cap_trade_execute_working_order"}
    assert confirmed == {tool for tool, _ in calls} | executes, "a tool that changes something is not tried"
    assert len(sent(human)) == 9


async def test_an_answer_that_is_brought_twice_sends_once(human: Seat) -> None:
    """In rounds the client could bring an old answer again: the approval it gave is used up."""
    forms = Forms(YES)
    async with client(human, ROUNDS, forms, reading_s=0.0) as ask:
        await ask.works("cap_account_demo_topup", amount=5, confirm=True)
        put = dict(human.app.approvals._codes)
        (code,) = put.values()
        with pytest.raises(Exception, match="used"):
            human.app.approvals.decide(code, approved=True, by="a test")
        await ask.works("cap_account_demo_topup", amount=5, confirm=True)
    assert len(forms.asked) == 2


async def test_what_waits_is_listed_without_its_code(human: Seat) -> None:
    async with client(human, ROUNDS) as ask:
        _, said = await bought(ask)
        listed = await ask.works("cap_approvals_list")
        status = await ask.works("cap_session_status")
    assert [row["state"] for row in listed["approvals"]] == ["PENDING"]
    assert listed["mode"] == status["approval"] == "human"
    assert code_of(said) not in str(listed)


async def test_halting_and_reading_need_nobody(human: Seat) -> None:
    forms = Forms(ElicitResult(action="decline"))
    async with client(human, ROUNDS, forms) as ask:
        for tool in ("cap_halt", "cap_trade_positions_list", "cap_account_list", "cap_session_ping"):
            await ask.works(tool)
    assert forms.asked == []


@pytest.mark.parametrize(("env", "forms_shown"), [("demo", 1), ("live", 0)])
async def test_on_live_no_form_is_shown(tmp_path: Path, era: str, env: str, forms_shown: int) -> None:
    keys = dict.fromkeys(("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD"), "paper")
    seat = Seat(tmp_path / "home", Time(), options=Options(env=env), CAP_APPROVAL="human", **keys)
    asked = ApprovalRequest(
        kind="CLOSE",
        subject="a deal",
        env=env,
        host=seat.app.host,
        account_id="7",
        method="DELETE",
        path="/positions/1",
        body=None,
        text="Closes SELL 1 GOLD",
        expires_at=seat.time.now() + timedelta(minutes=10),
    )

    def close(app: App) -> Any:
        app.approvals.permit(asked)
        return app.approvals.waiting()

    forms, server = Forms(YES), FastMCP[Any]("one tool")
    runner = ToolRunner(lambda: seat.app, reading_s=0.0)

    def go() -> ToolResult:
        return runner.send(close, close)

    server.tool(go)
    async with Client(server, mode=era, elicitation_handler=forms) as found:
        result = await found.call_tool("go", {}, raise_on_error=False)
    assert (len(forms.asked), result.is_error) == (forms_shown, env == "live")
    seat.close()
