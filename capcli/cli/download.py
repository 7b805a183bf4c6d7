"""`capcli prices --output`: a download into a file or to stdout."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from capcli.cli.call import Call
from capcli.cli.run import finish
from capcli.cli.terminal import is_terminal
from capcli.errors import UsageError

if TYPE_CHECKING:
    from capcli.marketdata.downloads import DownloadOrder, Progress
    from capcli.render.progress import ProgressBar

_SAID_S = 15.0


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
    line = _ProgressLine(call, app.monotonic)
    try:
        reply = app.downloads.download(order, target, line)
    except BrokenPipeError:
        # The reader closed the pipe: done.
        raise typer.Exit(call.streams.silence()) from None
    finally:
        line.clear()
    if reply.data.gaps:
        call.talk(f"Gaps: {gaps_text(reply.data)}.\n")
    if not to_stdout:
        finish(call, reply, app.env)
    count = reply.data.requests
    call.talk(f"{reply.data.rows:,} candles in {count:,} {'request' if count == 1 else 'requests'}.\n")


class _ProgressLine:
    """A download's progress on stderr: a bar that is redrawn on a terminal, a line now and then elsewhere."""

    def __init__(self, call: Call, clock: Callable[[], float]) -> None:
        self._call, self._clock = call, clock
        self._bar: ProgressBar | None = None
        self._next = clock() + _SAID_S
        streams = call.streams
        if not call.options.quiet and is_terminal(streams.stderr) and streams.environ.get("TERM") != "dumb":
            from capcli.render import progress

            self._bar = progress.ProgressBar(streams.drawing(), streams.stderr_terminal(no_colour=False))

    def __call__(self, progress: "Progress") -> None:
        if self._bar is not None:
            self._bar.show(progress.pages, progress.of_pages, _words(progress))
        elif self._clock() >= self._next:
            self._next = self._clock() + _SAID_S
            self._call.talk(f"{_words(progress)}\n")

    def clear(self) -> None:
        if self._bar is not None:
            self._bar.clear()


def _words(progress: "Progress") -> str:
    """Write a progress as `120,000 candles, 23 %, 9.9 requests/s, 41 s left`."""
    share, left = 100 * progress.pages // max(progress.of_pages, 1), ""
    if progress.left_s is not None:
        minutes, seconds = divmod(round(progress.left_s), 60)
        hours, minutes = divmod(minutes, 60)
        text = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
        left = f", {f'{hours} h {minutes} min' if hours else text} left"
    return f"{progress.candles:,} candles, {share} %, {progress.rate:.1f} requests/s{left}"
