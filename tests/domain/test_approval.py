"""A request for approval is known by everything that it would send, and a code by what a person reads."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest
from msgspec.structs import replace

from capcli.domain.approval import ApprovalRequest, code_hash, tidy_code

ASKED = ApprovalRequest(
    kind="MARKET",
    subject="p_000000000001",
    env="demo",
    host="demo-api-capital.backend-capital.com",
    account_id="1",
    method="POST",
    path="/positions",
    body=b'{"size":1}',
    text="Buy 1 SILVER",
    expires_at=datetime(2026, 3, 2, tzinfo=UTC),
)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "CLOSE"},
        {"subject": "p_000000000002"},
        {"env": "live"},
        {"host": "127.0.0.1"},
        {"account_id": "2"},
        {"method": "PUT"},
        {"path": "/workingorders"},
        {"body": b'{"size":2}'},
        {"body": None},
    ],
)
def test_a_request_that_differs_in_one_thing_is_another_one(change):
    assert replace(ASKED, **change).digest != ASKED.digest


def test_words_and_expiry_do_not_make_another_request():
    assert replace(ASKED, text="Buy one", expires_at=datetime(2027, 1, 1, tzinfo=UTC)).digest == ASKED.digest


def test_the_body_is_kept_by_its_hash_and_none_by_that_of_nothing():
    assert ASKED.body_sha256 == sha256(b'{"size":1}').hexdigest()
    assert replace(ASKED, body=None).body_sha256 == sha256(b"").hexdigest()


@pytest.mark.parametrize(
    "typed", ["AB01-1CD", "ab01 1cd", "ABO1-LCD", "abo1 icd", "A-B-0-I-l-c-d", "AB011CD\u00e9"]
)
def test_a_code_counts_as_it_is_read(typed):
    assert tidy_code(typed) == "AB011CD"
    assert code_hash(typed) == code_hash("AB011CD") != code_hash("AB011CE")
