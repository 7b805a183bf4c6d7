"""Types of bookings: the broker's words (API page 7), each with its column in a report."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

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

_WORDS = {
    Column.REALISED_PL: (CLOSE, "TRADE_CORRECTION", "TRADE_SLIPPAGE_PROTECTION"),
    Column.OVERNIGHT: ("SWAP",),
    Column.COMMISSION: ("TRADE_COMMISSION", "FX_COMMISSION"),
    Column.GUARANTEED_PREMIUM: ("TRADE_COMMISSION_GSL",),
    Column.OTHER: ("CONVERSION", "CORPORATE_ACTION", "REBATE"),
    Column.DEPOSITS: (
        *("DEPOSIT", "WITHDRAWAL", "WITHDRAWAL_MONEY_BACK", "TRANSFER", "REFUND", "CHARGEBACK"),
        *("RESERVE", "UNRESERVE", "VOID", "CREDIT_FACILITY"),
    ),
}
_COLUMNS = {word: column for column, words in _WORDS.items() for word in words}


def column_of(word: str) -> Column:
    """Return the column of a booking; a word that is not listed is OTHER."""
    return _COLUMNS.get(word, Column.OTHER)


def realised(bookings: Iterable[Transaction]) -> Decimal:
    """Add up results and costs in account currency; of an unlisted type only charges count."""
    traded = (row for row in bookings if column_of(row.type) is not Column.DEPOSITS)
    amounts = (row.amount if row.type in _COLUMNS else min(row.amount, Decimal(0)) for row in traded)
    return sum(amounts, Decimal(0))
