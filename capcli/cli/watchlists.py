"""`capcli watchlists`: named lists of markets at the broker."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.inputs import listed
from capcli.cli.options import argument, confirmation
from capcli.cli.run import run
from capcli.cli.tree import command, group
from capcli.errors import ChangeUnproved, NotConfirmed

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply

watchlists = group(
    example="capcli watchlists\ncapcli watchlists create Metals GOLD SILVER",
    alone=lambda call: run(call, lambda app: app.watchlists.list()),
)
_List = Annotated[str, argument("ID", "Id or name, as `capcli watchlists` shows it.")]
_Epic = Annotated[str, argument("EPIC")]


@command(watchlists, "list", example="capcli watchlists list --json")
def every(call: Call) -> None:
    """All watchlists of the login, the broker's own included."""
    run(call, lambda app: app.watchlists.list())


@command(watchlists, example="capcli watchlists show Metals")
def show(call: Call, watchlist: _List) -> None:
    """The markets of a watchlist, with their prices."""
    run(call, lambda app: app.watchlists.show(watchlist))


@command(watchlists, example="capcli watchlists create Metals GOLD SILVER")
def create(
    call: Call,
    name: Annotated[str, argument("NAME", "1 to 20 characters.")],
    epics: Annotated[list[str] | None, argument("[EPIC...]", "Markets to begin with.")] = None,
) -> None:
    """Make a watchlist.

    No order is sent, so it works with trading off. A name that exists is refused: if an answer is lost,
    the same line again makes no second list.
    """
    _change(call, lambda app: app.watchlists.create(name, listed(epics), confirmed=True))


@command(watchlists, example="capcli watchlists add Metals PLATINUM")
def add(call: Call, watchlist: _List, epic: _Epic) -> None:
    """Add a market to a watchlist; it is not added twice."""
    _change(call, lambda app: app.watchlists.add(watchlist, epic, confirmed=True))


@command(watchlists, example="capcli watchlists remove Metals SILVER")
def remove(call: Call, watchlist: _List, epic: _Epic) -> None:
    """Remove a market from a watchlist."""
    _change(call, lambda app: app.watchlists.remove(watchlist, epic, confirmed=True))


@command(watchlists, example="capcli watchlists delete Metals --confirm")
def delete(
    call: Call,
    watchlist: _List,
    *,
    confirm: Annotated[bool, confirmation("Delete without a question.")] = False,
) -> None:
    """Delete a whole watchlist; not one of the broker's own."""

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

    _change(call, use)


def _change(call: Call, use: "Callable[[App], Reply[Any]]") -> None:
    def guarded(app: "App") -> "Reply[Any]":
        try:
            return use(app)
        except KeyboardInterrupt:
            raise ChangeUnproved(
                "Interrupted: the watchlist may have been changed. No order was sent; the same command"
                " checks first.",
                next="capcli watchlists",
            ) from None

    run(call, guarded)
