"""`capcli watchlists show`: the markets of one watchlist."""

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.cli.watchlists import Watchlist


@command(example="capcli watchlists show Metals")
def show(call: Call, watchlist: Watchlist) -> None:
    run(call, lambda app: app.watchlists.show(watchlist))
