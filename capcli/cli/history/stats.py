"""`capcli history stats`: how the closed trades went, as a table, a chart or a page."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.history import READ, SpanOptions, progress
from capcli.cli.options import flag, option
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import OutputUnusable, UsageError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(
    example="capcli history stats --last 90d --chart\ncapcli history stats --by tag --csv\n"
    "capcli history stats --last 90d --html trades.html",
)
def stats(
    call: Call,
    *,
    given: SpanOptions,
    by: Annotated[str, option("market, tag, side, hour (of opening, UTC) or client.", "WHAT")] = "market",
    chart: Annotated[bool, flag("--chart", "Draw the equity curve.")] = False,
    html: Annotated[Path | None, option("Also write a page with pictures.", "FILE")] = None,
    force: Annotated[bool, flag("--force", "With --html: overwrite the file.")] = False,
) -> None:
    """The last 30 days unless you give a span, in the account's currency. Results and costs are the broker's
    bookings, as in `capcli history report`; side, tag, first stop and client come from this computer's
    journal. R is a trade's result over the loss at its first stop. Several closes of one deal are one trade.
    Overnight fees name no deal: they are in the costs and in the expectancy, not in a single trade.
    """
    when = given.read(call)
    _check(html, force=force)
    if chart:
        call.check_chart_width()

    def use(app: "App") -> "Reply[Any]":
        reply = app.statistics.with_progress(progress(call, app, READ)).of(when, by=by)
        if html is not None:
            _write(call, html, reply, app.env)
        return reply

    run(call, use, explain=chart)


def _check(file: Path | None, *, force: bool) -> None:
    """Refuse what cannot be written, before anything is read. Raises UsageError."""
    if file is None:
        if force:
            raise UsageError("--force goes with --html.")
        return
    again = f"capcli history stats --html {quote(str(file))}"
    if file.is_dir():
        raise UsageError(f"{file} is a folder. Nothing was read. Name a file in it.")
    if file.exists() and not force:
        raise UsageError(
            f"{file} exists already and was not changed. Nothing was read.", next=f"{again} --force"
        )
    if not file.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {file.absolute().parent}. Nothing was read.")


def _write(call: Call, file: Path, reply: "Reply[Any]", env: str) -> None:
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
