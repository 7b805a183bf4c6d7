"""What the broker says no with: a sentence, its bound, and a command that would work."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from capcli.domain.account import OrderType
from capcli.domain.attempt import Answer, AttemptState, Delivery
from capcli.domain.market import Side
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest, Trigger
from capcli.errors import CapcliError, Exit
from capcli.refusals import TABLE, command_after, in_words, page, refusal

D = Decimal
ENGINE = """
ACCOUNT_NOT_FOUND CLOSED_MARKET CLOSE_ONLY ENGINE_BUSY HEDGING_MODE_GSL INSTRUMENT_NOT_AVAILABLE
INSTRUMENT_NOT_FOUND INVALID_ORDER INVALID_ORDER_QTY INVALID_PRICE LONG_ONLY OFF_MARKET
ORDER_NOT_FOUND ORIGINAL_GSL_UPDATE POSITION_NOT_FOUND RC_INSTRUMENT_CLIENT_MOP
RC_INSTRUMENT_GLOBAL_MOP RC_NOT_ENOUGH_MARGIN RC_NOT_FOUND RC_NO_RATES RC_SETTLEMENT RC_UNKNOWN
REQUIRED_GSL RISK_CHECK THROTTLING UNKNOWN
"""
ORDER = OrderRequest(
    "GOLD", Side.BUY, D(2), stop=ExitOrder(ExitForm.LEVEL, D(10)), limit=ExitOrder(ExitForm.LEVEL, D(99))
)
RESTING = replace(ORDER, trigger=Trigger(D(50), good_till=datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("reason", "says", "command"),
    [
        (
            "error.invalid.stoploss.minvalue: 17.146",
            "the stop is too low: it must be 17.146 or higher",
            "capcli preview GOLD --size 2 --stop 17.146 --limit 99",
        ),
        (
            "error.invalid.takeprofit.maxvalue: 4503.06",
            "the limit is too high: it must be 4503.06 or lower",
            "capcli preview GOLD --size 2 --stop 10 --limit 4503.06",
        ),
        (
            "error.invalid.size.minvalue: 100",
            "the size is below the market's minimum: it must be 100 or higher",
            "capcli preview GOLD --size 100 --stop 10 --limit 99",
        ),
        (
            "error.vallidation.guaranteed-stop-loss.required",
            "this account or market demands a guaranteed stop",
            "capcli preview GOLD --size 2 --stop 10 --limit 99 --guaranteed",
        ),
        (
            "RC_NOT_ENOUGH_MARGIN",
            "there is not enough available for the margin",
            "capcli accounts",
        ),
        (
            "THROTTLING",
            "the broker is too busy to deal now",
            "capcli preview GOLD --size 2 --stop 10 --limit 99",
        ),
        ("CLOSED_MARKET", "the market is closed", "capcli markets show GOLD"),
    ],
)
def test_a_refusal_is_a_sentence_with_its_bound_and_a_command_that_would_work(
    reason: str, says: str, command: str
) -> None:
    assert in_words(reason) == f"{says} ({reason})"
    assert command_after(reason, ORDER, None) == command


@pytest.mark.parametrize("reason", ["A_WORD_OF_TOMORROW: 7", "no reason given"])
def test_an_unknown_refusal_is_told_in_the_brokers_words(reason: str) -> None:
    assert in_words(reason) == reason
    assert command_after(reason, ORDER, None) == "capcli markets show GOLD"


def test_a_bound_that_is_missing_or_no_number_is_not_made_up() -> None:
    for reason in ("error.invalid.stoploss.minvalue", "error.invalid.stoploss.minvalue: soon"):
        assert in_words(reason) == f"the stop is too low ({reason})"
        assert command_after(reason, ORDER, None) == "capcli markets show GOLD"


def test_what_the_broker_does_not_take_is_left_out() -> None:
    hedged = replace(ORDER, guaranteed=True)
    trailing = replace(ORDER, trailing=True)

    assert "--guaranteed" not in command_after("HEDGING_MODE_GSL", hedged, None)
    assert "--trailing" not in command_after("TRAILING_STOP_NOT_ALLOWED", trailing, None)
    assert command_after("STOP_OR_LIMIT_NOT_ALLOWED", ORDER, None) == "capcli preview GOLD --size 2"
    past = command_after("error.not-in-future.goodTillDate", RESTING, OrderType.LIMIT)
    assert past == "capcli preview GOLD --size 2 --at 50 --type limit --stop 10 --limit 99"


def test_no_refusal_of_the_table_repeats_what_was_refused_unless_it_passes_by_itself() -> None:
    refused = command_after("THROTTLING", ORDER, None)
    for code, meaning in TABLE.items():
        again = command_after(f"{code}: 12" if meaning.bound else code, ORDER, None) == refused
        assert again is (meaning.cure.name == "AGAIN"), code


def test_every_reason_that_was_seen_or_is_in_the_engine_has_a_sentence() -> None:
    assert set(ENGINE.split()) <= TABLE.keys()
    assert all(code in page() for code in TABLE)
    assert max(map(len, page().splitlines())) <= 80


def test_what_was_not_sent_says_how_long_to_wait_and_what_to_do() -> None:
    def not_sent(code: str | None, wait_s: int | None = None) -> CapcliError:
        answer = Answer(Delivery.NOT_CONNECTED, error_code=code, detail="a reason.", retry_after_s=wait_s)
        found = refusal(AttemptState.NOT_SENT, answer, "The close", "It is as before.", "capcli close d")
        assert found.message == "Nothing was sent: a reason. It is as before."
        return found

    for told, wait in ((None, 60), (5, 5)):
        limited = not_sent("RATE_LIMITED", told)
        assert (limited.next, limited.details["retry_after_s"]) == ("capcli close d", wait)
    down = not_sent(None, 5)
    assert (down.exit_code, down.next, "retry_after_s" in down.details) == (
        Exit.UNREACHABLE,
        "capcli close d",
        False,
    )
    assert not_sent("LOGIN_REFUSED").next == "capcli login"


@pytest.mark.parametrize(("state", "exit_code"), [(AttemptState.REFUSED, 11), (AttemptState.REJECTED, 6)])
def test_only_what_was_refused_unread_is_the_rate_limits(state: AttemptState, exit_code: int) -> None:
    """A bare 429 proves nothing: what became of it then is the broker's own verdict."""
    answer = Answer(Delivery.ANSWERED, 429, error_code="error.too-many.requests")
    found = refusal(state, answer, "The close", "It is as before.", "capcli close d")
    assert (int(found.exit_code), found.next) == (exit_code, "capcli close d")
