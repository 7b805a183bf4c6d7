"""What an assistant is told when something is wrong: codes, isError, and no word of the libraries."""

from collections.abc import Callable
from threading import Event

import httpx
import pytest
from fastmcp import Client

from capcli.app import App
from capcli.errors import JournalUnreadable
from capcli.mcp.in_flight_calls import InFlightCalls
from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from capcli.paper.state import set_fault
from capcli.runtime import Runtime
from tests.mcp.conftest import Assistant
from tests.mcp.patience import FOR_EVER_S, Patience
from tests.mcp.test_day import SILVER, orders
from tests.support.fixtures import Owned, Seats
from tests.support.paths import tool_count
from tests.support.seat import FIRST_ACCOUNT, Seat

pytestmark = pytest.mark.anyio


async def test_an_unknown_epic_names_the_one_that_was_meant(ask: Assistant) -> None:
    said = await ask("cap_market_get", epic="silver")

    assert (said.is_error, said.code) == (True, "EPIC_UNKNOWN")
    assert "did you mean SILVER?" in said.text
    assert " Next: cap_market_get epic=SILVER" in said.text


async def test_a_preview_that_fails_its_checks_is_an_error_with_all_of_them(ask: Assistant) -> None:
    said = await ask("cap_trade_preview_position", epic="SILVER", direction="BUY", size=1, stop_level=99)

    assert (said.is_error, said.code, said.data["executable"]) == (True, "CHECKS_FAILED", False)
    assert said.data["error"]["details"]["failed"] == ["stop"]
    refused = await ask("cap_trade_execute_position", preview_id=said.data["preview_id"], confirm=True)
    assert refused.code == "PREVIEW_NOT_EXECUTABLE"


