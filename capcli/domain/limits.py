"""The user's limits, from the settings, for the policy's rules."""

from decimal import Decimal

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """The user's own limits. None means that no limit is set.

    Sizes in units, `max_daily_loss` in account currency, percentages of equity, `max_drift_pct` of the price.
    """

    allowed_epics: frozenset[str] | None = None
    max_position_size: Decimal | None = None
    max_working_order_size: Decimal | None = None
    max_open_positions: int | None = None
    max_orders_per_day: int | None = None
    max_risk_pct: Decimal | None = None
    max_total_risk_pct: Decimal | None = None
    max_margin_pct: Decimal | None = None
    max_daily_loss: Decimal | None = None
    require_stop: bool = False
    max_drift_pct: Decimal = Decimal("0.5")

    @property
    def counts_deals(self) -> bool:
        """Whether a limit is set that counts open positions and working orders together."""
        limits = (self.max_open_positions, self.max_risk_pct, self.max_total_risk_pct, self.max_margin_pct)
        return any(limit is not None for limit in limits)

    @property
    def counts_in_flight(self) -> bool:
        """Whether a limit is set that counts orders in flight."""
        return self.counts_deals or self.max_orders_per_day is not None
