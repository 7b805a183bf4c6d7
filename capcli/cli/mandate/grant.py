"""`capcli mandate grant`: let a client send orders alone, within limits."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.inputs import listed, risk, until
from capcli.cli.mandate import Name
from capcli.cli.options import option
from capcli.cli.run import run
from capcli.cli.tree import command

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply

_HELP = "capcli mandate grant --help"


@command(
    example="capcli mandate grant night --epics SILVER,GOLD --risk 0.5% --total-risk 2% --orders 10 "
    "--until 18:00",
)
def grant(
    call: Call,
    name: Name,
    *,
    epics: Annotated[list[str], option("Markets, by comma.", "EPICS")],
    risk_each: Annotated[str, option("Most that one order can lose at its stop: 0.5%.", "RISK", "--risk")],
    total_risk: Annotated[str, option("Most that all of them can lose, costs included.", "RISK")],
    orders: Annotated[int, option("How many orders.", "N")],
    ends: Annotated[str, option("End, at most 24 h ahead: 18:00.", "TIME", "--until")],
) -> None:
    """It applies until a time and within limits, where approval is `human`, on paper and demo. It covers
    orders with a stop, and closing, cancelling and tightening what they opened. Everything else is
    approved as usual, and a preview and confirm=true are still needed. The client is whichever one reads
    the secret file that this writes: name it in CAP_MANDATE_FILE of its server or script. Percentages
    become amounts now. A stop that goes missing or is loosened ends it, and so do a halt and `mandate
    revoke`, which also cancel its working orders. A time without a zone is local. It needs a terminal.
    """

    def use(app: "App") -> "Reply[Any]":
        mandates, each, total = app.mandates, risk(risk_each), risk(total_risk, "--total-risk")
        terms = mandates.plan(name, listed(epics), each, total, orders, until("--until", ends, app.clock))
        call.require_person(
            "Only a person on a terminal can grant a mandate: not a pipe, a script or --json. Nothing was"
            " granted.",
            _HELP,
        )
        call.ask(f"{terms.text}\nGrant it?", _HELP)
        return mandates.grant(terms)

    run(call, use)
