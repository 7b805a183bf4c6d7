"""Each result that a command can return is shown: by the module beside it in the table, or as a list."""

from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module

import pytest
from msgspec import Struct

from capcli.cli.commands import COMMANDS
from capcli.domain.account import UnreadableRow
from capcli.render.blocks import Terminal
from capcli.render.text import Subject, text
from capcli.render.views import _VIEWS, only_list, view

RESULTS = sorted({place for one in COMMANDS.values() if not one.streams for place in one.results})


class Row(Struct, frozen=True):
    epic: str
    lot_size: Decimal | None
    days: int
    is_open: bool
    at: datetime
    modes: tuple[str, ...]


class Found(Struct, frozen=True):
    far_markets: tuple[Row, ...]
    unreadable: tuple[UnreadableRow, ...] = ()


class More(Found, frozen=True):
    note: str = ""


def shown(data: object) -> str:
    return text(data, Subject(None, None), Terminal())


def test_every_result_is_shown() -> None:
    for place in RESULTS:
        module, _, name = place.rpartition(".")
        kind = getattr(import_module(f"capcli.{module}"), name)
        if kind.__module__ in _VIEWS:
            import_module(f"capcli.render.{_VIEWS[kind.__module__]}")
        assert view.dispatch(kind) is not view.dispatch(object) or only_list(kind), place


def test_a_list_without_a_view_is_a_table_of_the_fields_of_its_rows() -> None:
    at = datetime(2026, 3, 4, 15, tzinfo=UTC)
    rows = (Row("GOLD", Decimal("1.50"), 2, True, at, ("A", "B")), Row("US\x1b500", None, 10, False, at, ()))

    assert shown(Found(rows)).splitlines() == [
        "epic    lot_size  days  is_open  at                    modes",
        "GOLD        1.50     2  true     2026-03-04T15:00:00Z  A,B",
        "US?500              10  false    2026-03-04T15:00:00Z",
    ]


def test_an_empty_list_without_a_view_says_what_there_is_none_of() -> None:
    lost = (UnreadableRow(None, None, "why", "row 1"),)

    assert shown(Found(())) == "No far markets.\n"
    assert "None of the 1 far markets can be read." in shown(Found((), lost))


def test_what_has_more_than_rows_needs_a_view() -> None:
    with pytest.raises(TypeError, match="nothing shows"):
        view(More(()))
