"""`capcli watchlists delete`: delete a whole watchlist."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.options import confirmation
from capcli.cli.tree import command
from capcli.cli.watchlists import Watchlist, change
from capcli.errors import NotConfirmed

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(example="capcli watchlists delete Metals --confirm")
def delete(
    call: Call,
    watchlist: Watchlist,
    *,
    confirm: Annotated[bool, confirmation("Delete without a question.")] = False,
) -> None:
    def use(app: "App") -> "Reply[Any]":
        lists = app.watchlists
        try:
            return lists.delete(watchlist, confirmed=confirm)
        except NotConfirmed as refusal:
            if not call.person:
                raise
            following = refusal.next
        found = lists.show(watchlist).data
        epics = ", ".join(row.epic for row in found.markets) or "no markets"
        call.ask(f"Delete {found.name!r} ({epics}) from the login's watchlists?", following)
        return lists.delete(watchlist, confirmed=True)

    change(call, use)
