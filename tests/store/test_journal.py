import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capcli import ports
from capcli.domain.attempt import (
    AttemptRecord,
    AttemptState,
    Evidence,
    PreviewRecord,
    PreviewState,
    Protection,
)
from capcli.domain.order import Kind
from capcli.errors import JournalAltered, JournalUnreadable
from capcli.ports.journal import DealTaken
from capcli.store.journal import SqliteJournal
from tests.domain.test_attempt import written_out
from tests.support.drawn import ANY

from .builders import ACCOUNT, NOW, a_close, a_preview, an_attempt

S = AttemptState


def claimed(journal: SqliteJournal) -> None:
    journal.save_preview(a_preview())
    assert journal.claim("p_000000000001", an_attempt(), now=NOW)


def test_is_the_port() -> None:
    port: type[ports.Journal] = SqliteJournal
    assert port is SqliteJournal


def test_nothing_is_touched_before_first_use(path: Path) -> None:
    SqliteJournal(path).close()
    assert not path.parent.exists()


def test_unknown_ids_are_none(journal: SqliteJournal) -> None:
    assert journal.preview("p_x") is None
    assert journal.attempt("a_x") is None
    assert journal.attempt_of("p_x") is None


def test_a_preview_survives_the_process(journal: SqliteJournal, path: Path) -> None:
    journal.save_preview(a_preview())
    journal.close()
    with closing(SqliteJournal(path)) as later:
        assert later.preview("p_000000000001") == a_preview()


def test_a_preview_id_is_used_once(journal: SqliteJournal) -> None:
    journal.save_preview(a_preview())
    with pytest.raises(ValueError, match="UNIQUE"):
        journal.save_preview(a_preview())


def test_previews_are_listed_newest_first_within_their_env(journal: SqliteJournal) -> None:
    for number in range(4):
        journal.save_preview(a_preview(f"p_{number}", created_at=NOW + timedelta(microseconds=number)))
    journal.save_preview(a_preview("p_paper", env="paper"))
    assert [p.preview_id for p in journal.previews("demo", limit=3)] == ["p_3", "p_2", "p_1"]


def test_claim_returns_the_stored_body_once(journal: SqliteJournal) -> None:
    journal.save_preview(a_preview())
    won = journal.claim("p_000000000001", an_attempt(), now=NOW)
    lost = journal.claim("p_000000000001", an_attempt("a_000000000002"), now=NOW)
    assert won == a_preview(state=PreviewState.CLAIMED)
    assert lost is None
    assert journal.attempt_of("p_000000000001") == an_attempt()
    assert journal.attempt("a_000000000002") is None


@pytest.mark.parametrize("late", [timedelta(0), timedelta(microseconds=1), timedelta(days=1)])
def test_an_expired_preview_is_not_claimed(journal: SqliteJournal, late: timedelta) -> None:
    journal.save_preview(a_preview())
    assert journal.claim("p_000000000001", an_attempt(), now=a_preview().expires_at + late) is None
    assert journal.attempt_of("p_000000000001") is None
    assert journal.preview("p_000000000001") == a_preview(state=PreviewState.EXPIRED)


def test_a_preview_can_be_claimed_until_the_last_microsecond(journal: SqliteJournal) -> None:
    journal.save_preview(a_preview())
    last = a_preview().expires_at - timedelta(microseconds=1)
    assert journal.claim("p_000000000001", an_attempt(), now=last)


def test_a_draft_is_never_claimed(journal: SqliteJournal) -> None:
    journal.save_preview(a_preview(state=PreviewState.DRAFT))
    assert journal.claim("p_000000000001", an_attempt(), now=NOW) is None
    assert journal.preview("p_000000000001") == a_preview(state=PreviewState.DRAFT)


def test_an_unknown_preview_is_not_claimed(journal: SqliteJournal) -> None:
    assert journal.claim("p_000000000001", an_attempt(), now=NOW) is None


def test_a_preview_set_back_to_ready_is_not_claimed_again(
    journal: SqliteJournal, raw: sqlite3.Connection
) -> None:
    claimed(journal)
    raw.execute("UPDATE previews SET state = 'READY'")
    with pytest.raises(JournalAltered, match="previews p_000000000001: state"):
        journal.claim("p_000000000001", an_attempt("a_000000000002"), now=NOW)
    assert journal.attempt("a_000000000002") is None
    assert journal.attempt_of("p_000000000001") == an_attempt()


