"""History tools: activity, bookings, and what they add up to."""

from fastmcp.tools import ToolResult

from capcli.account.events import EventsFound
from capcli.account.history import ActivityFound, Report, Span, TransactionsFound, Wanted
from capcli.account.statistics import StatsFound
from capcli.mcp import arguments as args
from capcli.mcp.compact import Listing
from capcli.mcp.progress import windows_reporter
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import READS, Toolset

toolset = Toolset("account")
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
# One request a day: more do not fit into the time of a call.
_MOST_DAYS = 90


@toolset.tool(
    "Account activity",
    "What happened, newest first; 7 days, 90 at most.",
    ActivityFound,
    READS,
    "history activity",
    rows=_ACTIVITIES,
)
def cap_account_history_activity(
    runner: ToolRunner,
    from_date: args.FromDate = None,
    to_date: args.ToDate = None,
    fields: args.Fields = (),
    max: args.Max = None,
    cursor: args.Cursor = None,
) -> ToolResult:
    span, report = Span(from_date, to_date), windows_reporter()
    return runner.answer(
        lambda app: app.history.with_progress(report).activity(span, most_days=_MOST_DAYS),
        _ACTIVITIES.requested(fields, max, cursor),
    )


@toolset.tool(
    "Account transactions",
    "Bookings, newest first; 30 days.",
    TransactionsFound,
    READS,
    "history transactions",
    rows=_BOOKINGS,
)
def cap_account_history_transactions(
    runner: ToolRunner,
    from_date: args.FromDate = None,
    to_date: args.ToDate = None,
    type: args.Kind = None,
    fields: args.Fields = (),
    max: args.Max = None,
    cursor: args.Cursor = None,
) -> ToolResult:
    span, report = Span(from_date, to_date), windows_reporter()
    wanted = Wanted(types=(type,) if type else ())
    return runner.answer(
        lambda app: app.history.with_progress(report).transactions(span, wanted),
        _BOOKINGS.requested(fields, max, cursor),
    )


@toolset.tool(
    "Account events",
    "Fills, stops hit, closes, halts, oldest first; 24 h.",
    EventsFound,
    READS,
    "events",
    rows=_EVENTS,
)
def cap_events(
    runner: ToolRunner, cursor: args.EventCursor = None, fields: args.Fields = (), max: args.Max = None
) -> ToolResult:
    return runner.answer(lambda app: app.events.recent(since=cursor), _EVENTS.requested(fields, max, cursor))


@toolset.tool(
    "P&L report",
    "Realised P&L and costs by market, day or month; 30 days.",
    Report,
    READS,
    "history report",
    rows=_LINES,
)
def cap_account_history_report(
    runner: ToolRunner,
    from_date: args.FromDate = None,
    to_date: args.ToDate = None,
    by: args.Grouping = "market",
    cursor: args.Cursor = None,
) -> ToolResult:
    span, report = Span(from_date, to_date), windows_reporter()
    return runner.answer(
        lambda app: app.history.with_progress(report).report(span, by=by), _LINES.requested(cursor=cursor)
    )


@toolset.tool(
    "Trade statistics",
    "Win rate, expectancy, R, drawdown of closed trades; 30 days.",
    StatsFound,
    READS,
    "history stats",
    rows=_STATS,
)
def cap_history_stats(
    runner: ToolRunner,
    from_date: args.FromDate = None,
    to_date: args.ToDate = None,
    by: args.StatsBy = "market",
    fields: args.Fields = (),
    max: args.Max = None,
    cursor: args.Cursor = None,
) -> ToolResult:
    span, report = Span(from_date, to_date), windows_reporter()
    return runner.answer(
        lambda app: app.statistics.with_progress(report).of(span, by=by, most_days=_MOST_DAYS, short=True),
        _STATS.requested(fields, max, cursor),
    )
