"""`capcli history accept`: continue with a journal that is older or changed."""

from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.history import CHECKED, progress
from capcli.cli.options import option
from capcli.cli.pin import recognise
from capcli.cli.run import run
from capcli.cli.tree import command

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(example='capcli history accept\ncapcli history accept --reason "restored Monday\'s backup"')
def accept(
    call: Call,
    reason: Annotated[str | None, option("The reason, stored in the journal.", "TEXT")] = None,
) -> None:
    """A person does this on a terminal, after comparing it with the broker's own history: orders that are
    not in it may be live. Earlier previews and approvals end. On live it asks for the PIN.
    """

    def use(app: "App") -> "Reply[Any]":
        service, keychain = app.verification, app.credentials.in_keychain
        found = service.verify(ask_keychain=keychain, progress=progress(call, app, CHECKED))
        if found.problem is None:
            return found
        again = "capcli history accept"
        call.require_person(
            f"{found.problem.message} Only a person on a terminal can accept it: not a pipe, a script"
            " or --json. Nothing was changed.",
            again,
        )
        recognise(call, app, "what the journal holds counts there too", "Nothing was changed.")
        call.talk(f"{found.problem.message}\n")
        why = reason or call.streams.ask("What happened to the journal? ")
        call.ask("From now on it counts as correct. Accept it?", again)
        return service.accept(reason=why, ask_keychain=keychain, progress=progress(call, app, CHECKED))

    run(call, use)
