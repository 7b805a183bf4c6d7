"""`capcli watchlists add`: add a market to a watchlist."""

from capcli.cli.call import Call
from capcli.cli.tree import command
from capcli.cli.watchlists import Epic, Watchlist, change


@command(example="capcli watchlists add Metals PLATINUM")
def add(call: Call, watchlist: Watchlist, epic: Epic) -> None:
    change(call, lambda app: app.watchlists.add(watchlist, epic, confirmed=True))
