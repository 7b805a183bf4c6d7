"""`capcli paper faults`: lost, late and wrong answers on purpose."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from capcli.cli.call import Call
from capcli.cli.run import finish
from capcli.cli.tree import group
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.paper.state import PaperFaults

BAD_DAY = """\
capcli paper faults set drop-after --times 1     the next order goes through, its answer is lost
capcli preview SILVER --size 1.5 --stop 24.50
capcli execute p_0123456789ab --confirm          exit 8: it may be live, so it is not sent again
capcli paper faults clear                        back to normal"""

faults = group(
    """Use it to test scripts. Without a subcommand it lists what is set. Only the paper broker is
    affected, embedded here and while `capcli paper serve` runs; demo and live never are. A reset clears
    everything.
    """,
    example=f"capcli paper faults\n{BAD_DAY}",
    alone=lambda call: with_faults(call, lambda app: app.paper.faults()),
)


def with_faults(call: Call, use: "Callable[[App], PaperFaults]") -> None:
    """Show the faults after a change."""
    call.check_form()
    finish(call, Reply(use(call.build())), "paper")
