"""Statistics of closed trades: the broker's bookings, joined with this computer's journal."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from capcli.account.history import BookingsOfSpan, History, Progress, Span, Wanted
from capcli.context import Context
from capcli.domain.account import Activity, Transaction
from capcli.domain.attempt import AttemptRecord
from capcli.domain.bookings import CLOSE, Column, column_of
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.money import percent_of
from capcli.domain.order import Kind
from capcli.domain.performance import (
    KEYS,
    CurvePoint,
    Performance,
    Trade,
    TradeOpening,
    closed_deals,
    curve,
    ledger,
    lines,
    total,
)
from capcli.domain.stored_order import StoredOrder, read_effect, read_order
from capcli.errors import UsageError
from capcli.reply import Reply

_OPENED = Wanted(types=("POSITION",), statuses=("ACCEPTED",))
_SAME = timedelta(seconds=2)


class Drawdown(Struct, frozen=True):
    """The largest fall of the booked sum; `pct` is its share of the cash then, None where unknown."""

    amount: Decimal
    pct: Decimal | None
    peak_at: datetime
    trough_at: datetime


class StatsDay(Struct, frozen=True):
    """What one day (UTC) brought, and the sum since the start of the span at its end."""

    day: str
    pl: Decimal
    costs: Decimal
    net: Decimal
    sum: Decimal


class StatsFound(Struct, frozen=True):
    """Figures of the trades that a span closed, in account currency; `lines` are its markets, tags, ...

    `total.net` equals that of `history report`. `drawdown` is None where the sum never fell.
    """

    lines: tuple[Performance, ...]
    by: str
    start: datetime
    end: datetime
    currency: str | None
    opening_balance: Decimal | None
    closing_balance: Decimal | None
    total: Performance
    drawdown: Drawdown | None
    trades: tuple[Trade, ...]
    curve: tuple[CurvePoint, ...]
    days: tuple[StatsDay, ...]


class Statistics:
    """Reads bookings and the journal. Changes nothing."""

    def __init__(self, context: Context, progress: Progress = lambda _done, _all: None) -> None:
        self._context = context
        self._history = History(context.broker, progress)

    def with_progress(self, progress: Progress) -> "Statistics":
        """Return these statistics; `progress` is called as they are read."""
        return Statistics(self._context, progress)

    def of(
        self, span: Span, *, by: str = "market", most_days: int = 366, short: bool = False
    ) -> Reply[StatsFound]:
        """Return the statistics of a span, by `market`, `tag`, `side`, `hour` (UTC, of opening) or `client`.

        What the journal does not know of an opening is looked up in the activity, a day a request, in spans
        of at most `most_days` days. Raises UsageError as `History.report`, also for several currencies;
        JournalUnreadable.
        """
        if by not in KEYS:
            raise UsageError(f"Statistics are by {', '.join(KEYS)}; not by {by[:20]!a}.")
        booked = self._history.booked(span)
        currencies = sorted({row.currency for row in booked.rows})
        if len(currencies) > 1:
            raise UsageError(
                f"These bookings are in {' and '.join(currencies)}: they cannot be added up. "
                "Choose a span with one, by --from and --to.",
                next="capcli history transactions",
            )
        book = ledger(booked.rows, self._openings(booked, most_days))
        points = curve(row for row, _ in book.rows)
        found = with_fields_of(
            booked,
            StatsFound,
            lines=lines(book, by),
            by=by,
            currency=currencies[0] if currencies else booked.currency,
            total=total(book),
            drawdown=_drawdown(points, booked),
            trades=() if short else book.trades,
            curve=() if short else points,
            days=() if short else _days(row for row, _ in book.rows),
        )
        return Reply(found, self._history.broker.account_id)

    def _openings(self, booked: BookingsOfSpan, most_days: int) -> Mapping[str, TradeOpening]:
        rows, span = booked.rows, Span(booked.start, booked.end)
        closes: dict[str, list[datetime]] = {}
        for row in rows:
            if row.type == CLOSE and row.deal_id:
                closes.setdefault(row.deal_id, []).append(row.at)
        deals = closed_deals(rows)
        sent = self._sent(deals)
        found = {}
        for deal in (deal for deal in deals if deal in sent):
            attempt, order = sent[deal]
            at = attempt.broker_time_at_send or attempt.sent_at or attempt.created_at
            opening = TradeOpening(side=order.request.side, opened_at=at, risk=_risk(attempt, order))
            found[deal] = _with_order(opening, order)
        missing = {deal: closes[deal] for deal in deals if deal not in sent}
        if missing and booked.end - booked.start <= timedelta(days=most_days):
            activity = self._history.activity(span, _OPENED, most_days=most_days).data.activities
            found |= self._seen(missing, activity)
        return found

    def _sent(self, names: Iterable[str]) -> dict[str, tuple[AttemptRecord, StoredOrder]]:
        """Return the orders sent from here, by the ids of their deals and working orders."""
        journal, found = self._context.journal, {}
        for name, owner in journal.owners(self._context.env, self._history.broker.host, names).items():
            attempt = journal.attempt(owner)
            preview = journal.preview(attempt.preview_id or "") if attempt else None
            if attempt is not None and preview is not None:
                found[name] = attempt, read_order(preview.document)
        return found

    def _seen(
        self, missing: Mapping[str, list[datetime]], activity: Iterable[Activity]
    ) -> dict[str, TradeOpening]:
        """Return the openings of deals unknown to the journal, from the broker's activity."""
        by_deal: dict[str, list[Activity]] = {}
        for row in activity:
            if row.deal_id in missing:
                by_deal.setdefault(row.deal_id, []).append(row)
        opened = {}
        for deal, rows in by_deal.items():
            first = min(rows, key=lambda row: row.at)
            # A close deals the other way (API page 10.1).
            if first.working_order_id or len({row.side for row in rows}) > 1:
                opened[deal] = first
        orders = self._sent(row.working_order_id for row in opened.values() if row.working_order_id)
        changed = self._context.journal.changed_deals(self._context.env, self._history.broker.host, orders)
        openings = {deal: TradeOpening(side=_side(rows, missing[deal])) for deal, rows in by_deal.items()}
        for deal, row in opened.items():
            openings[deal] = replace(openings[deal], side=row.side, opened_at=row.at)
            if row.working_order_id in orders:
                _, order = orders[row.working_order_id]
                whole = row.size == order.request.size and row.working_order_id not in changed
                openings[deal] = replace(
                    _with_order(openings[deal], order), risk=order.risk if whole else None
                )
        return openings


