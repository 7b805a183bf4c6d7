"""`capcli markets`: find a market, read its rules, and see how its clients stand."""

from typing import Annotated

import typer

from capcli.cli.inputs import listed
from capcli.cli.run import run
from capcli.cli.tree import command, epilog, new_app

app = new_app(
    "Find markets, and show their dealing rules and hours.",
    no_args_is_help=True,
    epilog=epilog("capcli markets search bitcoin"),
)


@app.callback()
def markets() -> None:
    pass


@command(app, "search", example="capcli markets search bitcoin\ncapcli markets search silver --json")
def search(
    ctx: typer.Context,
    term: Annotated[str, typer.Argument(metavar="TERM", help="Part of a name or an epic.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most markets to show.")] = 50,
) -> None:
    """Markets whose name or epic matches."""
    from capcli.marketdata.markets import MarketsFound

    run(ctx, lambda application: application.markets.search(term, limit=limit), MarketsFound)


@command(app, "show", example="capcli markets show SILVER")
def show(ctx: typer.Context, epic: Annotated[str, typer.Argument(metavar="EPIC")]) -> None:
    """One market: prices, sizes, margin, stop distances, fees, hours."""
    from capcli.marketdata.markets import MarketShown

    run(ctx, lambda application: application.markets.show(epic), MarketShown)


@command(
    app,
    "browse",
    example="capcli markets browse\ncapcli markets browse commodities/metals\n"
    "capcli markets browse hierarchy_v1.commodities.metals --csv",
)
def browse(
    ctx: typer.Context,
    node: Annotated[
        str | None,
        typer.Argument(metavar="NODE", help="Id, or names from the top with / between.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most markets to show.")] = 500,
) -> None:
    """The tree of market categories: its top, or what is under a node.

    Name a node by its id, or by names from the top: case, spaces and underscores do not matter, and the
    beginning of a name is enough if only one matches.
    """
    from capcli.marketdata.browse import Browsed

    run(ctx, lambda application: application.browsing.browse(node, limit=limit), Browsed)


@command(app, "sentiment", example="capcli markets sentiment SILVER GOLD")
def sentiment(
    ctx: typer.Context,
    epics: Annotated[list[str], typer.Argument(metavar="EPIC...", help="1 to 50 markets.")],
) -> None:
    """How many of the broker's clients are long and short, in percent."""
    from capcli.marketdata.browse import SentimentsFound

    run(ctx, lambda application: application.browsing.sentiment(listed(epics)), SentimentsFound)
