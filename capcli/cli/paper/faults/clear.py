"""`capcli paper faults clear`: remove one fault, or all of them."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.options import argument
from capcli.cli.paper.faults import with_faults
from capcli.cli.tree import command


@command(example="capcli paper faults clear\ncapcli paper faults clear drop-after")
def clear(
    call: Call, name: Annotated[str | None, argument("[NAME]", "Without it, all of them.")] = None
) -> None:
    with_faults(call, lambda app: app.paper.clear_faults(name))
