"""Every word of the broker's bookings has its column, and no unknown credit hides a loss."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from capcli.domain.account import Transaction
from capcli.domain.bookings import column_of, realised

D = Decimal

# The transaction types of the API reference, page 7, sorted by hand; those of the last line have no column.
COLUMNS = """
realised_pl        TRADE TRADE_CORRECTION TRADE_SLIPPAGE_PROTECTION
overnight          SWAP
commission         TRADE_COMMISSION FX_COMMISSION
guaranteed_premium TRADE_COMMISSION_GSL
other              CONVERSION CORPORATE_ACTION REBATE
deposits           DEPOSIT WITHDRAWAL WITHDRAWAL_MONEY_BACK TRANSFER REFUND CHARGEBACK
deposits           RESERVE UNRESERVE VOID CREDIT_FACILITY
other              INACTIVITY_FEE WRITE_OFF_OR_CREDIT COMPLAINT_SETTLEMENT BONUS ADJUSTMENT SOMETHING_NEW
"""
ROWS = [
    (column, words.split()) for column, words in (line.split(None, 1) for line in COLUMNS.split("\n") if line)
]
UNLISTED = set(ROWS[-1][1])


def booking(word: str, amount: str) -> Transaction:
    at = datetime(2026, 5, 4, tzinfo=UTC)
    return Transaction(at, word, None, "", D(amount), "USD", "r", None, None)


@pytest.mark.parametrize(("column", "words"), ROWS)
def test_a_booking_has_the_column_of_its_word(column: str, words: list[str]) -> None:
    assert {word: column_of(word) for word in words} == dict.fromkeys(words, column)


@pytest.mark.parametrize(("column", "words"), ROWS)
def test_money_that_comes_and_goes_is_no_result_and_an_unknown_credit_hides_no_loss(
    column: str, words: list[str]
) -> None:
    for word in words:
        gain = D(0) if column == "deposits" or word in UNLISTED else D(3)
        loss = D(0) if column == "deposits" else D(-5)
        assert realised([booking(word, "3")]) == gain, word
        assert realised([booking(word, "-5")]) == loss, word


def test_what_trading_brought_is_added_up() -> None:
    rows = [booking("TRADE", "10.50"), booking("SWAP", "-0.25"), booking("DEPOSIT", "1000")]
    assert realised(rows) == D("10.25")
    assert realised([]) == 0
