"""`capcli execute`: a preview is sent, once."""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command, new_app

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reconcile.outcomes import Execution
    from capcli.reply import Reply

app = new_app()
Again = Annotated[bool, typer.Option("--again", help="Send it even if the same order was sent within 60 s.")]
EnsureStop = Annotated[
    bool, typer.Option("--ensure-stop", help="Set a stop that the broker left out, or close the position.")
]
_EXAMPLE = "capcli execute p_7k2m9x4q1zab --confirm"


@command(app, "execute", example=_EXAMPLE)
def execute(
    ctx: typer.Context,
    preview_id: Annotated[str, typer.Argument(metavar="PREVIEW_ID", help="As `capcli preview` shows it.")],
    again: Again = False,
    ensure_stop: EnsureStop = False,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Send without a question.")] = False,
) -> None:
    """Send a preview, once.

    Everything is checked again first. The same id never sends twice: a second call says what happened to
    the first. Exit code 8 means that the order may be live: look before you do anything else.
    """
    from capcli.reconcile.outcomes import Execution

    call: Call = ctx.find_root().obj

    def use(application: "App") -> "Reply[Execution]":
        return sent(call, application, preview_id, given=confirm, again=again, ensure_stop=ensure_stop)

    run(ctx, use, Execution)


def sent(
    call: Call, application: "App", preview_id: str, *, given: bool, again: bool, ensure_stop: bool
) -> "Reply[Execution]":
    """Send a preview when somebody says yes, and ask about a stop that is missing afterwards."""
    executions = application.protected_executions
    reply = call.confirmed(
        lambda yes: executions.execute(preview_id, confirmed=yes, again=again, ensure_stop=ensure_stop),
        given=given,
        summary=lambda: application.executions.question(preview_id, again=again),
        left=lambda: application.executions.left_behind(preview_id),
    )
    if call.json or not call.streams.interactive or not executions.lacks_stop(reply):
        return reply
    with suppress(KeyboardInterrupt):
        return _offered(call, application, reply)
    return reply


def _offered(call: Call, application: "App", reply: "Reply[Execution]") -> "Reply[Execution]":
    """Ask the person at the terminal about a stop that is missing: set it, or close the position."""
    executions = application.protected_executions
    where = f"On {application.env.upper()}, account {reply.account_id}"
    call.streams.talk(f"{reply.data.sentence}\n{where}\n")
    for question, deed in (
        ("Set its stop now?", executions.set_stop),
        ("Close it now?", executions.end),
    ):
        if executions.lacks_stop(reply) and call.agrees(question):
            reply = call.agreed(partial(deed, reply), otherwise=reply)
    return reply
