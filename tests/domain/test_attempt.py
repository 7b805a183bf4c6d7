from datetime import timedelta

import pytest

from capcli.domain.attempt import (
    TRANSITIONS,
    Answer,
    AttemptState,
    Delivery,
    PreviewRecord,
    classify,
    has_outlived,
    is_from_the_future,
)
from tests.store.builders import NOW, a_preview

S = AttemptState


def answered(status: int, reference: str | None = None, code: str | None = None) -> Answer:
    return Answer(Delivery.ANSWERED, status=status, deal_reference=reference, error_code=code)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(Delivery.NOT_CONNECTED), S.NOT_SENT),
        (Answer(Delivery.LOST), S.UNKNOWN),
        (Answer(Delivery.LOST, status=200, deal_reference="o_1"), S.UNKNOWN),
        (answered(200, "o_1"), S.ACKED),
        (answered(200), S.UNKNOWN),
        (answered(200, ""), S.UNKNOWN),
        (answered(201, "o_1"), S.UNKNOWN),
        (answered(200, code="error.x"), S.UNKNOWN),
        *((answered(status), S.UNKNOWN) for status in (301, 307, 400, 401, 429, 500, 502, 503)),
        *((answered(status, code="error.some"), S.REFUSED) for status in (400, 401, 403, 404, 429)),
        *((answered(status, code="error.some"), S.UNKNOWN) for status in (402, 409, 418, 500, 503)),
        (answered(400, code="java.lang.NullPointerException"), S.UNKNOWN),
        (answered(400, code="xerror.some"), S.UNKNOWN),
        (answered(400, "o_1", "error.some"), S.REFUSED),
        (Answer(Delivery.ANSWERED, status=400, bare_object=True), S.REFUSED),
        (Answer(Delivery.ANSWERED, status=403, bare_object=True), S.UNKNOWN),
        (Answer(Delivery.ANSWERED, status=429, bare_object=True), S.UNKNOWN),
        (Answer(Delivery.ANSWERED, status=200, deal_reference="o_1", other_account_id="2"), S.UNKNOWN),
        (Answer(Delivery.ANSWERED, status=400, error_code="error.x", other_account_id="2"), S.REFUSED),
    ],
)
def test_an_answer_proves_this_much(answer: Answer, state: AttemptState) -> None:
    assert classify(answer) is state


# Written out from the protocol, not from the code: a row for each state, and what it may become.
LAWFUL = """
            CLAIMED SENDING ACKED NOT_SENT REFUSED UNKNOWN LANDED REJECTED ABSENT
CLAIMED     .       yes     .     yes      .       .       .      .        .
SENDING     .       .       yes   yes      yes     yes     yes    yes      yes
ACKED       .       .       .     .        .       .       yes    yes      .
NOT_SENT    .       .       .     .        .       .       .      .        .
REFUSED     .       .       .     .        .       .       .      .        .
UNKNOWN     .       .       .     .        .       .       yes    yes      yes
LANDED      .       .       .     .        .       .       .      .        .
REJECTED    .       .       .     .        .       .       .      .        .
ABSENT      .       .       .     yes      .       .       yes    .        .
"""


def written_out() -> dict[tuple[S, S], bool]:
    """Return whether each step of a state to another is lawful, all 81 of them."""
    head, *rows = (line.split() for line in LAWFUL.strip().splitlines())
    return {(S(row[0]), S(to)): cell == "yes" for row in rows for to, cell in zip(head, row[1:], strict=True)}


def test_the_transitions_are_those_of_the_protocol() -> None:
    written = written_out()
    assert len(written) == len(S) ** 2
    assert {step for step, lawful in written.items() if lawful} == {
        (state, to) for state, ways in TRANSITIONS.items() for to in ways
    }


def test_what_may_be_live_is_unresolved() -> None:
    assert {state for state in S if state.unresolved} == {S.CLAIMED, S.SENDING, S.ACKED, S.UNKNOWN}


def previewed(created: int = 0, broker: int | None = 0) -> PreviewRecord:
    """A preview of two minutes, made at so many seconds by our clock and by the broker's."""
    made = NOW + timedelta(seconds=created)
    told = None if broker is None else NOW + timedelta(seconds=broker)
    return a_preview(created_at=made, expires_at=made + timedelta(seconds=120), broker_time=told)


@pytest.mark.parametrize(
    ("created", "now", "broker", "future"),
    [
        (0, 0, 0, False),
        (2, 0, 0, False),
        (3, 0, 0, True),
        (3, 0, None, True),
        (3600, 3600, 0, False),
        (3600, 0, 3600, False),
    ],
)
def test_a_preview_is_from_the_future_where_both_clocks_say_so(
    created: int, now: int, broker: int | None, *, future: bool
) -> None:
    at = None if broker is None else NOW + timedelta(seconds=broker)
    assert is_from_the_future(previewed(created), NOW + timedelta(seconds=now), at) is future


@pytest.mark.parametrize(
    ("told", "broker", "outlived"),
    [(0, 122, False), (0, 123, True), (None, 999, False), (0, None, False), (0, 18_060, True)],
)
def test_a_preview_expires_by_the_brokers_clock(
    told: int | None, broker: int | None, *, outlived: bool
) -> None:
    preview = previewed(18_000, told)
    assert has_outlived(preview, None if broker is None else NOW + timedelta(seconds=broker)) is outlived
