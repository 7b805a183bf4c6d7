"""`capcli flatten`: the way out of everything at once."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.confirming import confirmed_exit
from capcli.cli.options import confirmation, flag
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import ConfigError, Interrupted

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.trading.flatten import Flattened

_BY = "capcli flatten"


@command(example="capcli flatten --dry-run\ncapcli flatten --confirm")
def flatten(
    call: Call,
    *,
    dry_run: Annotated[bool, flag("--dry-run", "Show what it would send.")] = False,
    confirm: Annotated[bool, confirmation("Do it without a question.")] = False,
) -> None:
    """It works on the active account, settles unresolved orders first, and checks afterwards that the
    account is flat. What cannot be closed, such as a position in a closed market, is reported and does
    not stop the rest; run it again for what is left. The halt stays in force until `capcli resume`. Exit
    code 0: the account is flat. 8: something may still be live.
    """
    from capcli.app import halting_alone
    from capcli.trading.flatten import STAYS, halt_all_the_same

    done: list[Flattened] = []

    def use(app: "App") -> "Reply[Any]":
        flattenings = app.flattenings
        try:
            return confirmed_exit(
                call,
                lambda yes, person: flattenings.flatten(
                    confirmed=yes, by=_BY, dry=dry_run, done=done, person=person
                ),
                given=confirm,
                summary=flattenings.question,
                question="Halt and send it?",
                left=lambda: flattenings.so_far(done),
            )
        except Interrupted as error:
            # The flattening itself says it, and names what to run next.
            if error.next is None and app.halting.current() is not None:
                error.message = f"{error.message} {STAYS}"
            raise

    call.check_form()
    try:
        app = call.build(way_out=_BY)
    except ConfigError as error:
        # If the settings stop the flattening, it still halts, which is its first step.
        if (confirm or call.person) and not dry_run:
            with halting_alone(call.streams.environ) as halting:
                halt_all_the_same(error, halting, by=_BY)
        raise
    run(call, use, app=app)
