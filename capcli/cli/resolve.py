"""`capcli resolve`: a person says what happened to a lost order."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.confirming import confirmed
from capcli.cli.options import argument, confirmation, flag, option
from capcli.cli.pin import ask_pin
from capcli.cli.run import run
from capcli.cli.tree import command

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(example="capcli resolve a_7k2m9x4q1zab\ncapcli resolve a_7k2m9x4q1zab --not-placed --confirm")
def resolve(
    call: Call,
    attempt: Annotated[str, argument("ATTEMPT", "As `capcli reconcile` shows it.")],
    landed: Annotated[str | None, option("It became this deal.", "DEAL")] = None,
    not_placed: Annotated[bool, flag("--not-placed", "It never reached the market.")] = False,
    confirm: Annotated[bool, confirmation("Record it without a question.")] = False,
) -> None:
    """For a person, where capcli cannot tell. Without a verdict it shows the deals that match. A verdict
    that contradicts the account is refused.
    """

    def use(app: "App") -> "Reply[Any]":
        resolutions = app.resolutions
        if landed is not None or not_placed:
            ask_pin(call, app)
        verdict = "was not placed" if landed is None else f"became {landed}"
        return confirmed(
            call,
            lambda yes: resolutions.resolve(attempt, landed=landed, not_placed=not_placed, confirmed=yes),
            given=confirm,
            summary=lambda: f"{attempt} {verdict}. The journal records that as your statement.",
            question="Record it?",
        )

    run(call, use)
