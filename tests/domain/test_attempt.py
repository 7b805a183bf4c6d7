import pytest

from capcli.domain.attempt import TRANSITIONS, Answer, AttemptState, Delivery, classify

S = AttemptState


def answered(status: int, reference: str | None = None, code: str | None = None) -> Answer:
    return Answer(Delivery.ANSWERED, status=status, deal_reference=reference, error_code=code)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(Delivery.NOT_CONNECTED), S.NOT_SENT),
        (Answer(Delivery.LOST), S.UNKNOWN),
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
    ],
)
def test_an_answer_proves_this_much(answer: Answer, state: AttemptState) -> None:
    assert classify(answer) is state


def test_a_verdict_is_never_taken_back() -> None:
    for final in (S.NOT_SENT, S.REFUSED, S.LANDED, S.REJECTED):
        assert not TRANSITIONS[final]


def test_nothing_that_was_sent_becomes_unsent_without_an_answer_or_a_person() -> None:
    assert {state for state in S if S.NOT_SENT in TRANSITIONS[state]} == {S.CLAIMED, S.SENDING, S.ABSENT}


def test_what_may_be_live_is_unresolved() -> None:
    assert {state for state in S if state.unresolved} == {S.CLAIMED, S.SENDING, S.ACKED, S.UNKNOWN}
