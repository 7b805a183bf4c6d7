"""Previewed updates of working orders: stored with the exact body, checked again, and sent once."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from capcli import ids as typed
from capcli.context import Context, active_on, returning
from capcli.domain.account import OrderType, WorkingOrder
from capcli.domain.attempt import PreviewRecord, PreviewState
from capcli.domain.bracket import Change
from capcli.domain.market import MarketStatus, Side
from capcli.domain.money import floor_to, plain
from capcli.domain.order import ORDERS_PATH, ExitForm, ExitOrder, Kind
from capcli.errors import ChecksFailed, PreviewElsewhere, PreviewExpired, PreviewUnknown, Refused, UsageError
from capcli.ports import AccountLock, Ids
from capcli.reconcile.deal_account import placing
from capcli.reconcile.reconciler import Reconciler
from capcli.reply import Reply, about
from capcli.safety.approval_text import order_told
from capcli.safety.trading_gate import require_confirmation, require_trading
from capcli.trading.amend_order import OrderAmendment, OrderAmendments, previewed_again
from capcli.trading.amend_order_plan import (
    OrderChange,
    Plan,
    amend_order_command,
    body_of,
    check_order_change,
    risks_of,
)
from capcli.trading.cancel import find_order
from capcli.trading.snapshot import clock_fault, life_fault, order_rules


class Dropped(Struct, frozen=True):
    """What an update must not leave on the stop."""

    trailing: bool = False
    guaranteed: bool = False


class OrderUpdate(Struct, frozen=True):
    """A working order as it would be. Prices in the instrument's currency; `risks` says what adds risk.

    `consequences` say in account currency what it can then lose and gain, and what is unusual about it.
    """

    preview_id: str
    deal_id: str
    epic: str
    level: Decimal
    stop_level: Decimal | None
    limit_level: Decimal | None
    good_till: datetime | None
    risks: tuple[str, ...]
    consequences: tuple[str, ...]
    body: str
    expires_at: datetime
    sentence: str


@dataclass(frozen=True, slots=True)
class Setting:
    """How updates are kept and sent. `account` is the one that the user asked for, if any."""

    lock: AccountLock
    ids: Ids
    ttl_s: int
    confirmation_needed: bool
    account: str | None


class OrderUpdates:
    """Previews and executes updates over the same checks and sending as an amendment."""

    def __init__(
        self, context: Context, amendments: OrderAmendments, reconciler: Reconciler, setting: Setting
    ) -> None:
        self._context = context
        self._amendments = amendments
        self._reconciler = reconciler
        self._setting = setting

    def preview(self, deal_id: str, change: OrderChange, dropped: Dropped) -> Reply[OrderUpdate]:
        """Check an update and store it with the body that would be sent. Sends nothing.

        Raises UsageError, DealUnknown, Halted, AttemptUnresolved, ChecksFailed, Busy, and what a read raises:
        then nothing is stored.
        """
        deal_id = typed.deal_id(deal_id)
        check_order_change(replace(change, legs=_as_distances(change.legs, lambda leg: leg.value)))
        with placing(self._context, deal_id, f"capcli orders {deal_id}"):
            order = find_order(self._context.broker, deal_id)
        account_id = self._context.broker.account_id or ""
        lock = self._setting.lock(self._context.env, self._context.broker.host, account_id)
        with about(account_id), lock, self._context.broker.hold_account():
            change = self._in_prices(change, order)
            plan = self._amendments.plan(deal_id, change, account_id)
            _refuse_kept(plan, dropped)
            if plan.is_idle:
                raise UsageError(
                    f"Nothing to change: {order_told(plan.order)} is already as you ask.",
                    next=f"capcli orders {deal_id}",
                )
            record = self._store(plan)
        return Reply(_shown(plan, record), account_id)

    def _in_prices(self, change: OrderChange, order: WorkingOrder) -> OrderChange:
        """Turn amounts into distances, which is how an order keeps its legs: never more than the amount.

        Raises UsageError where the amount cannot be one, and RulesMissing.
        """
        if all(
            leg is None or leg.form is not ExitForm.AMOUNT for leg in (change.legs.stop, change.legs.limit)
        ):
            return change
        market = self._context.broker.details(order.epic)
        if market.currency != self._context.broker.account_currency:
            raise UsageError(
                f"An amount on a market in {market.currency} depends on an exchange rate: give a level or a "
                "distance. Nothing was stored.",
                next=f"capcli orders {order.deal_id}",
            )
        step = order_rules(market).price_step

        def distance(leg: ExitOrder) -> Decimal:
            found = floor_to(leg.value / order.size, step)
            if found <= 0:
                raise UsageError(
                    f"An amount of {plain(leg.value)} is less than one price step of {plain(step)} on "
                    f"{plain(order.size)}. Nothing was stored.",
                    next=f"capcli orders {order.deal_id}",
                )
            return found

        return replace(change, legs=_as_distances(change.legs, distance))

    def execute(self, preview_id: str, *, confirmed: bool) -> Reply[OrderAmendment]:
        """Send a previewed update once, or tell what became of it.

        Raises PreviewUnknown, PreviewExpired, PreviewElsewhere, NotConfirmed, TradingOff, LiveLocked, Halted,
        ChecksFailed, DealUnknown, AttemptUnresolved, Busy, BrokerRefused, Unreachable: then nothing changed.
        Problems as of an amendment.
        """
        record = self._find(typed.preview_id(preview_id))
        with about(record.account_id, lambda: {"preview_id": record.preview_id}):
            if self._context.journal.attempt_of(record.preview_id) is None:
                self._gate(record, confirmed=confirmed)
            lock = self._setting.lock(record.env, record.host, record.account_id)
            with lock, returning(self._context.broker), self._context.broker.hold_account():
                attempt = self._context.journal.attempt_of(record.preview_id)
                if attempt is not None:
                    order, change = _read(record.document)
                    settled = self._reconciler.settle(attempt)
                    return previewed_again(order, change, settled, record.preview_id)
                return self._send(record)

    def _send(self, record: PreviewRecord) -> Reply[OrderAmendment]:
        order, change = _read(record.document)
        deal_id = order.deal_id
        if active_on(self._context.broker, record.account_id) != record.account_id:
            raise self._elsewhere(record, f"account {record.account_id}")
        if why := clock_fault(self._context, record):
            raise PreviewExpired(
                f"{record.preview_id} {why} Nothing was sent. Make a new preview.",
                next=amend_order_command(deal_id, change),
            )
        plan = self._amendments.plan(deal_id, change, record.account_id)
        if body_of(plan) != record.body:
            raise ChecksFailed(
                f"{deal_id} changed since {record.preview_id} was made, so another body would have to be "
                "sent. Nothing was sent. Make a new preview.",
                next=amend_order_command(deal_id, change),
                failed=["body"],
            )
        return self._amendments.send_previewed(plan, record)

    def _find(self, preview_id: str) -> PreviewRecord:
        record = self._context.journal.preview(preview_id)
        if record is None:
            raise PreviewUnknown(
                f"No preview has the id {preview_id}. Nothing was sent.", next="capcli orders amend --help"
            )
        if record.kind is not Kind.WORKING_UPDATE:
            raise self._elsewhere(record, f"a {record.kind.value} order")
        if (record.env, record.host) != (self._context.env, self._context.broker.host):
            raise self._elsewhere(record, f"{record.env} ({record.host})")
        if self._setting.account not in {None, record.account_id}:
            raise self._elsewhere(record, f"account {record.account_id}")
        return record

    def _elsewhere(self, record: PreviewRecord, whose: str) -> Refused:
        return PreviewElsewhere(
            f"{record.preview_id} is for {whose}, not for an update here. Nothing was sent now.",
            next="capcli orders",
        )

    def _gate(self, record: PreviewRecord, *, confirmed: bool) -> None:
        order, change = _read(record.document)
        if why := life_fault(self._context, record):
            raise PreviewExpired(
                f"{record.preview_id} {why} Nothing was sent. Make a new preview.",
                next=amend_order_command(order.deal_id, change),
            )
        require_trading(self._context.policy, "The update")
        require_confirmation(
            self._context.policy,
            confirmed=confirmed,
            needed=self._setting.confirmation_needed,
            command=f"capcli orders amend {order.deal_id}",
        )

    def _store(self, plan: Plan) -> PreviewRecord:
        body, now = body_of(plan), self._context.clock()
        record = PreviewRecord(
            preview_id=self._setting.ids("p_"),
            kind=Kind.WORKING_UPDATE,
            env=self._context.env,
            host=self._context.broker.host,
            account_id=plan.account_id,
            method="PUT",
            path=f"{ORDERS_PATH}/{plan.order.deal_id}",
            body=body,
            body_sha256=sha256(body).hexdigest(),
            document=_write(plan.order, plan.change),
            quote=b"",
            state=PreviewState.READY,
            created_at=now,
            broker_time=self._context.broker.broker_time(),
            expires_at=now + timedelta(seconds=self._setting.ttl_s),
        )
        self._context.journal.save_preview(record)
        return record


def _as_distances(legs: Change, distance: Callable[[ExitOrder], Decimal]) -> Change:
    def turned(leg: ExitOrder | None) -> ExitOrder | None:
        return (
            leg
            if leg is None or leg.form is not ExitForm.AMOUNT
            else ExitOrder(ExitForm.DISTANCE, distance(leg))
        )

    return replace(legs, stop=turned(legs.stop), limit=turned(legs.limit))


def _refuse_kept(plan: Plan, dropped: Dropped) -> None:
    legs = plan.target.bracket
    for name, unwanted, there in (
        ("guaranteed", dropped.guaranteed, legs.guaranteed),
        ("trailing", dropped.trailing, legs.trail is not None),
    ):
        if unwanted and there:
            raise UsageError(
                f"The stop would stay {name}: cancel the order and place it again without that.",
                next=f"capcli orders cancel {plan.order.deal_id}",
            )


def _shown(plan: Plan, record: PreviewRecord) -> OrderUpdate:
    risks, legs = risks_of(plan), plan.target.bracket
    adds = f" It {' and '.join(risks)}, which is new risk." if risks else " It adds no risk."
    return OrderUpdate(
        preview_id=record.preview_id,
        deal_id=plan.order.deal_id,
        epic=plan.order.epic,
        level=plan.level,
        stop_level=legs.stop,
        limit_level=legs.limit,
        good_till=plan.target.good_till,
        risks=risks,
        consequences=plan.consequences,
        body=record.body.decode(),
        expires_at=record.expires_at,
        sentence=f"Would change {order_told(plan.order)}: level {plain(plan.level)}.{adds}",
    )


def _write(order: WorkingOrder, change: OrderChange) -> bytes:
    legs = change.legs
    kept = {
        "order": {name: _plain(getattr(order, name)) for name in order.__struct_fields__},
        "level": _plain(change.level),
        "good_till": _plain(change.good_till),
        "no_expiry": change.no_expiry,
        "stop": legs.stop and [legs.stop.form.value, str(legs.stop.value)],
        "limit": legs.limit and [legs.limit.form.value, str(legs.limit.value)],
        "trailing": legs.trailing,
        "guaranteed": legs.guaranteed,
    }
    return json.dumps(kept, sort_keys=True).encode()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _read(document: bytes) -> tuple[WorkingOrder, OrderChange]:
    kept = json.loads(document)
    legs = Change(_leg(kept["stop"]), _leg(kept["limit"]))
    legs = replace(legs, trailing=kept["trailing"], guaranteed=kept["guaranteed"])
    change = OrderChange(_number(kept["level"]), legs, _time(kept["good_till"]), kept["no_expiry"])
    return _order(kept["order"]), change


def _order(raw: Mapping[str, Any]) -> WorkingOrder:
    numbers = ("size", "level", "stop_level", "limit_level", "bid", "offer")
    times = ("good_till", "created_at")
    facts: dict[str, Any] = {
        **raw,
        **{name: _number(raw[name]) for name in numbers},
        **{name: _time(raw[name]) for name in times},
        "side": Side(raw["side"]),
        "type": OrderType(raw["type"]),
        "market_status": MarketStatus(raw["market_status"]),
    }
    return WorkingOrder(**facts)


def _leg(raw: list[str] | None) -> ExitOrder | None:
    return ExitOrder(ExitForm(raw[0]), Decimal(raw[1])) if raw else None


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
