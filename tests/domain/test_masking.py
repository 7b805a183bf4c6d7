"""What a recording keeps of an answer, and what it never does."""

import json
import re
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from capcli.domain.masking import Lexeme, Mask, forms, kind_of, parse, written

DEAL = "00601266-0055-311e-0000-00008a1c51d8"


@pytest.fixture
def mask() -> Mask:
    return Mask({"USD", "BUY"}, {"dealId", "serverTime", "balance", "stopLevel"}, Random(5))


@pytest.mark.parametrize(
    "text",
    ["2", "2.0", "-9.0E-4", "0", "0.00", "1e5", "NaN", "12345678901234567890", "-0.5"],
)
def test_a_number_is_written_as_it_was_read(text: str) -> None:
    assert (
        written(parse(f'{{"a": [{text}, null, true, "x\\n"]}}')) == f'{{"a": [{text}, null, true, "x\\n"]}}'
    )


@pytest.mark.parametrize(
    ("number", "form"),
    [
        ("10234.56", r"[1-9]\d{4}\.\d{2}"),
        ("-9.0E-4", r"-[1-9]\.0E-4"),
        ("2.0", r"[1-9]\.0"),
        ("7", r"[1-9]"),
        ("0.0512", r"0\.\d{4}"),
        ("0", "0"),
        ("0.00", r"0\.00"),
        ("0e5", "0e5"),
        ("NaN", "NaN"),
        ("+1.5", r"\+[1-9]\.\d"),
    ],
)
def test_an_amount_is_drawn_anew_in_the_same_form(mask: Mask, number: str, form: str) -> None:
    assert re.fullmatch(form, mask.value(Lexeme(number)))


@pytest.mark.parametrize("number", ["10234.56", "-9.0E-4", "2.0", "7", "0.5"])
def test_no_amount_stays_what_it_was(number: str) -> None:
    assert all(Mask((), (), Random(seed)).value(Lexeme(number)) != number for seed in range(50))


def test_one_id_is_the_same_other_id_everywhere(mask: Mask) -> None:
    first, reference, again = mask.text(DEAL), mask.text(f"p_{DEAL}"), mask.text(DEAL)
    assert first == again
    assert reference == f"p_{first}"
    assert first != DEAL
    assert kind_of(first) == "id"
    other = mask.text("353210987654321")
    assert other.isdigit()
    assert (len(other), other == "353210987654321") == (15, False)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2026-11-29T10:11:12.345", "time with 'T', 3 digits"),
        ("2026-11-29T10:11:12", "time with 'T'"),
        ("2026-11-29 10:11:12+02:00", "time with ' ', a zone"),
        ("09:30 - 16:00", "hours"),
        ("-12.50", "number as text"),
    ],
)
def test_what_a_program_reads_keeps_its_form(mask: Mask, text: str, kind: str) -> None:
    masked = mask.text(text)
    assert kind_of(masked) == kind_of(text) == kind
    assert masked != text
    assert len(masked) == len(text)


def test_times_keep_their_distance(mask: Mask) -> None:
    first, second = mask.text("2026-11-29T10:00:00"), mask.text("2026-11-29T10:01:30")
    assert (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds() == 90
    early, late = (
        mask.value({"serverTime": Lexeme(text)})["serverTime"] for text in ("1774000000000", "1774000005000")
    )
    assert int(late) - int(early) == 5000
    assert early != "1774000000000"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("USD", "USD"),
        ("BUY", "BUY"),
        ("", ""),
        ("USDd", "<currency with a d 4>"),
        ("ON_A_BREAK", "<word 10>"),
        ("Ada Lovelace", "<text 12>"),
        ("ada@example.org", "<text 15>"),
        ("https://host.example/x", "<url 22>"),
        ("<html>no</html>", "<page 15>"),
        ("error.some.new", "<code 14>"),
        ("2026-02-31T10:00:00", "<impossible time 19>"),
    ],
)
def test_a_text_stays_only_where_it_is_a_known_word(mask: Mask, text: str, masked: str) -> None:
    assert mask.text(text) == masked


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("dealId", "dealId"),
        ("stopId", "stopId"),
        ("levelTime", "levelTime"),
        ("USD", "USD"),
        ("adaLovelace", "<name 11>"),
        ("Ada Lovelace", "<name 12>"),
        ("sk-live-123", "<name 11>"),
    ],
)
def test_a_field_name_stays_where_it_is_known_or_made_of_known_words(
    mask: Mask, name: str, kept: str
) -> None:
    assert list(mask.value({name: True})) == [kept]


