"""History tools: activity, bookings, and what they add up to."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.mcp.arguments import Grouping, MaybeText, MaybeTime
from capcli.mcp.face import Face
from capcli.mcp.progress import teller
from capcli.mcp.toolset import READS, tool
from capcli.services.history import ActivityFound, Report, Span, TransactionsFound, Wanted

_SET = "account"
# A day a request: what an assistant's call has time for.
_MOST_DAYS = 90


class HistoryTools:
    def __init__(self, face: Face) -> None:
        self._face = face

    def cap_account_history_activity(
        self, from_date: MaybeTime = None, to_date: MaybeTime = None
    ) -> ToolResult:
        span, told = Span(from_date, to_date), teller()
        return self._face.answer(lambda app: app.history.telling(told).activity(span, most_days=_MOST_DAYS))

    def cap_account_history_transactions(
        self,
        from_date: MaybeTime = None,
        to_date: MaybeTime = None,
        type: MaybeText = None,  # noqa: A002 - the official server's name
    ) -> ToolResult:
        span, told = Span(from_date, to_date), teller()
        wanted = Wanted(types=(type,) if type else ())
        return self._face.answer(lambda app: app.history.telling(told).transactions(span, wanted))

    def cap_account_history_report(
        self, from_date: MaybeTime = None, to_date: MaybeTime = None, by: Grouping = "market"
    ) -> ToolResult:
        span, told = Span(from_date, to_date), teller()
        return self._face.answer(lambda app: app.history.telling(told).report(span, by=by))


def tools(face: Face) -> list[FunctionTool]:
    """Return the history tools."""
    do = HistoryTools(face)
    return [
        tool(
            do.cap_account_history_activity,
            "What happened, newest first; 7 days, 90 at most. Same as: capcli history activity",
            ActivityFound,
            READS,
            _SET,
        ),
        tool(
            do.cap_account_history_transactions,
            "Bookings, newest first; 30 days. Same as: capcli history transactions",
            TransactionsFound,
            READS,
            _SET,
        ),
        tool(
            do.cap_account_history_report,
            "Realised P&L and costs by market, day or month; 30 days. Same as: capcli history report",
            Report,
            READS,
            _SET,
        ),
    ]
