"""Market tools: search, details, quotes, candles and the broker's clock."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.app import App
from capcli.domain.market import Resolution
from capcli.marketdata.browse import Browsed, SentimentsFound
from capcli.marketdata.markets import CandlesFound, MarketsFound, MarketShown, QuotesFound, ServerTime
from capcli.mcp.arguments import (
    Candles,
    Cursor,
    Epic,
    Epics,
    Fields,
    Found,
    FromDate,
    MaybeEpics,
    NodeId,
    Term,
    ToDate,
    Width,
)
from capcli.mcp.compact import Listing
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import READS, tool
from capcli.reply import Reply

_SET = "market"
_MARKETS = Listing(
    MarketsFound, ("epic", "name", "type", "status", "bid", "offer", "change_pct"), identity=("epic",)
)
_CANDLES = Listing(
    CandlesFound,
    ("time", "bid_open", "bid_high", "bid_low", "bid_close", "volume"),
    in_columns=True,
    identity=("time",),
)
_QUOTES = Listing(QuotesFound, identity=("epic",))
_ROWS = Listing(Browsed)


class MarketTools:
    def __init__(self, face: ToolRunner) -> None:
        self._face = face

    def cap_market_search(
        self,
        search_term: Term = None,
        epics: MaybeEpics = None,
        limit: Found = 50,
        fields: Fields = (),
        cursor: Cursor = None,
    ) -> ToolResult:
        rows = _MARKETS.asked(fields, None, cursor)
        return self._face.answer(lambda app: _search(app, search_term, epics, limit), rows)

    def cap_market_get(self, epic: Epic) -> ToolResult:
        return self._face.answer(lambda app: app.markets.show(epic))

    def cap_market_quote(self, epics: Epics) -> ToolResult:
        return self._face.answer(lambda app: app.markets.quote(tuple(epics)), _QUOTES.asked())

    def cap_market_prices(  # noqa: PLR0917 - ours come after the official ones
        self,
        epic: Epic,
        resolution: Width = Resolution.MINUTE_15,
        max: Candles = 200,  # noqa: A002 - the official server's name
        from_date: FromDate = None,
        to_date: ToDate = None,
        fields: Fields = (),
    ) -> ToolResult:
        return self._face.answer(
            lambda app: app.markets.prices(epic, resolution, last=max, start=from_date, end=to_date),
            _CANDLES.asked(fields, max),
        )

    def cap_market_navigation_root(self) -> ToolResult:
        return self._face.answer(lambda app: app.browsing.browse(), _ROWS.asked())

    def cap_market_navigation_node(self, node_id: NodeId, cursor: Cursor = None) -> ToolResult:
        rows = _ROWS.asked(cursor=cursor)
        return self._face.answer(lambda app: app.browsing.browse(node_id), rows)

    def cap_market_sentiment(self, market_id: Epic) -> ToolResult:
        return self._face.answer(lambda app: app.browsing.sentiment((market_id,)))

    def cap_market_time(self) -> ToolResult:
        return self._face.answer(lambda app: app.markets.time())


def _search(app: App, term: str | None, epics: list[str] | None, limit: int) -> Reply[MarketsFound]:
    if epics:
        return app.markets.several(tuple(epics))
    return app.markets.search(term, limit=limit)


def tools(face: ToolRunner) -> list[FunctionTool]:
    """Return the market tools."""
    do = MarketTools(face)
    return [
        tool(
            do.cap_market_search,
            "Search markets",
            "Find markets by name or by epics. Same as: capcli markets search",
            MarketsFound,
            READS,
            _SET,
            rows=_MARKETS,
        ),
        tool(
            do.cap_market_get,
            "Market details",
            "A market's rules, hours, fees and quote. Same as: capcli markets show",
            MarketShown,
            READS,
            _SET,
        ),
        tool(
            do.cap_market_quote,
            "Quotes",
            "Live prices. Same as: capcli quote",
            QuotesFound,
            READS,
            _SET,
            rows=_QUOTES,
        ),
        tool(
            do.cap_market_prices,
            "Candles",
            "Candles, oldest first, in UTC. Same as: capcli prices",
            CandlesFound,
            READS,
            _SET,
            rows=_CANDLES,
        ),
        tool(
            do.cap_market_navigation_root,
            "Market tree",
            "Top of the tree of markets. Same as: capcli markets browse",
            Browsed,
            READS,
            _SET,
            rows=_ROWS,
        ),
        tool(
            do.cap_market_navigation_node,
            "Market tree node",
            "Nodes and markets under a node. Same as: capcli markets browse",
            Browsed,
            READS,
            _SET,
            rows=_ROWS,
        ),
        tool(
            do.cap_market_sentiment,
            "Client sentiment",
            "Percent of clients long and short. Same as: capcli markets sentiment",
            SentimentsFound,
            READS,
            _SET,
        ),
        tool(do.cap_market_time, "Broker time", "The broker's clock", ServerTime, READS, _SET),
    ]
