"""`capcli watchlists`: named lists of markets at the broker."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.inputs import listed
from capcli.cli.run import run
from capcli.cli.tree import command, epilog, new_app
from capcli.errors import ChangeUnproved, NotConfirmed

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.marketdata.watchlists import WatchlistChange
    from capcli.reply import Reply

app = new_app("Named lists of markets: show, make, change.", invoke_without_command=True)

_List = Annotated[str, typer.Argument(metavar="ID", help="Id or name, as `capcli watchlists` shows it.")]
_Epic = Annotated[str, typer.Argument(metavar="EPIC")]


@app.callback(epilog=epilog("capcli watchlists\ncapcli watchlists create Metals GOLD SILVER"))
def watchlists(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        _list(ctx)


def _list(ctx: typer.Context) -> None:
    from capcli.marketdata.watchlists import WatchlistsFound

    run(ctx, lambda application: application.watchlists.list(), WatchlistsFound)


@command(app, "list", example="capcli watchlists list --json")
def every(ctx: typer.Context) -> None:
    """All watchlists of the login, the broker's own included."""
    _list(ctx)


@command(app, "show", example="capcli watchlists show Metals")
def show(ctx: typer.Context, watchlist: _List) -> None:
    """The markets of a watchlist, with their prices."""
    from capcli.marketdata.watchlists import WatchlistShown

    run(ctx, lambda application: application.watchlists.show(watchlist), WatchlistShown)


@command(app, "create", example="capcli watchlists create Metals GOLD SILVER")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 20 characters.")],
    epics: Annotated[
        list[str] | None, typer.Argument(metavar="[EPIC...]", help="Markets to begin with.")
    ] = None,
) -> None:
    """Make a watchlist.

    No order is sent, so it works with trading off. A name that exists is refused: if an answer is lost,
    the same line again makes no second list.
    """
    _change(ctx, lambda application: application.watchlists.create(name, listed(epics), confirmed=True))


@command(app, "add", example="capcli watchlists add Metals PLATINUM")
def add(ctx: typer.Context, watchlist: _List, epic: _Epic) -> None:
    """Add a market to a watchlist; it is not added twice."""
    _change(ctx, lambda application: application.watchlists.add(watchlist, epic, confirmed=True))


@command(app, "remove", example="capcli watchlists remove Metals SILVER")
def remove(ctx: typer.Context, watchlist: _List, epic: _Epic) -> None:
    """Remove a market from a watchlist."""
    _change(ctx, lambda application: application.watchlists.remove(watchlist, epic, confirmed=True))


@command(app, "delete", example="capcli watchlists delete Metals --confirm")
def delete(
    ctx: typer.Context,
    watchlist: _List,
    *,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Delete without a question.")] = False,
) -> None:
    """Delete a whole watchlist; not one of the broker's own."""
    call: Call = ctx.find_root().obj

    def use(application: "App") -> "Reply[WatchlistChange]":
        try:
            return application.watchlists.delete(watchlist, confirmed=confirm)
        except NotConfirmed as refusal:
            if call.json or not call.streams.interactive:
                raise
            command = refusal.next
        shown = application.watchlists.show(watchlist).data
        epics = ", ".join(row.epic for row in shown.markets) or "no markets"
        call.ask(f"Delete {shown.name!r} ({epics}) from the login's watchlists?", command)
        return application.watchlists.delete(watchlist, confirmed=True)

    _change(ctx, use)


def _change(ctx: typer.Context, use: "Callable[[App], Reply[WatchlistChange]]") -> None:
    from capcli.marketdata.watchlists import WatchlistChange

    def guarded(application: "App") -> "Reply[WatchlistChange]":
        try:
            return use(application)
        except KeyboardInterrupt:
            raise ChangeUnproved(
                "Interrupted: the watchlist may have been changed. No order was sent; the same command"
                " checks first.",
                next="capcli watchlists",
            ) from None

    run(ctx, guarded, WatchlistChange)
