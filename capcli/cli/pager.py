"""Shows long tables in the user's pager, as git does: only on a terminal, and only if too long."""

import signal
from collections.abc import Mapping, Sequence

NONE = frozenset({"", "cat"})
_USUAL = "less"
# Quit if all fits on one screen, keep colours, leave the text on the screen.
_LESS = "FRX"
# Exit codes of less and more after an early quit or an interrupt.
_LEFT = frozenset({0, 2, 130})


def pager_of(environ: Mapping[str, str]) -> Sequence[str]:
    """Return the pager's command; none for an empty PAGER or `cat`. Raises ValueError for open quotes."""
    import shlex
    import shutil

    chosen = environ.get("PAGER")
    if chosen is None:
        return (
            (_USUAL,)
            if environ.get("TERM") != "dumb" and shutil.which(_USUAL, path=environ.get("PATH"))
            else ()
        )
    return () if chosen.strip() in NONE else tuple(shlex.split(chosen))


def shown_in(pager: Sequence[str], text: bytes, environ: Mapping[str, str]) -> bool:
    """Show a text in the pager and wait for it; False if it failed. Ctrl-C goes to the pager meanwhile."""
    import subprocess

    from capcli.cli.interrupts import handling, ignore

    with handling([signal.SIGINT], ignore):
        try:
            process = subprocess.Popen(  # noqa: S603  the user's own choice, and no shell reads it
                pager, stdin=subprocess.PIPE, env={"LESS": _LESS, **environ}
            )
        except OSError:
            return False
        process.communicate(text)
    return process.returncode < 0 or process.returncode in _LEFT
