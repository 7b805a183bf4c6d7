"""`capcli reconcile` and `capcli resolve`: what happened to an order whose answer was lost."""

from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command, new_app

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reconcile.reconcile import Settled
    from capcli.reply import Reply

reconcile_app, resolve_app = new_app(), new_app()
_WAITING = "Checking until it is decided; this can take three minutes. Ctrl-C stops it; nothing is sent.\n"


@command(reconcile_app, "reconcile", example="capcli reconcile\ncapcli reconcile a_7k2m9x4q1zab --wait")
def reconcile(
    ctx: typer.Context,
    attempt: Annotated[
        str | None, typer.Argument(metavar="[ATTEMPT]", help="Only this attempt (default: all open ones).")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Keep checking until it is decided.")] = False,
) -> None:
    """Settle orders whose answer was lost.

    It reads the account and sends nothing. One matching deal settles it at once; that there is none takes
    two checks after a quiet period. Exit code 8: something may still be live. 9: an order landed without
    its stop.
    """
    from capcli.reconcile.reconcile import Reconciliation

    call: Call = ctx.find_root().obj

    def use(application: "App") -> "Reply[Reconciliation]":
        if not wait:
            return application.reconciliations.reconcile(attempt)
        call.talk(_WAITING)
        return application.reconciliations.wait(attempt)

    run(ctx, use, Reconciliation)


@command(
    resolve_app,
    "resolve",
    example="capcli resolve a_7k2m9x4q1zab\ncapcli resolve a_7k2m9x4q1zab --not-placed --confirm",
)
def resolve(
    ctx: typer.Context,
    attempt: Annotated[str, typer.Argument(metavar="ATTEMPT", help="As `capcli reconcile` shows it.")],
    landed: Annotated[
        str | None, typer.Option("--landed", metavar="DEAL", help="It became this deal.")
    ] = None,
    not_placed: Annotated[bool, typer.Option("--not-placed", help="It never reached the market.")] = False,
    confirm: Annotated[
        bool, typer.Option("--confirm", "--yes", help="Record it without a question.")
    ] = False,
) -> None:
    """Say what happened to a lost order.

    For a person, where capcli cannot tell. Without a verdict it shows the deals that match. A verdict
    that contradicts the account is refused.
    """
    from capcli.reconcile.reconcile import Settled

    call: Call = ctx.find_root().obj

    def use(application: "App") -> "Reply[Settled]":
        resolutions = application.resolutions
        if landed is not None or not_placed:
            call.ask_pin(application)
        verdict = "was not placed" if landed is None else f"became {landed}"
        return call.confirmed(
            lambda yes: resolutions.resolve(attempt, landed=landed, not_placed=not_placed, confirmed=yes),
            given=confirm,
            summary=lambda: f"{attempt} {verdict}. The journal records that as your statement.",
            question="Record it?",
        )

    run(ctx, use, Settled)
