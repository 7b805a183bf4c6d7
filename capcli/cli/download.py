"""`capcli prices --output`: a download into a file or to stdout."""

from typing import TYPE_CHECKING

import typer

from capcli.cli.call import Call
from capcli.cli.progress import ProgressLine
from capcli.cli.run import finish
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.marketdata.downloads import Download, DownloadOrder
    from capcli.ports import CandleTarget
    from capcli.reply import Reply

_STDOUT = "-"


def download(ctx: typer.Context, order: "DownloadOrder", *, force: bool) -> None:
    """Fetch the candles of an order, tell of the progress, and write what came of it."""
    call: Call = ctx.find_root().obj
    to_stdout = order.target == _STDOUT
    _check_form(call, to_stdout=to_stdout)
    app = call.build()
    call.note_default(app)
    target = _stdout(call, app) if to_stdout else app.candle_file(order.target, force=force)
    try:
        reply = _told(call, app, order, target)
    except BrokenPipeError:
        # The reader has what it wanted.
        raise typer.Exit(call.streams.silence()) from None
    from capcli.render.market import gaps_text

    if reply.data.gaps:
        call.talk(f"Gaps: {gaps_text(reply.data)}.\n")
    if to_stdout:
        count = reply.data.requests
        call.talk(f"{reply.data.rows:,} candles in {count:,} {'request' if count == 1 else 'requests'}.\n")
        return
    finish(call, reply, app.env)


def _check_form(call: Call, *, to_stdout: bool) -> None:
    from capcli.marketdata.downloads import Download

    if to_stdout and call.options.fields:
        raise UsageError("--fields cannot be used with --output -: its columns are always the same.")
    if not to_stdout:
        call.check_form(Download)


def _stdout(call: Call, app: "App") -> "CandleTarget":
    return app.candle_stream(call.streams.raw, as_json=call.json)


def _told(call: Call, app: "App", order: "DownloadOrder", target: "CandleTarget") -> "Reply[Download]":
    line = ProgressLine(call.streams, app.monotonic, quiet=call.options.quiet)
    try:
        return app.downloads.download(order, target, line)
    finally:
        line.clear()
