"""A recording is held against our client and the paper broker, and what is new in it is told."""

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from capcli.domain.masking import Mask, parse, written
from capcli.errors import UsageError
from capcli.health import recording_check
from capcli.health.recording import Exchange, Read, document, record
from capcli.health.recording_check import _paper, _trade, check, mask_for, vocabulary


@pytest.fixture(scope="module")
def recording() -> str:
    with _paper() as broker:
        _trade(broker)
        return document(record(broker, mask_for(Random(1))))


@pytest.fixture(autouse=True, scope="module")
def compared_once() -> Iterator[None]:
    """Ask the paper broker once for all recordings here: it answers each of them the same."""
    real, answers = recording_check._reference, dict[bool, list[Exchange]]()

    def reference(mask: Mask | None) -> list[Exchange]:
        if (mask is None) not in answers:
            answers[mask is None] = [*real(mask)]
        return answers[mask is None]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording_check, "_reference", reference)
        yield


def changed(recording: str, path: str, change: Any) -> list[tuple[str, str, str, str]]:
    """Change one answer and return what the check tells of it."""
    content = parse(recording)
    row = next(row for row in content["reads"] if row["path"] == path)
    change(row)
    found = check(written(content), "answers.json").differences
    return [(one.request, one.field, one.recorded, one.expected) for one in found]


def test_every_read_is_recorded(recording: str) -> None:
    assert [row["path"] for row in json.loads(recording)["reads"]] == [read.path for read in Read]


def test_the_key_of_the_login_is_recorded_by_its_length_alone(recording: str) -> None:
    (row,) = [row for row in json.loads(recording)["reads"] if row["path"].endswith("encryptionKey")]
    assert row["status"] == 200
    assert re.fullmatch(r"<\w+ \d{3}>", row["body"]["encryptionKey"])


def test_the_paper_broker_is_as_recorded(recording: str) -> None:
    found = check(recording, "answers.json")
    assert found.differences == ()
    assert (found.checked, found.sentence) == (22, "No difference in 22 answers.")


def test_an_empty_account_is_no_difference() -> None:
    with _paper() as broker:
        text = document(record(broker, mask_for(Random(2))))
    found = check(text, "answers.json")
    assert (found.differences, found.checked) == ((), 19)


POSITION = "/positions"


def _row(row: Any) -> Any:
    return row["body"]["positions"][0]["position"]


@pytest.mark.parametrize(
    ("change", "field", "recorded", "expected"),
    [
        (lambda row: _row(row).update(currency="<currency with a d 4>"),
         "positions[].position.currency", "currency with a d", "word"),
        (lambda row: _row(row).update(upl=parse("-9.0E-4")),
         "positions[].position.upl", "number with an exponent", "number"),
        (lambda row: _row(row).update(upl="12.5"),
         "positions[].position.upl", "number as text", "number"),
        (lambda row: _row(row).update(stopFee=parse("1.5")),
         "positions[].position.stopFee", "number", "no such field"),
        (lambda row: _row(row).update(fees={"day": parse("1")}),
         "positions[].position.fees", "object", "no such field"),
        (lambda row: _row(row).pop("guaranteedStop"),
         "positions[].position.guaranteedStop", "not always there", "always there"),
        (lambda row: _row(row).update(createdDateUTC="2024-01-01T10:00:00"),
         "positions[].position.createdDateUTC", "time with 'T'", "time with 'T', 3 digits"),
        (lambda row: row.update(status=parse("403")),
         "status", "403", "200"),
    ],
)  # fmt: skip
def test_what_is_new_is_named_with_its_place(
    recording: str, change: Any, field: str, recorded: str, expected: str
) -> None:
    found = changed(recording, POSITION, change)
    assert (f"GET {POSITION}", field, recorded, expected) in found


def test_a_row_that_our_client_cannot_read_is_told(recording: str) -> None:
    found = changed(recording, POSITION, lambda row: _row(row).update(size="many"))
    assert any(expected == "a row that capcli reads" for *_, expected in found), found


def test_an_answer_that_our_client_cannot_read_is_told(recording: str) -> None:
    found = changed(recording, "/accounts", lambda row: row.update(body="<page 300>"))
    assert ("GET /accounts", "", "an answer that capcli reads") in [
        (request, field, expected) for request, field, _, expected in found
    ]


@pytest.mark.parametrize("text", ["", "{}", "[]", "nothing", '{"format": "other", "reads": []}', "null"])
def test_a_file_that_is_no_recording_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a recording of the format capcli/recording/1\."):
        check(text, "answers.json")


def test_no_name_of_the_paper_broker_is_a_word_that_stays() -> None:
    words, _ = vocabulary()
    assert {"USD", "TRADEABLE", "BUY", "SILVER"} <= words
    assert all(word == word.upper() for word in words)
