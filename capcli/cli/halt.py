"""`capcli halt`: the switch that stops new risk, for every face and process."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from capcli.cli.call import Call
from capcli.cli.options import option
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.errors import ConfigError

if TYPE_CHECKING:
    from capcli.app import App

_BY = "capcli halt"


@command(example='capcli halt --reason "the assistant does not stop"')
def halt(
    call: Call,
    *,
    reason: Annotated[str, option("The reason, shown with the halt.", "TEXT")] = "",
) -> None:
    """From now on commands and assistants alike are refused, on every environment and account of this user,
    including what was confirmed already. Closing, cancelling and tightening a stop are still possible.
    Working orders that can still fill are listed: `capcli orders cancel --all` cancels them. It asks no
    question, and works even when the settings are wrong. Exit code 3: the halt could not be saved where
    other programs see it.
    """
    call.check_form()
    # Settings as far as they can be read; the halt works without them.
    app: App | None = None
    for way_out in (None, _BY):
        with suppress(ConfigError):
            app = app or call.build(way_out=way_out)
    if app is not None:
        finish(call, app.halting.halt(reason, by=_BY, waiting=app.waiting_orders), app.env)
    from capcli.app import halting_alone

    with halting_alone(call.streams.environ) as halting:
        finish(call, halting.halt(reason, by=_BY), None)
