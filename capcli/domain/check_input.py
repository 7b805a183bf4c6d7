"""What the rules of the policy read: the order, its market and account, and what counts beside it."""

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

Verdict = tuple[bool, str] | None
"""Whether an order passes a rule, and why in words; None where the rule does not apply."""


class Policy(Limits, frozen=True):
    """What an order is held to: the user's own limits, and whether this environment may be traded on."""

    env: str
    trading_allowed: bool
    live_unlocked: bool = False
    live_reason: str = "it was not completed"


class Amends(Struct, frozen=True):
    """A deal that is there and is to be changed: no order, and new risk only by what it `adds`, in words.

    `loss` is what it then loses at its stop, in account currency; None without one: that is unlimited.
    `moves` and `ends` say whether a working order gets another level, and another expiry.
    """

    deal_id: str
    loss: Decimal | None
    adds: tuple[str, ...] = ()
    moves: bool = False
    ends: bool = False


class OpenRisk(Struct, frozen=True):
    """What counts beside the order, in account currency: the book, what is on its way, and the day so far.

    `risk` is the loss at stop of the same market and direction, and `unprotected` names what has no stop
    there; `total_risk` and `total_unprotected` are the same of all markets. `margin` is what the account's
    figures do not hold yet, and `unpriced` names what nobody can tell it of. `realised` is what was booked
    since 00:00 UTC.
    """

    risk: Decimal = Decimal(0)
    unprotected: str | None = None
    total_risk: Decimal = Decimal(0)
    total_unprotected: str | None = None
    margin: Decimal = Decimal(0)
    unpriced: str | None = None
    realised: Decimal = Decimal(0)


class Blocked(Struct, frozen=True):
    """What keeps every new order from being sent: a halt in words, unresolved attempts, the hour's orders.

    `in_market` are those of them that are orders in the same market: they may change the deals that an order
    reduces, so nobody can tell what that would do. `journal` is what is wrong with the journal, and
    `journal_next` the command that helps.
    """

    halt: str | None = None
    unresolved: tuple[str, ...] = ()
    wait_s: int = 0
    in_market: tuple[str, ...] = ()
    journal: str | None = None
    journal_next: str | None = None


class CheckInput(Struct, frozen=True):
    """Everything that the rules look at.

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
        """Say whether the order takes risk away and adds none: then no limit stands in its way.

        A working order may meet another book when it fills, so it always counts as new risk.
        """
        reduces = self.effect is not None and self.effect.only_reduces
        return reduces and self.request.kind is Kind.MARKET

    @property
    def opened_share(self) -> Decimal:
        """Return the part of the order that opens something, from 0 to 1."""
        if self.effect is None or self.request.kind is Kind.WORKING:
            return Decimal(1)
        return EXACT.divide(self.effect.opens, self.request.size)
