"""`capcli prices --output`: a download into a file or to stdout."""

from typing import TYPE_CHECKING

import typer

from capcli.cli.call import Call
from capcli.cli.progress import ProgressLine
from capcli.cli.run import finish
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.marketdata.downloads import DownloadOrder


def download(call: Call, order: "DownloadOrder", *, force: bool) -> None:
    """Fetch the candles of an order, show the progress, and write what came of it."""
    from capcli.marketdata.downloads import Download
    from capcli.render.market import gaps_text

    to_stdout = order.target == "-"
    if not to_stdout:
        call.check_form(Download)
    elif call.options.fields:
        raise UsageError("--fields cannot be used with --output -: its columns are always the same.")
    app = call.build()
    call.note_default(app)
    if to_stdout:
        target = app.candle_stream(call.streams.raw, as_json=call.json)
    else:
        target = app.candle_file(order.target, force=force)
    line = ProgressLine(call.streams, app.monotonic, quiet=call.options.quiet)
    try:
        reply = app.downloads.download(order, target, line)
    except BrokenPipeError:
        # The reader has what it wanted.
        raise typer.Exit(call.streams.silence()) from None
    finally:
        line.clear()
    if reply.data.gaps:
        call.talk(f"Gaps: {gaps_text(reply.data)}.\n")
    if not to_stdout:
        finish(call, reply, app.env)
    count = reply.data.requests
    call.talk(f"{reply.data.rows:,} candles in {count:,} {'request' if count == 1 else 'requests'}.\n")
