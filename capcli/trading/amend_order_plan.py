"""The plan of an order's amendment: what is to be different, what that adds in risk, and what is sent."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field
from msgspec.structs import replace

from capcli.domain import policy
from capcli.domain.account import WorkingOrder
from capcli.domain.bracket import (
    Bracket,
    Change,
    Target,
    loosened,
    of_order,
    order_body,
    order_shows,
)
from capcli.domain.commands import change_words
from capcli.domain.money import EXACT, plain
from capcli.domain.numbers import money
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest, wire_time
from capcli.errors import UsageError
from capcli.safety.approval_text import Ends, ExitOrders, change_lines, order_told, warning_lines
from capcli.trading.exit_orders import check_change, exits_told
from capcli.trading.open_risk import order_at

_HELP = "capcli orders amend --help"


class OrderChange(Struct, frozen=True):
    """What somebody wants to be different about a working order. What is None or false is kept."""

    level: Decimal | None = None
    legs: Change = field(default_factory=Change)
    good_till: datetime | None = None
    no_expiry: bool = False


class Plan(Struct, frozen=True):
    """An amendment that passed its checks: the order as it waits, and as it is to be."""

    order: WorkingOrder
    account_id: str
    change: OrderChange
    target: Target
    consequences: tuple[str, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Say whether there is nothing to change."""
        return order_shows(self.order, self.target)

    @property
    def command(self) -> str:
        return amend_order_command(self.order.deal_id, self.change)

    @property
    def level(self) -> Decimal:
        return self.order.level if self.target.level is None else self.target.level

    def before(self, rate: Decimal) -> ExitOrders:
        """Return the legs as they are, with what the order ends with there once it is filled."""
        return self._legs(self.order.level, of_order(self.order), rate)

    def after(self, rate: Decimal) -> ExitOrders:
        """Return the legs as they are to be; `rate` is account currency for one of the instrument's."""
        return self._legs(self.level, self.target.bracket, rate)

    def _legs(self, entry: Decimal, bracket: Bracket, rate: Decimal) -> ExitOrders:
        ends = (order_at(self.order, entry, level, rate) for level in (bracket.stop, bracket.limit))
        return ExitOrders(bracket, Ends(*ends))


def risks_of(plan: Plan) -> tuple[str, ...]:
    """Say what an amendment adds in risk; empty when it only tightens."""
    return tuple(_risks(plan))


def _risks(plan: Plan) -> Iterator[str]:
    """Say what is new risk; a leg that is added and a stop that comes nearer are not."""
    order = plan.order
    if plan.level != order.level:
        yield f"moves the order to {plain(plan.level)}"
    if order.good_till is not None and (
        plan.target.good_till is None or plan.target.good_till > order.good_till
    ):
        yield "lets it wait longer"
    yield from loosened(of_order(order, plan.level), plan.target.bracket, order.side)


def consequences_of(plan: Plan, case: policy.CheckInput) -> Iterator[str]:
    """Say in account currency what the order would then open, and what that can lose and gain."""
    rate, currency, margin = case.figures.conversion_rate, case.account.currency, case.figures.margin
    if plan.level != plan.order.level and margin is not None:
        before = EXACT.divide(margin * plan.order.level, plan.level)
        yield f"Margin once it is filled {money(before)} → {money(margin, currency)}"
    yield from change_lines(plan.before(rate), plan.after(rate), currency)
    yield from warning_lines(case, case.now)


def body_of(plan: Plan) -> bytes:
    """Write what is sent for a plan: the order is resent whole (API page 6.5)."""
    return order_body(plan.target, endless=plan.change.no_expiry)


def amend_order_command(deal_id: str, change: OrderChange) -> str:
    """Return the command that makes this change."""
    words = ["capcli orders amend", deal_id]
    if change.level is not None:
        words.append(f"--at {plain(change.level)}")
    words += change_words(change.legs)
    if change.good_till is not None:
        words.append(f"--good-till {wire_time(change.good_till)}Z")
    return " ".join([*words, *["--no-expiry"] * change.no_expiry])


def check_order_change(change: OrderChange) -> None:
    """Refuse what no order could take, before anything is read. Raises UsageError."""
    check_change(change.legs, "capcli orders amend")
    if change == OrderChange():
        raise UsageError("Name a level, a stop, a limit or an expiry to change.", next=_HELP)
    if change.level is not None and change.level <= 0:
        raise UsageError(f"The level must be above 0, not {change.level}.", next=_HELP)
    if change.good_till is not None and change.no_expiry:
        raise UsageError("--good-till and --no-expiry cannot be used together.", next=_HELP)
    if change.legs.no_stop or change.legs.no_limit:
        # What is left out keeps its value, and nothing documented takes a leg away (API page 6.5).
        raise UsageError(
            "The broker cannot remove a stop or a limit from a working order. Cancel it and place it again.",
            next="capcli orders cancel --help",
        )


def with_guarantee(request: OrderRequest, plan: Plan) -> OrderRequest:
    """Return the request that the rules judge: a moved order's kept legs count as named."""
    legs = plan.target.bracket
    named = request.stop is not None or plan.change.legs.guaranteed
    stop = request.stop if request.stop is not None or not named else _at(legs.stop)
    return replace(request, stop=stop, guaranteed=legs.guaranteed and named)


def _at(level: Decimal | None) -> ExitOrder | None:
    return None if level is None else ExitOrder(ExitForm.LEVEL, level)


def plan_told(plan: Plan) -> str:
    """Say what an order is to be."""
    order, until = plan.order, plan.target.good_till
    legs = exits_told(of_order(order), plan.target.bracket)
    moved = f", moved to {plain(plan.level)}," if plan.level != order.level else ""
    end = f"until {until:%Y-%m-%d %H:%M:%S}Z" if until else "with no expiry"
    return f"{order_told(order)}{moved} has {legs}; it waits {end}."
