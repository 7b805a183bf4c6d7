"""Whether a drawing fits where it goes, before anything is read for it."""

from capcli.cli.call import Call
from capcli.errors import UsageError


def check_width(call: Call) -> None:
    """Refuse a chart where the window is too narrow for one. Raises UsageError."""
    from capcli.render.chart import NARROWEST

    look = call.streams.look(no_colour=call.options.no_colour)
    width = look.width or look.columns
    if width < NARROWEST and not (call.json or call.options.csv):
        raise UsageError(f"A chart needs {NARROWEST} columns; here are {width}. Nothing was fetched.")
