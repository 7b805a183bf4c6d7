"""`capcli history`: what happened, from the local journal."""

from typing import Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.run import finish, run
from capcli.cli.tree import command, epilog, new_app

app = new_app("What was sent from here, and what it became.", no_args_is_help=True)


@app.callback(epilog=epilog("capcli history executions --last 5"))
def history() -> None:
    """Make it a group even while it has one command."""


@command(
    app,
    "executions",
    example="capcli history executions --last 5\ncapcli history executions --csv > executions.csv",
)
def executions(
    ctx: typer.Context,
    last: Annotated[int, typer.Option(min=1, max=1000, help="So many, newest first.")] = 20,
) -> None:
    """What was asked, sent and answered, what it became, and when.

    From this machine's journal alone: no request is made, and what was sent elsewhere is not in it.
    """
    from capcli.services.executions_log import ExecutionsFound

    run(ctx, lambda application: application.executions_log.latest(last), ExecutionsFound)


@command(
    app,
    "verify",
    example="capcli history verify --json\ncapcli history verify --accept",
)
def verify(
    ctx: typer.Context,
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="Take the journal as it is now for the one to start from.")
    ] = False,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Accept without a question.")] = False,
) -> None:
    """Find altered, removed, reordered and cut-off rows in this machine's journal.

    Each event carries a hash over itself and the one before. With credentials in the keychain (demo, live)
    the hash is sealed with a key that rests there, and the keychain remembers how many events there were.
    """
    from capcli.services.verifying import Verified

    call: Call = ctx.find_root().obj
    if not accept:
        run(ctx, lambda application: application.verification.verify(), Verified)
        return
    call.check_form(Verified)
    application = call.build()
    do = application.verification
    reply = call.confirmed(
        lambda yes: do.accept(confirmed=yes),
        given=confirm,
        summary=lambda: "The journal's present end becomes the one that later checks start from.",
        question="Accept it?",
    )
    finish(call, reply, application.env)
