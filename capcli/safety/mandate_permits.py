"""Mandates as approval: whether this client's mandate covers a request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec.structs import replace

from capcli.context import AccountSnapshot, Context
from capcli.domain.account import Position, WorkingOrder
from capcli.domain.approval import ApprovalRequest
from capcli.domain.attempt import AttemptState
from capcli.domain.check_input import CheckInput
from capcli.domain.mandate import (
    Deed,
    Mandate,
    MandateBook,
    MandateState,
    Opening,
    Outside,
    Sent,
    Spend,
    Tightening,
    Usage,
    secret_hash,
    usage_of,
    why_not_opened,
    why_not_tightened,
)
from capcli.domain.money import EXACT
from capcli.domain.order import Kind
from capcli.domain.stored_order import read_order
from capcli.errors import CapcliError, ConfigError
from capcli.fanout import together
from capcli.marketdata.conversion import known_rates

_DEEDS = {
    Kind.CLOSE.value: Deed.CLOSE,
    "PARTIAL_CLOSE": Deed.CLOSE,
    Kind.CANCEL.value: Deed.CANCEL,
    Kind.AMEND.value: Deed.TIGHTEN,
}


@dataclass(frozen=True, slots=True)
class Ledger:
    """Calculates the used part of a mandate from the journal and the broker's bookings."""

    context: Context

    def sent(self, mandate: Mandate) -> tuple[Sent, ...]:
        """Return the orders of a mandate, oldest first."""
        uses = self.context.journal.mandates.uses(mandate.mandate_id)
        changes = [each for use, each in uses if use.deed is Deed.TIGHTEN]
        found = []
        for use, attempt in uses:
            if use.deed is not Deed.OPEN:
                continue
            preview = self.context.journal.preview(attempt.preview_id or "")
            assert preview is not None
            order = read_order(preview.document)
            # The stop of a working order is a distance, so its deal gets another level than the order shows.
            stop = attempt.stop_level if attempt.kind is Kind.MARKET else None
            one = Sent(use, attempt, order.request.size, order.request.side, stop, order.stop_level)
            for change in changes:
                if change.state is AttemptState.LANDED and change.target in one.names:
                    one = replace(one, stop=change.stop_level)
            found.append(one)
        return tuple(found)

    def owner(self, mandate: Mandate, deal_id: str) -> Sent | None:
        """Return the mandate's order that opened a deal; None if none did."""
        sent = self.sent(mandate)
        found = next((one for one in sent if deal_id in one.names), None)
        if found is not None or not any(one.attempt.kind is Kind.WORKING for one in sent):
            return found
        origin = self.context.broker.position(deal_id).working_order_id
        return next((one for one in sent if origin in one.names), None)

    def used(
        self, mandate: Mandate, positions: tuple[Position, ...], orders: tuple[WorkingOrder, ...]
    ) -> Usage:
        """Add up the used part of a mandate with the current book. Raises as the reads do."""
        broker, sent = self.context.broker, self.sent(mandate)
        if not sent:
            return Usage(0, Decimal("0.00"), None)
        since = mandate.since
        # The broker returns at most a day at once, less a minute.
        half, now = since + timedelta(hours=12), broker.broker_time() or broker.server_time()
        windows = [(since, half), (half, None)] if now > half else [(since, None)]
        reads: list[Callable[[], Any]] = [partial(broker.transactions, *window) for window in windows]
        reads += [partial(broker.activity, *window) for window in windows]
        found = together(*reads)
        bookings = tuple(row for part in found[: len(windows)] for row in part)
        activity = tuple(row for part in found[len(windows) :] for row in part)
        currencies = {row.currency for row in positions} | {row.currency for row in orders}
        rates = known_rates(broker, currencies, mandate.currency)
        return usage_of(mandate, sent, MandateBook(positions, orders, activity, bookings, rates))