async def test_an_order_that_may_be_live_is_no_error(ask: Assistant, seat: Seat) -> None:
    preview = await ask.works("cap_trade_preview_position", **SILVER)
    seat.tap.breaks("POST", "/positions", after=httpx.ReadError("reset by peer"))

    said = await ask("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=True)

    assert (said.is_error, said.code, said.data["state"]) == (False, "MAY_BE_LIVE", "UNKNOWN")
    assert said.data["retry_safe"] is False
    assert "Do not send it again" in said.text
    assert "reset by peer" not in said.text
    assert orders(seat) == 1


async def test_a_position_without_its_stop_is_no_error(ask: Assistant, seat: Seat) -> None:
    set_fault(seat.home / "paper.db", "drop-stop", at=seat.time.now(), times=1)
    preview = await ask.works("cap_trade_preview_position", **SILVER)

    said = await ask("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=True)

    assert (said.is_error, said.code, said.data["protected"]) == (False, "NO_STOP", "no")
    assert said.data["state"] == "LANDED"


async def test_an_assistant_can_have_a_missing_stop_set(ask: Assistant, seat: Seat) -> None:
    set_fault(seat.home / "paper.db", "drop-stop", at=seat.time.now(), times=1)
    preview = await ask.works("cap_trade_preview_position", **SILVER)

    said = await ask.works(
        "cap_trade_execute_position",
        preview_id=preview["preview_id"],
        confirm=True,
        ensure_stop=True,
    )

    assert (said["protected"], said["stop_level"]) == ("yes", SILVER["stop_level"])
    assert [(step["work"], step["done"]) for step in said["stop_steps"]] == [("set", True)]


async def test_an_order_that_was_not_sent_is_an_error(ask: Assistant, seat: Seat) -> None:
    preview = await ask.works("cap_trade_preview_position", **SILVER)
    seat.tap.breaks("POST", "/positions", before=httpx.ConnectError("refused"))

    said = await ask("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=True)

    assert (said.is_error, said.code, said.data["state"]) == (True, "NOT_SENT", "NOT_SENT")
    assert orders(seat) == 1


@pytest.mark.parametrize("fault", [httpx.ReadTimeout("secret"), httpx.ConnectError("secret")])
async def test_a_network_error_is_told_in_our_words(ask: Assistant, seat: Seat, fault: Exception) -> None:
    await ask.works("cap_session_login")
    seat.tap.breaks("GET", "/positions", before=fault, times=9)

    said = await ask("cap_trade_positions_list")

    assert said.is_error
    assert said.code in {"TIMEOUT", "NETWORK"}
    assert "retry" not in said.text
    assert "secret" not in said.text


async def test_a_bug_is_masked(ask: Assistant, seat: Seat, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise httpx.ReadTimeout(f"the token was {100 + 23}")

    seat.app.portfolio.positions = broken  # type: ignore[method-assign,assignment]

    said = await ask("cap_trade_positions_list")

    assert (said.is_error, said.code) == (True, "BUG")
    assert "123" not in said.text
    heard = capsys.readouterr()
    assert "123" not in heard.err
    assert heard.out == ""


WRONG = [
    ("cap_trade_preview_position", SILVER | {"direction": "up"}, "direction"),
    ("cap_trade_preview_position", SILVER | {"size": 0}, "size"),
    ("cap_trade_preview_position", SILVER | {"size": True}, "size"),
    ("cap_trade_preview_position", SILVER | {"size": "1,5"}, "size"),
    ("cap_trade_preview_position", SILVER | {"stop_level": -1}, "stop_level"),
    ("cap_trade_preview_position", SILVER | {"stop_distance": 1}, "stop_level, stop_distance"),
    ("cap_trade_preview_position", SILVER | {"leverage": 3}, "leverage"),
    ("cap_trade_preview_position", {"epic": "SILVER"}, "direction"),
    ("cap_trade_execute_position", {"preview_id": "p_1"}, "preview_id"),
    ("cap_trade_execute_position", {"preview_id": "p_abcdefghijkl", "confirm": "yes"}, "confirm"),
    ("cap_trade_execute_position", {"preview_id": "p_abcdefghijkl", "timeout_s": -1}, "timeout_s"),
    ("cap_trade_positions_close", {"deal_id": "../positions/D1", "confirm": True}, "deal_id"),
    ("cap_trade_positions_close", {"deal_id": "D1", "size": 0, "confirm": True}, "size"),
    ("cap_trade_orders_cancel", {"deal_id": "../positions/D1", "confirm": True}, "deal_id"),
    ("cap_trade_positions_amend", {"deal_id": "D1", "stop_level": 0, "confirm": True}, "stop_level"),
    ("cap_trade_positions_amend", {"deal_id": "D1", "remove_stop": "on", "confirm": True}, "remove_stop"),
    ("cap_trade_positions_amend", {"deal_id": "D1", "stop_level": 1, "confirm": "1"}, "confirm"),
    ("cap_trade_positions_get", {"deal_id": "..\u2044x"}, "deal_id"),
    ("cap_trade_confirm_get", {"deal_reference": "a/b"}, "deal_reference"),
    ("cap_market_get", {"epic": "SIL VER"}, "epic"),
    ("cap_market_prices", {"epic": "SILVER", "resolution": "1h"}, "resolution"),
    ("cap_market_prices", {"epic": "SILVER", "max": 0}, "max"),
    ("cap_market_prices", {"epic": "SILVER", "from_date": "yesterday"}, "from_date"),
    ("cap_market_quote", {"epics": []}, "epics"),
    ("cap_account_history_transactions", {"to_date": "0001-01-01"}, "1970 to 2199"),
    ("cap_market_prices", {"epic": "SILVER", "from_date": "9999-12-31T23:59:59-23:59"}, "1970 to 2199"),
]


async def test_wrong_arguments(ask: Assistant, seat: Seat) -> None:
    for tool, arguments, word in WRONG:
        said = await ask(tool, **arguments)

        assert (said.is_error, said.code) == (True, "USAGE"), (tool, arguments)
        assert word in said.text
        assert "http" not in said.text
        assert len(said.text) < 300
    assert seat.tap.requests == []


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"CAP_ENV": "prod"}, "BAD_SETTING"),
        ({"CAP_ALLOW_TRADES": "true"}, "UNKNOWN_SETTING"),
        ({"CAP_API_KEY": "k", "CAP_ENV": "demo"}, "CREDENTIALS_MISSING"),
    ],
)
async def test_wrong_settings_still_list_every_tool(
    own_home, era: str, owned: Owned, environ: dict, code: str
) -> None:
    clock = httpx.MockTransport(lambda _request: httpx.Response(200, json={"serverTime": 0}))
    runtime = Runtime(transport=clock)
    environ = {"CAPCLI_HOME": str(own_home), **environ}
    runner = owned(ToolRunner(lambda: App.build(environ=environ, runtime=runtime)))
    async with Client(build_server(runner), mode=era) as client:
        ask = Assistant(client)
        assert len(await client.list_tools()) == tool_count()
        said = await ask("cap_account_list")
        assert (said.is_error, said.code) == (True, code)
        assert any(name in said.text for name in (*environ.keys() - {"CAPCLI_HOME"}, "CAP_IDENTIFIER"))
        health = await ask("cap_health")
        assert (health.is_error, health.data["healthy"], health.code) == (False, False, code)
        status = await ask("cap_session_status")
        assert (status.is_error, status.data["logged_in"]) == (False, False)
        (content,) = await client.read_resource("cap://status")
        assert code in content.text


