"""Watchlist tools. Changing a list sends no order; it takes confirm=true all the same."""

from fastmcp.tools import ToolResult

from capcli.marketdata.watchlists import WatchlistChange, WatchlistsFound, WatchlistShown
from capcli.mcp import arguments as args
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import DELETES, READS, SETS, Toolset

toolset = Toolset("watchlists")


@toolset.tool("Watchlists", "Watchlists.", WatchlistsFound, READS, "watchlists list", proposed="watchlists")
def cap_watchlists_list(runner: ToolRunner) -> ToolResult:
    return runner.answer(lambda app: app.watchlists.list())


@toolset.tool("Watchlist", "A watchlist's markets, by id or name.", WatchlistShown, READS, "watchlists show")
def cap_watchlists_get(runner: ToolRunner, watchlist_id: args.ListId) -> ToolResult:
    return runner.answer(lambda app: app.watchlists.show(watchlist_id))


@toolset.tool("Create watchlist", "Make a watchlist.", WatchlistChange, SETS, "watchlists create")
def cap_watchlists_create(
    runner: ToolRunner, name: args.ListName, confirm: args.Confirm = False
) -> ToolResult:
    return runner.answer(lambda app: app.watchlists.create(name, confirmed=confirm))


@toolset.tool("Add to watchlist", "Add a market.", WatchlistChange, SETS, "watchlists add")
def cap_watchlists_add_market(
    runner: ToolRunner, watchlist_id: args.ListId, epic: args.Epic, confirm: args.Confirm = False
) -> ToolResult:
    return runner.answer(lambda app: app.watchlists.add(watchlist_id, epic, confirmed=confirm))


@toolset.tool("Remove from watchlist", "Remove a market.", WatchlistChange, SETS, "watchlists remove")
def cap_watchlists_remove_market(
    runner: ToolRunner, watchlist_id: args.ListId, epic: args.Epic, confirm: args.Confirm = False
) -> ToolResult:
    return runner.answer(lambda app: app.watchlists.remove(watchlist_id, epic, confirmed=confirm))


@toolset.tool("Delete watchlist", "Delete a watchlist.", WatchlistChange, DELETES, "watchlists delete")
def cap_watchlists_delete(
    runner: ToolRunner, watchlist_id: args.ListId, confirm: args.Confirm = False
) -> ToolResult:
    return runner.answer(lambda app: app.watchlists.delete(watchlist_id, confirmed=confirm))
