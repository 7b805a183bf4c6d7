"""The accounts of a paper world as they are on the first day."""

from decimal import Decimal
from typing import NamedTuple

from capcli.paper.catalogue import DOLLAR, FOREX, MARKETS

_FIRST_ID, _MOST_ACCOUNTS, _MOST_CASH = 100482915730264817, 10, Decimal(10) ** 9


def is_rate(epic: str) -> bool:
    """Whether the market is a currency's against the dollar, from which every conversion is made."""
    return MARKETS[epic].kind is FOREX and DOLLAR in epic


class Opening(NamedTuple):
    """An account as it is on the first day."""

    account_id: str
    name: str
    currency: str
    cash: Decimal


class BadAccounts(ValueError):
    """Accounts that cannot be opened as asked; the message says why."""


def openings(*wanted: tuple[str, Decimal]) -> tuple[Opening, ...]:
    """Accounts by currency and cash; the first is the preferred one. Raises BadAccounts."""
    found: list[Opening] = []
    for place, (currency, cash) in enumerate(wanted):
        if currency not in CURRENCIES:
            known = ", ".join(sorted(CURRENCIES))
            raise BadAccounts(f"{currency[:20]!a} is no currency of the paper broker; there are: {known}.")
        if not 0 < cash <= _MOST_CASH:
            raise BadAccounts(f"An account begins with more than 0, at most {_MOST_CASH}.")
        like = sum(other.currency == currency for other in found)
        name = f"{currency} paper {like + 1}" if like else f"{currency} paper"
        found.append(Opening(str(_FIRST_ID + 8 * place), name, currency, cash.quantize(Decimal("0.01"))))
    if not 0 < len(found) <= _MOST_ACCOUNTS:
        raise BadAccounts(f"A paper broker has 1 to {_MOST_ACCOUNTS} accounts.")
    return tuple(found)


CURRENCIES = frozenset({DOLLAR, *(epic.replace(DOLLAR, "") for epic in MARKETS if is_rate(epic))})
OPENINGS = openings((DOLLAR, Decimal(10_000)), ("EUR", Decimal(5_000)))
