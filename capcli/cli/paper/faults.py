"""`capcli paper faults`: lost, late and wrong answers on purpose."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from capcli.cli.call import Call
from capcli.cli.options import argument, option
from capcli.cli.run import finish
from capcli.cli.tree import command, group
from capcli.paper.faults import GROUPS
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.paper.state import PaperFaults

BAD_DAY = """\
capcli paper faults set drop-after --times 1     the next order goes through, its answer is lost
capcli preview SILVER --size 1.5 --stop 24.50
capcli execute p_0123456789ab --confirm          exit 8: it may be live, so it is not sent again
capcli paper faults clear                        back to normal"""
_LISTED = "\n".join(
    f"\b\n{title}\n" + "\n".join(f"  {spec.name:<17} {spec.about}" for spec in specs) + "\n"
    for title, specs in GROUPS.items()
)
_STEPS = "\n".join(f"  {line}" for line in BAD_DAY.splitlines())

faults = group(
    """Use it to test scripts. Without a subcommand it lists what is set. Only the paper broker is
    affected, embedded here and while `capcli paper serve` runs; demo and live never are. A reset clears
    everything.
    """,
    example=f"capcli paper faults\n{BAD_DAY}",
    alone=lambda call: _with_faults(call, lambda app: app.paper.faults()),
)


@command(
    faults,
    "set",
    example="capcli paper faults set delay --value 12 --on reads --for 60",
    about=f"""\
Set a fault of the paper broker; nothing else is affected.

\b
A bad day, step by step:
{_STEPS}

It stays until you clear it, or until --times or --for is over. Setting it again replaces it. It affects
orders, unless --on names something else; the default of --value is in brackets. "Forms of an answer" and
"Markets" are what was seen at the broker itself.

{_LISTED}""",
)
def set_fault(
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
    _with_faults(call, lambda app: app.paper.set_fault(name, times=times, lasts_s=lasts, on=on, value=value))


@command(faults, example="capcli paper faults clear\ncapcli paper faults clear drop-after")
def clear(
    call: Call, name: Annotated[str | None, argument("[NAME]", "Without it, all of them.")] = None
) -> None:
    """Remove one fault of the paper broker, or all of them."""
    _with_faults(call, lambda app: app.paper.clear_faults(name))


def _with_faults(call: Call, use: "Callable[[App], PaperFaults]") -> None:
    call.check_form()
    finish(call, Reply(use(call.build())), "paper")
