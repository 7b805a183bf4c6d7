"""Stream tools: bounded looks at live prices, with a cursor to go on."""

from typing import Annotated, Any

from fastmcp.tools import FunctionTool, ToolResult
from pydantic import Field, WithJsonSchema

from capcli.domain.market import Resolution
from capcli.mcp.arguments import Epic, MaybeCursor, Width
from capcli.mcp.face import Face
from capcli.mcp.toolset import READS, tool
from capcli.services.glimpses import AlertsSeen, CandlesSeen, PortfolioSeen, PricesSeen

_SET = "stream"
# Their form is checked all the same; written out in every tool it costs too much.
_Epics = Annotated[
    list[Epic],
    Field(min_length=1, max_length=40),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "maxItems": 40}),
]
_Few = Annotated[
    list[Epic],
    Field(min_length=1, max_length=10),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "maxItems": 10}),
]
_Seconds = Annotated[float, Field(ge=0), WithJsonSchema({"type": "number"})]


class StreamTools:
    def __init__(self, face: Face) -> None:
        self._face = face

    async def cap_stream_prices(
        self,
        epics: _Epics,
        duration_s: _Seconds = 300.0,
        update_interval_s: _Seconds = 1.0,
        cursor: MaybeCursor = None,
    ) -> ToolResult:
        return await self._face.listen(
            lambda app, stopped: app.glimpses.prices(
                epics, duration_s=duration_s, interval_s=update_interval_s, cursor=cursor, stopped=stopped
            )
        )

    async def cap_stream_alerts(
        self,
        alerts: dict[str, Any],
        duration_s: _Seconds = 300.0,
        auto_close: bool = False,
        cursor: MaybeCursor = None,
    ) -> ToolResult:
        return await self._face.listen(
            lambda app, stopped: app.glimpses.alerts(
                alerts, duration_s=duration_s, auto_close=auto_close, cursor=cursor, stopped=stopped
            )
        )

    async def cap_stream_portfolio(
        self,
        duration_s: _Seconds = 300.0,
        update_interval_s: _Seconds = 5.0,
        cursor: MaybeCursor = None,
    ) -> ToolResult:
        return await self._face.listen(
            lambda app, stopped: app.glimpses.portfolio(
                duration_s=duration_s, interval_s=update_interval_s, cursor=cursor, stopped=stopped
            )
        )

    async def cap_stream_candles(
        self,
        epics: _Few,
        resolution: Width = Resolution.MINUTE,
        duration_s: _Seconds = 300.0,
        cursor: MaybeCursor = None,
    ) -> ToolResult:
        return await self._face.listen(
            lambda app, stopped: app.glimpses.candles(
                epics, resolution, duration_s=duration_s, cursor=cursor, stopped=stopped
            )
        )


def tools(face: Face) -> list[FunctionTool]:
    """Return the stream tools."""
    do = StreamTools(face)
    return [
        tool(
            do.cap_stream_prices,
            "Live ticks, at most 45 s. Same as: capcli watch",
            PricesSeen,
            READS,
            _SET,
        ),
        tool(
            do.cap_stream_alerts,
            'Wait for bids, e.g. {"GOLD": {"above": 2700}}. Same as: capcli alert',
            AlertsSeen,
            READS,
            _SET,
        ),
        tool(do.cap_stream_portfolio, "Live P&L. Same as: capcli watch", PortfolioSeen, READS, _SET),
        tool(do.cap_stream_candles, "Bars as they close, none left out", CandlesSeen, READS, _SET),
    ]
