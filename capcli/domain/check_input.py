"""The input of the policy's rules: the order, its market and account, and other open risk."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from capcli.domain.account import Account, OrderType
from capcli.domain.effect import Effect
from capcli.domain.limits import Limits
from capcli.domain.market import Market, OrderRules
from capcli.domain.money import EXACT
from capcli.domain.order import Kind, OrderRequest
from capcli.domain.sizing import Figures

RuleResult = tuple[bool, str] | None
"""Whether an order passes a rule, and why in words; None where the rule does not apply."""


class Policy(Limits, frozen=True):
    """The user's limits, and whether trading is allowed in this environment."""

    env: str
    trading_allowed: bool
    live_unlocked: bool = False
    live_reason: str = "it was not completed"


class Amends(Struct, frozen=True):
    """A change of an open deal; `adds` describes the new risk, empty for none.

    `loss`: at its stop afterwards, in account currency; None without one: unlimited. `moves` and `ends`: a
    working order gets another level, another expiry.
    """

    deal_id: str
    loss: Decimal | None
    adds: tuple[str, ...] = ()
    moves: bool = False
    ends: bool = False


class OpenRisk(Struct, frozen=True):
    """What counts beside the order, in account currency: open deals, orders in flight, and the day so far.

    `risk`: loss at stop in its market and direction, `unprotected` a deal there without a stop; `total_`: of
    all markets. `margin`: what the account's figures do not include yet; `unpriced`: a deal whose margin is
    unknown. `realised`: booked since 00:00 UTC.
    """

    risk: Decimal = Decimal(0)
    unprotected: str | None = None
    total_risk: Decimal = Decimal(0)
    total_unprotected: str | None = None
    margin: Decimal = Decimal(0)
    unpriced: str | None = None
    realised: Decimal = Decimal(0)


class Blocked(Struct, frozen=True):
    """What blocks new orders: a halt in words, unresolved attempts, the hourly limit.

    `in_market`: unresolved orders of the same market, which may change the deals that an order reduces.
    `journal`: what is wrong with the journal, `journal_next` the command that helps.
    """

    halt: str | None = None
    unresolved: tuple[str, ...] = ()
    wait_s: int = 0
    in_market: tuple[str, ...] = ()
    journal: str | None = None
    journal_next: str | None = None


class CheckInput(Struct, frozen=True):
    """Everything that the rules read.

    `reference_entry` and `reference_effect` are the preview's, where it is about to be sent.
    `open_in` and `waiting_in` are the epics of the positions and of the working orders, one for each of them.
    `amends` is given where a deal that is there is judged (an amendment): `request` then names what changes.
    """

    policy: Policy
    request: OrderRequest
    market: Market
    rules: OrderRules
    account: Account
    figures: Figures
    open_in: tuple[str, ...]
    waiting_in: tuple[str, ...]
    orders_today: int
    now: datetime
    order_type: OrderType | None = None
    reference_entry: Decimal | None = None
    open_risk: OpenRisk = OpenRisk()
    amends: Amends | None = None
    effect: Effect | None = None
    reference_effect: Effect | None = None
    hedging: bool = False
    blocked: Blocked | None = None

    @property
    def only_reduces(self) -> bool:
        """Whether the order only reduces risk, so no limit applies; a working order never does."""
        reduces = self.effect is not None and self.effect.only_reduces
        return reduces and self.request.kind is Kind.MARKET

    @property
    def opened_share(self) -> Decimal:
        """Return the opening share of the order, from 0 to 1."""
        if self.effect is None or self.request.kind is Kind.WORKING:
            return Decimal(1)
        return EXACT.divide(self.effect.opens, self.request.size)
