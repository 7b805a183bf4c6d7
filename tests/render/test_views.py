"""Each result that a command can return is shown by the module that stands beside it in the table."""

from importlib import import_module

import pytest

from capcli.cli.commands import COMMANDS
from capcli.render.views import _VIEWS, view

RESULTS = sorted({place for one in COMMANDS.values() if not one.streams for place in one.results})


@pytest.mark.parametrize("place", RESULTS)
def test_every_result_has_a_view(place: str) -> None:
    module, _, name = place.rpartition(".")
    kind = getattr(import_module(f"capcli.{module}"), name)
    import_module(f"capcli.render.{_VIEWS[kind.__module__]}")
    assert view.dispatch(kind) is not view.dispatch(object)
