"""`capcli flatten`: the way out of everything at once."""

from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command, new_app
from capcli.errors import Interrupted

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.services.flattening import Flattened, Flattening
    from capcli.services.reply import Reply

app = new_app()
_EXAMPLE = "capcli flatten --dry-run\ncapcli flatten --confirm"


@command(app, "flatten", example=_EXAMPLE)
def flatten(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would send.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Do it without a question.")] = False,
) -> None:
    """Halt, cancel every order, close every position.

    It acts on the active account, settles first what is unresolved, and reads the account back to prove it
    flat. What cannot be closed, such as a position in a closed market, is told and stops nothing else; the
    same command goes on with what is still there. The halt stays in force until `capcli resume`. It ends
    with 0 when the account is flat and 8 when something may still be live.
    """
    from capcli.services.flattening import STAYS, Flattening

    call: Call = ctx.find_root().obj
    done: list[Flattened] = []

    def use(application: "App") -> "Reply[Flattening]":
        try:
            return call.confirmed(
                lambda yes: application.flattenings.flatten(
                    confirmed=yes, by="capcli flatten", dry=dry_run, done=done
                ),
                given=confirm,
                summary=lambda: _summary(application),
                question="Halt and send it?",
                left=lambda: application.flattenings.so_far(done),
            )
        except Interrupted as error:
            if application.halting.held() is not None and STAYS not in error.message:
                error.message = f"{error.message} {STAYS}"
            raise

    run(ctx, use, Flattening)


def _summary(application: "App") -> str:
    reply = application.portfolio.positions()
    orders = application.portfolio.orders().data.orders
    lines = [f"  cancel {row.side.value} {row.size} {row.epic} at {row.level}" for row in orders]
    lines += [f"  close {row.side.value} {row.size} {row.epic}" for row in reply.data.positions]
    title = f"Flatten · {application.env} · account {reply.account_id}"
    return "\n".join([title, *(lines or ["  nothing is open; it halts"])])