@pytest.mark.parametrize(
    "other",
    [
        {"kind": Kind.WORKING},
        {"env": "live"},
        {"host": "elsewhere"},
        {"account_id": "7654321"},
        {"method": "PUT"},
        {"path": "/workingorders"},
        {"body_sha256": "0" * 64},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_claim_for_another_order_changes_nothing(journal: SqliteJournal, other: dict[str, object]) -> None:
    journal.save_preview(a_preview())
    with pytest.raises(ValueError, match="is not for"):
        journal.claim("p_000000000001", an_attempt(**other), now=NOW)
    assert journal.preview("p_000000000001") == a_preview()
    assert journal.attempt_of("p_000000000001") is None


def test_a_claim_needs_a_claimed_attempt_of_that_preview(journal: SqliteJournal) -> None:
    journal.save_preview(a_preview())
    for wrong in (an_attempt(preview_id="p_2"), an_attempt(state=S.SENDING)):
        with pytest.raises(ValueError, match="not a claim"):
            journal.claim("p_000000000001", wrong, now=NOW)


def test_an_attempt_id_in_use_leaves_the_preview_ready(journal: SqliteJournal) -> None:
    claimed(journal)
    journal.save_preview(a_preview("p_2"))
    with pytest.raises(ValueError, match="UNIQUE"):
        journal.claim("p_2", an_attempt(preview_id="p_2"), now=NOW)
    assert journal.preview("p_2") == a_preview("p_2")


def test_closes_have_no_preview(journal: SqliteJournal) -> None:
    journal.open_attempt(a_close("a_1"))
    journal.open_attempt(a_close("a_2"))
    assert journal.attempt("a_2") == a_close("a_2")
    with pytest.raises(ValueError, match="claimed"):
        journal.open_attempt(an_attempt())
    with pytest.raises(ValueError, match="UNIQUE"):
        journal.open_attempt(a_close("a_1"))


def test_move_changes_state_and_facts(journal: SqliteJournal) -> None:
    claimed(journal)
    facts = {
        "http_status": 200,
        "deal_reference": "o_1",
        "deal_ids": ("D1", "D2"),
        "level": Decimal("24.6120"),
        "evidence": Evidence.CONFIRM,
        "protected": Protection.YES,
    }
    assert journal.move("a_000000000001", S.CLAIMED, S.SENDING, at=NOW, sent_at=NOW)
    assert journal.move("a_000000000001", S.SENDING, S.LANDED, at=NOW, **facts)
    assert journal.attempt("a_000000000001") == an_attempt(state=S.LANDED, sent_at=NOW, ended_at=NOW, **facts)


def test_half_a_surrogate_from_the_broker_does_not_lose_the_verdict(journal: SqliteJournal) -> None:
    claimed(journal)
    journal.move("a_000000000001", S.CLAIMED, S.SENDING, at=NOW)
    assert journal.move("a_000000000001", S.SENDING, S.UNKNOWN, at=NOW, note="x\ud800", error_code="\udfff")
    found = journal.attempt("a_000000000001")
    assert (found.state, found.note, found.error_code) == (S.UNKNOWN, "x?", "?")


def test_move_from_another_state_changes_nothing(journal: SqliteJournal, raw: sqlite3.Connection) -> None:
    claimed(journal)
    assert journal.move("a_000000000001", S.CLAIMED, S.NOT_SENT, at=NOW)
    events = raw.execute("SELECT count(*) FROM events").fetchone()
    assert not journal.move("a_000000000001", S.CLAIMED, S.SENDING, at=NOW, note="late")
    assert journal.attempt("a_000000000001") == an_attempt(state=S.NOT_SENT, ended_at=NOW)
    assert raw.execute("SELECT count(*) FROM events").fetchone() == events


def test_sending_without_a_send_time_is_counted_all_the_same(journal: SqliteJournal) -> None:
    claimed(journal)
    journal.move("a_000000000001", S.CLAIMED, S.SENDING, at=NOW)
    assert [a.attempt_id for a in journal.recent(*ACCOUNT, NOW)] == ["a_000000000001"]


@pytest.mark.parametrize(("step", "lawful"), written_out().items(), ids=str)
def test_a_journal_takes_the_steps_of_the_protocol_and_no_other(
    journal: SqliteJournal, step: tuple[S, S], *, lawful: bool
) -> None:
    source, target = step
    journal.open_attempt(a_close("a_1", state=source))
    if lawful:
        assert journal.move("a_1", source, target, at=NOW)
    else:
        with pytest.raises(ValueError, match="never goes"):
            journal.move("a_1", source, target, at=NOW)
    held = journal.attempt("a_1")
    assert held is not None
    assert held.state is (target if lawful else source)


@pytest.mark.parametrize("fact", ["state", "host", "preview_id", "body_sha256", "account_id", "colour"])
def test_a_move_cannot_change_what_an_attempt_is(journal: SqliteJournal, fact: str) -> None:
    claimed(journal)
    with pytest.raises(ValueError, match=fact):
        journal.move("a_000000000001", S.CLAIMED, S.SENDING, at=NOW, **{fact: "x"})


def test_moving_an_unknown_attempt_is_a_bug(journal: SqliteJournal) -> None:
    with pytest.raises(ValueError, match="a_x"):
        journal.move("a_x", S.CLAIMED, S.SENDING, at=NOW)


def test_a_look_without_a_trace_is_remembered_in_the_same_state(journal: SqliteJournal) -> None:
    claimed(journal)
    journal.move("a_000000000001", S.CLAIMED, S.SENDING, at=NOW)
    journal.move("a_000000000001", S.SENDING, S.UNKNOWN, at=NOW)
    later = NOW + timedelta(seconds=150)
    assert journal.observe("a_000000000001", S.UNKNOWN, at=later, absent_seen_at=later)
    held = journal.attempt("a_000000000001")
    assert held is not None
    assert (held.state, held.absent_seen_at) == (S.UNKNOWN, later)
    assert not journal.observe("a_000000000001", S.SENDING, at=later, note="too late")
    assert journal.moved_at("a_000000000001") == NOW


def test_the_latest_attempts_come_first(journal: SqliteJournal) -> None:
    claimed(journal)
    journal.open_attempt(a_close(created_at=NOW + timedelta(seconds=1)))
    assert [one.attempt_id for one in journal.attempts("demo", limit=2)] == [
        "a_00000000000c",
        "a_000000000001",
    ]
    assert len(journal.attempts("demo", limit=1)) == 1


def test_unresolved_are_those_of_the_account_oldest_first(journal: SqliteJournal) -> None:
    for number, state in enumerate(AttemptState):
        at = NOW - timedelta(microseconds=number)
        journal.open_attempt(a_close(f"a_{number}", state=state, created_at=at))
    journal.open_attempt(a_close("a_other", account_id="7654321"))
    found = journal.unresolved(*ACCOUNT)
    assert [a.state for a in found] == [s for s in reversed(AttemptState) if s.unresolved]


def test_recent_is_by_send_time_oldest_first(journal: SqliteJournal) -> None:
    tick = timedelta(microseconds=1)
    journal.open_attempt(a_close("a_never_sent"))
    for name, sent in (("a_later", NOW + tick), ("a_first", NOW), ("a_before", NOW - tick)):
        journal.open_attempt(a_close(name, state=S.LANDED, sent_at=sent))
    journal.open_attempt(a_close("a_paper", env="paper", sent_at=NOW))
    in_another_zone = NOW.astimezone(timezone(timedelta(hours=-5)))
    assert [a.attempt_id for a in journal.recent(*ACCOUNT, in_another_zone)] == ["a_first", "a_later"]


@pytest.mark.parametrize("column", ["state", "kind", "created_at", "deal_ids", "size"])
def test_an_entry_that_makes_no_sense_stops_reading(
    journal: SqliteJournal, raw: sqlite3.Connection, column: str
) -> None:
    claimed(journal)
    raw.execute(f"UPDATE attempts SET {column} = 'nonsense'")
    with pytest.raises(JournalUnreadable, match="a_000000000001") as caught:
        journal.attempt("a_000000000001")
    assert caught.value.next == "capcli health"


def test_a_time_without_a_zone_is_a_bug(journal: SqliteJournal) -> None:
    with pytest.raises(ValueError, match="time zone"):
        journal.save_preview(a_preview(created_at=NOW.replace(tzinfo=None)))


def test_two_threads_share_one_journal(journal: SqliteJournal) -> None:
    count, start, wins = 40, Barrier(2), []

    def work(name: str) -> None:
        start.wait()
        for number in range(count):
            preview_id = f"p_{number}"
            attempt = an_attempt(f"a_{name}_{number}", preview_id=preview_id)
            if journal.claim(preview_id, attempt, now=NOW):
                wins.append(number)
                assert journal.move(attempt.attempt_id, S.CLAIMED, S.SENDING, at=NOW)

    for number in range(count):
        journal.save_preview(a_preview(f"p_{number}"))
    threads = [Thread(target=work, args=(name,)) for name in "xy"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == list(range(count))
    assert len(journal.unresolved(*ACCOUNT)) == count


words = st.text(ANY, max_size=12)
times = st.datetimes(
    datetime(1900, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5.5))]),
)
numbers = st.none() | st.decimals(allow_nan=False, allow_infinity=False)
previews = st.builds(
    PreviewRecord,
    **dict.fromkeys(("preview_id", "env", "host", "account_id", "method", "path", "body_sha256"), words),
    **dict.fromkeys(("body", "document", "quote"), st.binary(max_size=40)),
    **dict.fromkeys(("created_at", "expires_at"), times),
    kind=st.sampled_from(Kind),
    state=st.sampled_from(PreviewState),
)
attempts = st.builds(
    AttemptRecord,
    **dict.fromkeys(("attempt_id", "env", "host", "account_id", "method", "path", "body_sha256"), words),
    **dict.fromkeys(("deal_reference", "order_id", "error_code"), st.none() | words),
    **dict.fromkeys(("level", "size", "stop_level"), numbers),
    **dict.fromkeys(("broker_time_at_send", "sent_at"), st.none() | times),
    created_at=times,
    preview_id=st.none(),
    kind=st.sampled_from(Kind),
    state=st.sampled_from(AttemptState),
    baseline=st.binary(max_size=40),
    deal_ids=st.lists(words, max_size=3).map(tuple),
    evidence=st.sampled_from(Evidence),
    protected=st.sampled_from(Protection),
    http_status=st.none() | st.integers(100, 599),
    note=words,
)


