"""`capcli flatten`: the way out of everything at once."""

from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command, new_app
from capcli.errors import ConfigError, Interrupted

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.trading.flatten import Flattened, Flattening

app = new_app()
_COMMAND = "capcli flatten"
_EXAMPLE = "capcli flatten --dry-run\ncapcli flatten --confirm"


@command(app, "flatten", example=_EXAMPLE)
def flatten(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would send.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Do it without a question.")] = False,
) -> None:
    """Halt, cancel every order, close every position.

    It works on the active account, settles unresolved orders first, and checks afterwards that the
    account is flat. What cannot be closed, such as a position in a closed market, is reported and does
    not stop the rest; run it again for what is left. The halt stays in force until `capcli resume`. Exit
    code 0: the account is flat. 8: something may still be live.
    """
    from capcli.trading.flatten import STAYS, Flattening

    call: Call = ctx.find_root().obj
    done: list[Flattened] = []

    def use(application: "App") -> "Reply[Flattening]":
        try:
            return call.way_out(
                lambda yes, person: application.flattenings.flatten(
                    confirmed=yes, by=_COMMAND, dry=dry_run, done=done, person=person
                ),
                given=confirm,
                summary=application.flattenings.question,
                question="Halt and send it?",
                left=lambda: application.flattenings.so_far(done),
            )
        except Interrupted as error:
            if application.halting.held() is not None and STAYS not in error.message:
                error.message = f"{error.message} {STAYS}"
            raise

    call.check_form(Flattening)
    person = call.streams.interactive and not call.json
    app = _built(call, halts=(confirm or person) and not dry_run)
    run(ctx, use, Flattening, app=app)


def _built(call: Call, *, halts: bool) -> "App":
    """Read the settings. Where they stop the flattening it halts all the same, as it would have first."""
    from capcli.app import halt_all_the_same

    try:
        return call.build(way_out=_COMMAND)
    except ConfigError as error:
        if halts:
            halt_all_the_same(error, call.streams.environ, by=_COMMAND)
        raise
