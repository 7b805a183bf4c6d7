"""Completion scripts for shells, written from the command tree. They run capcli only for values seen here."""

from collections.abc import Callable

from capcli.cli.completions import bash, fish, powershell, zsh
from capcli.cli.completions.plan import SHELLS, Level, plan

WRITERS: dict[str, Callable[[tuple[Level, ...]], str]] = dict(
    zip(SHELLS, (bash.script, zsh.script, fish.script, powershell.script), strict=True)
)
FILES = {"bash": "capcli.bash", "zsh": "_capcli", "fish": "capcli.fish", "powershell": "capcli.ps1"}


def script(shell: str) -> str:
    """Return the completion script of a shell (a key of WRITERS)."""
    return WRITERS[shell](plan())
