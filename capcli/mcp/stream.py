"""Stream tools: bounded looks at live prices, with a cursor to go on."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.domain.market import Resolution
from capcli.marketdata.stream_snapshots import MOST_ROWS, AlertsSeen, CandlesSeen, PortfolioSeen, PricesSeen
from capcli.mcp.arguments import Alerts, Cursor, Duration, EndAtFirst, FewEpics, Interval, StreamEpics, Width
from capcli.mcp.compact import Listing
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import READS, tool

_SET = "stream"
_TICKS = Listing(PricesSeen, in_columns=True)
_BARS = Listing(CandlesSeen, in_columns=True)
_BOOK = Listing(PortfolioSeen, in_columns=True)


class StreamTools:
    def __init__(self, face: ToolRunner) -> None:
        self._face = face

    async def cap_stream_prices(
        self,
        epics: StreamEpics,
        duration_s: Duration = 300.0,
        update_interval_s: Interval = 1.0,
        cursor: Cursor = None,
    ) -> ToolResult:
        return await self._face.listen(
            lambda app, stopped: app.glimpses.prices(
                epics, duration_s=duration_s, interval_s=update_interval_s, cursor=cursor, stopped=stopped
            ),
            _TICKS.asked(most=MOST_ROWS),
        )

    async def cap_stream_alerts(
        self,
        alerts: Alerts,
        duration_s: Duration = 300.0,
        auto_close: EndAtFirst = False,
        cursor: Cursor = None,
    ) -> ToolResult:
        return await self._face.listen(
            lambda app, stopped: app.glimpses.alerts(
                alerts, duration_s=duration_s, auto_close=auto_close, cursor=cursor, stopped=stopped
            )
        )

    async def cap_stream_portfolio(
        self,
        duration_s: Duration = 300.0,
        update_interval_s: Interval = 5.0,
        cursor: Cursor = None,
    ) -> ToolResult:
        return await self._face.listen(
            lambda app, stopped: app.glimpses.portfolio(
                duration_s=duration_s, interval_s=update_interval_s, cursor=cursor, stopped=stopped
            ),
            _BOOK.asked(most=MOST_ROWS),
        )

    async def cap_stream_candles(
        self,
        epics: FewEpics,
        resolution: Width = Resolution.MINUTE,
        duration_s: Duration = 300.0,
        cursor: Cursor = None,
    ) -> ToolResult:
        return await self._face.listen(
            lambda app, stopped: app.glimpses.candles(
                epics, resolution, duration_s=duration_s, cursor=cursor, stopped=stopped
            ),
            _BARS.asked(most=MOST_ROWS),
        )


def tools(face: ToolRunner) -> list[FunctionTool]:
    """Return the stream tools."""
    do = StreamTools(face)
    return [
        tool(
            do.cap_stream_prices,
            "Live prices",
            "Live ticks, at most 45 s. Same as: capcli watch",
            PricesSeen,
            READS,
            _SET,
            rows=_TICKS,
        ),
        tool(
            do.cap_stream_alerts,
            "Price alerts",
            'Wait for bids, e.g. {"GOLD": {"above": 2700}}. Same as: capcli alert',
            AlertsSeen,
            READS,
            _SET,
        ),
        tool(
            do.cap_stream_portfolio,
            "Live P&L",
            "Live P&L. Same as: capcli watch",
            PortfolioSeen,
            READS,
            _SET,
            rows=_BOOK,
        ),
        tool(
            do.cap_stream_candles,
            "Live candles",
            "Bars as they close, none left out",
            CandlesSeen,
            READS,
            _SET,
            rows=_BARS,
        ),
    ]
