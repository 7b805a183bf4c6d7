"""`capcli reconcile`: what happened to orders whose answer was lost."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.options import argument, flag
from capcli.cli.run import run
from capcli.cli.tree import command

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(example="capcli reconcile\ncapcli reconcile a_7k2m9x4q1zab --wait")
def reconcile(
    call: Call,
    attempt: Annotated[
        str | None, argument("[ATTEMPT]", "Only this attempt (default: all open ones).")
    ] = None,
    wait: Annotated[bool, flag("--wait", "Keep checking until it is decided.")] = False,
) -> None:
    """It reads the account and sends nothing. One matching deal settles it at once; that there is none takes
    two checks after a quiet period. Exit code 8: something may still be live. 9: an order landed without
    its stop.
    """

    def use(app: "App") -> "Reply[Any]":
        if not wait:
            return app.reconciliations.reconcile(attempt)
        call.talk(
            "Checking until it is decided; this can take three minutes. Ctrl-C stops it; nothing is sent.\n"
        )
        return app.reconciliations.wait(attempt)

    run(call, use)
