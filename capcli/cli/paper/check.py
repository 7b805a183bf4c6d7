"""`capcli paper check`: a recording of the broker beside what the paper broker says."""

from pathlib import Path
from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.options import argument
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.errors import UsageError
from capcli.reply import Reply


@command(example="capcli paper check answers.json")
def check(call: Call, file: Annotated[Path, argument("FILE", "Written by `capcli record`.")]) -> None:
    """Each answer is read by capcli's own client and compared with the paper broker's: fields added or
    removed, other forms of a number, a text or a time, another status. It does not contact the broker.
    """
    from capcli.health import recording_check

    call.check_form()
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"{file} cannot be read: {why}.", next="capcli record --help") from None
    finish(call, Reply(recording_check.check(text, str(file))), "paper")
