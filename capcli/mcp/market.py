"""Market tools: search, details, quotes, candles and the broker's clock."""

from fastmcp.tools import ToolResult

from capcli.domain.market import Resolution
from capcli.marketdata.browse import Browsed, SentimentsFound
from capcli.marketdata.markets import CandlesFound, MarketsFound, MarketShown, QuotesFound, ServerTime
from capcli.mcp import arguments as args
from capcli.mcp.compact import Listing
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import READS, Toolset

toolset = Toolset("market")
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
_NODES = Listing(Browsed)


@toolset.tool(
    "Search markets",
    "Find markets by name or by epics.",
    MarketsFound,
    READS,
    "markets search",
    rows=_MARKETS,
)
def cap_market_search(
    runner: ToolRunner,
    search_term: args.Term = None,
    epics: args.MaybeEpics = None,
    limit: args.Found = 50,
    fields: args.Fields = (),
    cursor: args.Cursor = None,
) -> ToolResult:
    return runner.answer(
        lambda app: (
            app.markets.several(tuple(epics)) if epics else app.markets.search(search_term, limit=limit)
        ),
        _MARKETS.requested(fields, None, cursor),
    )


@toolset.tool(
    "Market details", "A market's rules, hours, fees and quote.", MarketShown, READS, "markets show"
)
def cap_market_get(runner: ToolRunner, epic: args.Epic) -> ToolResult:
    return runner.answer(lambda app: app.markets.show(epic))


@toolset.tool("Quotes", "Live prices.", QuotesFound, READS, "quote", rows=_QUOTES)
def cap_market_quote(runner: ToolRunner, epics: args.Epics) -> ToolResult:
    return runner.answer(lambda app: app.markets.quote(tuple(epics)), _QUOTES)


@toolset.tool("Candles", "Candles, oldest first, in UTC.", CandlesFound, READS, "prices", rows=_CANDLES)
def cap_market_prices(
    runner: ToolRunner,
    epic: args.Epic,
    resolution: args.Width = Resolution.MINUTE_15,
    max: args.Candles = 200,
    from_date: args.FromDate = None,
    to_date: args.ToDate = None,
    fields: args.Fields = (),
) -> ToolResult:
    return runner.answer(
        lambda app: app.markets.prices(epic, resolution, last=max, start=from_date, end=to_date),
        _CANDLES.requested(fields, max),
    )


@toolset.tool("Market tree", "Top of the tree of markets.", Browsed, READS, "markets browse", rows=_NODES)
def cap_market_navigation_root(runner: ToolRunner) -> ToolResult:
    return runner.answer(lambda app: app.browsing.browse(), _NODES)


@toolset.tool(
    "Market tree node", "Nodes and markets under a node.", Browsed, READS, "markets browse", rows=_NODES
)
def cap_market_navigation_node(
    runner: ToolRunner, node_id: args.NodeId, cursor: args.Cursor = None
) -> ToolResult:
    return runner.answer(lambda app: app.browsing.browse(node_id), _NODES.requested(cursor=cursor))


@toolset.tool(
    "Client sentiment", "Percent of clients long and short.", SentimentsFound, READS, "markets sentiment"
)
def cap_market_sentiment(runner: ToolRunner, market_id: args.Epic) -> ToolResult:
    return runner.answer(lambda app: app.browsing.sentiment((market_id,)))


@toolset.tool("Broker time", "The broker's clock", ServerTime, READS)
def cap_market_time(runner: ToolRunner) -> ToolResult:
    return runner.answer(lambda app: app.markets.time())
