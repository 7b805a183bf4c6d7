"""`capcli positions amend`: another stop or limit for a position."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from capcli.cli import options
from capcli.cli.call import Call
from capcli.cli.confirming import confirmed
from capcli.cli.deal_names import deal_id
from capcli.cli.inputs import exit_order
from capcli.cli.run import run
from capcli.cli.tree import command
from capcli.domain.bracket import Change

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply


@command(
    example="capcli positions amend 006011e7-0001-54c4-0000-000080560043 --stop 24.75 --confirm\n"
    "capcli positions amend 006011e7-0001-54c4-0000-000080560043 --stop-distance 0.5 --trailing"
)
def amend(
    call: Call,
    deal: options.Deal,
    *,
    stop: options.Stop = None,
    stop_distance: options.StopDistance = None,
    no_stop: Annotated[bool, options.flag("--no-stop", "Remove the stop.")] = False,
    limit: options.Limit = None,
    limit_distance: options.LimitDistance = None,
    no_limit: Annotated[bool, options.flag("--no-limit", "Remove the limit.")] = False,
    trailing: options.Trailing = False,
    guaranteed: options.Guaranteed = False,
    confirm: options.Confirm = False,
) -> None:
    """What you do not name is kept. A trailing stop that is kept starts again from the current price, and
    stays trailing when you change its distance. Tightening a stop is always possible; loosening or
    removing a stop or a limit is new risk. The position is checked afterwards.
    """
    new_stop = exit_order("stop", stop, stop_distance, None)
    new_limit = exit_order("limit", limit, limit_distance, None)
    change = Change(new_stop, new_limit, no_stop, no_limit, trailing, guaranteed)
    amend_to(call, deal, lambda _app, _deal_id: change, confirm=confirm)


def amend_to(call: Call, deal: str, change_of: "Callable[[App, str], Change]", *, confirm: bool) -> None:
    """Change a position when somebody says yes."""

    def use(app: "App") -> "Reply[Any]":
        meant = deal_id(call, app, deal, "positions", confirm=confirm)
        change = change_of(app, meant)
        return confirmed(
            call,
            lambda yes: app.amendments.amend(meant, change, confirmed=yes),
            given=confirm,
            summary=lambda: app.amendments.question(meant, change),
            question="Change it?",
        )

    run(call, use)