@settings(max_examples=60, deadline=None)
@given(previews, attempts)
def test_any_record_comes_back_unchanged(preview: PreviewRecord, attempt: AttemptRecord) -> None:
    with TemporaryDirectory() as folder, closing(SqliteJournal(Path(folder) / "journal.db")) as journal:
        journal.save_preview(preview)
        journal.open_attempt(attempt)
        assert journal.preview(preview.preview_id) == preview
        found = journal.attempt(attempt.attempt_id)
        assert found == attempt
        assert [str(n) for n in (found.level, found.size, found.stop_level)] == [
            str(n) for n in (attempt.level, attempt.size, attempt.stop_level)
        ]


OWNED = {"deal_reference": "o_1", "order_id": "O1", "opened_deal_ids": ("D1", "D2")}


def two_sent(journal: SqliteJournal) -> tuple[str, str]:
    """Send two orders, and return their attempts."""
    names = ("a_000000000001", "a_000000000002")
    for number, name in enumerate(names, 1):
        preview_id = f"p_00000000000{number}"
        journal.save_preview(a_preview(preview_id))
        assert journal.claim(preview_id, an_attempt(name, preview_id=preview_id), now=NOW)
        assert journal.move(name, S.CLAIMED, S.SENDING, at=NOW)
    return names


