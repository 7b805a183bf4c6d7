"""`capcli accounts`: what is in each account, and which one is used."""

from typing import NoReturn

from capcli.cli.run import run
from capcli.cli.tree import group
from capcli.errors import MayBeLive

accounts = group(
    example="capcli accounts\ncapcli accounts use 100482915730264825",
    alone=lambda call: run(call, lambda app: app.accounts.list()),
)


def interrupted(what: str, following: str) -> NoReturn:
    """Say that a change may have been made. Raises MayBeLive."""
    raise MayBeLive(
        f"Interrupted while waiting for the broker's answer: {what} may have been made. "
        "Check before you repeat it.",
        next=following,
    )
