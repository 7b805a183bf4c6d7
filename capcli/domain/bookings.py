"""What a booking is to a trader: the broker's words (API page 7), each with the column it counts in."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from capcli.domain.account import Transaction


class Column(StrEnum):
    """The columns of a report. DEPOSITS is money that comes and goes; the others are what trading brought."""

    REALISED_PL = "realised_pl"
    OVERNIGHT = "overnight"
    COMMISSION = "commission"
    GUARANTEED_PREMIUM = "guaranteed_premium"
    OTHER = "other"
    DEPOSITS = "deposits"


CLOSE = "TRADE"
"""The booking of what a deal brought when it was closed."""

_COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        CLOSE: Column.REALISED_PL,
        "TRADE_CORRECTION": Column.REALISED_PL,
        "TRADE_SLIPPAGE_PROTECTION": Column.REALISED_PL,
        "SWAP": Column.OVERNIGHT,
        "TRADE_COMMISSION": Column.COMMISSION,
        "FX_COMMISSION": Column.COMMISSION,
        "TRADE_COMMISSION_GSL": Column.GUARANTEED_PREMIUM,
        "CONVERSION": Column.OTHER,
        "CORPORATE_ACTION": Column.OTHER,
        "REBATE": Column.OTHER,
        "DEPOSIT": Column.DEPOSITS,
        "WITHDRAWAL": Column.DEPOSITS,
        "WITHDRAWAL_MONEY_BACK": Column.DEPOSITS,
        "TRANSFER": Column.DEPOSITS,
        "REFUND": Column.DEPOSITS,
        "CHARGEBACK": Column.DEPOSITS,
        "RESERVE": Column.DEPOSITS,
        "UNRESERVE": Column.DEPOSITS,
        "VOID": Column.DEPOSITS,
        "CREDIT_FACILITY": Column.DEPOSITS,
    }
)


def column_of(word: str) -> Column:
    """Return the column of a booking; a word that is not listed is OTHER."""
    return _COLUMNS.get(word, Column.OTHER)


def realised(bookings: Iterable[Transaction]) -> Decimal:
    """Add up what trading brought and cost, in account currency.

    Of a word that is not listed only a charge counts, so that no unknown credit hides a loss.
    """
    return sum((_counted(row) for row in bookings), Decimal(0))


def _counted(row: Transaction) -> Decimal:
    if column_of(row.type) is Column.DEPOSITS:
        return Decimal(0)
    return row.amount if row.type in _COLUMNS else min(row.amount, Decimal(0))
