"""`capcli quote` and `capcli prices`: prices now, and candles."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from capcli.cli.call import Call
from capcli.cli.drawing import check_width
from capcli.cli.inputs import instant, last_of, listed, resolution
from capcli.cli.run import run
from capcli.cli.tree import command, new_app
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.marketdata.markets import CandlesFound
    from capcli.reply import Reply

quote_app, prices_app = new_app(), new_app()


@command(quote_app, "quote", example="capcli quote SILVER GOLD EURUSD")
def quote(
    ctx: typer.Context,
    epics: Annotated[list[str], typer.Argument(metavar="EPIC...", help="1 to 50 markets.")],
) -> None:
    """Bid and offer of one or more markets."""
    from capcli.marketdata.markets import QuotesFound

    run(ctx, lambda app: app.markets.quote(listed(epics)), QuotesFound)


@command(
    prices_app,
    "prices",
    example="capcli prices GOLD --resolution 1h --last 24\n"
    "capcli prices SILVER --resolution 1d --from 2026-01-01 --to 2026-02-01 --csv\n"
    "capcli prices GOLD --resolution 1m --from 2025-01-01 --to 2025-12-31 --output gold.parquet",
)
def prices(
    ctx: typer.Context,
    epic: Annotated[str, typer.Argument(metavar="EPIC")],
    *,
    width: Annotated[
        str,
        typer.Option(
            "--resolution", metavar="WIDTH", help="1m 5m 15m 30m 1h 4h 1d 1w, or the broker's name."
        ),
    ] = "HOUR",
    last: Annotated[
        str | None,
        typer.Option(metavar="N", help="Number of candles (default 50), or how far back: 24h, 7d."),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="From this time (UTC).")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="To this time (UTC).")] = None,
    chart: Annotated[bool, typer.Option("--chart", help="Draw a chart, with your own levels.")] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", metavar="FILE", help="Download into a .csv, .jsonl or .parquet file, or - for stdout."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --output: overwrite the file.")] = False,
) -> None:
    """Candles: a table, a chart, or a download.

    The last N, or all between two times; a date alone means 00:00 UTC. --csv and --json have both sides
    of the price. --output takes any number, without the candle that is still forming; after Ctrl-C, a
    broken network or a crash, the same line continues where it stopped.
    """
    from capcli.marketdata.markets import CandlesFound

    if last is not None and (start or end):
        raise UsageError("--last and --from/--to cannot be used together.", next="capcli prices --help")
    call = ctx.find_root().obj
    clock, local = call.clock, call.options.local
    since, until = instant("--from", start, clock, local=local), instant("--to", end, clock, local=local)
    chosen = resolution(width)
    back = last_of(last)
    if isinstance(back, timedelta):
        since, back = clock() - back, None
    if chart:
        _check_chart(call, output)
    if output is not None:
        from capcli.cli.download import download
        from capcli.marketdata.downloads import DownloadOrder

        if since is None:
            raise UsageError("--output needs --from: when the candles begin.", next="capcli prices --help")
        download(ctx, DownloadOrder(epic, chosen, since, until, output, last), force=force)
        return
    if force:
        raise UsageError("--force goes with --output.", next="capcli prices --help")

    def read(app: "App") -> "Reply[CandlesFound]":
        found = app.markets.prices(epic, chosen, last=back, start=since, end=until)
        if not chart:
            return found
        levels, unreadable = app.portfolio.levels(found.data.epic)
        data = replace(found.data, levels=levels, unreadable=(*found.data.unreadable, *unreadable))
        return replace(found, data=data)

    run(ctx, read, CandlesFound, explain=chart)


def _check_chart(call: Call, output: str | None) -> None:
    """Refuse what cannot be drawn, before anything is fetched. Raises UsageError."""
    if output is not None:
        raise UsageError("--chart and --output cannot be used together.", next="capcli prices --help")
    check_width(call)
