"""`capcli markets`: find a market, and read its rules."""

from typing import Annotated

import typer

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
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
) -> None:
    """Markets whose name or epic matches."""
    from capcli.services.markets import MarketsFound

    run(ctx, lambda application: application.markets.search(term, limit=limit), MarketsFound)


@command(app, "show", example="capcli markets show SILVER")
def show(ctx: typer.Context, epic: Annotated[str, typer.Argument(metavar="EPIC")]) -> None:
    """One market: prices, sizes, margin, stop distances, fees, hours."""
    from capcli.services.markets import MarketShown

    run(ctx, lambda application: application.markets.show(epic), MarketShown)