def _with_order(opening: TradeOpening, order: StoredOrder) -> TradeOpening:
    request = order.request
    return replace(opening, tag=request.tag, note=request.note, client=order.client)


def _risk(attempt: AttemptRecord, order: StoredOrder) -> Decimal | None:
    """Return the loss at the first stop of an order's deal; less if it opened less than previewed."""
    if order.risk is None or len(attempt.opened_deal_ids) > 1 or attempt.kind is not Kind.MARKET:
        return None
    sent = read_effect(attempt.baseline) if attempt.baseline else None
    if sent is None or order.effect is None or not order.effect.opens:
        return order.risk
    return order.risk * sent.opens / order.effect.opens


def _side(rows: list[Activity], closes: list[datetime]) -> Side | None:
    """Return the side of a deal whose opening is not in the activity."""
    sides = {row.side for row in rows if any(abs(row.at - at) <= _SAME for at in closes)}
    side = sides.pop() if len(sides) == 1 else None
    return side.opposite if side else None


def _drawdown(points: tuple[CurvePoint, ...], booked: BookingsOfSpan) -> Drawdown | None:
    worst = max(points, key=lambda point: point.drawdown, default=None)
    if worst is None or not worst.drawdown:
        return None
    highest = worst.sum + worst.drawdown
    before = [point for point in points if point.at < worst.at and point.sum == highest]
    # The peak may be the start, before the first booking.
    peak_at = before[-1].at if before else booked.start
    pct = None
    if booked.opening_balance is not None:
        deposits = (row for row in booked.rows if column_of(row.type) is Column.DEPOSITS)
        moved = sum((row.amount for row in deposits if row.at <= peak_at), Decimal(0))
        cash = booked.opening_balance + highest + moved
        pct = percent_of(worst.drawdown, cash) if cash > 0 else None
    return Drawdown(worst.drawdown, pct, peak_at, worst.at)


def _days(rows: Iterable[Transaction]) -> tuple[StatsDay, ...]:
    found, so_far = [], Decimal("0.00")
    for day, booked in groupby(rows, lambda row: f"{row.at:%Y-%m-%d}"):
        amounts = [(column_of(row.type) is Column.REALISED_PL, row.amount) for row in booked]
        pl = sum((amount for is_result, amount in amounts if is_result), Decimal("0.00"))
        net = sum((amount for _, amount in amounts), Decimal("0.00"))
        so_far += net
        found.append(StatsDay(day, pl, net - pl, net, so_far))
    return tuple(found)
