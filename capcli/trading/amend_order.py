"""Amending working orders: level and expiry, fills in the meantime, and the texts."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from capcli.context import Context
from capcli.domain.account import OrderType, WorkingOrder
from capcli.domain.attempt import Protection
from capcli.domain.bracket import Bracket, Change, Target
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.money import plain
from capcli.domain.order import Trigger
from capcli.errors import BrokerRefused, DealUnknown, UsageError
from capcli.ports import Broker
from capcli.reconcile.readback import Ended, filled_as
from capcli.safety.approval_text import order_words
from capcli.trading.amend import Amendments
from capcli.trading.amend_plan import Amendable, Plan
from capcli.trading.cancel import find_order, no_order
from capcli.trading.exit_orders import exits_words

_HELP = "capcli orders amend --help"


class OrderAmendment(Struct, frozen=True):
    """A working order after an amendment, as it was read back. Prices in the instrument's currency.

    `attempt_id` and `state` are None if there was nothing to change and nothing was sent.
    """

    deal_id: str
    attempt_id: str | None
    state: Ended | None
    epic: str
    side: Side
    type: OrderType
    size: Decimal
    level: Decimal
    stop_level: Decimal | None
    stop_distance: Decimal | None
    limit_level: Decimal | None
    trailing: bool
    guaranteed: bool
    good_till: datetime | None
    level_before: Decimal
    protected: Protection
    retry_safe: bool
    sentence: str
    next: str | None


class AmendableOrders(Amendable[WorkingOrder, OrderAmendment]):
    """Working orders: their level, stop, limit and expiry."""

    noun = "order"
    unchanged = "The order is as before."
    nothing_named = "Name a level, a stop, a limit or an expiry to change."

    def check(self, change: Change) -> None:
        super().check(change)
        if change.level is not None and change.level <= 0:
            raise UsageError(f"The level must be above 0, not {change.level}.", next=_HELP)
        if change.good_till is not None and change.no_expiry:
            raise UsageError("--good-till and --no-expiry cannot be used together.", next=_HELP)
        if change.no_stop or change.no_limit:
            # Omitted fields keep their value; how to remove one is not documented (API page 6.5).
            raise UsageError(
                "The broker cannot remove a stop or a limit from a working order. Cancel it and place it "
                "again.",
                next="capcli orders cancel --help",
            )

    def find(self, broker: Broker, deal_id: str) -> WorkingOrder:
        return find_order(broker, deal_id)

    def trigger(self, deal: WorkingOrder, change: Change) -> Trigger:
        level = deal.level if change.level is None else change.level
        return Trigger(level, deal.type, change.good_till or (None if change.no_expiry else deal.good_till))

    def words(self, plan: Plan[WorkingOrder]) -> str:
        until = plan.after.good_till
        exits = exits_words(plan.before.bracket, plan.after.bracket)
        moved = f", moved to {plain(plan.level)}," if plan.level != plan.deal.level else ""
        end = f"until {until:%Y-%m-%d %H:%M:%S}Z" if until else "with no expiry"
        return f"{order_words(plan.deal)}{moved} has {exits}; it waits {end}."

    def question(self, plan: Plan[WorkingOrder]) -> tuple[str, str]:
        return f"Amend {order_words(plan.deal)}", f"So that {self.words(plan)}"

    def gone(self, plan: Plan[WorkingOrder], broker: Broker) -> tuple[str, BrokerRefused]:
        if position := filled_as(broker, plan.deal_id):
            return f"it was filled: {position.deal_id}", no_order(plan.deal_id, position)
        error = DealUnknown(
            f"{plan.deal_id} is no longer waiting: it was filled, cancelled, or it expired. Look at the "
            "positions.",
            next="capcli positions",
            deal_id=plan.deal_id,
        )
        return "it is no longer waiting", error

    def without_stop(self, plan: Plan[WorkingOrder], seen: Bracket) -> str:
        fault = "with another stop than asked" if seen.has_stop else "WITHOUT its stop"
        return f"and {order_words(plan.deal)} waits {fault}. Look at it now."

    def result(self, plan: Plan[WorkingOrder], seen: Target, facts: dict[str, Any]) -> OrderAmendment:
        level = plan.deal.level if seen.level is None else seen.level
        facts |= {"level": level, "good_till": seen.good_till, "level_before": plan.deal.level}
        return with_fields_of(plan.deal, OrderAmendment, **facts)


ORDERS = AmendableOrders()


def order_amendments(context: Context) -> Amendments[WorkingOrder, OrderAmendment]:
    """Return the use case that changes working orders."""
    return Amendments(context, ORDERS)
