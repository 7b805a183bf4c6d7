"""`capcli record`: how the broker really answers, without what is the user's."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli.call import Call
from capcli.cli.options import argument
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.errors import ConfigError, NotConfirmed, UsageError
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App


@command(example="capcli record answers.json --env demo")
def record(call: Call, file: Annotated[Path, argument("FILE", "A new file; only you can read it.")]) -> None:
    """Every read is made once; nothing is sent or changed. Names, ids, amounts and times are replaced before
    you see the recording, and it is written only if you agree. `capcli paper check FILE` shows what is
    new in it. Demo only, on a terminal.
    """
    from secrets import SystemRandom

    from capcli.health import recording
    from capcli.health.recording import Recorded, RecordedRequest, document
    from capcli.health.recording_check import mask_for
    from capcli.system import open_private

    again = f"capcli record {file}"

    def use(app: "App") -> Reply[Any]:
        if app.env != "demo":
            raise UsageError(
                f"A recording is made on demo, and this is {app.env}. Nothing was read.",
                next=f"{again} --env demo",
            )
        call.require_person(
            "You look through a recording before it is written, so it takes a terminal: not a pipe, a script "
            "or --json. Nothing was read.",
            again,
        )
        if file.exists():
            raise UsageError(f"{file} exists already. Nothing was read. Name a new file.")
        found = recording.record(app.broker, mask_for(SystemRandom()))
        text = document(found)
        call.streams.result(text, long=True)
        if not call.streams.agrees(f"This is all that is recorded. Write it to {file}?"):
            raise NotConfirmed("You did not say yes, so nothing was written.", next=again)
        try:
            with open_private(file, "xb") as stream:
                stream.write(text.encode())
        except OSError as error:
            message = f"{file} cannot be written: {error.strerror}. Choose another place."
            raise ConfigError(message, next="capcli record --help") from None
        rows = tuple(RecordedRequest(one.name, one.status) for one in found)
        return Reply(Recorded(str(file.absolute()), rows), app.broker.account_id)

    run(call, use)
