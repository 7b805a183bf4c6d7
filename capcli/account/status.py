"""Account status: money, risk, open positions, working orders, and what is left of each limit."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from typing import TypeVar

from msgspec import Struct

from capcli.account.exposure import exposure_rows
from capcli.context import Context
from capcli.domain.account import Account, Activity, UnreadableRow
from capcli.domain.attempt import AttemptState
from capcli.domain.bookings import realised
from capcli.domain.fields import with_fields_of
from capcli.domain.mandate import MandateState
from capcli.domain.money import EXACT, cents, percent_of
from capcli.domain.order import Kind
from capcli.errors import CapcliError
from capcli.fanout import together
from capcli.marketdata.conversion import known_rates
from capcli.reconcile.deal_account import active_account
from capcli.reply import Reply
from capcli.safety.mandate import MandateRow
from capcli.trading.open_risk import Book, in_flight_orders, losses_in, total_at_stops
from capcli.trading.snapshot import broker_midnight, orders_today

T = TypeVar("T")
_MOST = "CAP_MAX_RISK_PCT"


class LimitLeft(Struct, frozen=True):
    """A limit that is set, what is used of it and what is left.

    `unit` is orders, positions, size (of one order), or the account currency. `used` and `left` are None for
    a limit on each order, and where a read failed or a loss is unlimited. `where` names the market and
    direction that uses most of a limit on each of them.
    """

    setting: str
    limit: Decimal
    unit: str
    used: Decimal | None = None
    left: Decimal | None = None
    where: str | None = None


class Unsettled(Struct, frozen=True):
    """An attempt whose outcome is not known yet."""

    attempt_id: str
    kind: Kind
    state: AttemptState
    created_at: datetime


class StatusFound(Struct, frozen=True):
    """The active account at a glance. Amounts are in `currency`, percentages of equity.

    `realised_today` is what was booked since 00:00 UTC, None where that could not be read. `margin` is what
    is not available. `loss_at_stops` is what equity loses if every stop is hit, None (UNBOUNDED) while a
    position has no stop (`without_stop`) or cannot be read. `approvals` counts what waits for a person and
    `mandates` are those in force, in every environment. `problems` say what else could not be read.
    """

    account_name: str
    currency: str
    equity: Decimal
    available: Decimal
    margin: Decimal
    margin_pct: Decimal
    open_pl: Decimal
    realised_today: Decimal | None
    loss_at_stops: Decimal | None
    loss_pct: Decimal | None
    without_stop: tuple[str, ...]
    limits: tuple[LimitLeft, ...]
    open_positions: int
    working_orders: int
    unreadable: tuple[UnreadableRow, ...]
    trading_allowed: bool
    halt: str | None
    unresolved: tuple[Unsettled, ...]
    approvals: int
    mandates: tuple[MandateRow, ...]
    problems: tuple[str, ...] = ()


class Status:
    """Reads the account and the journal. Changes nothing."""

    def __init__(self, context: Context, mandates: Callable[[], Sequence[MandateRow]]) -> None:
        """`mandates` are those of this user."""
        self._context = context
        self._mandates = mandates

    def show(self) -> Reply[StatusFound]:
        """Return the status of the active account. Raises what reading accounts, positions or orders raises.

        Four requests, one more for a limit on a day's orders and one for rates, two for a mandate in force
        here.
        """
        context, broker, problems = self._context, self._context.broker, list[str]()
        policy = context.policy

        def todays_activity() -> tuple[Activity, ...]:
            if policy.max_orders_per_day is None:
                return ()
            return broker.activity(broker_midnight(context.now()), context.now())

        positions, orders, accounts, bookings, activity = together(
            broker.list_positions,
            broker.list_orders,
            broker.accounts,
            lambda: _tried(problems, lambda: broker.transactions(broker_midnight(context.now()), None)),
            lambda: _tried(problems, todays_activity),
        )
        account = active_account(accounts, broker.account_id or "")
        place = (context.env, broker.host, account.account_id)
        journal, rows = context.journal, (positions.rows, orders.rows)
        unresolved = _tried(problems, lambda: journal.unresolved(*place)) or ()
        flights = _tried(problems, lambda: in_flight_orders(journal, place, *rows)) or ()
        book, total = Book(*rows, flights), exposure_rows(broker, account, positions)[-1]
        bad = (*positions.unreadable, *orders.unreadable)
        booked = None if bookings is None else cents(realised(bookings))
        sent = None if activity is None else orders_today(context, account.account_id, activity)
        limits = self._limits(account, book, booked, sent, readable=not bad)
        margin = account.equity - account.available
        halt = context.halt.read()
        found = with_fields_of(
            account,
            StatusFound,
            account_name=account.name,
            margin=margin,
            margin_pct=percent_of(margin, account.equity),
            realised_today=booked,
            loss_at_stops=total.loss_at_stops,
            loss_pct=total.loss_pct,
            without_stop=total.without_stop,
            limits=tuple(limits),
            open_positions=len(positions.rows),
            working_orders=len(orders.rows),
            unreadable=bad,
            trading_allowed=policy.trading_allowed,
            halt=None if halt is None else halt.words,
            unresolved=tuple(with_fields_of(one, Unsettled) for one in unresolved),
            approvals=_tried(problems, lambda: context.approvals.queue().total) or 0,
            mandates=_tried(problems, self._in_force) or (),
            problems=tuple(dict.fromkeys(problems)),
        )
        return Reply(found, account.account_id)

    def _limits(
        self, account: Account, book: Book, booked: Decimal | None, sent: int | None, *, readable: bool
    ) -> Iterator[LimitLeft]:
        """Yield the limits that are set, as the rules of a preview count them."""
        policy, currency = self._context.policy, account.currency
        lost = None
        if booked is not None:
            lost = max(-(booked + cents(min(account.open_pl, Decimal(0)))), Decimal("0.00"))
        margin = account.equity - account.available
        riskiest, most = self._most(book, account) if readable else (None, None)
        risk = self._risk(book, account) if readable else None
        held = len(book.epics(Kind.MARKET) + book.epics(Kind.WORKING))

        def amount(percent: Decimal | None) -> Decimal | None:
            return None if percent is None else cents(max(account.equity, Decimal(0)) * percent / 100)

        rows: tuple[tuple[str, Decimal | int | None, str, Decimal | int | None], ...] = (
            ("CAP_MAX_ORDERS_PER_DAY", policy.max_orders_per_day, "orders", sent),
            ("CAP_MAX_OPEN_POSITIONS", policy.max_open_positions, "positions", held),
            ("CAP_MAX_DAILY_LOSS", policy.max_daily_loss, currency, lost),
            ("CAP_MAX_MARGIN_PCT", amount(policy.max_margin_pct), currency, margin),
            ("CAP_MAX_TOTAL_RISK_PCT", amount(policy.max_total_risk_pct), currency, risk),
            (_MOST, amount(policy.max_risk_pct), currency, most),
            ("CAP_MAX_POSITION_SIZE", policy.max_position_size, "size", None),
            ("CAP_MAX_WORKING_ORDER_SIZE", policy.max_working_order_size, "size", None),
        )
        for setting, limit, unit, used in rows:
            if limit is not None:
                whole, taken = Decimal(limit), None if used is None else Decimal(used)
                left = None if taken is None else max(whole - taken, whole * 0)
                yield LimitLeft(setting, whole, unit, taken, left, riskiest if setting == _MOST else None)

    def _in_force(self) -> tuple[MandateRow, ...]:
        return tuple(row for row in self._mandates() if row.state is MandateState.ACTIVE)

    def _risk(self, book: Book, account: Account) -> Decimal | None:
        """Return the loss of all deals at their stops as CAP_MAX_TOTAL_RISK_PCT counts it; None: no bound."""
        if self._context.policy.max_total_risk_pct is None:
            return None
        currencies = sorted({row.currency for row in book.deals})
        rates = known_rates(self._context.broker, currencies, account.currency)
        with localcontext(EXACT):
            total, unbounded = total_at_stops(book, None, rates, None, None)
        return None if unbounded else cents(total)

    def _most(self, book: Book, account: Account) -> tuple[str | None, Decimal | None]:
        """Return the market and direction that loses most at its stops, as CAP_MAX_RISK_PCT counts it.

        No amount where the loss is unlimited; neither where nothing is open.
        """
        if self._context.policy.max_risk_pct is None:
            return None, None
        of = {(row.epic, row.side): row.currency for row in book.deals}
        rates = known_rates(self._context.broker, sorted(set(of.values())), account.currency)
        flying = {(one.order.request.epic, one.order.request.side) for one in book.flights} - set(of)
        found: list[tuple[Decimal, str]] = []
        for epic, side in (*of, *flying):
            losses = [loss for _, loss in losses_in(book, epic, side, None)]
            rate, bounded = rates.get(of.get((epic, side), "")), [loss for loss in losses if loss is not None]
            if rate is None or len(bounded) < len(losses):
                return f"{side.value} {epic}", None
            with localcontext(EXACT):
                found.append((cents(sum(bounded, Decimal(0)) * rate), f"{side.value} {epic}"))
        used, where = max(found, default=(Decimal("0.00"), None))
        return where, used


def _tried(problems: list[str], read: Callable[[], T]) -> T | None:
    """Return the result of a read; on failure None, and its message is added to the problems."""
    try:
        return read()
    except CapcliError as error:
        problems.append(error.message)
        return None
