"""Preview: an order with all its checks, stored under an id that executes it once."""

from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Protocol

from msgspec.json import encode
from msgspec.structs import asdict, replace

from capcli import ids
from capcli.context import AccountSnapshot, Context
from capcli.domain.account import OrderType
from capcli.domain.atr import average_true_range
from capcli.domain.attempt import PreviewRecord, PreviewState
from capcli.domain.check_input import CheckInput
from capcli.domain.commands import SOME_TIME, preview_command
from capcli.domain.effect import Effect
from capcli.domain.fields import with_fields_of
from capcli.domain.market import MarketStatus, Resolution, Side
from capcli.domain.money import Money, plain, short
from capcli.domain.opened import opened_figures
from capcli.domain.order import ExitForm, Kind, OrderRequest, OrderTerms, faults
from capcli.domain.overnight import Overnight
from capcli.domain.policy import Check, Rule, evaluate
from capcli.domain.risk import Risk, Sizing, sized
from capcli.domain.sizing import ExitFigures, estimated_entry
from capcli.domain.stored_order import StoredOrder, write_order
from capcli.domain.unusual import Caution, CautionInput, Unusual, cautions
from capcli.errors import CapcliError, ChecksFailed, Exit, Problem, Refused, RiskTooSmall, UsageError
from capcli.fanout import together
from capcli.reconcile.reconcile import Reconciliations, settled_words
from capcli.reply import Reply
from capcli.safety.approval_text import harmless
from capcli.trading.exit_orders import placed
from capcli.trading.snapshot import check_input, take_snapshot


class DayRangeBook(Protocol):
    """A cache of markets' average daily ranges (price units) for the day and all processes. Never raises."""

    def load(self, epic: str, day: date) -> Decimal | None: ...

    def save(self, epic: str, day: date, day_range: Decimal) -> None: ...


class Preview(OrderTerms, frozen=True):
    """An order before it is sent. Prices in `currency`; amounts in `account_currency`; times UTC."""

    preview_id: str
    executable: bool
    kind: Kind
    epic: str
    name: str
    side: Side
    size: Decimal
    order_type: OrderType | None
    good_till: datetime | None
    market_status: MarketStatus
    bid: Decimal
    offer: Decimal
    price_at: datetime
    price_age_s: Decimal | None
    entry: Decimal
    spread: Decimal
    spread_pct: Decimal
    spread_cost: Decimal
    currency: str
    account_currency: str
    conversion_rate: Decimal
    notional: Decimal
    margin_pct: Decimal | None
    margin: Decimal | None
    market_margin_pct: Decimal | None
    leverage: Decimal | None
    observed_margin_pct: Decimal | None
    equity: Decimal
    available: Decimal
    available_after: Decimal | None
    stop: ExitFigures | None
    limit: ExitFigures | None
    reward_to_risk: Decimal | None
    overnight: Overnight | None
    sizing: Sizing | None
    effect: Effect
    checks: tuple[Check, ...]
    warnings: tuple[Caution, ...]
    body: str
    created_at: datetime
    expires_at: datetime
    ttl_s: int

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)


_ALL = Decimal(100)
_DAYS = 14