@pytest.mark.parametrize(
    "facts", [{"deal_reference": "o_1"}, {"order_id": "O1"}, {"opened_deal_ids": ("D9", "D2")}]
)
def test_what_an_opening_order_owns_no_other_owns(journal: SqliteJournal, facts: dict[str, Any]) -> None:
    first, second = two_sent(journal)
    assert journal.move(first, S.SENDING, S.LANDED, at=NOW, **OWNED)
    before = journal.inspect(None).events
    with pytest.raises(DealTaken) as taken:
        journal.move(second, S.SENDING, S.LANDED, at=NOW, **facts)
    assert taken.value.attempt_id == first
    found = journal.attempt(second)
    assert found is not None
    assert (found.state, found.opened_deal_ids, journal.inspect(None).events) == (S.SENDING, (), before)
    assert journal.owners(*ACCOUNT[:2], ["D1", "D9", "O1", "o_1"]) == dict.fromkeys(
        ["D1", "O1", "o_1"], first
    )
    assert journal.owners("live", ACCOUNT[1], ["D1"]) == {}


def test_deals_that_an_order_only_reduced_have_no_owner(journal: SqliteJournal) -> None:
    first, second = two_sent(journal)
    for name in (first, second):
        assert journal.move(name, S.SENDING, S.LANDED, at=NOW, deal_ids=("D1",))
    assert journal.owners(*ACCOUNT[:2], ["D1"]) == {}


def test_a_close_owns_nothing(journal: SqliteJournal) -> None:
    journal.open_attempt(a_close())
    journal.move("a_00000000000c", S.CLAIMED, S.SENDING, at=NOW)
    assert journal.move("a_00000000000c", S.SENDING, S.LANDED, at=NOW, **OWNED)
    assert journal.owners(*ACCOUNT[:2], ["D1", "o_1"]) == {}


def test_who_is_told_the_right_deal_gives_the_other_one_back(journal: SqliteJournal) -> None:
    first, _ = two_sent(journal)
    assert journal.move(first, S.SENDING, S.LANDED, at=NOW, opened_deal_ids=("D1",))
    assert journal.observe(first, S.LANDED, at=NOW, opened_deal_ids=("D2",))
    assert journal.owners(*ACCOUNT[:2], ["D1", "D2"]) == {"D2": first}


def test_of_two_processes_that_find_one_deal_one_owns_it(journal: SqliteJournal, path: Path) -> None:
    names = two_sent(journal)
    start, said = Barrier(2), []

    def land(name: str) -> None:
        with closing(SqliteJournal(path)) as own:
            own.attempt(name)
            start.wait()
            try:
                said.append(own.move(name, S.SENDING, S.LANDED, at=NOW, opened_deal_ids=("D1",)))
            except DealTaken:
                said.append(False)

    threads = [Thread(target=land, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [False, True]
    assert len(journal.owners(*ACCOUNT[:2], ["D1"])) == 1