async def test_settings_that_were_mended_work_without_a_restart(own_home, era: str, owned: Owned) -> None:
    environ = {"CAPCLI_HOME": str(own_home), "CAP_ENV": "prod"}
    runner = owned(ToolRunner(lambda: App.build(environ=environ)))
    async with Client(build_server(runner), mode=era) as client:
        ask = Assistant(client)
        assert (await ask("cap_account_list")).code == "BAD_SETTING"
        environ["CAP_ENV"] = "paper"
        await ask.works("cap_account_list")


async def test_a_slow_order_answers_with_its_state_and_goes_on(seat: Seat, era: str) -> None:
    patience, release = Patience(), Event()
    runner = ToolRunner(lambda: seat.app, InFlightCalls(wait=patience))
    async with Client(build_server(runner), mode=era) as client:
        ask = Assistant(client)
        preview = await ask.works("cap_trade_preview_position", **SILVER)
        seat.tap.breaks("POST", "/positions", before=outlasting(patience, release))
        call = {"preview_id": preview["preview_id"], "confirm": True}

        said = await ask("cap_trade_execute_position", **call)

        assert (said.is_error, said.code, said.data["state"]) == (False, "IN_PROGRESS", "SENDING")
        assert said.data["replayed"] is False
        release.set()
        assert runner.in_flight.finish(FOR_EVER_S)
        assert len(seat.book()) == 1
        refused = await ask("cap_trade_execute_position", **call)
        assert (refused.is_error, refused.code) == (True, "BUSY")
    assert orders(seat) == 1


async def test_a_read_that_takes_too_long_is_answered(seat: Seat, era: str) -> None:
    patience, release = Patience(), Event()
    runner = ToolRunner(lambda: seat.app, InFlightCalls(wait=patience))
    async with Client(build_server(runner), mode=era) as client:
        ask = Assistant(client)
        await ask("cap_session_login")
        seat.tap.breaks("GET", "/positions", before=outlasting(patience, release))

        said = await ask("cap_trade_positions_list")

        release.set()
    assert (said.is_error, said.code) == (True, "TIMEOUT")


