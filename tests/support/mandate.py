"""A client with a mandate: a server or a script whose environment names the secret file."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from capcli.domain.money import Money
from capcli.domain.risk import Risk
from capcli.safety.mandate import MandateGranted
from tests.support.seat import Seat, stop_at

HUMAN = {"CAP_APPROVAL": "human"}


def usd(amount: str) -> Risk:
    return Risk(amount=Money(Decimal(amount), "USD"))


def grant(
    seat: Seat,
    name: str = "night",
    *,
    epics: Sequence[str] = ("SILVER", "GOLD"),
    risk: str = "20",
    total: str = "60",
    orders: int = 3,
    hours: float = 6,
) -> MandateGranted:
    """Grant a mandate, as a person at the terminal does."""
    until = seat.time.now() + timedelta(hours=hours)
    terms = seat.app.mandates.plan(name, epics, usd(risk), usd(total), orders, until)
    return seat.app.mandates.grant(terms).data


def order(seat: Seat, *, stop: str | None = "24.50", **changes: Any) -> Any:
    """Preview and execute; return the reply."""
    legs = {} if stop is None else {"stop": stop_at(stop)}
    return seat.execute(seat.preview(**legs, **changes).preview_id, again=True)
