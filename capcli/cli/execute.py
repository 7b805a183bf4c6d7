"""`capcli execute`: a preview is sent, once."""

from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command, new_app

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.services.reply import Reply
    from capcli.services.verdicts import Execution

app = new_app()
_EXAMPLE = "capcli execute p_7k2m9x4q1zab --confirm"


@command(app, "execute", example=_EXAMPLE)
def execute(
    ctx: typer.Context,
    preview_id: Annotated[str, typer.Argument(metavar="PREVIEW_ID", help="As `capcli preview` shows it.")],
    again: Annotated[
        bool, typer.Option("--again", help="Also when the same order was sent a minute ago.")
    ] = False,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Send without a question.")] = False,
) -> None:
    """Send a preview, once.

    Everything is checked again first. The same id never sends twice: a second call says what became of
    the first. Exit code 8 means that the order may be live: look before you do anything else.
    """
    from capcli.services.verdicts import Execution

    call: Call = ctx.find_root().obj

    def use(application: "App") -> "Reply[Execution]":
        executions = application.executions
        return call.confirmed(
            lambda yes: executions.execute(preview_id, confirmed=yes, again=again),
            given=confirm,
            summary=lambda: _summary(application, preview_id),
            left=lambda: executions.left_behind(preview_id),
        )

    run(ctx, use, Execution)


def _summary(application: "App", preview_id: str) -> str:
    from capcli.render.trading import order_line
    from capcli.services import ids
    from capcli.services.documents import read_order

    record = application.journal.preview(ids.preview_id(preview_id))
    assert record is not None
    return order_line(read_order(record.document), record.env, record.account_id)
