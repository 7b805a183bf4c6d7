"""Logging in, keeping and rotating tokens, and standing on the right account."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from capcli.broker.client import CapitalBroker
from capcli.errors import ConfigError, LoginRefused, RateLimited, ReadTimeout, Unreachable
from capcli.ports.login import Credentials

from . import shapes
from .host import KEY, PASSWORD, START, USER, Cache, Venue, answer, refusal, stored
from .shapes import FIRST, SECOND

LOST = refusal("error.invalid.session.token", 401)
FLAT = {"positions": []}


def tokens(request: httpx.Request) -> str | None:
    return request.headers.get("cst")


def test_the_first_read_logs_in_without_old_tokens(venue: Venue) -> None:
    venue.on("GET /positions", answer(FLAT))
    cache = Cache()

    assert venue.broker(cache=cache).positions() == ()

    _, login, read = venue.requests
    assert login.headers["x-cap-api-key"] == KEY
    assert tokens(login) is None
    assert login.content == f'{{"identifier":"{USER}","password":"{PASSWORD}"}}'.encode()
    assert tokens(read) == "login1-cst"
    assert "x-cap-api-key" not in read.headers
    assert cache.stored is not None
    assert (cache.stored.cst, cache.stored.created_at) == ("login1-cst", START)


def test_a_cached_session_needs_neither_login_nor_credentials(venue: Venue) -> None:
    venue.on("GET /positions", answer(FLAT))

    def nobody() -> Credentials:
        raise AssertionError

    broker = CapitalBroker(
        "https://broker.example",
        nobody,
        clock=venue.time.now,
        cache=Cache(stored()),
        transport=httpx.MockTransport(venue.handle),
    )

    assert broker.account_id == FIRST
    assert broker.login().account_id == FIRST
    assert broker.positions() == ()
    assert venue.seen() == ["GET /positions"]


@pytest.mark.parametrize("age", [timedelta(minutes=50), timedelta(minutes=-50)])
def test_an_old_session_is_renewed_before_it_is_used(venue: Venue, age: timedelta) -> None:
    venue.on("GET /positions", answer(FLAT))

    venue.broker(cache=Cache(stored(created_at=START - age))).positions()

    assert venue.seen() == ["POST /session", "GET /positions"]


@pytest.mark.parametrize(
    "code",
    [
        "error.invalid.session.token",
        "error.null.client.token",
        "error.security.client-token-missing",
        "error.security.token-invalid",
        "error.security.account.token.invalid",
    ],
)
def test_a_lost_session_is_renewed_unnoticed(venue: Venue, code: str) -> None:
    venue.on("GET /positions", refusal(code, 401), answer(FLAT))

    assert venue.broker(cache=Cache(stored())).positions() == ()

    assert venue.seen() == ["GET /positions", "POST /session", "GET /positions"]


@pytest.mark.parametrize(
    "body",
    [b"{}", b"", b"<html>Unauthorized</html>", b'{"errorCode":"error.brand.new"}', b'{"errorCode":null}'],
)
def test_any_401_to_a_read_logs_in_once_and_repeats_it_once(venue: Venue, body: bytes) -> None:
    venue.on("GET /positions", httpx.Response(401, content=body), answer(FLAT))

    assert venue.broker(cache=Cache(stored())).positions() == ()

    assert venue.seen().count("GET /positions") == 2
    assert venue.logins == 1


def test_a_401_that_a_new_login_does_not_mend_is_told_with_the_brokers_word(venue: Venue) -> None:
    venue.on("GET /positions", refusal("error.brand.new", 401))

    with pytest.raises(LoginRefused, match=r"^401 Unauthorized: .* \(error\.brand\.new\)") as caught:
        venue.broker(cache=Cache(stored())).positions()

    assert venue.logins == 1
    assert caught.value.details["broker_code"] == "error.brand.new"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_the_code_tells_a_lost_session_whatever_the_status(venue: Venue, status: int) -> None:
    venue.on("GET /positions", refusal("error.security.client-token-missing", status), answer(FLAT))

    assert venue.broker(cache=Cache(stored())).positions() == ()


def test_tokens_of_a_refusal_are_not_adopted(venue: Venue) -> None:
    venue.on("POST /positions", answer({"errorCode": "error.invalid.session.token"}, 401, tokens="dead"))
    venue.on("GET /ping", answer({"status": "OK"}))
    broker = venue.broker(cache=Cache(stored()))

    broker.send("POST", "/positions", b"{}")
    broker.ping()

    assert tokens(venue.requests[-1]) == "cached-cst"


def test_logins_keep_a_second_apart(venue: Venue) -> None:
    broker = venue.broker()

    broker.login(force=True)
    broker.login(force=True)

    assert sum(venue.time.slept) >= 1.0


def test_a_session_lost_twice_is_given_up(venue: Venue) -> None:
    venue.on("GET /positions", LOST)
    cache = Cache(stored())

    with pytest.raises(LoginRefused, match=r"^Session expired"):
        venue.broker(cache=cache).positions()

    assert venue.seen().count("POST /session") == 1
    assert venue.seen().count("GET /positions") == 2
    assert cache.stored is None


def test_another_processs_younger_session_is_taken_instead_of_a_login(venue: Venue) -> None:
    cache = Cache(stored())
    broker = venue.broker(cache=cache)
    assert broker.account_id == FIRST
    cache.stored = stored(name="other", created_at=START + timedelta(minutes=1))
    venue.on("GET /positions", LOST, answer(FLAT))

    broker.positions()

    assert [tokens(each) for each in venue.requests] == ["cached-cst", "other-cst"]


def test_a_younger_session_that_is_dead_too_leads_to_a_login(venue: Venue) -> None:
    cache = Cache(stored())
    broker = venue.broker(cache=cache)
    assert broker.account_id == FIRST
    cache.stored = stored(name="other", created_at=START + timedelta(minutes=1))
    venue.on("GET /positions", LOST, LOST, answer(FLAT))

    broker.positions()

    assert venue.seen().count("POST /session") == 1


def test_tokens_that_another_process_saw_rotated_are_taken_instead_of_a_login(venue: Venue) -> None:
    cache = Cache(stored())
    broker = venue.broker(cache=cache)
    assert broker.account_id == FIRST
    cache.stored = stored(name="rotated")
    venue.on("GET /positions", LOST, answer(FLAT))

    broker.positions()

    assert [tokens(each) for each in venue.requests] == ["cached-cst", "rotated-cst"]


def test_a_session_that_another_process_moved_to_another_account_is_left_to_it(venue: Venue) -> None:
    """Whoever is in the middle of something stays on its account, and the choice of the other stands."""
    cache = Cache(stored(FIRST))
    broker = venue.broker(cache=cache)
    assert broker.account_id == FIRST
    cache.stored = moved = stored(SECOND, name="moved")
    venue.on("GET /positions", LOST, answer(FLAT, tokens="rotated"))

    broker.positions()

    assert broker.account_id == FIRST
    assert venue.seen() == ["GET /positions", "POST /session", "GET /positions"]
    assert cache.stored == moved


def test_a_session_that_is_always_replaced_and_always_dead_is_given_up(venue: Venue) -> None:
    cache = Cache(stored())
    broker = venue.broker(cache=cache)

    def dead(_: httpx.Request) -> httpx.Response:
        cache.stored = stored(name=f"rotated{len(venue.requests)}")
        return LOST

    venue.on("GET /positions", dead)

    with pytest.raises(LoginRefused, match=r"^Session expired"):
        broker.positions()

    assert len(venue.requests) < 10


def test_a_rotation_does_not_replace_a_newer_session_in_the_cache(venue: Venue) -> None:
    cache = Cache(stored())
    broker = venue.broker(cache=cache)
    venue.on("GET /ping", answer({"status": "OK"}, tokens="rotated"))
    assert broker.account_id == FIRST
    cache.stored = newer = stored(name="newer", created_at=START + timedelta(minutes=1))

    broker.ping()

    assert cache.stored == newer


def test_a_rotation_does_not_bring_back_a_session_that_was_dropped(venue: Venue) -> None:
    """As by a login with another key, while this process was at work."""
    cache = Cache(stored())
    broker = venue.broker(cache=cache)
    venue.on("GET /ping", answer({"status": "OK"}, tokens="rotated"))
    assert broker.account_id == FIRST
    cache.stored = None

    broker.ping()

    assert cache.stored is None


def test_whoever_waited_for_another_processs_login_takes_its_session(venue: Venue) -> None:
    cache = Cache()

    @contextmanager
    def lock() -> Iterator[None]:
        cache.stored = stored(name="theirs")
        yield

    venue.on("GET /positions", answer(FLAT))

    venue.broker(cache=cache, lock=lock).positions()

    assert [tokens(each) for each in venue.requests] == ["theirs-cst"]


def test_an_old_session_that_another_process_renewed_is_taken(venue: Venue) -> None:
    cache = Cache(stored(created_at=START - timedelta(minutes=55)))

    @contextmanager
    def lock() -> Iterator[None]:
        cache.stored = stored(name="theirs")
        yield

    venue.on("GET /positions", answer(FLAT))

    venue.broker(cache=cache, lock=lock).positions()

    assert [tokens(each) for each in venue.requests] == ["theirs-cst"]


def test_a_session_says_which_credentials_it_was_made_with(venue: Venue) -> None:
    cache = Cache()

    venue.broker(cache=cache).login()

    assert cache.stored is not None
    assert cache.stored.fingerprint == Credentials(KEY, USER, PASSWORD).fingerprint


def test_rotated_tokens_are_used_and_cached(venue: Venue) -> None:
    cache = Cache(stored())
    venue.on("GET /ping", answer({"status": "OK"}, tokens="rotated"))
    venue.on("GET /positions", answer(FLAT))
    broker = venue.broker(cache=cache)

    assert broker.ping()
    broker.positions()

    assert tokens(venue.requests[-1]) == "rotated-cst"
    assert cache.stored is not None
    assert (cache.stored.cst, cache.stored.created_at) == ("rotated-cst", START)


def test_tokens_of_an_answer_that_a_newer_login_overtook_are_dropped(venue: Venue) -> None:
    broker = venue.broker(cache=Cache(stored()))

    def slow(request: httpx.Request) -> httpx.Response:
        if tokens(request) == "cached-cst":
            broker.login(force=True)
            return answer({"status": "OK"}, tokens="stale")
        return answer({"status": "OK"})

    venue.on("GET /ping", slow)
    broker.ping()
    broker.ping()

    assert tokens(venue.requests[-1]) == "login1-cst"


def test_an_answer_that_echoes_old_tokens_does_not_undo_a_rotation(venue: Venue) -> None:
    broker = venue.broker(cache=Cache(stored()))

    def echo(request: httpx.Request) -> httpx.Response:
        if len(venue.requests) == 1:
            broker.positions()
            return answer({"status": "OK"}, tokens="cached")
        return answer({"status": "OK"})

    venue.on("GET /positions", answer(FLAT, tokens="rotated"))
    venue.on("GET /ping", echo)
    broker.ping()
    broker.ping()

    assert tokens(venue.requests[-1]) == "rotated-cst"


def test_threads_that_lose_the_session_together_log_in_once(venue: Venue) -> None:
    together = threading.Barrier(4)

    def read(request: httpx.Request) -> httpx.Response:
        if tokens(request) == "cached-cst":
            together.wait(60)
            return refusal("error.invalid.session.token", 401)
        return answer(FLAT)

    venue.on("GET /positions", read)
    broker = venue.broker(cache=Cache(stored()))
    threads = [threading.Thread(target=broker.positions) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert venue.logins == 1
    assert venue.seen().count("GET /positions") == 8


def switching(venue: Venue, *, landed: str = FIRST) -> None:
    """Script an account switch that rotates the tokens."""
    active = [landed]

    def put(request: httpx.Request) -> httpx.Response:
        active[0] = SECOND if SECOND.encode() in request.content else FIRST
        return answer({"dealingEnabled": True}, tokens="switched")

    venue.on("PUT /session", put)
    venue.on("GET /session", lambda _: answer(shapes.session_body(active[0])))


def test_a_login_that_lands_elsewhere_is_switched_before_anything_else(venue: Venue) -> None:
    switching(venue)
    venue.on("GET /positions", answer(FLAT))
    cache = Cache()
    broker = venue.broker(cache=cache, wanted=SECOND)

    broker.positions()

    assert venue.seen() == ["POST /session", "PUT /session", "GET /session", "GET /positions"]
    assert tokens(venue.requests[-1]) == "switched-cst"
    assert broker.account_id == SECOND
    assert cache.stored is not None
    assert cache.stored.account_id == SECOND
    assert cache.default is not None
    assert cache.default.chosen == FIRST, "where the login landed, for commands that ask for no account"


def test_a_login_that_returns_to_a_chosen_account_says_nothing_to_other_commands(venue: Venue) -> None:
    switching(venue)
    cache = Cache(stored(FIRST))
    broker = venue.broker(cache=cache, wanted=FIRST)
    broker.switch_account(SECOND)
    broker.login(force=True)

    assert (broker.account_id, cache.default) == (SECOND, None)


def test_a_new_login_returns_to_the_account_of_the_lost_session(venue: Venue) -> None:
    switching(venue)
    venue.on("GET /positions", LOST, answer(FLAT))
    broker = venue.broker(cache=Cache(stored(SECOND)))

    broker.positions()

    assert broker.account_id == SECOND
    assert "PUT /session" in venue.seen()


def test_an_account_that_the_login_does_not_have_names_those_it_has(venue: Venue) -> None:
    cache = Cache()

    with pytest.raises(ConfigError, match="CAP_DEFAULT_ACCOUNT_ID or --account") as caught:
        venue.broker(cache=cache, wanted="42").positions()

    assert FIRST in caught.value.message
    assert SECOND in caught.value.message
    assert cache.stored is None
    assert venue.seen() == ["POST /session"]


def test_a_cached_session_on_another_account_is_switched(venue: Venue) -> None:
    switching(venue)
    venue.on("GET /positions", answer(FLAT))

    venue.broker(cache=Cache(stored(FIRST)), wanted=SECOND).positions()

    assert venue.seen() == ["GET /session", "PUT /session", "GET /session", "GET /positions"]


def test_a_cached_session_that_is_already_there_is_not_switched(venue: Venue) -> None:
    switching(venue, landed=SECOND)
    venue.on("GET /positions", answer(FLAT))

    venue.broker(cache=Cache(stored(FIRST)), wanted=SECOND).positions()

    assert venue.seen() == ["GET /session", "GET /positions"]


def test_a_switch_to_the_active_account_is_no_error(venue: Venue) -> None:
    venue.on("GET /session", answer(shapes.session_body(FIRST)), answer(shapes.session_body(SECOND)))
    venue.on("PUT /session", refusal("error.not-different.accountId", 400))

    assert venue.broker(cache=Cache(stored())).switch_account(SECOND).account_id == SECOND


def test_switching_by_hand_lasts_beyond_the_next_login(venue: Venue) -> None:
    switching(venue)
    broker = venue.broker(cache=Cache(stored()), wanted=FIRST)
    broker.switch_account(SECOND)

    broker.login(force=True)

    assert broker.account_id == SECOND


def test_switching_to_an_unknown_account_lists_the_accounts(venue: Venue) -> None:
    venue.on("GET /session", answer(shapes.session_body()))
    venue.on("PUT /session", refusal("error.invalid.accountId", 400))
    venue.on("GET /accounts", answer({"accounts": [shapes.account_row(FIRST), shapes.account_row(SECOND)]}))
    broker = venue.broker(cache=Cache(stored()))

    with pytest.raises(ConfigError, match=SECOND) as caught:
        broker.switch_account("42")

    assert caught.value.next is None
    assert broker.account_id == FIRST


def test_a_visit_leaves_the_choice_and_a_switch_makes_one(venue: Venue) -> None:
    switching(venue)
    cache = Cache(stored(FIRST))
    broker = venue.broker(cache=cache)

    broker.visit_account(SECOND)
    visiting = cache.stored
    broker.switch_account(SECOND)

    assert visiting is not None
    assert cache.stored is not None
    assert (visiting.account_id, visiting.chosen) == (SECOND, FIRST)
    assert (cache.stored.account_id, cache.stored.chosen) == (SECOND, SECOND)


def test_session_reports_the_account_that_the_broker_sees(venue: Venue) -> None:
    venue.on("GET /session", answer(shapes.session_body(SECOND)))
    broker = venue.broker(cache=Cache(stored(FIRST)))

    assert broker.session().account_id == SECOND
    assert broker.account_id == SECOND


def test_logging_out_forgets_the_session_even_when_the_broker_is_gone(venue: Venue) -> None:
    cache = Cache(stored())
    venue.on("DELETE /session", httpx.ConnectError("down"))

    with pytest.raises(Unreachable):
        venue.broker(cache=cache).logout()

    assert cache.stored is None


def test_a_session_that_cannot_be_ended_does_not_keep_the_others_alive(venue: Venue) -> None:
    venue.on("DELETE /session", httpx.ReadTimeout("slow"), answer({"status": "SUCCESS"}))
    cache = Cache(stored())
    broker = venue.broker(cache=cache)
    assert broker.account_id == FIRST
    cache.stored = stored(SECOND, name="other")

    with pytest.raises(ReadTimeout):
        broker.logout()

    assert [request.headers["cst"] for request in venue.requests] == ["cached-cst", "other-cst"]


def test_logging_out_never_logs_in(venue: Venue) -> None:
    venue.on("DELETE /session", answer({"status": "SUCCESS"}, tokens="dead"))
    cache = Cache(stored())
    broker = venue.broker(cache=cache)

    assert (broker.logout(), broker.logout()) == (True, False)
    assert venue.seen() == ["DELETE /session"]
    assert cache.stored is None


@pytest.mark.parametrize(
    ("status", "code", "begins"),
    [
        (401, "error.invalid.details", "Authentication failed"),
        (400, "error.null.api.key", "401 Unauthorized"),
        (401, "error.invalid.api.key", "401 Unauthorized"),
        (401, "error.null.accountId", "Environment mismatch"),
        (401, "error.something.new", "401 Unauthorized"),
        (400, "error.something.new", "Authentication failed"),
    ],
)
def test_a_refused_login_is_explained(venue: Venue, status: int, code: str, begins: str) -> None:
    venue.on("POST /session", refusal(code, status))

    with pytest.raises(LoginRefused, match=f"^{begins}: ") as caught:
        venue.broker().login()

    assert caught.value.next is not None
    assert venue.seen() == ["POST /session"]


def test_a_wrong_password_points_at_the_keys_own_password(venue: Venue) -> None:
    venue.on("POST /session", refusal("error.invalid.details", 401))

    with pytest.raises(LoginRefused, match="CAP_API_PASSWORD is the API key's own password"):
        venue.broker().login()


def test_a_login_waits_through_429_and_then_says_so(venue: Venue) -> None:
    venue.on("POST /session", refusal("error.too-many.requests", 429))

    with pytest.raises(RateLimited, match=r"^Rate limit exceeded") as caught:
        venue.broker().login()

    assert venue.logins == 0
    assert sum(venue.time.slept) == pytest.approx(1.0 + 2.0 + 4.0, abs=0.01)
    assert caught.value.details["retry_after_s"] == 60


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(venue: Venue) -> None:
    broker = CapitalBroker(
        "https://broker.example",
        lambda: Credentials("kéy\nsecret", USER, PASSWORD),
        clock=venue.time.now,
        transport=httpx.MockTransport(venue.handle),
    )

    with pytest.raises(LoginRefused, match=r"^401 Unauthorized") as caught:
        broker.login()

    assert "secret" not in str(caught.value)


def test_a_login_without_tokens_is_unreadable(venue: Venue) -> None:
    venue.on("POST /session", answer(shapes.login_body()))

    with pytest.raises(Exception, match="no session tokens"):
        venue.broker().login()
