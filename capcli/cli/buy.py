"""`capcli buy`: preview, review and execute in one sitting; `capcli sell` does the same."""

from typing import Annotated

from msgspec.structs import replace

from capcli.cli.call import Call
from capcli.cli.execute import Sending, sent
from capcli.cli.options import Epic, Risk, argument, confirmation
from capcli.cli.order_options import OrderOptions, order_of
from capcli.cli.run import finish, run
from capcli.cli.tree import command
from capcli.domain.market import Side
from capcli.errors import Exit, Problem

Size = Annotated[str | None, argument("[SIZE]", "Number of units.")]


class Reviewed(Sending, frozen=True):
    """How it is sent after the review, which no option skips."""

    confirm: Annotated[bool, confirmation("Has no effect: you always see the preview first.")] = False


@command(example="capcli buy SILVER 1.5 --stop 24.50\ncapcli buy GOLD --risk 1% --stop-distance 15")
def buy(
    call: Call,
    epic: Epic,
    size: Size = None,
    *,
    risk: Risk = None,
    order: OrderOptions,
    sending: Reviewed,
) -> None:
    """On a terminal you see the preview and answer. Elsewhere it stops after the preview, with exit code 5
    and the command that sends it.
    """
    trade(call, Side.BUY, epic, size, risk=risk, order=order, sending=sending)


def trade(
    call: Call,
    side: Side,
    epic: str,
    size: str | None,
    *,
    risk: str | None,
    order: OrderOptions,
    sending: Sending,
) -> None:
    """Preview an order, and send it when a person at the terminal says yes."""
    from capcli.reconcile.outcomes import Execution

    request, share = order_of(epic, size, risk, order, side=side, command=call.command)
    application = call.open()
    reply = application.previews.preview(request, risk=share)
    preview_id = reply.data.preview_id
    if reply.problem is None and not call.person:
        problem = Problem(
            "NOT_CONFIRMED",
            "The preview was not confirmed on a terminal, so nothing was sent.",
            int(Exit.REFUSED),
            next=f"capcli execute {preview_id} --confirm",
            retry_safe=True,
            details={"preview_id": preview_id},
        )
        reply = replace(reply, problem=problem)
    if reply.problem is not None:
        finish(call, reply, application.env, explain=order.explain)
    call.show(reply, application.env, explain=order.explain)
    run(call, lambda app: sent(call, app, preview_id, sending, given=False), Execution, app=application)
