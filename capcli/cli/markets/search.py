"""`capcli markets search`: find markets by a part of a name."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.options import argument, option
from capcli.cli.run import run
from capcli.cli.tree import command


@command(example="capcli markets search bitcoin\ncapcli markets search silver --json")
def search(
    call: Call,
    term: Annotated[str, argument("TERM", "Part of a name or an epic.")],
    limit: Annotated[int, option("Most markets to show.", None, min=1, max=1000)] = 50,
) -> None:
    run(call, lambda app: app.markets.search(term, limit=limit))
