"""`capcli watchlists`: named lists of markets at the broker."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.options import argument
from capcli.cli.run import run
from capcli.cli.tree import group
from capcli.errors import ChangeUnproved

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply

watchlists = group(
    example="capcli watchlists\ncapcli watchlists create Metals GOLD SILVER",
    alone=lambda call: run(call, lambda app: app.watchlists.list()),
)
Watchlist = Annotated[str, argument("ID", "Id or name, as `capcli watchlists` shows it.")]
Epic = Annotated[str, argument("EPIC")]


def change(call: Call, use: "Callable[[App], Reply[Any]]") -> None:
    """Change a watchlist, and answer. Raises ChangeUnproved when interrupted."""

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
