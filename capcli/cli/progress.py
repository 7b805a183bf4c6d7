"""How far a download is, on stderr: one line that is redrawn on a terminal, a line now and then elsewhere."""

from collections.abc import Callable

from capcli.cli.outlet import Outlet
from capcli.cli.terminal import is_terminal
from capcli.services.downloads import Progress

_REDRAWN_S = 0.2
_SAID_S = 15.0
_BAR = 20
_CLEAR = "\r\x1b[K"


class ProgressLine:
    """Tells of a download's progress; `clock` counts monotonic seconds. `clear` it before anything else."""

    def __init__(self, outlet: Outlet, clock: Callable[[], float], *, quiet: bool) -> None:
        self._outlet = outlet
        self._clock = clock
        self._quiet = quiet
        self._live = is_terminal(outlet.stderr) and outlet.environ.get("TERM") != "dumb"
        self._unicode = outlet.stderr_look(no_colour=True).unicode
        self._drawn = False
        self._next = clock() + (0 if self._live else _SAID_S)

    def __call__(self, progress: Progress) -> None:
        if self._quiet or self._clock() < self._next:
            return
        self._next = self._clock() + (_REDRAWN_S if self._live else _SAID_S)
        if self._live:
            self._drawn = True
            width = self._outlet.stderr_look(no_colour=True).width or 80
            self._outlet.talk(_CLEAR + f"{self._bar(progress)} {words(progress)}"[: width - 1])
        else:
            self._outlet.talk(f"{words(progress)}\n")

    def clear(self) -> None:
        if self._drawn:
            self._outlet.talk(_CLEAR)
            self._drawn = False

    def _bar(self, progress: Progress) -> str:
        full, empty = ("█", "░") if self._unicode else ("#", ".")
        done = _BAR * progress.pages // max(progress.of_pages, 1)
        return full * done + empty * (_BAR - done)


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