class MandatePermits:
    """Checks this client's requests against the mandate of its secret."""

    def __init__(self, context: Context, secret: Callable[[], str]) -> None:
        """`secret` reads the client's file at every request. It raises ConfigError."""
        self._context = context
        self._ledger = Ledger(context)
        self._secret = secret

    def permit(
        self, request: ApprovalRequest, opening: Opening | None, tightening: Tightening | None
    ) -> Spend | Outside:
        """Return the mandate's use for a request, or why none covers it. Needs the account lock."""
        try:
            known = secret_hash(self._secret())
        except ConfigError as error:
            return Outside(None, f"No mandate applies here: {error.message.rstrip('.')}")
        try:
            mandate = self._context.journal.mandates.by_secret(known)
            if mandate is None:
                return Outside(None, "No mandate was granted for the secret in CAP_MANDATE_FILE")
            # Its rows count only if unchanged.
            self._context.journal.require_intact()
            found: Spend | str | None = self._ended(mandate, request)
            if found is None and opening is not None:
                found = self._opened(mandate, opening)
            found = found or self._changed(mandate, request, tightening)
            return found if isinstance(found, Spend) else Outside(mandate.name, found)
        except CapcliError as error:
            return Outside(None, f"Its mandate could not be checked: {error.message.rstrip('.')}")

    def _changed(
        self, mandate: Mandate, request: ApprovalRequest, tightening: Tightening | None
    ) -> Spend | str:
        deed = _DEEDS.get(request.kind)
        if deed is None:
            return "it covers orders with a stop, and closing or tightening their deals"
        owner = self._ledger.owner(mandate, request.subject)
        if owner is None:
            return f"it did not open {request.subject}"
        if deed is Deed.TIGHTEN and tightening is None:
            return "it is not a change of a stop"
        if tightening is not None and deed is Deed.TIGHTEN:
            fault = why_not_tightened(tightening, owner.stop or owner.asked)
            return fault or Spend(mandate.mandate_id, mandate.name, deed)
        return Spend(mandate.mandate_id, mandate.name, deed)

    def _ended(self, mandate: Mandate, request: ApprovalRequest) -> str | None:
        """Say why a mandate does not apply here; an expired one is ended permanently."""
        if mandate.state is not MandateState.ACTIVE:
            return f"it {mandate.state.words}"
        # The latest known time, so that setting a clock back does not revive a mandate.
        # On paper the broker's time may run faster than ours, so there it does not count.
        broker_time = None if mandate.env == "paper" else self._context.broker.broker_time()
        latest = self._context.journal.mandates.latest_event_at(mandate.mandate_id)
        if mandate.expires_at <= max(filter(None, (self._context.clock(), latest, broker_time))):
            self._end(mandate, MandateState.EXPIRED)
            return f"it {MandateState.EXPIRED.words}"
        place = (mandate.env, mandate.host, mandate.account_id)
        if place != (request.env, request.host, request.account_id) or request.env == "live":
            return f"it is for {mandate.env} ({mandate.host}), account {mandate.account_id}"
        return None

    def _end(self, mandate: Mandate, state: MandateState) -> None:
        self._context.journal.mandates.end(
            (mandate.mandate_id,), state, at=self._context.clock(), by="capcli"
        )

    def _opened(self, mandate: Mandate, opening: Opening) -> Spend | str:
        count = sum(
            use.deed is Deed.OPEN for use, _ in self._context.journal.mandates.uses(mandate.mandate_id)
        )
        # Reasons from the journal come before any request.
        if why := why_not_opened(mandate, opening, Usage(count, Decimal(0), None)):
            return why
        used = self._ledger.used(mandate, opening.positions, opening.orders)
        if used.lost_stop is not None:
            self._end(mandate, MandateState.STOP_LOST)
            return f"the stop of {used.lost_stop} is missing or was loosened, which ends it"
        if why := why_not_opened(mandate, opening, used):
            return why
        loss = opening.loss or Decimal(0)
        words = (
            f"Sent under the mandate {mandate.name}: order {count + 1} of {mandate.orders}; with it "
            f"{used.charged + loss:,.2f} of {mandate.total_risk:,f} {mandate.currency} is lost or at stake."
        )
        return Spend(mandate.mandate_id, mandate.name, Deed.OPEN, loss, words)


def opening_of(check: CheckInput, snapshot: AccountSnapshot) -> Opening:
    """Return an order's facts for the mandate check, from the rules' own snapshot."""
    request, effect = check.request, check.effect
    assert effect is not None
    stop, quote = check.figures.stop, check.market.quote
    worse = EXACT.multiply(EXACT.multiply(quote.offer - quote.bid, request.size), effect.point_value)
    meets = [deal.deal_id for deal in effect.deals]
    if request.kind is Kind.WORKING and not check.hedging:
        # At its fill it nets with all deals open then, including those of earlier fills.
        book: tuple[Position | WorkingOrder, ...] = (*snapshot.positions, *snapshot.orders)
        meets = [row.deal_id for row in book if (row.epic, row.side) == (request.epic, request.side.opposite)]
    return Opening(
        epic=request.epic,
        is_working=request.kind is Kind.WORKING,
        loss=None if stop is None else max(stop.amount, Decimal(0)) + worse,
        good_till=request.trigger.good_till if request.trigger else None,
        meets=tuple(meets),
        positions=snapshot.positions,
        orders=snapshot.orders,
    )
