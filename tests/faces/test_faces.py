"""A command and its tool are one service call: same keys, same numbers, under one clock and id source."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from capcli import system
from capcli.account.history import Span
from capcli.account.history import Wanted as Rows
from capcli.account.preferences import Wanted
from capcli.app import App
from capcli.domain.account import OrderType
from capcli.domain.bracket import Change
from capcli.domain.market import Resolution, Side
from capcli.domain.order import ExitForm, ExitOrder, Kind, OrderRequest, Trigger
from capcli.domain.risk import Risk
from capcli.errors import CapcliError
from capcli.mcp.next_step import NextSteps
from capcli.mcp.server import build_server, tools
from capcli.mcp.tool_runner import ToolRunner
from capcli.paper.state import reset, switches
from capcli.render import envelope
from capcli.reply import Reply
from capcli.trading.amend_preview import Dropped
from tests.support.clock import START, Time
from tests.support.seat import Seat

pytestmark = pytest.mark.anyio


class StillTime(Time):
    """A clock that stands between steps, so that pacing and threads cannot move one face's prices."""

    def now(self):
        return START


@dataclass(frozen=True)
class Step:
    """One shared operation: as the command line asks for it, and as an assistant does.

    Arguments may be functions of what earlier steps of the same face returned.
    """

    name: str
    service: Callable[[App, dict[str, Any]], Reply[Any]]
    tool: str
    arguments: Callable[[dict[str, Any]], dict[str, Any]] = lambda _: {}


