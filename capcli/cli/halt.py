"""`capcli halt` and `capcli resume`: the switch that stops new risk for every face and process."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.pin import recognise
from capcli.cli.run import finish, run
from capcli.cli.tree import command, new_app
from capcli.errors import ConfigError

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.safety.halt import HaltShown

halt_app = new_app()
resume_app = new_app()
_BY_HALT, _BY_RESUME = "capcli halt", "capcli resume"


@command(halt_app, "halt", example='capcli halt --reason "the assistant does not stop"')
def halt(
    ctx: typer.Context,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason, shown with the halt.")] = "",
) -> None:
    """Stop all new risk, for every program of this user.

    From now on commands and assistants alike are refused, on every environment and account of this user,
    including what was confirmed already. Closing, cancelling and tightening a stop are still possible.
    Working orders that can still fill are listed: `capcli orders cancel --all` cancels them. It asks no
    question, and works even when the settings are wrong. Exit code 3: the halt could not be saved where
    other programs see it.
    """
    from capcli.safety.halt import HaltShown

    call: Call = ctx.find_root().obj
    call.check_form(HaltShown)
    app = _built(call)
    if app is None:
        from capcli.app import halting_alone

        with halting_alone(call.streams.environ) as halting:
            finish(call, halting.halt(reason, by=_BY_HALT), None)
    else:
        finish(call, app.halting.halt(reason, by=_BY_HALT, waiting=app.waiting_orders), app.env)


def _built(call: Call) -> "App | None":
    """Read the settings, as well as they can be read."""
    for way_out in (None, _BY_HALT):
        with suppress(ConfigError):
            return call.build(way_out=way_out)
    return None


@command(resume_app, "resume", example="capcli resume --confirm")
def resume(
    ctx: typer.Context,
    *,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Resume without a question.")] = False,
) -> None:
    """Let orders be sent again after a halt.

    Only a person can do this: assistants have no tool for it. On live it asks for the PIN, on a terminal.
    """
    from capcli.safety.halt import HaltShown

    call: Call = ctx.find_root().obj

    def use(app: "App") -> "Reply[HaltShown]":
        if app.halting.held() is not None:
            recognise(call, app, "resuming lets orders go there again", "It stays halted.")
        return call.confirmed(
            lambda yes: app.halting.resume(confirmed=yes, by=_BY_RESUME),
            given=confirm,
            summary=lambda: _summary(app),
            question="Resume?",
        )

    run(ctx, use, HaltShown)


def _summary(app: "App") -> str:
    held = app.halting.held()
    return "It is not halted any more." if held is None else f"It is {held.words}."
