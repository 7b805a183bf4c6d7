"""A long table goes through the user's pager, as git's does: only at a terminal, and only when it must."""

import signal
from collections.abc import Mapping, Sequence

NONE = frozenset({"", "cat"})
_USUAL = "less"
# Quit where all fits, keep colours, leave the text on the screen.
_LESS = "FRX"
# What less and more end with when the reader leaves early or interrupts.
_LEFT = frozenset({0, 2, 130})


def pager_of(environ: Mapping[str, str]) -> Sequence[str]:
    """Return the pager's words; an empty PAGER or `cat` means none. Raises ValueError for open quotes."""
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
    """Let the pager show a text and wait for it; False when it did not. Ctrl-C is the pager's meanwhile."""
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
