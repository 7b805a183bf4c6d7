"""`capcli paper faults set`: set a fault."""

from typing import Annotated

from capcli.cli.call import Call
from capcli.cli.options import argument, option
from capcli.cli.paper.faults import BAD_DAY, with_faults
from capcli.cli.tree import command
from capcli.paper.faults import GROUPS

_LISTED = "\n".join(
    f"\b\n{title}\n" + "\n".join(f"  {spec.name:<17} {spec.about}" for spec in specs) + "\n"
    for title, specs in GROUPS.items()
)
_STEPS = "\n".join(f"  {line}" for line in BAD_DAY.splitlines())


@command(
    example="capcli paper faults set delay --value 12 --on reads --for 60",
    about=f"""\
\b
A bad day, step by step:
{_STEPS}

It stays until you clear it, or until --times or --for is over. Setting it again replaces it. It affects
orders, unless --on names something else; the default of --value is in brackets. "Forms of an answer" and
"Markets" are what was seen at the broker itself.

{_LISTED}""",
)
def set_(
    call: Call,
    name: Annotated[str, argument("NAME", "One of the list above.")],
    *,
    times: Annotated[int | None, option("For the next N requests that it changes.", "N", min=1)] = None,
    lasts: Annotated[
        int | None, option("For this many seconds.", "SECONDS", "--for", min=1, max=604_800)
    ] = None,
    on: Annotated[
        str | None,
        option(
            "orders (POST), changes (PUT, DELETE), confirms, positions (and working orders), activity, "
            "reads (every GET of a session), login or all.",
            "KIND",
        ),
    ] = None,
    value: Annotated[str | None, option("As listed above.", "X")] = None,
) -> None:
    with_faults(call, lambda app: app.paper.set_fault(name, times=times, lasts_s=lasts, on=on, value=value))