async def test_a_cancelled_call_does_not_lose_the_order(seat: Seat, runner: ToolRunner, era: str) -> None:
    import anyio

    arrived, release = Event(), Event()

    def slow(_: httpx.Request) -> None:
        arrived.set()
        release.wait(FOR_EVER_S)

    async with Client(build_server(runner), mode=era) as client:
        ask = Assistant(client)
        preview = await ask.works("cap_trade_preview_position", **SILVER)
        seat.tap.breaks("POST", "/positions", before=slow)
        call = {"preview_id": preview["preview_id"], "confirm": True}
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: ask("cap_trade_execute_position", **call))
            await anyio.to_thread.run_sync(arrived.wait)
            group.cancel_scope.cancel()
        release.set()
        runner.in_flight.finish(FOR_EVER_S)
    replay = seat.execute(preview["preview_id"])
    assert (replay.data.replayed, replay.data.state.value) == (True, "LANDED")
    assert orders(seat) == 1


async def test_a_confirmation_is_waited_for(ask: Assistant, seat: Seat) -> None:
    reference = seat.open().deal_reference
    known = await ask.works("cap_trade_confirm_wait", deal_reference=reference)
    assert known["state"] == "ACCEPTED"

    before = seat.time.monotonic()
    unknown = await ask.works("cap_trade_confirm_wait", deal_reference="o_nothing", timeout_s=600)
    waited = seat.time.monotonic() - before

    assert unknown["state"] == "PENDING"
    assert 40 < waited < 60


async def test_a_slow_partial_close_is_told_so_far_and_not_closed_twice_by_a_retry(
    seat: Seat, era: str
) -> None:
    patience, release = Patience(), Event()
    deal = seat.open(size="5").deal_id
    runner = ToolRunner(lambda: seat.app, InFlightCalls(wait=patience))
    async with Client(build_server(runner), mode=era) as client:
        ask = Assistant(client)
        seat.tap.breaks("POST", "/positions", before=outlasting(patience, release))
        call = {"deal_id": deal, "size": 1, "confirm": True}

        said = await ask("cap_trade_positions_close", **call)

        assert (said.is_error, said.code, said.data["state"]) == (False, "IN_PROGRESS", "SENDING")
        assert (said.data["retry_safe"], said.data["error"]["retry_safe"]) == (False, False)
        assert said.data["attempt_id"].startswith("a_")
        assert (said.data["size_before"], "remaining" in said.data) == (5, False)
        release.set()
        _landed(runner)
        seat.time.tick(59)

        refused = await ask("cap_trade_positions_close", **call)

        assert (refused.is_error, refused.code) == (True, "DUPLICATE")
        assert "again=true" in refused.data["error"]["next"]
        assert orders(seat) == 2
        meant = await ask("cap_trade_positions_close", **call, again=True)
        assert (meant.is_error, meant.data["remaining"]) == (False, 3)


def outlasting(patience: Patience, release: Event) -> Callable[[httpx.Request], None]:
    """Return what holds a request until the release, longer than whoever waits for the call has patience."""

    def hold(_: httpx.Request) -> None:
        patience.end()
        assert release.wait(FOR_EVER_S)

    return hold


def _landed(runner: ToolRunner) -> None:
    calls = runner.in_flight
    with calls._changed:
        assert calls._changed.wait_for(lambda: not calls._sending, FOR_EVER_S)


async def test_a_partial_close_that_waits_for_its_turn_is_no_error_and_not_safe_to_repeat(
    seat: Seat, era: str
) -> None:
    patience, release = Patience(), Event()
    deal = seat.open(size="5").deal_id
    runner = ToolRunner(lambda: seat.app, InFlightCalls(wait=patience))
    async with Client(build_server(runner), mode=era) as client:
        ask = Assistant(client)
        seat.tap.breaks("GET", "/markets/SILVER", before=outlasting(patience, release))

        said = await ask("cap_trade_positions_close", deal_id=deal, size=1, confirm=True)

        assert (said.is_error, said.code, said.data["deal_id"]) == (False, "IN_PROGRESS", deal)
        assert said.data["error"]["retry_safe"] is False
        release.set()
        _landed(runner)


