"""The envelope: digits, instants, and what it holds."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath

import pytest

from capcli.account.portfolio import PositionsFound, Totals
from capcli.errors import Problem
from capcli.render.envelope import (
    document,
    encode,
    failure,
    instant,
    plain,
)
from capcli.reply import Reply

EMPTY = PositionsFound((), Totals("USD", Decimal("0.00"), None, 0))


def test_numbers_keep_their_digits_and_write_no_exponent():
    assert (
        encode({"a": Decimal("24.50"), "b": Decimal("1E+2"), "c": [Decimal("0.00001")]})
        == b'{"a":24.50,"b":100,"c":[0.00001]}'
    )


def test_instants_are_utc_with_z():
    east = timezone(timedelta(hours=2))
    assert instant(datetime(2026, 1, 31, 14, tzinfo=east)) == "2026-01-31T12:00:00Z"
    assert instant(datetime(2026, 1, 31, 14, 0, 0, 5000, tzinfo=UTC)) == "2026-01-31T14:00:00.005000Z"


def test_paths_are_text_and_strangers_are_refused():
    assert plain(PurePosixPath("/a/b")) == "/a/b"
    assert plain({"waited_s": 0.2}) == {"waited_s": Decimal("0.2")}
    with pytest.raises(TypeError, match="object has no JSON form"):
        plain(object())


def test_ok_is_true_exactly_without_a_problem():
    problem = Problem("CHECKS_FAILED", "No.", 5)
    good, bad = (
        document("positions", "paper", Reply(EMPTY, "1")),
        document("x", "paper", Reply(EMPTY, "1", problem)),
    )
    assert (good["ok"], "error" in good) == (True, False)
    assert (bad["ok"], bad["error"]["code"], "data" in bad) == (False, "CHECKS_FAILED", True)
    assert list(failure("x", None, problem)) == ["ok", "schema", "command", "env", "account_id", "error"]


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x7f", "\x9b2J", "\u202e\u2066", "\U000e0041", "caf\u00e9 \u4e2d"]
)
def test_text_is_exact_and_no_letter_of_it_is_hidden(text):
    content = encode({"name": text})
    assert json.loads(content) == {"name": text}
    assert content.decode().isprintable()


def test_printable_text_stays_as_it_is():
    assert encode({"name": "caf\u00e9"}).decode() == '{"name":"caf\u00e9"}'
