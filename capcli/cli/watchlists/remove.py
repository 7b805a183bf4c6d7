"""`capcli watchlists remove`: remove a market from a watchlist."""

from capcli.cli.call import Call
from capcli.cli.tree import command
from capcli.cli.watchlists import Epic, Watchlist, change


@command(example="capcli watchlists remove Metals SILVER")
def remove(call: Call, watchlist: Watchlist, epic: Epic) -> None:
    change(call, lambda app: app.watchlists.remove(watchlist, epic, confirmed=True))
