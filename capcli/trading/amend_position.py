"""Amending positions: stop and limit, and the texts."""

from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from capcli import ids
from capcli.context import Context
from capcli.domain.account import Position
from capcli.domain.attempt import Protection
from capcli.domain.bracket import Bracket, Change, Target
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.money import ceil_to, floor_to, plain, short
from capcli.domain.order import ExitForm, ExitOrder
from capcli.errors import BrokerRefused, ChecksFailed, DealUnknown, UsageError
from capcli.ports import Broker
from capcli.reconcile.deal_account import placing
from capcli.reconcile.readback import Ended
from capcli.safety.approval_text import position_words
from capcli.trading.amend import Amendments
from capcli.trading.amend_plan import Amendable, Plan
from capcli.trading.exit_orders import exits_words
from capcli.trading.snapshot import order_rules


class Amendment(Struct, frozen=True):
    """A position's stop and limit after an amendment, as read back. Prices in the instrument's currency.

    `attempt_id` and `state` are None if there was nothing to change and nothing was sent.
    """

    deal_id: str
    attempt_id: str | None
    state: Ended | None
    epic: str
    side: Side
    size: Decimal
    stop_level: Decimal | None
    stop_distance: Decimal | None
    limit_level: Decimal | None
    trailing: bool
    guaranteed: bool
    protected: Protection
    retry_safe: bool
    sentence: str
    next: str | None


class AmendablePositions(Amendable[Position, Amendment]):
    """Positions: their stop and limit."""

    noun = "position"
    unchanged = "Its stop and limit are unchanged."
    nothing_named = "Name a stop or a limit to change."

    def find(self, broker: Broker, deal_id: str) -> Position:
        return broker.position(deal_id)

    def refuse(self, plan: Plan[Position], *, exact: bool) -> None:
        change, after = plan.change, plan.after.bracket
        if plan.deal.trailing and plan.kept.trail is None and change.stop is None and not change.no_stop:
            raise UsageError(
                f"The broker does not say by how much the stop of {plan.deal_id} trails, so it cannot be "
                "kept. Name it too: --stop-distance D --trailing.",
                next=f"capcli positions {plan.deal_id}",
            )
        # A trailing stop is sent as a distance, which stays.
        stop = None if after.trail is not None else change.stop
        if exact and any(one is not None and one.form is ExitForm.DISTANCE for one in (stop, change.limit)):
            levels = {
                name: ExitOrder(ExitForm.LEVEL, level)
                for name, given, level in (("stop", stop, after.stop), ("limit", change.limit, after.limit))
                if given is not None and level is not None
            }
            raise UsageError(
                "A person has to approve exact levels, and a distance gives a different level at every price."
                " Nothing was sent. Give levels instead.",
                next=self.command(plan.deal_id, replace(change, **levels)),
            )

    def words(self, plan: Plan[Position]) -> str:
        return f"{_opened(plan)} has {exits_words(plan.before.bracket, plan.after.bracket)}."

    def question(self, plan: Plan[Position]) -> tuple[str, str]:
        exits = exits_words(plan.before.bracket, plan.after.bracket)
        return f"Amend {position_words(plan.deal)}", f"It then has {exits}"

    def gone(self, plan: Plan[Position], broker: Broker) -> tuple[str, BrokerRefused]:  # noqa: ARG002
        error = DealUnknown(
            f"{plan.deal_id} ({_opened(plan)}) is no longer open: its stop, its limit or another close was "
            "faster. There is nothing left to amend.",
            next="capcli positions",
            deal_id=plan.deal_id,
        )
        return "the position has been closed in the meantime", error

    def without_stop(self, plan: Plan[Position], seen: Bracket) -> str:
        if not seen.has_stop:
            return f"but the position does not show it. {_opened(plan)} is open WITHOUT its stop. Set it now."
        has = f"is at {plain(seen.stop or Decimal(0))}"
        if seen.trail is not None:
            has = f"trails by {short(seen.trail)}"
        return (
            f"but the position does not show it. The stop of {_opened(plan)} is not what you asked for: "
            f"it {has}. Check it now."
        )

    def result(self, plan: Plan[Position], seen: Target, facts: dict[str, Any]) -> Amendment:  # noqa: ARG002
        return with_fields_of(plan.deal, Amendment, **facts)


POSITIONS = AmendablePositions()


def breakeven(context: Context, deal_id: str) -> Change:
    """Return the change that moves the stop of a position to its entry.

    Raises UsageError and DealUnknown, and ChecksFailed while the price is not far enough for that.
    """
    deal_id = ids.deal_id(deal_id)
    with placing(context, deal_id, f"capcli positions {deal_id}"):
        position = context.broker.position(deal_id)
    market = context.broker.market(position.epic)
    rules, buys, entry = order_rules(market), position.side is Side.BUY, position.level
    nearest, guaranteed = rules.min_stop_distance, market.rules.min_guaranteed_stop_distance
    if position.guaranteed and guaranteed is not None:
        nearest = guaranteed
    price, sign = market.quote.exit(position.side), 1 if buys else -1
    away = (price - entry) * sign
    if away > 0 and away >= nearest.at(price):
        return Change(stop=ExitOrder(ExitForm.LEVEL, entry))
    # A percentage is of the price at that time, which is nearly this one.
    least = entry + sign * nearest.at(max(price, entry))
    level = (ceil_to if buys else floor_to)(least, rules.price_step)
    # An alert watches the bid.
    alert = level if buys else level - market.quote.spread
    where, name = ("above", "bid") if buys else ("below", "offer")
    raise ChecksFailed(
        f"Break-even is possible once the {name} is {where} {plain(level)}; it is {plain(price)} now.",
        "Nothing was sent.",
        next=f"capcli alert {position.epic} --{where} {plain(alert)}",
        failed=["stop"],
    )


def _opened(plan: Plan[Position]) -> str:
    return f"{plan.deal.side.value} {short(plan.deal.size)} {plan.deal.epic}"


def position_amendments(context: Context) -> Amendments[Position, Amendment]:
    """Return the use case that changes positions."""
    return Amendments(context, POSITIONS)
