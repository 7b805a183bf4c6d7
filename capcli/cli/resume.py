"""`capcli resume`: a halt ends, by a person's word."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.confirming import confirmed
from capcli.cli.options import confirmation
from capcli.cli.pin import recognise
from capcli.cli.run import run
from capcli.cli.tree import command

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(example="capcli resume --confirm")
def resume(
    call: Call, *, confirm: Annotated[bool, confirmation("Resume without a question.")] = False
) -> None:
    """Only a person can do this: assistants have no tool for it. On live it asks for the PIN, on a
    terminal.
    """

    def use(app: "App") -> "Reply[Any]":
        halting = app.halting
        if halting.current() is not None:
            recognise(call, app, "resuming lets orders go there again", "It stays halted.")
        return confirmed(
            call,
            lambda yes: halting.resume(confirmed=yes, by="capcli resume"),
            given=confirm,
            summary=lambda: (
                f"It is {now.words}." if (now := halting.current()) else "It is not halted any more."
            ),
            question="Resume?",
        )

    run(call, use)
