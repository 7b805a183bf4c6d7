"""`capcli record`: how the broker really answers, without what is the user's."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.run import run
from capcli.cli.tree import command, new_app
from capcli.errors import ConfigError, NotConfirmed, UsageError
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.health.recording import Recorded

app = new_app()


@command(app, "record", example="capcli record answers.json --env demo")
def record(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; only you can read it.")],
) -> None:
    """Record how the broker answers, to show a maintainer.

    Every read is made once; nothing is sent or changed. Names, ids, amounts and times are replaced before
    you see the recording, and it is written only if you agree. `capcli paper check FILE` shows what is
    new in it. Demo only, on a terminal.
    """
    from capcli.health.recording import Recorded

    call: Call = ctx.find_root().obj
    run(ctx, lambda application: _recorded(call, application, file), Recorded)


def _recorded(call: Call, application: "App", file: Path) -> "Reply[Recorded]":
    from capcli.health.recording import Recorded, RecordedRequest, document

    again = f"capcli record {file}"
    if application.env != "demo":
        raise UsageError(
            f"A recording is made on demo, and this is {application.env}. Nothing was read.",
            next=f"{again} --env demo",
        )
    if call.json or not call.streams.interactive:
        raise NotConfirmed(
            "You look through a recording before it is written, so it takes a terminal: not a pipe, a script "
            "or --json. Nothing was read.",
            next=again,
        )
    if file.exists():
        raise UsageError(
            f"{file} exists already. Nothing was read. Name a new file.", next="capcli record --help"
        )
    found = application.record()
    text = document(found)
    call.streams.result(text, long=True)
    if not call.agrees(f"This is all that is recorded. Write it to {file}?"):
        raise NotConfirmed("You did not say yes, so nothing was written.", next=again)
    _write(file, text)
    rows = tuple(RecordedRequest(one.name, one.status) for one in found)
    return Reply(Recorded(str(file.absolute()), rows), application.broker.account_id)


def _write(file: Path, text: str) -> None:
    from capcli.system import open_private

    try:
        with open_private(file, "xb") as stream:
            stream.write(text.encode())
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written: {error.strerror}. Choose another place.", next="capcli record --help"
        ) from None
