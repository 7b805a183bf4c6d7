"""Mutations: sent once, whatever happens, and told exactly as far as the answer proves."""

import socket
import threading
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.broker.client import CapitalBroker
from capcli.domain.attempt import Answer, AttemptState, Delivery, classify
from capcli.errors import UsageError
from capcli.ports.login import Credentials

from . import shapes
from .host import KEY, PASSWORD, START, USER, Cache, Time, Venue, answer, refusal, stored

BODY = b'{"epic":"SILVER","direction":"BUY","size":1.50}'
REFERENCE = "o_00000000-0000-4000-8000-000000000001"


def send(venue: Venue) -> Answer:
    return venue.broker(cache=Cache(stored())).send("POST", "/positions", BODY)


def test_the_stored_bytes_go_out_as_they_are(venue: Venue) -> None:
    venue.on("POST /positions", answer({"dealReference": REFERENCE}))

    result = send(venue)

    assert result == Answer(
        Delivery.ANSWERED, 200, REFERENCE, None, "status 200", broker_time=START, last_byte_at=START
    )
    (request,) = venue.requests
    assert request.content == BODY
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-security-token"] == "cached-xst"
    assert request.extensions["timeout"]["read"] == 30.0


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_nothing_leaves_on_another_account(venue: Venue, method: str) -> None:
    broker = venue.broker(cache=Cache(stored()))

    result = broker.send(method, "/positions/deal-1", None, account_id="somebody-elses")

    assert result.delivery is Delivery.NOT_CONNECTED
    assert result.detail == f"the session is on account {stored().account_id}, not on somebody-elses"
    assert not venue.requests


@pytest.mark.parametrize(
    ("after", "elsewhere", "state"),
    [
        (answer(shapes.session_body(shapes.FIRST)), None, AttemptState.ACKED),
        (answer(shapes.session_body(shapes.SECOND)), shapes.SECOND, AttemptState.UNKNOWN),
        (httpx.Response(502), None, AttemptState.ACKED),
        (httpx.ReadTimeout("slow"), None, AttemptState.ACKED),
    ],
)
def test_the_account_is_asserted_after_an_order(
    venue: Venue, after: httpx.Response | Exception, elsewhere: str | None, state: AttemptState
) -> None:
    venue.on("POST /positions", answer({"dealReference": REFERENCE}))
    venue.on("GET /session", after)
    broker = venue.broker(cache=Cache(stored()))

    result = broker.send("POST", "/positions", BODY, account_id=stored().account_id)

    assert (result.deal_reference, result.other_account_id) == (REFERENCE, elsewhere)
    assert classify(result) is state
    assert venue.seen() == ["POST /positions", "GET /session"]


def test_a_delete_has_no_body(venue: Venue) -> None:
    venue.on(f"DELETE /positions/{shapes.DEAL}", httpx.Response(200))

    result = venue.broker(cache=Cache(stored())).send("DELETE", f"/positions/{shapes.DEAL}", None)

    assert (result.delivery, result.status, result.deal_reference) == (Delivery.ANSWERED, 200, None)
    assert venue.requests[0].content == b""


NOT_CONNECTED = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.PoolTimeout("full"),
    httpx.ProxyError("403 Forbidden"),
    httpx.UnsupportedProtocol("gopher"),
    httpx.InvalidURL("bad"),
]
LOST = [
    httpx.ReadError("reset"),
    httpx.ReadTimeout("slow"),
    httpx.WriteError("reset"),
    httpx.WriteTimeout("slow"),
    httpx.CloseError("reset"),
    httpx.RemoteProtocolError("half"),
    httpx.LocalProtocolError("ours"),
    httpx.DecodingError("gzip"),
    RuntimeError("anything"),
]


@pytest.mark.parametrize("error", NOT_CONNECTED, ids=lambda error: type(error).__name__)
def test_what_never_connected_was_not_sent(venue: Venue, error: Exception) -> None:
    venue.on("POST /positions", error)

    result = send(venue)

    assert (result.delivery, classify(result)) == (Delivery.NOT_CONNECTED, AttemptState.NOT_SENT)
    assert len(venue.requests) == 1


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_any_other_failure_may_have_been_received(venue: Venue, error: Exception) -> None:
    venue.on("POST /positions", error)

    result = send(venue)

    assert (result.delivery, classify(result)) == (Delivery.LOST, AttemptState.UNKNOWN)
    assert result.detail == type(error).__name__
    assert len(venue.requests) == 1


@pytest.mark.parametrize(
    ("response", "state"),
    [
        (answer({"dealReference": REFERENCE}), AttemptState.ACKED),
        (answer({}), AttemptState.UNKNOWN),
        (answer({"dealReference": 7}), AttemptState.UNKNOWN),
        (answer([{"dealReference": REFERENCE}]), AttemptState.UNKNOWN),
        (httpx.Response(200, content=b"<html>"), AttemptState.UNKNOWN),
        (httpx.Response(307, headers={"location": "/api/v1/positions"}), AttemptState.UNKNOWN),
        (httpx.Response(502, content=b"bad gateway"), AttemptState.UNKNOWN),
        (refusal("error.service.unavailable", 503), AttemptState.UNKNOWN),
        (refusal("java.util.concurrent.TimeoutException", 400), AttemptState.UNKNOWN),
        (answer({"message": "closed"}, 400), AttemptState.REFUSED),
        (answer({"message": "closed"}, 403), AttemptState.UNKNOWN),
        (answer([], 400), AttemptState.UNKNOWN),
        (answer({"errorCode": 5}, 400), AttemptState.UNKNOWN),
        (httpx.Response(429), AttemptState.UNKNOWN),
        (refusal("error.invalid.stoploss.minvalue: 17.146", 400), AttemptState.REFUSED),
        (refusal("error.too-many.requests", 429), AttemptState.REFUSED),
        (refusal("error.invalid.session.token", 401), AttemptState.REFUSED),
        (refusal("error.not-found.dealId", 404), AttemptState.REFUSED),
    ],
)
def test_an_answer_proves_what_it_proves_and_is_never_asked_for_again(
    venue: Venue, response: httpx.Response, state: AttemptState
) -> None:
    venue.on("POST /positions", response)

    result = send(venue)

    assert classify(result) is state
    assert result.status == response.status_code
    assert venue.seen() == ["POST /positions"]