SILVER = OrderRequest("SILVER", Side.BUY, Decimal("1.5"), stop=ExitOrder(ExitForm.LEVEL, Decimal("24.50")))
SHORT = OrderRequest(
    "EURUSD",
    Side.SELL,
    Decimal(1000),
    stop=ExitOrder(ExitForm.DISTANCE, Decimal("0.01")),
    limit=ExitOrder(ExitForm.AMOUNT, Decimal(25)),
)
RESTING = OrderRequest(
    "SILVER", Side.BUY, Decimal(2), trigger=Trigger(Decimal("20.5"), OrderType.LIMIT, None)
)
WRONG = OrderRequest("GOLD", Side.BUY, Decimal("0.0001"), stop=ExitOrder(ExitForm.LEVEL, Decimal(99999)))
HUNDRED = ExitOrder(ExitForm.DISTANCE, Decimal(100))
FIVE = Wanted(leverages={"COMMODITIES": Decimal(5)})
SILVER_CALL = {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stop_level": "24.50"}
SHORT_CALL = {
    "epic": "EURUSD",
    "direction": "SELL",
    "size": 1000,
    "stop_distance": 0.01,
    "profit_amount": 25.0,
}
RESTING_CALL = {"epic": "SILVER", "direction": "BUY", "type": "LIMIT", "level": 20.5, "size": "2"}
WRONG_CALL = {"epic": "GOLD", "direction": "BUY", "size": 0.0001, "stop_level": 99999}


def execute(app: App, preview_id: str, kind: Kind, *, confirmed: bool = True) -> Reply[Any]:
    return app.executions.execute(preview_id, confirmed=confirmed, kind=kind)


STEPS = (
    Step("login", lambda app, _: app.accounts.login(), "cap_session_login"),
    Step("status", lambda app, _: app.accounts.known(), "cap_session_status"),
    Step("ping", lambda app, _: app.accounts.ping(), "cap_session_ping"),
    Step("accounts", lambda app, _: app.accounts.list(), "cap_account_list"),
    Step("health", lambda app, _: app.health.run(), "cap_health"),
    Step("time", lambda app, _: app.markets.time(), "cap_market_time"),
    Step(
        "search",
        lambda app, _: app.markets.search("gold", limit=3),
        "cap_market_search",
        lambda _: {"search_term": "gold", "limit": 3},
    ),
    Step(
        "several",
        lambda app, _: app.markets.several(("SILVER", "US100")),
        "cap_market_search",
        lambda _: {"epics": ["SILVER", "US100"]},
    ),
    Step("show", lambda app, _: app.markets.show("GOLD"), "cap_market_get", lambda _: {"epic": "GOLD"}),
    Step("unknown", lambda app, _: app.markets.show("gold"), "cap_market_get", lambda _: {"epic": "gold"}),
    Step(
        "quote",
        lambda app, _: app.markets.quote(("SILVER", "BTCUSD")),
        "cap_market_quote",
        lambda _: {"epics": ["SILVER", "BTCUSD"]},
    ),
    Step(
        "prices",
        lambda app, _: app.markets.prices("EURUSD", Resolution.HOUR, last=30),
        "cap_market_prices",
        lambda _: {"epic": "EURUSD", "resolution": "HOUR", "max": 30},
    ),
    Step("browse", lambda app, _: app.browsing.browse(), "cap_market_navigation_root"),
    Step(
        "browse_node",
        lambda app, _: app.browsing.browse("hierarchy_v1.commodities.metals"),
        "cap_market_navigation_node",
        lambda _: {"node_id": "hierarchy_v1.commodities.metals"},
    ),
    Step(
        "browse_name",
        lambda app, _: app.browsing.browse("commodities"),
        "cap_market_navigation_node",
        lambda _: {"node_id": "commodities"},
    ),
    Step(
        "sentiment",
        lambda app, _: app.browsing.sentiment(("SILVER",)),
        "cap_market_sentiment",
        lambda _: {"market_id": "SILVER"},
    ),
    Step(
        "watchlist_unconfirmed",
        lambda app, _: app.watchlists.create("Metals", confirmed=False),
        "cap_watchlists_create",
        lambda _: {"name": "Metals"},
    ),
    Step(
        "watchlist",
        lambda app, _: app.watchlists.create("Metals", confirmed=True),
        "cap_watchlists_create",
        lambda _: {"name": "Metals", "confirm": True},
    ),
    Step(
        "watchlist_add",
        lambda app, _: app.watchlists.add("Metals", "GOLD", confirmed=True),
        "cap_watchlists_add_market",
        lambda _: {"watchlist_id": "Metals", "epic": "GOLD", "confirm": True},
    ),
    Step(
        "watchlist_get",
        lambda app, seen: app.watchlists.show(seen["watchlist"]["watchlist_id"]),
        "cap_watchlists_get",
        lambda seen: {"watchlist_id": seen["watchlist"]["watchlist_id"]},
    ),
    Step("watchlists", lambda app, _: app.watchlists.list(), "cap_watchlists_list"),
    Step(
        "watchlist_remove",
        lambda app, _: app.watchlists.remove("Metals", "GOLD", confirmed=True),
        "cap_watchlists_remove_market",
        lambda _: {"watchlist_id": "Metals", "epic": "GOLD", "confirm": True},
    ),
    Step(
        "watchlist_delete",
        lambda app, _: app.watchlists.delete("Metals", confirmed=True),
        "cap_watchlists_delete",
        lambda _: {"watchlist_id": "Metals", "confirm": True},
    ),
    Step(
        "watchlist_gone",
        lambda app, _: app.watchlists.show("Metals"),
        "cap_watchlists_get",
        lambda _: {"watchlist_id": "Metals"},
    ),
    Step(
        "preview",
        lambda app, _: app.previews.preview(SILVER),
        "cap_trade_preview_position",
        lambda _: SILVER_CALL,
    ),
    Step(
        "unconfirmed",
        lambda app, seen: execute(app, seen["preview"]["preview_id"], Kind.MARKET, confirmed=False),
        "cap_trade_execute_position",
        lambda seen: {"preview_id": seen["preview"]["preview_id"]},
    ),
    Step(
        "other_kind",
        lambda app, seen: execute(app, seen["preview"]["preview_id"], Kind.WORKING),
        "cap_trade_execute_working_order",
        lambda seen: {"preview_id": seen["preview"]["preview_id"], "confirm": True},
    ),
    Step(
        "execute",
        lambda app, seen: execute(app, seen["preview"]["preview_id"], Kind.MARKET),
        "cap_trade_execute_position",
        lambda seen: {"preview_id": seen["preview"]["preview_id"], "confirm": True},
    ),
    Step(
        "replay",
        lambda app, seen: execute(app, seen["preview"]["preview_id"], Kind.MARKET),
        "cap_trade_execute_position",
        lambda seen: {"preview_id": seen["preview"]["preview_id"], "confirm": True},
    ),
    Step(
        "confirm",
        lambda app, seen: app.confirms.get(seen["execute"]["deal_reference"]),
        "cap_trade_confirm_get",
        lambda seen: {"deal_reference": seen["execute"]["deal_reference"]},
    ),
    Step(
        "no_confirm",
        lambda app, _: app.confirms.wait("o_none", wait_s=2),
        "cap_trade_confirm_wait",
        lambda _: {"deal_reference": "o_none", "timeout_s": 2},
    ),
    Step(
        "short_preview",
        lambda app, _: app.previews.preview(SHORT),
        "cap_trade_preview_position",
        lambda _: SHORT_CALL,
    ),
    Step(
        "short",
        lambda app, seen: execute(app, seen["short_preview"]["preview_id"], Kind.MARKET),
        "cap_trade_execute_position",
        lambda seen: {"preview_id": seen["short_preview"]["preview_id"], "confirm": True},
    ),
    Step(
        "resting_preview",
        lambda app, _: app.previews.preview(RESTING),
        "cap_trade_preview_working_order",
        lambda _: RESTING_CALL,
    ),
    Step(
        "resting",
        lambda app, seen: execute(app, seen["resting_preview"]["preview_id"], Kind.WORKING),
        "cap_trade_execute_working_order",
        lambda seen: {"preview_id": seen["resting_preview"]["preview_id"], "confirm": True},
    ),
    Step(
        "failed_checks",
        lambda app, _: app.previews.preview(WRONG),
        "cap_trade_preview_position",
        lambda _: WRONG_CALL,
    ),
    Step("positions", lambda app, _: app.portfolio.positions(), "cap_trade_positions_list"),
    Step(
        "position",
        lambda app, seen: app.portfolio.positions(seen["execute"]["deal_id"]),
        "cap_trade_positions_get",
        lambda seen: {"deal_id": seen["execute"]["deal_id"]},
    ),
    Step("exposure", lambda app, _: app.exposures.show(), "cap_trade_exposure"),
    Step("status", lambda app, _: app.status.show(), "cap_trade_status"),
    Step(
        "proposal",
        lambda app, _: app.proposals.propose("GOLD", Risk(Decimal(1))),
        "cap_trade_propose",
        lambda _: {"epic": "GOLD"},
    ),
    Step(
        "one_side",
        lambda app, _: app.proposals.propose("DE40", Risk(Decimal("0.5")), side=Side.SELL, stop=HUNDRED),
        "cap_trade_propose",
        lambda _: {"epic": "DE40", "risk_percent": 0.5, "direction": "SELL", "stop_distance": "100"},
    ),
    Step(
        "too_small",
        lambda app, _: app.proposals.propose("DE40", Risk(Decimal("0.0001")), side=Side.BUY, stop=HUNDRED),
        "cap_trade_propose",
        lambda _: {"epic": "DE40", "risk_percent": "0.0001", "direction": "BUY", "stop_distance": 100},
    ),
    Step("orders", lambda app, _: app.portfolio.orders(), "cap_trade_orders_list"),
    Step("reconcile", lambda app, _: app.reconciliations.reconcile(), "cap_trade_reconcile"),
    Step(
        "reconcile_one",
        lambda app, seen: app.reconciliations.reconcile(seen["execute"]["attempt_id"]),
        "cap_trade_reconcile",
        lambda seen: {"attempt_id": seen["execute"]["attempt_id"]},
    ),
    Step(
        "executions",
        lambda app, _: app.executions_log.latest(2),
        "cap_trade_executions",
        lambda _: {"last": 2},
    ),
    Step(
        "amend",
        lambda app, seen: app.amendments.amend(
            seen["execute"]["deal_id"], Change(ExitOrder(ExitForm.LEVEL, Decimal("24.75"))), confirmed=True
        ),
        "cap_trade_positions_amend",
        lambda seen: {"deal_id": seen["execute"]["deal_id"], "stop_level": "24.75", "confirm": True},
    ),
    Step(
        "amend_nothing",
        lambda app, seen: app.amendments.amend(
            seen["execute"]["deal_id"], Change(ExitOrder(ExitForm.LEVEL, Decimal("24.75"))), confirmed=True
        ),
        "cap_trade_positions_amend",
        lambda seen: {"deal_id": seen["execute"]["deal_id"], "stop_level": 24.75, "confirm": True},
    ),
    Step(
        "update_preview",
        lambda app, seen: app.order_updates.preview(
            seen["resting"]["deal_id"], Change(level=Decimal("20.25")), Dropped()
        ),
        "cap_trade_preview_working_order_update",
        lambda seen: {"deal_id": seen["resting"]["deal_id"], "level": "20.25"},
    ),
    Step(
        "update",
        lambda app, seen: app.order_updates.execute(seen["update_preview"]["preview_id"], confirmed=True),
        "cap_trade_execute_working_order_update",
        lambda seen: {"preview_id": seen["update_preview"]["preview_id"], "confirm": True},
    ),
    Step(
        "cancel",
        lambda app, seen: app.cancellations.cancel(seen["resting"]["deal_id"], confirmed=True),
        "cap_trade_orders_cancel",
        lambda seen: {"deal_id": seen["resting"]["deal_id"], "confirm": True},
    ),
    Step(
        "reduce",
        lambda app, seen: app.reductions.reduce(seen["execute"]["deal_id"], Decimal("0.5"), confirmed=True),
        "cap_trade_positions_close",
        lambda seen: {"deal_id": seen["execute"]["deal_id"], "size": 0.5, "confirm": True},
    ),
    Step(
        "close",
        lambda app, seen: app.closings.close(seen["execute"]["deal_id"], confirmed=True),
        "cap_trade_positions_close",
        lambda seen: {"deal_id": seen["execute"]["deal_id"], "confirm": True},
    ),
    Step("activity", lambda app, _: app.history.activity(Span()), "cap_account_history_activity"),
    Step(
        "bookings",
        lambda app, _: app.history.transactions(Span(), Rows(types=("TRADE",))),
        "cap_account_history_transactions",
        lambda _: {"type": "TRADE"},
    ),
    Step(
        "report",
        lambda app, _: app.history.report(Span(), by="day"),
        "cap_account_history_report",
        lambda _: {"by": "day"},
    ),
    Step(
        "stats",
        lambda app, _: app.statistics.of(Span(), by="side", short=True),
        "cap_history_stats",
        lambda _: {"by": "side"},
    ),
    Step("events", lambda app, _: app.events.recent(), "cap_events"),
    Step("preferences", lambda app, _: app.account_changes.preferences(), "cap_account_preferences_get"),
    Step(
        "unconfirmed_preferences",
        lambda app, _: app.account_changes.prefer(FIVE, confirmed=False),
        "cap_account_preferences_set",
        lambda _: {"leverages": {"COMMODITIES": 5, "SHARES": None}},
    ),
    Step(
        "set_preferences",
        lambda app, _: app.account_changes.prefer(FIVE, confirmed=True),
        "cap_account_preferences_set",
        lambda _: {"leverages": {"COMMODITIES": 5}, "confirm": True},
    ),
    Step(
        "topup",
        lambda app, _: app.account_changes.top_up(Decimal("-12.5"), confirmed=True),
        "cap_account_demo_topup",
        lambda _: {"amount": -12.5, "confirm": True},
    ),
    Step(
        "use",
        lambda app, seen: app.accounts.use(seen["accounts"]["accounts"][1]["account_id"]),
        "cap_session_switch_account",
        lambda seen: {"account_id": seen["accounts"]["accounts"][1]["account_id"]},
    ),
    # The second account is in euro: figures pass through an exchange rate.
    Step(
        "converted",
        lambda app, _: app.previews.preview(SILVER),
        "cap_trade_preview_position",
        lambda _: SILVER_CALL,
    ),
    Step(
        "stream_prices",
        lambda app, _: app.stream_snapshots.prices(("SILVER", "GOLD"), duration_s=0),
        "cap_stream_prices",
        lambda _: {"epics": ["SILVER", "GOLD"], "duration_s": 0},
    ),
    Step(
        "stream_prices_on",
        lambda app, seen: app.stream_snapshots.prices(
            ("SILVER",), duration_s=0, cursor=seen["stream_prices"]["cursor"]
        ),
        "cap_stream_prices",
        lambda seen: {"epics": ["SILVER"], "duration_s": 0, "cursor": seen["stream_prices"]["cursor"]},
    ),
    Step(
        "stream_alerts",
        lambda app, _: app.stream_snapshots.alerts({"SILVER": {"above": 99}}, duration_s=0),
        "cap_stream_alerts",
        lambda _: {"alerts": {"SILVER": {"above": 99}}, "duration_s": 0},
    ),
    Step(
        "stream_portfolio",
        lambda app, _: app.stream_snapshots.portfolio(duration_s=0),
        "cap_stream_portfolio",
        lambda _: {"duration_s": 0},
    ),
    Step(
        "stream_candles",
        lambda app, _: app.stream_snapshots.candles(("SILVER",), Resolution.MINUTE, duration_s=0),
        "cap_stream_candles",
        lambda _: {"epics": ["SILVER"], "duration_s": 0},
    ),
    Step("approvals", lambda app, _: app.approvals.waiting(), "cap_approvals_list"),
    Step("mandates", lambda app, _: app.mandates.list(), "cap_mandates_list"),
    Step(
        "halt",
        lambda app, _: app.halting.halt("enough", by="cap_halt"),
        "cap_halt",
        lambda _: {"reason": "enough"},
    ),
    Step(
        "halted",
        lambda app, seen: execute(app, seen["converted"]["preview_id"], Kind.MARKET),
        "cap_trade_execute_position",
        lambda seen: {"preview_id": seen["converted"]["preview_id"], "confirm": True},
    ),
    Step(
        "flatten",
        lambda app, _: app.flattenings.flatten(confirmed=True, by="cap_trade_flatten"),
        "cap_trade_flatten",
        lambda _: {"confirm": True},
    ),
    Step("halted_status", lambda app, _: app.accounts.known(), "cap_session_status"),
    Step("logout", lambda app, _: app.accounts.logout(), "cap_session_logout"),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def fresh_seat(home: Path) -> Seat:
    # Two users: a halt of one is none of the other's.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system, "system_home", lambda: home / "user")
        seat = Seat(home, StillTime())
    reset(home / "paper.db", limits=False, at=START)
    switches(home / "paper.db", at=START, confirm_delay_ms=0)
    return seat


@pytest.fixture
def terminal(own_home: Path) -> Iterator[Seat]:
    with closing(fresh_seat(own_home / "face")) as seat:
        yield seat


@pytest.fixture(params=[pytest.param("legacy", marks=pytest.mark.faults), "2026-07-28"])
async def client(request: pytest.FixtureRequest, own_home: Path) -> AsyncIterator[Client[Any]]:
    with closing(fresh_seat(own_home / "echo")) as seat:
        async with Client(build_server(ToolRunner(lambda: seat.app)), mode=request.param) as client:
            yield client


def exact(document: bytes) -> Any:
    """Read JSON with every number as the Decimal that its digits say."""
    return json.loads(document, parse_float=Decimal, parse_int=Decimal)


def on_the_terminal(app: App, step: Step, seen: dict[str, Any]) -> dict[str, Any]:
    """Return what `--json` prints of a step, but for what only the command line has."""
    try:
        printed = envelope.document(step.name, app.env, step.service(app, seen))
    except CapcliError as error:
        printed = envelope.failure(step.name, app.env, error.problem())
    found: dict[str, Any] = exact(envelope.encode(printed))
    data = found.get("data", {})
    return {**data, **{key: found[key] for key in ("env", "account_id", "error") if key in found}}


async def on_the_assistant(client: Client[Any], step: Step, seen: dict[str, Any]) -> dict[str, Any]:
    """Return a tool's structured content, digit by digit, with every field of its rows."""
    arguments = step.arguments(seen)
    if "fields" in (await tools_of(client))[step.tool].input_schema["properties"]:
        arguments = {**arguments, "fields": ["*"]}
    result = await client.call_tool(step.tool, arguments, raise_on_error=False)
    found: dict[str, Any] = exact(json.dumps(result.structured_content).encode())
    if not result.is_error:
        assert result.data is not None, "the client's types do not fit the schema"
        assert exact(result.content[0].text.encode()) == found, "the text says something else"
    return expanded(found)


async def tools_of(client: Client[Any]) -> dict[str, Any]:
    return {tool.name: tool for tool in await client.list_tools()}


def expanded(value: Any) -> Any:
    """Write tables of columns and rows as lists of objects."""
    if isinstance(value, dict):
        if value.keys() == {"columns", "rows"}:
            return [present(dict(zip(value["columns"], row, strict=True))) for row in value["rows"]]
        return {key: expanded(item) for key, item in value.items()}
    return [expanded(item) for item in value] if isinstance(value, list) else value


def present(value: Any) -> Any:
    """Leave out what is null: a tool does not write it."""
    if isinstance(value, dict):
        return {key: present(item) for key, item in value.items() if item is not None}
    return [present(item) for item in value] if isinstance(value, list) else value


def kind_of(value: dict[str, Any]) -> Any:
    return value.get("kind") or value.get("details", {}).get("kind")


def with_tools(value: Any, steps: NextSteps) -> Any:
    """Write what the terminal says to do next as a tool says it."""
    if isinstance(value, dict):
        return {
            key: steps.step(item, kind_of(value))
            if key == "next" and isinstance(item, str)
            else with_tools(item, steps)
            for key, item in value.items()
        }
    return [with_tools(item, steps) for item in value] if isinstance(value, list) else value


async def test_both_faces_say_the_same(terminal: Seat, client: Client[Any]) -> None:
    told: dict[str, Any] = {}
    steps = NextSteps(tools(ToolRunner(lambda: terminal.app)))
    for step in STEPS:
        expected = on_the_terminal(terminal.app, step, told)
        shown = at_home(await on_the_assistant(client, step, told))
        wanted = with_tools(present(expected), steps)
        if shown.get("error", {}).get("code") == "NOT_CONFIRMED":
            # A command line asks for an option, an assistant for its user's word.
            assert "confirm=true" in shown["error"].pop("next")
            assert " --confirm" in expected["error"]["next"]
            wanted["error"].pop("next")
        if step.tool in {"cap_session_login", "cap_account_list"}:
            assert next(iter(shown)) == "notice"
            assert shown.pop("notice") == "PAPER: simulated money"
        if "error" in shown and shown.get("account_id") != wanted.get("account_id"):
            # An assistant is told the account of every refusal.
            assert "account_id" not in wanted
            shown.pop("account_id")
        assert shown == wanted, step.name
        told[step.name] = expected


def at_home(value: Any) -> Any:
    """Write the assistant's home as the terminal's."""
    if isinstance(value, dict):
        return {key: at_home(item) for key, item in value.items()}
    if isinstance(value, list):
        return [at_home(item) for item in value]
    return value.replace("/echo", "/face") if isinstance(value, str) else value


async def test_every_tool_is_compared(client: Client[Any]) -> None:
    tools = {tool.name for tool in await client.list_tools()}

    assert tools - {step.tool for step in STEPS} == set()
