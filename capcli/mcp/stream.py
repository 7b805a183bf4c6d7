"""Stream tools: live prices for a bounded time, with a cursor to go on."""

from fastmcp.tools import ToolResult

from capcli.domain.market import Resolution
from capcli.marketdata.stream_snapshots import MOST_ROWS, AlertsSeen, CandlesSeen, PortfolioSeen, PricesSeen
from capcli.mcp import arguments as args
from capcli.mcp.compact import Listing
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import READS, Toolset

toolset = Toolset("stream")
_TICKS = Listing(PricesSeen, in_columns=True, most=MOST_ROWS)
_BARS = Listing(CandlesSeen, in_columns=True, most=MOST_ROWS)
_BOOK = Listing(PortfolioSeen, in_columns=True, most=MOST_ROWS)


@toolset.tool("Live prices", "Live ticks, at most 45 s.", PricesSeen, READS, "watch", rows=_TICKS)
async def cap_stream_prices(
    runner: ToolRunner,
    epics: args.StreamEpics,
    duration_s: args.Duration = 300.0,
    update_interval_s: args.Interval = 1.0,
    cursor: args.Cursor = None,
) -> ToolResult:
    return await runner.listen(
        lambda app, stopped: app.stream_snapshots.prices(
            epics, duration_s=duration_s, interval_s=update_interval_s, cursor=cursor, stopped=stopped
        ),
        _TICKS,
    )


@toolset.tool("Price alerts", 'Wait for bids, e.g. {"GOLD": {"above": 2700}}.', AlertsSeen, READS, "alert")
async def cap_stream_alerts(
    runner: ToolRunner,
    alerts: args.Alerts,
    duration_s: args.Duration = 300.0,
    auto_close: args.EndAtFirst = False,
    cursor: args.Cursor = None,
) -> ToolResult:
    return await runner.listen(
        lambda app, stopped: app.stream_snapshots.alerts(
            alerts, duration_s=duration_s, auto_close=auto_close, cursor=cursor, stopped=stopped
        )
    )


@toolset.tool("Live P&L", "Live P&L.", PortfolioSeen, READS, "watch", rows=_BOOK)
async def cap_stream_portfolio(
    runner: ToolRunner,
    duration_s: args.Duration = 300.0,
    update_interval_s: args.Interval = 5.0,
    cursor: args.Cursor = None,
) -> ToolResult:
    return await runner.listen(
        lambda app, stopped: app.stream_snapshots.portfolio(
            duration_s=duration_s, interval_s=update_interval_s, cursor=cursor, stopped=stopped
        ),
        _BOOK,
    )


@toolset.tool("Live candles", "Bars as they close, none left out", CandlesSeen, READS, rows=_BARS)
async def cap_stream_candles(
    runner: ToolRunner,
    epics: args.FewEpics,
    resolution: args.Width = Resolution.MINUTE,
    duration_s: args.Duration = 300.0,
    cursor: args.Cursor = None,
) -> ToolResult:
    return await runner.listen(
        lambda app, stopped: app.stream_snapshots.candles(
            epics, resolution, duration_s=duration_s, cursor=cursor, stopped=stopped
        ),
        _BARS,
    )