class Previews:
    """Creates and stores previews. Sends nothing."""

    def __init__(self, context: Context, day_ranges: DayRangeBook) -> None:
        self._context = context
        self._day_ranges = day_ranges

    def preview(self, request: OrderRequest, *, risk: Risk | None = None) -> Reply[Preview]:
        """Check an order against the market, the account and the policy, and store it.

        With `risk` the request is for one unit, and the size is worked out from its stop.
        A preview whose checks fail is stored too and can never be executed (problem CHECKS_FAILED, exit 5).
        Raises UsageError, EpicUnknown, RulesMissing, RiskTooSmall, ChecksFailed for a stop that limits no
        loss, and whatever a read raises; then nothing is stored.
        """
        check_request(request)
        if risk is not None:
            check_risk(request, risk)
        self._context.require_policy()
        settled, day_range = self.settle_first(), None
        if request.stop:
            snapshot = take_snapshot(self._context, request, with_orders=False)
        else:
            snapshot, day_range = together(
                lambda: take_snapshot(self._context, request, with_orders=False),
                # The market's daily range, for a warning.
                lambda: self._day_range(request.epic),
            )
        return self.from_snapshot(snapshot, request, risk=risk, day_range=day_range, settled=settled)

    def _day_range(self, epic: str) -> Decimal | None:
        """Return the average daily range, read once a day: it is only for a warning."""
        today = (self._context.broker.broker_time() or self._context.clock()).date()
        kept = self._day_ranges.load(epic, today)
        if kept is not None:
            return kept
        try:
            candles = self._context.broker.candles(epic, Resolution.DAY, last=_DAYS + 2)
        except CapcliError:
            return None
        # The last candle is still forming (API page 11).
        found = average_true_range(candles[:-1], _DAYS)
        if found is not None:
            self._day_ranges.save(epic, today, found)
        return found

    def settle_first(self) -> tuple[Caution, ...]:
        """Settle lost orders, so that they do not fail checks, and return which were settled."""
        context = self._context
        account_id = context.broker.account_id
        if account_id and context.journal.unresolved(context.env, context.broker.host, account_id):
            with suppress(CapcliError):
                found = Reconciliations(self._context, waits=False).reconcile().data.attempts
                done = (row for row in found if row.state != row.state_before and not row.state.unresolved)
                return tuple([Caution(Unusual.SETTLED, settled_words(row)) for row in done])
        return ()

    def from_snapshot(
        self,
        snapshot: AccountSnapshot,
        request: OrderRequest,
        *,
        risk: Risk | None = None,
        day_range: Decimal | None = None,
        settled: tuple[Caution, ...] = (),
    ) -> Reply[Preview]:
        """Check and store an order with a fresh snapshot."""
        entry = estimated_entry(request, snapshot.market)
        request = placed(request, entry, snapshot.rules.price_step)
        order_type = None
        if request.trigger is not None:
            # As requested, else LIMIT for a better price, STOP for a worse one.
            below = request.trigger.level < snapshot.market.quote.entry(request.side)
            better = below is (request.side is Side.BUY)
            order_type = request.trigger.type or (OrderType.LIMIT if better else OrderType.STOP)
        checked = check_input(self._context, snapshot, request, order_type)
        sizing = None
        if risk is not None:
            checked, sizing = with_allowed_size(self._context, snapshot, checked, risk)
        preview = self._compose(checked, sizing, day_range)
        preview = replace(preview, warnings=(*settled, *preview.warnings))
        self._store(preview, checked, snapshot.account_id)
        return Reply(preview, snapshot.account_id, _problem(preview, checked))

    def _compose(self, checked: CheckInput, sizing: Sizing | None, day_range: Decimal | None) -> Preview:
        now, request, quote = self._context.clock(), checked.request, checked.market.quote
        checks, broker_now = evaluate(checked), self._context.broker.broker_time() or now
        assert checked.effect is not None, "an order always has an effect"
        passed = all(check.passed for check in checks)
        # The details of a market say when they were sent, not when its last price was made (API page 5.1):
        # while it trades that is the same, while it is closed nothing is known.
        age = max(Decimal(0), Decimal(str(round((broker_now - quote.at).total_seconds(), 1))))
        return with_fields_of(
            request,
            Preview,
            preview_id=self._context.ids("p_"),
            executable=passed,
            name=checked.market.name,
            order_type=checked.order_type,
            good_till=request.trigger.good_till if request.trigger else None,
            market_status=quote.status,
            bid=quote.bid,
            offer=quote.offer,
            price_at=quote.at,
            price_age_s=age if quote.status is MarketStatus.TRADEABLE else None,
            **asdict(opened_figures(checked)),
            sizing=sizing,
            effect=checked.effect,
            checks=checks,
            warnings=cautions(CautionInput(checked, day_range, broker_now)),
            body=self._context.broker.requests.open_order(request, checked.order_type).body.decode(),
            created_at=now,
            expires_at=now + timedelta(seconds=self._context.preview_ttl_s),
            ttl_s=self._context.preview_ttl_s,
        )

    def _store(self, preview: Preview, checked: CheckInput, account_id: str) -> None:
        method, path, body = self._context.broker.requests.open_order(checked.request, checked.order_type)
        order = StoredOrder(
            checked.request,
            checked.order_type,
            preview.entry,
            preview.stop.level if preview.stop else None,
            preview.limit.level if preview.limit else None,
            preview.effect,
            abs(preview.stop.amount) if preview.stop else None,
            harmless(self._context.client()),
        )
        self._context.journal.save_preview(
            with_fields_of(
                preview,
                PreviewRecord,
                env=self._context.env,
                host=self._context.broker.host,
                account_id=account_id,
                method=method,
                path=path,
                body=body,
                body_sha256=sha256(body).hexdigest(),
                document=write_order(order),
                quote=encode(checked.market.quote),
                state=PreviewState.READY if preview.executable else PreviewState.DRAFT,
                broker_time=self._context.broker.broker_time(),
            )
        )


