"""`capcli prices`: candles in a table, in a chart or in a file."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from msgspec.structs import replace

from capcli.cli.call import Call
from capcli.cli.inputs import instant, last_of, resolution
from capcli.cli.options import From, To, argument, flag, option
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(
    example="capcli prices GOLD --resolution 1h --last 24\n"
    "capcli prices SILVER --resolution 1d --from 2026-01-01 --to 2026-02-01 --csv\n"
    "capcli prices GOLD --resolution 1m --from 2025-01-01 --to 2025-12-31 --output gold.parquet"
)
def prices(
    call: Call,
    epic: Annotated[str, argument("EPIC")],
    *,
    width: Annotated[
        str, option("1m 5m 15m 30m 1h 4h 1d 1w, or the broker's name.", "WIDTH", "--resolution")
    ] = "HOUR",
    last: Annotated[
        str | None, option("Number of candles (default 50), or how far back: 24h, 7d.", "N")
    ] = None,
    start: From = None,
    end: To = None,
    chart: Annotated[bool, flag("--chart", "Draw a chart, with your own levels.")] = False,
    output: Annotated[
        str | None, option("Download into a .csv, .jsonl or .parquet file, or - for stdout.", "FILE")
    ] = None,
    force: Annotated[bool, flag("--force", "With --output: overwrite the file.")] = False,
) -> None:
    """The last N, or all between two times; a date alone means 00:00 UTC. --csv and --json have both sides
    of the price. --output takes any number, without the candle that is still forming; after Ctrl-C, a
    broken network or a crash, the same line continues where it stopped.
    """
    if last is not None and (start or end):
        raise UsageError("--last and --from/--to cannot be used together.")
    clock, local = call.clock, call.options.local
    since, until = instant("--from", start, clock, local=local), instant("--to", end, clock, local=local)
    chosen, back = resolution(width), last_of(last)
    if isinstance(back, timedelta):
        since, back = clock() - back, None
    if chart and output is not None:
        raise UsageError("--chart and --output cannot be used together.")
    if chart:
        call.check_chart_width()
    if output is not None:
        from capcli.cli.download import download
        from capcli.marketdata.downloads import DownloadOrder

        if since is None:
            raise UsageError("--output needs --from: when the candles begin.")
        download(call, DownloadOrder(epic, chosen, since, until, output, last), force=force)
        return
    if force:
        raise UsageError("--force goes with --output.")

    def read(app: "App") -> "Reply[Any]":
        found = app.markets.prices(epic, chosen, last=back, start=since, end=until)
        if not chart:
            return found
        levels, unreadable = app.portfolio.levels(found.data.epic)
        data = replace(found.data, levels=levels, unreadable=(*found.data.unreadable, *unreadable))
        return replace(found, data=data)

    run(call, read, explain=chart)
