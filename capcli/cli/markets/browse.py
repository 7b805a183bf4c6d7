"""`capcli markets browse`: the tree of market categories."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.options import argument, option
from capcli.cli.run import run
from capcli.cli.tree import command


@command(
    example="capcli markets browse\ncapcli markets browse commodities/metals\n"
    "capcli markets browse hierarchy_v1.commodities.metals --csv",
)
def browse(
    call: Call,
    node: Annotated[str | None, argument("NODE", "Id, or names from the top with / between.")] = None,
    limit: Annotated[int, option("Most markets to show.", None, min=1, max=500)] = 500,
) -> None:
    """Name a node by its id, or by names from the top: case, spaces and underscores do not matter, and the
    beginning of a name is enough if only one matches.
    """
    run(call, lambda app: app.browsing.browse(node, limit=limit))