def test_unknown_names_do_not_swallow_each_other(mask: Mask) -> None:
    assert len(mask.value({"adaLovelace": True, "eveLovelace": False, "bobLovelace": None})) == 3


def test_an_account_as_a_field_name_becomes_the_other_id(mask: Mask) -> None:
    masked = mask.value({"353210987654321": {"dealId": "353210987654321"}})
    ((name, inner),) = masked.items()
    assert name == inner["dealId"] != "353210987654321"


def test_places_and_forms_of_an_answer() -> None:
    seen: list[tuple[str, str]] = []
    forms(
        parse('{"a": [{"b": 1}, {"b": "1.5", "c": 1e5}], "d": NaN, "e": []}'), lambda *one: seen.append(one)
    )
    assert seen == [
        ("", "object"),
        ("a", "list"),
        ("a[]", "object"),
        ("a[].b", "number"),
        ("a[]", "object"),
        ("a[].b", "number as text"),
        ("a[].c", "number with an exponent"),
        ("d", "no number"),
        ("e", "list"),
    ]


def test_nothing_planted_survives_in_a_whole_answer(mask: Mask) -> None:
    planted: dict[str, Any] = {
        "name": "Ada Lovelace",
        "mail": "ada@example.org",
        "account": "353210987654321",
        "deal": DEAL,
        "money": "10234.56",
        "at": "2026-11-29T10:11:12.345",
        "token": "c0ffee00c0ffee00c0ffee00c0ffee00",
    }
    answer = parse(json.dumps(planted | {"rows": [planted], "ada@example.org": planted, "balance": 10234.56}))
    text = written(mask.value(answer))
    for value in planted.values():
        assert value not in text


def test_an_exponent_is_one_in_either_case() -> None:
    found: dict[str, str] = {}
    forms({"a": Lexeme("1E5"), "b": Lexeme("1e5"), "c": Lexeme("15")}, found.__setitem__)
    assert found == {
        "": "object",
        "a": "number with an exponent",
        "b": "number with an exponent",
        "c": "number",
    }


class Drawn(Random):
    """Draws the lowest number that is allowed, or the highest."""

    def __init__(self, *, highest: bool) -> None:
        super().__init__(1)
        self._highest = highest

    def randint(self, a: int, b: int) -> int:
        return b if self._highest else a


def test_times_go_back_by_a_thousand_to_three_thousand_days() -> None:
    latest, earliest = (Mask((), (), Drawn(highest=highest)) for highest in (False, True))
    assert latest.text("2026-11-29T10:00:00") == "2024-03-04T10:00:00"
    assert earliest.text("2026-11-29T10:00:00") == "2018-09-11T10:00:01"
    before, after = datetime(2026, 11, 29, 10, tzinfo=UTC), datetime(2024, 3, 4, 10, tzinfo=UTC)
    counted = {"serverTime": Lexeme(f"{before.timestamp() * 1000:.0f}")}
    assert list(latest.value(counted).values()) == [f"{after.timestamp() * 1000:.0f}"]


def test_every_digit_may_be_drawn_and_no_number_begins_with_nothing() -> None:
    lowest, highest = (Mask((), (), Drawn(highest=highest)) for highest in (False, True))
    assert (lowest.text("10234.56"), highest.text("10234.56")) == ("10000.00", "99999.99")


def test_a_word_of_the_vocabulary_stays_as_a_field_name_too() -> None:
    mask = Mask({"ON_A_BREAK"}, {"dealId"}, Random(5))
    assert list(mask.value({"ON_A_BREAK": True, "dealId 7": True})) == ["ON_A_BREAK", "<name 8>"]


def test_a_long_amount_is_no_time(mask: Mask) -> None:
    texts = ("1774000000000", "1774000005000")
    early, late = (mask.value({"balance": Lexeme(text)})["balance"] for text in texts)
    assert int(late) - int(early) != 5000


def test_an_id_of_letters_and_digits_gets_both(mask: Mask) -> None:
    assert any(one.isalpha() for one in mask.text(DEAL))


def test_null_and_true_have_forms_of_their_own() -> None:
    found: dict[str, str] = {}
    forms({"a": None, "b": True}, found.__setitem__)
    assert found == {"": "object", "a": "null", "b": "true or false"}
