"""History tools: activity, bookings, and what they add up to."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.account.events import EventsFound
from capcli.account.history import ActivityFound, Report, Span, TransactionsFound, Wanted
from capcli.account.statistics import StatsFound
from capcli.mcp.arguments import Cursor, EventCursor, Fields, FromDate, Grouping, Kind, Max, StatsBy, ToDate
from capcli.mcp.compact import Listing
from capcli.mcp.progress import teller
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import READS, tool

_SET = "account"
_ACTIVITIES = Listing(
    ActivityFound,
    ("at", "epic", "type", "status", "source", "side", "size", "level", "deal_id"),
    in_columns=True,
)
_BOOKINGS = Listing(
    TransactionsFound, ("at", "type", "epic", "note", "amount", "currency", "deal_id"), in_columns=True
)
_EVENTS = Listing(
    EventsFound,
    (
        *("at", "kind", "text", "epic", "side", "size", "level", "amount", "deal_id", "attempt_id"),
        *("repeat", "cursor"),
    ),
    in_columns=True,
    by="cursor",
)
_LINES = Listing(Report, identity=("key",))
_STATS = Listing(StatsFound, identity=("key",))
# A day a request: what an assistant's call has time for.
_MOST_DAYS = 90


class HistoryTools:
    def __init__(self, face: ToolRunner) -> None:
        self._face = face

    def cap_account_history_activity(
        self,
        from_date: FromDate = None,
        to_date: ToDate = None,
        fields: Fields = (),
        max: Max = None,  # noqa: A002 - as cap_market_prices names it
        cursor: Cursor = None,
    ) -> ToolResult:
        span, told = Span(from_date, to_date), teller()
        return self._face.answer(
            lambda app: app.history.telling(told).activity(span, most_days=_MOST_DAYS),
            _ACTIVITIES.asked(fields, max, cursor),
        )

    def cap_account_history_transactions(  # noqa: PLR0917 - ours come after the official ones
        self,
        from_date: FromDate = None,
        to_date: ToDate = None,
        type: Kind = None,  # noqa: A002 - the official server's name
        fields: Fields = (),
        max: Max = None,  # noqa: A002 - as cap_market_prices names it
        cursor: Cursor = None,
    ) -> ToolResult:
        span, told = Span(from_date, to_date), teller()
        wanted = Wanted(types=(type,) if type else ())
        return self._face.answer(
            lambda app: app.history.telling(told).transactions(span, wanted),
            _BOOKINGS.asked(fields, max, cursor),
        )

    def cap_events(
        self,
        cursor: EventCursor = None,
        fields: Fields = (),
        max: Max = None,  # noqa: A002 - as cap_market_prices names it
    ) -> ToolResult:
        return self._face.answer(
            lambda app: app.events.recent(since=cursor), _EVENTS.asked(fields, max, cursor)
        )

    def cap_account_history_report(
        self,
        from_date: FromDate = None,
        to_date: ToDate = None,
        by: Grouping = "market",
        cursor: Cursor = None,
    ) -> ToolResult:
        span, told = Span(from_date, to_date), teller()
        return self._face.answer(
            lambda app: app.history.telling(told).report(span, by=by), _LINES.asked(cursor=cursor)
        )

    def cap_history_stats(  # noqa: PLR0917 - as the tools above
        self,
        from_date: FromDate = None,
        to_date: ToDate = None,
        by: StatsBy = "market",
        fields: Fields = (),
        max: Max = None,  # noqa: A002 - as cap_market_prices names it
        cursor: Cursor = None,
    ) -> ToolResult:
        span, told = Span(from_date, to_date), teller()
        return self._face.answer(
            lambda app: app.statistics.telling(told).of(span, by=by, most_days=_MOST_DAYS, short=True),
            _STATS.asked(fields, max, cursor),
        )


def tools(face: ToolRunner) -> list[FunctionTool]:
    """Return the history tools."""
    do = HistoryTools(face)
    return [
        tool(
            do.cap_account_history_activity,
            "Account activity",
            "What happened, newest first; 7 days, 90 at most. Same as: capcli history activity",
            ActivityFound,
            READS,
            _SET,
            rows=_ACTIVITIES,
        ),
        tool(
            do.cap_account_history_transactions,
            "Account transactions",
            "Bookings, newest first; 30 days. Same as: capcli history transactions",
            TransactionsFound,
            READS,
            _SET,
            rows=_BOOKINGS,
        ),
        tool(
            do.cap_events,
            "Account events",
            "Fills, stops hit, closes, halts, oldest first; 24 h. Same as: capcli events",
            EventsFound,
            READS,
            _SET,
            rows=_EVENTS,
        ),
        tool(
            do.cap_account_history_report,
            "P&L report",
            "Realised P&L and costs by market, day or month; 30 days. Same as: capcli history report",
            Report,
            READS,
            _SET,
            rows=_LINES,
        ),
        tool(
            do.cap_history_stats,
            "Trade statistics",
            "Win rate, expectancy, R, drawdown of closed trades; 30 days. Same as: capcli history stats",
            StatsFound,
            READS,
            _SET,
            rows=_STATS,
        ),
    ]
