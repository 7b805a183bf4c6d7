"""Market tools: search, details, quotes, candles and the broker's clock."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.app import App
from capcli.domain.market import Resolution
from capcli.mcp.arguments import Epic, Epics, Limit, MaybeEpics, MaybeText, MaybeTime, NodeId, Width
from capcli.mcp.face import Face
from capcli.mcp.toolset import READS, tool
from capcli.services.browsing import Browsed, SentimentsFound
from capcli.services.markets import CandlesFound, MarketsFound, MarketShown, QuotesFound, ServerTime
from capcli.services.reply import Reply

_SET = "market"


class MarketTools:
    def __init__(self, face: Face) -> None:
        self._face = face

    def cap_market_search(
        self, search_term: MaybeText = None, epics: MaybeEpics = None, limit: Limit = 50
    ) -> ToolResult:
        return self._face.answer(lambda app: _search(app, search_term, epics, limit))

    def cap_market_get(self, epic: Epic) -> ToolResult:
        return self._face.answer(lambda app: app.markets.show(epic))

    def cap_market_quote(self, epics: Epics) -> ToolResult:
        return self._face.answer(lambda app: app.markets.quote(tuple(epics)))

    def cap_market_prices(
        self,
        epic: Epic,
        resolution: Width = Resolution.MINUTE_15,
        max: Limit = 200,  # noqa: A002 - the official server's name
        from_date: MaybeTime = None,
        to_date: MaybeTime = None,
    ) -> ToolResult:
        return self._face.answer(
            lambda app: app.markets.prices(epic, resolution, last=max, start=from_date, end=to_date)
        )

    def cap_market_navigation_root(self) -> ToolResult:
        return self._face.answer(lambda app: app.browsing.browse())

    def cap_market_navigation_node(self, node_id: NodeId) -> ToolResult:
        return self._face.answer(lambda app: app.browsing.browse(node_id))

    def cap_market_sentiment(self, market_id: Epic) -> ToolResult:
        return self._face.answer(lambda app: app.browsing.sentiment((market_id,)))

    def cap_market_time(self) -> ToolResult:
        return self._face.answer(lambda app: app.markets.time())


def _search(app: App, term: str | None, epics: list[str] | None, limit: int) -> Reply[MarketsFound]:
    if epics:
        return app.markets.several(tuple(epics))
    return app.markets.search(term, limit=limit)


def tools(face: Face) -> list[FunctionTool]:
    """Return the market tools."""
    do = MarketTools(face)
    return [
        tool(
            do.cap_market_search,
            "Find markets by name or by epics. Same as: capcli markets search",
            MarketsFound,
            READS,
            _SET,
        ),
        tool(
            do.cap_market_get,
            "A market's rules, hours, fees and quote. Same as: capcli markets show",
            MarketShown,
            READS,
            _SET,
        ),
        tool(do.cap_market_quote, "Live prices. Same as: capcli quote", QuotesFound, READS, _SET),
        tool(
            do.cap_market_prices,
            "Candles, oldest first, in UTC. Same as: capcli prices",
            CandlesFound,
            READS,
            _SET,
        ),
        tool(
            do.cap_market_navigation_root,
            "Top of the tree of markets. Same as: capcli markets browse",
            Browsed,
            READS,
            _SET,
        ),
        tool(
            do.cap_market_navigation_node,
            "Nodes and markets under a node. Same as: capcli markets browse",
            Browsed,
            READS,
            _SET,
        ),
        tool(
            do.cap_market_sentiment,
            "Percent of clients long and short. Same as: capcli markets sentiment",
            SentimentsFound,
            READS,
            _SET,
        ),
        tool(do.cap_market_time, "The broker's clock", ServerTime, READS, _SET),
    ]