async def test_a_slow_whole_close_is_no_error(seat: Seat, era: str) -> None:
    patience, release = Patience(), Event()
    deal = seat.open().deal_id
    runner = ToolRunner(lambda: seat.app, InFlightCalls(wait=patience))
    async with Client(build_server(runner), mode=era) as client:
        seat.tap.breaks("DELETE", "/positions", before=outlasting(patience, release))
        said = await Assistant(client)("cap_trade_positions_close", deal_id=deal, confirm=True)
        assert (said.is_error, said.code, said.data["error"]["retry_safe"]) == (False, "IN_PROGRESS", True)
        release.set()
        _landed(runner)


@pytest.mark.parametrize("broken", ["slow", "failing"])
async def test_a_look_that_fails_while_an_order_is_out_does_not_say_that_nothing_was_sent(
    seat: Seat, era: str, broken: str
) -> None:
    patience, release = Patience(), Event()
    runner = ToolRunner(lambda: seat.app, InFlightCalls(wait=patience))
    async with Client(build_server(runner), mode=era) as client:
        ask = Assistant(client)
        preview = await ask.works("cap_trade_preview_position", **SILVER)
        seat.tap.breaks("POST", "/positions", before=outlasting(patience, release))

        def look(_: str, **__: bool) -> None:
            if broken == "slow":
                patience.end()
                release.wait(FOR_EVER_S)
            raise JournalUnreadable("Nothing was recorded.")

        seat.app.executions.so_far = look  # type: ignore[method-assign,assignment]
        said = await ask("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=True)
        release.set()

        assert (said.is_error, said.code) == (False, "MAY_BE_LIVE")
        assert said.data["error"]["retry_safe"] is False
        assert "Nothing was" not in said.text
        assert "No order was sent" not in said.text
        _landed(runner)


def test_a_call_and_the_look_after_it_end_within_45_s() -> None:
    calls = InFlightCalls()
    assert calls.patience_s + calls.check_s < calls.longest_s == 45


async def test_a_close_in_doubt_is_a_result_with_its_attempt(ask: Assistant, seat: Seat) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("DELETE", "/positions", before=httpx.ReadError("reset"), times=2)

    said = await ask("cap_trade_positions_close", deal_id=deal, confirm=True)

    assert (said.is_error, said.code, said.data["state"]) == (False, "CLOSE_UNKNOWN", "UNKNOWN")
    assert (said.data["retry_safe"], said.data["account_id"]) == (True, FIRST_ACCOUNT)
    assert said.data["attempt_id"] == said.data["error"]["details"]["attempt_id"]


async def test_what_was_refused_names_its_preview_and_account(ask: Assistant) -> None:
    preview = await ask.works("cap_trade_preview_position", **SILVER)

    said = await ask("cap_trade_execute_position", preview_id=preview["preview_id"])

    assert (said.code, said.data["account_id"]) == ("NOT_CONFIRMED", FIRST_ACCOUNT)
    assert (said.data["preview_id"], said.data["state"]) == (preview["preview_id"], "READY")
    assert said.data["error"]["next"] in said.text
    assert "capcli execute" not in str(said.data)


async def test_an_unknown_tool_has_a_code(ask: Assistant) -> None:
    said = await ask("cap_trade_everything")

    assert (said.is_error, said.code) == (True, "TOOL_UNKNOWN")
    assert "there is no tool 'cap_trade_everything'" in said.text


async def test_a_dry_run_is_a_result_with_the_request_in_it(seats: Seats) -> None:
    dry = seats(CAP_DRY_RUN="true")
    async with Client(build_server(ToolRunner(lambda: dry.app))) as client:
        ask = Assistant(client)
        preview = await ask.works("cap_trade_preview_position", **SILVER)

        said = await ask("cap_trade_execute_position", preview_id=preview["preview_id"])

    assert (said.is_error, said.data["dry_run"], orders(dry)) == (False, True, 0)
    assert said.data["requests"][0]["body"] == preview["body"]
    assert "nothing was sent" in said.text
