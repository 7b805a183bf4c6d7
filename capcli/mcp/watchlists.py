"""Watchlist tools. Changing a list sends no order; it takes confirm=true all the same."""

from fastmcp.tools import FunctionTool, ToolResult

from capcli.marketdata.watchlists import WatchlistChange, WatchlistsFound, WatchlistShown
from capcli.mcp.arguments import Confirm, Epic, ListId, ListName
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import ARRANGES, DELETES, READS, tool

_SET = "watchlists"


class WatchlistTools:
    def __init__(self, face: ToolRunner) -> None:
        self._face = face

    def cap_watchlists_list(self) -> ToolResult:
        return self._face.answer(lambda app: app.watchlists.list())

    def cap_watchlists_get(self, watchlist_id: ListId) -> ToolResult:
        return self._face.answer(lambda app: app.watchlists.show(watchlist_id))

    def cap_watchlists_create(self, name: ListName, confirm: Confirm = False) -> ToolResult:
        return self._face.answer(lambda app: app.watchlists.create(name, confirmed=confirm))

    def cap_watchlists_add_market(
        self, watchlist_id: ListId, epic: Epic, confirm: Confirm = False
    ) -> ToolResult:
        return self._face.answer(lambda app: app.watchlists.add(watchlist_id, epic, confirmed=confirm))

    def cap_watchlists_delete(self, watchlist_id: ListId, confirm: Confirm = False) -> ToolResult:
        return self._face.answer(lambda app: app.watchlists.delete(watchlist_id, confirmed=confirm))

    def cap_watchlists_remove_market(
        self, watchlist_id: ListId, epic: Epic, confirm: Confirm = False
    ) -> ToolResult:
        return self._face.answer(lambda app: app.watchlists.remove(watchlist_id, epic, confirmed=confirm))


def tools(face: ToolRunner) -> list[FunctionTool]:
    """Return the watchlist tools."""
    do = WatchlistTools(face)
    return [
        tool(
            do.cap_watchlists_list,
            "Watchlists",
            "Watchlists. Same as: capcli watchlists list",
            WatchlistsFound,
            READS,
            _SET,
        ),
        tool(
            do.cap_watchlists_get,
            "Watchlist",
            "A watchlist's markets, by id or name. Same as: capcli watchlists show",
            WatchlistShown,
            READS,
            _SET,
        ),
        tool(
            do.cap_watchlists_create,
            "Create watchlist",
            "Make a watchlist. confirm=true after a yes. Same as: capcli watchlists create",
            WatchlistChange,
            ARRANGES,
            _SET,
        ),
        tool(
            do.cap_watchlists_add_market,
            "Add to watchlist",
            "Add a market. confirm=true after a yes. Same as: capcli watchlists add",
            WatchlistChange,
            ARRANGES,
            _SET,
        ),
        tool(
            do.cap_watchlists_remove_market,
            "Remove from watchlist",
            "Remove a market. confirm=true after a yes. Same as: capcli watchlists remove",
            WatchlistChange,
            ARRANGES,
            _SET,
        ),
        tool(
            do.cap_watchlists_delete,
            "Delete watchlist",
            "Delete a watchlist. confirm=true after a yes. Same as: capcli watchlists delete",
            WatchlistChange,
            DELETES,
            _SET,
        ),
    ]
