"""`capcli execute`: a preview is sent, once."""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Struct

from capcli.cli.call import Call
from capcli.cli.confirming import agreed, confirmed
from capcli.cli.options import argument, confirmation, flag
from capcli.cli.run import run
from capcli.cli.tree import command

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


class Sending(Struct, frozen=True):
    """How a preview is sent."""

    again: Annotated[bool, flag("--again", "Send it even if the same order was sent within 60 s.")] = False
    ensure_stop: Annotated[
        bool, flag("--ensure-stop", "Set a stop that the broker left out, or close the position.")
    ] = False


@command(example="capcli execute p_7k2m9x4q1zab --confirm")
def execute(
    call: Call,
    preview_id: Annotated[str, argument("PREVIEW_ID", "As `capcli preview` shows it.")],
    sending: Sending,
    confirm: Annotated[bool, confirmation("Send without a question.")] = False,
) -> None:
    """Everything is checked again first. The same id never sends twice: a second call says what happened to
    the first. Exit code 8 means that the order may be live: look before you do anything else.
    """
    run(call, lambda app: sent(call, app, preview_id, sending, given=confirm))


def sent(call: Call, app: "App", preview_id: str, sending: Sending, *, given: bool) -> "Reply[Any]":
    """Send a preview when somebody says yes, and ask about a stop that is missing afterwards."""
    executions, again = app.protected_executions, sending.again
    reply = confirmed(
        call,
        lambda yes: executions.execute(
            preview_id, confirmed=yes, again=again, ensure_stop=sending.ensure_stop
        ),
        given=given,
        summary=lambda: app.executions.question(preview_id, again=again),
        left=lambda: app.executions.left_behind(preview_id),
    )
    if call.json or not call.streams.interactive or not executions.lacks_stop(reply):
        return reply
    with suppress(KeyboardInterrupt):
        call.streams.talk(f"{reply.data.sentence}\nOn {app.env.upper()}, account {reply.account_id}\n")
        for question, deed in (("Set its stop now?", executions.set_stop), ("Close it now?", executions.end)):
            if executions.lacks_stop(reply) and call.streams.agrees(question):
                reply = agreed(call, partial(deed, reply), otherwise=reply)
    return reply
