"""`capcli markets`: find a market, read its rules, and see how its clients stand."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.inputs import listed
from capcli.cli.options import argument, option
from capcli.cli.run import run
from capcli.cli.tree import command, group

markets = group(no_args_is_help=True, example="capcli markets search bitcoin")


@command(markets, example="capcli markets search bitcoin\ncapcli markets search silver --json")
def search(
    call: Call,
    term: Annotated[str, argument("TERM", "Part of a name or an epic.")],
    limit: Annotated[int, option("Most markets to show.", None, min=1, max=1000)] = 50,
) -> None:
    """Markets whose name or epic matches."""
    run(call, lambda app: app.markets.search(term, limit=limit))


@command(markets, example="capcli markets show SILVER")
def show(call: Call, epic: Annotated[str, argument("EPIC")]) -> None:
    """One market: prices, sizes, margin, stop distances, fees, hours."""
    run(call, lambda app: app.markets.show(epic))


@command(
    markets,
    example="capcli markets browse\ncapcli markets browse commodities/metals\n"
    "capcli markets browse hierarchy_v1.commodities.metals --csv",
)
def browse(
    call: Call,
    node: Annotated[str | None, argument("NODE", "Id, or names from the top with / between.")] = None,
    limit: Annotated[int, option("Most markets to show.", None, min=1, max=500)] = 500,
) -> None:
    """The tree of market categories: its top, or what is under a node.

    Name a node by its id, or by names from the top: case, spaces and underscores do not matter, and the
    beginning of a name is enough if only one matches.
    """
    run(call, lambda app: app.browsing.browse(node, limit=limit))


@command(markets, example="capcli markets sentiment SILVER GOLD")
def sentiment(call: Call, epics: Annotated[list[str], argument("EPIC...", "1 to 50 markets.")]) -> None:
    """How many of the broker's clients are long and short, in percent."""
    run(call, lambda app: app.browsing.sentiment(listed(epics)))