def with_allowed_size(
    context: Context, snapshot: AccountSnapshot, unit: CheckInput, risk: Risk
) -> tuple[CheckInput, Sizing]:
    """Scale the figures of one unit to the size that the risk allows.

    Raises RiskTooSmall with its arithmetic, and ChecksFailed when the stop limits no loss.
    """
    request, currency = unit.request, snapshot.account.currency
    if risk.amount is not None and risk.amount.currency != currency:
        # Nobody asked for a conversion.
        here = Risk(amount=Money(risk.amount.amount, currency))
        raise UsageError(
            f"The risk is {risk.words}, and this account is kept in {currency}: give it in {currency} or in "
            "percent.",
            "Nothing was sent.",
            next=preview_command(request, risk=here),
        )
    found = sized(risk, request, unit.figures, snapshot.rules)
    if found is None:
        side, stop = request.side, unit.figures.stop
        where = "below" if side is Side.BUY else "above"
        level = f", not at {plain(stop.level)}" if stop else ""
        raise ChecksFailed(
            f"A {side.value}'s stop belongs {where} the entry {plain(unit.figures.entry)}{level}: it limits "
            "no loss, so no size can be worked out.",
            "Nothing was sent.",
            next="capcli preview --help",
            failed=[Rule.STOP.value],
        )
    if found.least_pct is not None:
        raise _risk_too_small(request, unit.order_type, found.sizing, snapshot, found.least_pct)
    request = replace(request, size=found.size)
    return check_input(context, snapshot, request, unit.order_type), found.sizing


def _risk_too_small(
    request: OrderRequest,
    order_type: OrderType | None,
    sizing: Sizing,
    snapshot: AccountSnapshot,
    least_pct: Decimal,
) -> Refused:
    least, equity = short(snapshot.rules.min_size), snapshot.account.equity
    enough = f" That takes a risk of {short(least_pct)} %, or a nearer stop." if least_pct else ""
    fits = Decimal(0) < least_pct <= _ALL
    return RiskTooSmall(
        f"Too small: {sizing.arithmetic} The least size of {request.epic} is {least}.{enough}",
        "Nothing was sent.",
        next=preview_command(request, order_type, risk=Risk(least_pct)) if fits else "capcli accounts",
        risk_pct=sizing.risk_pct,
        equity=equity,
        budget=sizing.budget,
        loss_per_unit=sizing.loss_per_unit,
        exact_size=sizing.exact_size,
        min_size=snapshot.rules.min_size,
        least_risk_pct=least_pct if fits else None,
    )


def check_risk(request: OrderRequest, risk: Risk) -> None:
    """Refuse a risk without a valid size. Raises UsageError."""
    if risk.pct is not None and not 0 < risk.pct <= _ALL:
        raise UsageError(
            f"The risk is {short(risk.pct)} %: it must be above 0 and at most 100 % of the equity.",
            next="capcli preview --help",
        )
    if risk.amount is not None and risk.amount.amount <= 0:
        raise UsageError(f"The risk must be above 0, not {risk.words}.", next="capcli preview --help")
    if request.stop is None or request.stop.form is ExitForm.AMOUNT:
        raise UsageError(
            "A risk needs a stop as a level or a distance: the size follows from how far away it is.",
            next=f"capcli propose {request.epic} --risk {risk.words}",
        )


def check_request(request: OrderRequest) -> None:
    """Refuse orders that no market could accept, before any request. Raises UsageError."""
    ids.epic(request.epic)
    if request.size <= 0:
        raise UsageError(
            f"The size must be above 0, not {request.size}. To sell, add --sell; the size stays positive.",
            next=f"capcli markets show {request.epic}",
        )
    if fault := next(faults(request), None):
        raise UsageError(fault, next="capcli preview --help")


def _problem(preview: Preview, checked: CheckInput) -> Problem | None:
    if preview.executable:
        return None
    reasons = "; ".join(check.words for check in preview.failed)
    # If one of the user's settings forbids it, the market's rules do not help.
    own = next((check.setting for check in preview.failed if check.setting), None)
    remedy = f"capcli config get {own}" if own else f"capcli markets show {preview.epic}"
    if own is None and [check.rule for check in preview.failed] == [Rule.GOOD_TILL]:
        # The user must choose the time.
        remedy = preview_command(checked.request, preview.order_type, good_till=SOME_TIME)
    return Problem(
        code="CHECKS_FAILED",
        why=f"{len(preview.failed)} of {len(preview.checks)} checks failed, so this preview cannot be "
        f"executed. {reasons}",
        exit_code=int(Exit.REFUSED),
        next=_unblocking(checked) or remedy,
        retry_safe=True,
        details={"failed": [check.rule.value for check in preview.failed]},
    )


def _unblocking(checked: CheckInput) -> str | None:
    """Return the command that removes what blocks this order, whatever else fails."""
    blocked = checked.blocked
    if blocked is None:
        return None
    if blocked.journal_next:
        return blocked.journal_next
    if attempts := blocked.in_market if checked.only_reduces else blocked.unresolved:
        return f"capcli reconcile {attempts[0]}"
    return "capcli resume" if blocked.halt and not checked.only_reduces else None
