"""`capcli mandate`: what a client may send alone; granted, seen and revoked by a person."""

from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.inputs import listed, risk, until
from capcli.cli.run import run
from capcli.cli.tree import command, epilog, new_app
from capcli.errors import NotConfirmed

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.safety.mandate import MandateGranted

app = new_app("Let one client send orders alone, within limits.")

_BY = "capcli mandate revoke"
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A name for the client.")]


@app.callback(epilog=epilog("capcli mandate list\ncapcli mandate revoke night"))
def mandate() -> None:
    pass


@command(
    app,
    "grant",
    example="capcli mandate grant night --epics SILVER,GOLD --risk 0.5% --total-risk 2% --orders 10 "
    "--until 18:00",
)
def grant(
    ctx: typer.Context,
    name: _Name,
    *,
    epics: Annotated[list[str], typer.Option("--epics", metavar="EPICS", help="Markets, by comma.")],
    risk_each: Annotated[
        str, typer.Option("--risk", metavar="RISK", help="Most that one order can lose at its stop: 0.5%.")
    ],
    total_risk: Annotated[
        str,
        typer.Option("--total-risk", metavar="RISK", help="Most that all of them can lose, costs included."),
    ],
    orders: Annotated[int, typer.Option("--orders", metavar="N", help="How many orders.")],
    ends: Annotated[str, typer.Option("--until", metavar="TIME", help="End, at most 24 h ahead: 18:00.")],
) -> None:
    """Let one client send orders without asking a person.

    It applies until a time and within limits, where approval is `human`, on paper and demo. It covers
    orders with a stop, and closing, cancelling and tightening what they opened. Everything else is
    approved as usual, and a preview and confirm=true are still needed. The client is whichever one reads
    the secret file that this writes: name it in CAP_MANDATE_FILE of its server or script. Percentages
    become amounts now. A stop that goes missing or is loosened ends it, and so do a halt and `mandate
    revoke`, which also cancel its working orders. A time without a zone is local. It needs a terminal.
    """
    from capcli.safety.mandate import MandateGranted

    call: Call = ctx.find_root().obj

    def use(application: "App") -> "Reply[MandateGranted]":
        terms = application.mandates.plan(
            name,
            listed(epics),
            risk(risk_each),
            risk(total_risk, "--total-risk"),
            orders,
            until("--until", ends, application.clock),
        )
        if call.json or not call.streams.interactive:
            raise NotConfirmed(
                "Only a person on a terminal can grant a mandate: not a pipe, a script or --json. Nothing"
                " was "
                "granted.",
                next="capcli mandate grant --help",
            )
        call.ask(f"{terms.text}\nGrant it?", "capcli mandate grant --help")
        return application.mandates.grant(terms)

    run(ctx, use, MandateGranted)


@command(app, "list", example="capcli mandate list")
def every(ctx: typer.Context) -> None:
    """Mandates in force and how much of each is used.

    Those that ended in the last 24 hours are listed too.
    """
    from capcli.safety.mandate import MandatesFound

    run(ctx, lambda application: application.mandates.list(), MandatesFound)


@command(app, "revoke", example="capcli mandate revoke night")
def revoke(ctx: typer.Context, name: _Name) -> None:
    """End a mandate at once and cancel its working orders. Asks no question.

    What it opened stays open, with its stops.
    """
    from capcli.safety.mandate import MandateRevoked

    run(ctx, lambda application: application.mandates.revoke(name, by=_BY), MandateRevoked)
