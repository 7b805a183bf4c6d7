"""`capcli close`: out of a position at market."""

from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command, new_app

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.services.closing import Closing
    from capcli.services.reply import Reply

app = new_app()
_EXAMPLE = "capcli close 006011e7-0001-54c4-0000-000080560043 --confirm"


@command(app, "close", example=_EXAMPLE)
def close(
    ctx: typer.Context,
    deal: Annotated[str, typer.Argument(metavar="DEAL", help="Deal id, as `capcli positions` shows it.")],
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Close without a question.")] = False,
) -> None:
    """Close a position at market.

    The whole position is closed, and the book is read back to prove it. Closing is never blocked by a
    limit, and closing again is safe.
    """
    from capcli.services.closing import Closing

    call: Call = ctx.find_root().obj

    def use(application: "App") -> "Reply[Closing]":
        return call.confirmed(
            lambda yes: application.closings.close(deal, confirmed=yes),
            given=confirm,
            summary=lambda: _summary(application, deal),
        )

    run(ctx, use, Closing)


def _summary(application: "App", deal: str) -> str:
    from capcli.render.numbers import gain

    reply = application.portfolio.positions(deal)
    row = reply.data.positions[0]
    side = f"{row.side.value} {row.size} {row.epic} opened at {row.level}"
    result = gain(row.pl, row.currency).text
    return f"Close {side}, {result} now · {application.env} · account {reply.account_id}"
