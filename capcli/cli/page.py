"""`capcli history stats --html`: the page as a file that only its owner can read."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from capcli.cli.call import Call
from capcli.errors import OutputUnusable, UsageError

if TYPE_CHECKING:
    from capcli.account.statistics import StatsFound
    from capcli.reply import Reply


def checked(file: Path | None, *, force: bool) -> None:
    """Refuse what cannot be written, before anything is read. Raises UsageError."""
    if file is None:
        if force:
            raise UsageError("--force goes with --html.", next="capcli history stats --help")
        return
    again = f"capcli history stats --html {quote(str(file))}"
    if file.is_dir():
        raise UsageError(
            f"{file} is a folder. Nothing was read. Name a file in it.", next="capcli history stats --help"
        )
    if file.exists() and not force:
        raise UsageError(
            f"{file} exists already and was not changed. Nothing was read.", next=f"{again} --force"
        )
    if not file.absolute().parent.is_dir():
        raise UsageError(
            f"There is no folder {file.absolute().parent}. Nothing was read.",
            next="capcli history stats --help",
        )


def write(call: Call, file: Path, reply: "Reply[StatsFound]", env: str) -> None:
    """Write the page whole, with mode 0600, and say so. Raises OutputUnusable."""
    from capcli.render.page import page
    from capcli.system import put_in_place

    try:
        put_in_place(file, page(reply.data, env, reply.account_id).encode())
    except OSError as error:
        raise OutputUnusable(
            f"{file} cannot be written: {error.strerror}. Choose another place.",
            next="capcli history stats --help",
        ) from None
    call.talk(f"The page is in {file}; only you can read it.\n")