def test_an_error_code_is_kept_with_its_bound(venue: Venue) -> None:
    venue.on("POST /positions", refusal("error.invalid.stoploss.minvalue: 17.146", 400))

    result = send(venue)

    assert result.error_code == "error.invalid.stoploss.minvalue: 17.146"
    assert result.detail == "status 400, error.invalid.stoploss.minvalue: 17.146"


@pytest.mark.parametrize("code", [" error.x", "\x00error.x", "\x1b[0merror.x"])
def test_an_error_code_is_not_tidied_into_a_refusal(venue: Venue, code: str) -> None:
    venue.on("POST /positions", refusal(code, 400))

    result = send(venue)

    assert classify(result) is AttemptState.UNKNOWN
    assert (result.error_code or "").isprintable()


def test_a_missing_session_is_opened_before_by_a_request_of_its_own(venue: Venue) -> None:
    venue.on("POST /positions", answer({"dealReference": REFERENCE}))

    venue.broker().send("POST", "/positions", BODY)

    assert venue.seen() == ["POST /session", "POST /positions"]


@pytest.mark.parametrize(
    "login", [refusal("error.invalid.details", 401), httpx.ConnectError("down"), httpx.ReadTimeout("slow")]
)
def test_when_no_session_can_be_had_nothing_is_sent(venue: Venue, login: Any) -> None:
    venue.on("POST /session", login)

    result = venue.broker().send("POST", "/positions", BODY)

    assert result.delivery is Delivery.NOT_CONNECTED
    assert result.detail
    assert "POST /positions" not in venue.seen()


def test_a_login_that_cannot_reach_the_wanted_account_sends_nothing(venue: Venue) -> None:
    result = venue.broker(wanted="42").send("POST", "/positions", BODY)

    assert (result.delivery, venue.seen()) == (Delivery.NOT_CONNECTED, ["POST /session"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/positions"),
        ("POST", "positions"),
        ("POST", "/positions/"),
        ("DELETE", "/positions/../session"),
        ("DELETE", "/positions/."),
        ("DELETE", "/positions/a%2Fb"),
        ("DELETE", "/positions/a b"),
        ("DELETE", "/positions/x?y=1"),
        ("DELETE", "/positions/ü"),
        ("DELETE", "/positions/x\n"),
        ("POST", "//evil.example/positions"),
    ],
)
def test_a_path_that_is_not_ours_is_refused(venue: Venue, method: str, path: str) -> None:
    with pytest.raises(UsageError):
        venue.broker(cache=Cache(stored())).send(method, path, None)

    assert venue.requests == []


def test_tokens_that_a_mutation_rotates_are_adopted(venue: Venue) -> None:
    venue.on("POST /positions", answer({"dealReference": REFERENCE}, tokens="rotated"))
    venue.on("GET /ping", answer({"status": "OK"}))
    capital = venue.broker(cache=Cache(stored()))

    capital.send("POST", "/positions", BODY)
    capital.ping()

    assert venue.requests[-1].headers["cst"] == "rotated-cst"


def test_orders_keep_a_tenth_of_a_second_apart(venue: Venue) -> None:
    venue.on("POST /positions", answer({"dealReference": REFERENCE}))
    venue.on("POST /workingorders", answer({"dealReference": REFERENCE}))
    capital = venue.broker(cache=Cache(stored()))

    capital.send("POST", "/positions", BODY)
    capital.send("POST", "/workingorders", BODY)

    assert sum(venue.time.slept) >= 0.1


@given(st.integers(200, 599), st.binary(max_size=60) | st.just(b'{"errorCode":"error.x"}'))
def test_no_answer_can_make_a_send_raise(status: int, body: bytes) -> None:
    venue = Venue()
    venue.on("POST /positions", lambda _: httpx.Response(status, content=body))

    result = send(venue)

    assert result.status == status
    assert len(venue.requests) == 1


class OneAnswerServer:
    """Answers one request, then closes the kept connection after the next one's headers. Counts POSTs."""

    def __init__(self) -> None:
        self.posts = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n" + b'{"status":"OK"}')
            self.posts += connection.recv(65536).startswith(b"POST")
        self.socket.settimeout(0.3)
        try:
            again, _ = self.socket.accept()
        except TimeoutError:
            return
        with again:
            self.posts += again.recv(65536).startswith(b"POST")

    def close(self) -> None:
        self.thread.join(60)
        self.socket.close()


def test_a_kept_connection_that_breaks_does_not_send_the_order_again() -> None:
    server = OneAnswerServer()
    capital = CapitalBroker(
        server.url,
        lambda: Credentials(KEY, USER, PASSWORD),
        clock=Time().now,
        cache=Cache(stored()),
    )

    assert capital.ping()
    result = capital.send("POST", "/positions", BODY)

    server.close()
    capital.close()
    assert result.delivery is Delivery.LOST
    assert server.posts == 1
