"""The figures of the opening part of an order: margin, stop, limit and overnight fee. Pure."""

from decimal import Decimal

from msgspec.structs import replace

from capcli.domain.check_input import CheckInput
from capcli.domain.money import cents, percent_of
from capcli.domain.order import Kind
from capcli.domain.sizing import ExitFigures, Figures


def opened_figures(check: CheckInput) -> Figures:
    """Return the figures with margin, stop, limit and overnight fee of the opening part only."""
    effect, whole = check.effect, check.figures
    if effect is None or not effect.closes or check.request.kind is Kind.WORKING:
        return whole
    after = None if effect.margin_after is None else check.account.equity - effect.margin_after
    if not effect.opens:
        nothing = Decimal("0.00")
        return replace(
            whole,
            margin=nothing,
            available_after=after,
            stop=None,
            limit=None,
            reward_to_risk=None,
            overnight=None,
        )
    share = check.opened_share
    return replace(
        whole,
        margin=None if whole.margin is None else cents(whole.margin * share),
        available_after=after,
        stop=_part(whole.stop, share, check.account.equity),
        limit=_part(whole.limit, share, check.account.equity),
        overnight=whole.overnight and replace(whole.overnight, amount=cents(whole.overnight.amount * share)),
    )


def _part(exit_order: ExitFigures | None, share: Decimal, equity: Decimal) -> ExitFigures | None:
    if exit_order is None:
        return None
    amount = cents(exit_order.amount * share)
    return replace(exit_order, amount=amount, equity_pct=percent_of(amount, equity))
