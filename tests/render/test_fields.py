"""Which fields `--fields` may name, and what is left of a result."""

from decimal import Decimal

import pytest

from capcli.account.accounts import AccountsFound
from capcli.account.portfolio import PositionsFound, Totals
from capcli.errors import UsageError
from capcli.health.service import HealthReport
from capcli.marketdata.markets import CandlesFound, MarketShown
from capcli.reconcile.outcomes import Execution
from capcli.render.envelope import plain
from capcli.render.fields import check_fields, field_names, narrowed, pick, rows_key, value_at
from capcli.trading.preview import Preview

EMPTY = PositionsFound((), Totals("USD", Decimal("0.00"), None, 0))


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (AccountsFound, "accounts"),
        (PositionsFound, "positions"),
        (CandlesFound, "candles"),
        (HealthReport, "checks"),
        (MarketShown, None),
        (Preview, None),
        (Execution, None),
    ],
)
def test_rows_are_known_from_the_type(kind, key):
    assert rows_key(kind) == key


def test_fields_are_checked_before_there_is_a_result():
    assert field_names(MarketShown)[0] == "epic"
    check_fields(Preview, ("preview_id", "executable"))
    with pytest.raises(UsageError, match="no field profit; there are: deal_id"):
        check_fields(PositionsFound, ("deal_id", "profit"))


def test_picking_keeps_what_stands_beside_the_rows():
    assert pick(PositionsFound, plain(EMPTY), ("epic",)) == {
        "positions": [],
        "totals": plain(EMPTY.totals),
        "halt": None,
        "unreadable": [],
    }


def test_a_dotted_field_is_looked_for_in_what_it_is_inside_of():
    check_fields(Preview, ("stop.level", "checks.rule", "effect"))
    check_fields(PositionsFound, ("totals.pl", "epic"))
    with pytest.raises(UsageError, match=r"no field stop\.colour; there are: preview_id"):
        check_fields(Preview, ("stop.colour",))


def test_dotted_fields_stay_as_they_are_nested_and_keep_their_order():
    row = {"id": "p", "stop": {"level": 24, "distance": 2}, "checks": [{"rule": "a", "passed": True}]}
    assert narrowed(row, ("checks.rule", "stop.level")) == {"checks": [{"rule": "a"}], "stop": {"level": 24}}
    assert narrowed(row, ("stop.level", "stop")) == {"stop": row["stop"]}
    assert narrowed({"stop": None}, ("stop.level",)) == {"stop": None}
    assert [value_at(row, name) for name in ("stop.level", "checks.rule", "id.x")] == [24, ["a"], None]


def test_a_field_beside_the_rows_leaves_the_rest_out():
    data = {"positions": [{"epic": "GOLD", "pl": 1}], "totals": {"pl": 1, "count": 1}, "halt": None}
    assert pick(PositionsFound, data, ("totals.pl",)) == {"totals": {"pl": 1}}
    assert pick(PositionsFound, data, ("epic", "totals.pl")) == {
        "totals": {"pl": 1},
        "positions": [{"epic": "GOLD"}],
    }
