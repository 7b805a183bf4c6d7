"""How far a download is, on stderr: a bar that is redrawn on a terminal, a line now and then elsewhere."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from capcli.cli.io_streams import IOStreams
from capcli.cli.terminal import is_terminal
from capcli.marketdata.downloads import Progress

if TYPE_CHECKING:
    from capcli.render.progress import ProgressBar as Bar

_SAID_S = 15.0


class ProgressLine:
    """Tells of a download's progress; `clock` counts monotonic seconds. `clear` it before anything else."""

    def __init__(self, streams: IOStreams, clock: Callable[[], float], *, quiet: bool) -> None:
        self._streams = streams
        self._clock = clock
        self._quiet = quiet
        self._bar: Bar | None = None
        self._next = clock() + _SAID_S
        if not quiet and is_terminal(streams.stderr) and streams.environ.get("TERM") != "dumb":
            from capcli.render import progress

            self._bar = progress.ProgressBar(streams.drawing(), streams.stderr_look(no_colour=False))

    def __call__(self, progress: Progress) -> None:
        if self._bar is not None:
            self._bar.show(progress.pages, progress.of_pages, words(progress))
        elif not self._quiet and self._clock() >= self._next:
            self._next = self._clock() + _SAID_S
            self._streams.talk(f"{words(progress)}\n")

    def clear(self) -> None:
        if self._bar is not None:
            self._bar.clear()


def words(progress: Progress) -> str:
    """Write a progress as `120,000 candles, 23 %, 9.9 requests/s, 41 s left`."""
    share = 100 * progress.pages // max(progress.of_pages, 1)
    left = "" if progress.left_s is None else f", {_duration(progress.left_s)} left"
    return f"{progress.candles:,} candles, {share} %, {progress.rate:.1f} requests/s{left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
