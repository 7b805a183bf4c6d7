"""Statistics tie out with the report, and with a count of the exports and the journal that shares no code.

Three hundred histories: `pytest tests/account/test_statistics.py -m soak`.
"""

from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from capcli.account.history import ActivityFound, Span, TransactionsFound
from capcli.domain.account import OrderType
from capcli.domain.bracket import Change
from capcli.domain.market import Side
from capcli.domain.order import ExitForm, ExitOrder, Trigger
from capcli.domain.performance import KEYS
from capcli.render.envelope import plain
from capcli.render.fields import field_names
from capcli.render.text import csv_text
from tests.support.histories import lived
from tests.support.recount import recount
from tests.support.seat import Seat, stop_at

WHOLE = Span(length=timedelta(days=60))
FIGURES = (
    *("trades", "wins", "losses", "win_rate_pct", "pl", "costs", "net", "average_win", "average_loss"),
    *("expectancy", "profit_factor", "average_r", "r_known", "longest_losing_run", "max_drawdown"),
)


def export(kind: Any, rows: Any) -> str:
    """Return rows as `--csv` writes them."""
    return csv_text(plain(rows), field_names(kind))


def ties_out(seat: Seat, span: Span) -> int:
    """Compare the statistics of a span with the report and with the recount; return the number of trades."""
    history = seat.app.history
    report = history.report(span).data
    bookings = export(TransactionsFound, history.transactions(span).data.transactions)
    activity = export(ActivityFound, history.activity(span).data.activities)
    counted = recount(bookings, activity, seat.home / "journal.db")
    for by in KEYS:
        found = seat.app.statistics.of(span, by=by).data
        total = found.total
        assert (total.net, total.pl) == (report.total.net, report.total.realised_pl)
        assert sum(trade.closes for trade in found.trades) == report.total.closes
        assert {name: getattr(total, name) for name in FIGURES} == {name: counted[name] for name in FIGURES}
        assert sum((line.net for line in found.lines), Decimal(0)) == total.net
        assert sum(line.trades for line in found.lines) == total.trades
        if by in counted["by"]:
            trades = {line.key: line.trades for line in found.lines if line.trades}
            assert trades == {key: count for key, (count, _) in counted["by"][by].items()}, by
        if by == "market":
            booked = {line.key: line.net for line in report.lines if line.net or line.closes}
            assert {line.key or "": line.net for line in found.lines if line.net or line.trades} == booked
        if by == "tag":
            nets = {line.key: line.net for line in found.lines if line.key is not None}
            assert nets == {key: net for key, (_, net) in counted["by"][by].items()}
        if found.curve:
            assert found.curve[-1].sum == found.days[-1].sum == total.net
            assert max(point.drawdown for point in found.curve) == total.max_drawdown
            assert (found.drawdown.amount if found.drawdown else 0) == total.max_drawdown
    return total.trades


def try_history(home: Path, seed: int) -> int:
    with closing(lived(home, seed)) as seat:
        part = Span(seat.time.now() - timedelta(days=9, hours=5), seat.time.now() - timedelta(days=2))
        ties_out(seat, part)
        return ties_out(seat, WHOLE)


def test_some_random_histories_tie_out(own_home: Path) -> None:
    assert sum(try_history(own_home / f"h{seed}", seed) for seed in (4, 7)) > 5


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(300))
def test_three_hundred_random_histories_tie_out(own_home: Path, seed: int) -> None:
    try_history(own_home / "home", seed)


def test_a_fill_of_a_working_order_is_joined_by_the_activity(seat: Seat) -> None:
    quote = seat.app.markets.quote(("SILVER",)).data.quotes[0]
    level = (quote.bid - Decimal("0.10")).quantize(Decimal("0.01"))
    trigger, stop = Trigger(level, OrderType.LIMIT), ExitOrder(ExitForm.PERCENT, Decimal(20))
    seat.open(size="10", trigger=trigger, stop=stop, tag="dip")
    seat.time.sleep(20 * 86_400)
    (deal,) = seat.book()
    seat.app.closings.close(deal, confirmed=True)
    found = seat.app.statistics.of(WHOLE, by="tag").data
    (trade,) = found.trades
    assert (trade.tag, trade.side) == ("dip", Side.BUY)
    assert trade.risk is not None
    # A stop at 20 % of the level, for ten ounces.
    assert abs(trade.risk - level * 2) < 1
    assert trade.r == (trade.net / trade.risk).quantize(Decimal("0.01"))
    without = seat.app.statistics.of(WHOLE, by="tag", most_days=30).data
    assert (without.trades[0].tag, without.trades[0].r) == (None, None)
    assert without.total.net == found.total.net


def test_the_risk_of_a_working_order_whose_stop_was_moved_is_not_known(seat: Seat) -> None:
    quote = seat.app.markets.quote(("SILVER",)).data.quotes[0]
    level = (quote.bid - Decimal("0.10")).quantize(Decimal("0.01"))
    stop = ExitOrder(ExitForm.PERCENT, Decimal(20))
    seat.open(size="10", trigger=Trigger(level, OrderType.LIMIT), stop=stop, tag="dip")
    (order,) = seat.app.portfolio.orders().data.orders
    change = Change(stop=ExitOrder(ExitForm.PERCENT, Decimal(10)), level=order.level)
    assert seat.app.order_amendments.amend(order.deal_id, change, confirmed=True).exit_code == 0
    seat.time.sleep(20 * 86_400)
    for deal in seat.book():
        seat.app.closings.close(deal, confirmed=True)
    (trade,) = seat.app.statistics.of(WHOLE).data.trades
    assert (trade.tag, trade.risk, trade.r) == ("dip", None, None)


def test_a_stop_that_was_moved_later_changes_no_r(seat: Seat) -> None:
    deal = seat.open(size="10", stop=stop_at("24.50")).deal_id or ""
    (execution,) = seat.app.executions_log.latest().data.executions
    assert execution.stop_level == Decimal("24.50")
    seat.app.amendments.amend(deal, Change(stop=stop_at("25.50")), confirmed=True)
    seat.time.sleep(120)
    seat.app.closings.close(deal, confirmed=True)
    (trade,) = seat.app.statistics.of(WHOLE).data.trades
    assert trade.risk is not None
    assert execution.entry is not None
    assert abs(trade.risk - (execution.entry - Decimal("24.50")) * 10) <= Decimal("0.01")


def test_closed_from_here_no_activity_is_read(seat: Seat) -> None:
    deal = seat.open(stop=stop_at("24.50")).deal_id or ""
    seat.app.closings.close(deal, confirmed=True)
    before = len(seat.tap.requests)
    seat.app.statistics.of(Span())
    paths = [request.url.path for request in seat.tap.requests[before:]]
    assert not [path for path in paths if path.endswith("/activity")]
