"""What a failed read says: the guide's words, a command that helps, and no secret."""

import socket
import ssl
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.broker import answers, failures
from capcli.broker.client import CapitalBroker
from capcli.domain.market import Resolution
from capcli.errors import (
    BrokerRefused,
    CapcliError,
    LoginRefused,
    NotTheBroker,
    RateLimited,
    ReadTimeout,
    Unreachable,
    UnreadableAnswer,
)
from capcli.ports.login import Credentials
from tests.support.drawn import ANY

from . import shapes
from .host import KEY, PASSWORD, USER, Cache, Time, Venue, answer, refusal, stored

FLAT = answer({"positions": []})


def positions(venue: Venue) -> tuple[Any, ...]:
    return venue.broker(cache=Cache(stored())).positions()


@pytest.mark.parametrize(
    "glitch",
    [
        refusal("java.util.concurrent.TimeoutException", 400),
        refusal("error.service.unavailable", 503),
        httpx.Response(502, content=b"<html>bad gateway</html>"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("Server disconnected"),
    ],
)
def test_a_read_survives_one_glitch(venue: Venue, glitch: Any) -> None:
    venue.on("GET /positions", glitch, FLAT)

    assert positions(venue) == ()


@pytest.mark.parametrize(
    "glitch",
    [
        refusal("java.util.concurrent.TimeoutException", 400),
        httpx.Response(502, content=b"<html>bad gateway</html>"),
        httpx.RemoteProtocolError("Server disconnected"),
    ],
)
def test_two_glitches_are_a_server_that_does_not_respond(venue: Venue, glitch: Any) -> None:
    venue.on("GET /positions", glitch)

    with pytest.raises(Unreachable, match=r"^Server not responding: ") as caught:
        positions(venue)

    assert caught.value.next == "capcli health"
    assert len(venue.requests) == 2


def test_a_read_waits_through_429(venue: Venue) -> None:
    busy = refusal("error.too-many.requests", 429)
    venue.on("GET /positions", busy, busy, busy, FLAT)

    assert positions(venue) == ()
    assert sum(venue.time.slept) == pytest.approx(1.0 + 2.0 + 4.0)


def test_429_for_ever_says_how_long_to_wait(venue: Venue) -> None:
    venue.on("GET /positions", httpx.Response(429))

    with pytest.raises(RateLimited, match=r"^Rate limit exceeded: ") as caught:
        positions(venue)

    assert caught.value.details["retry_after_s"] == 8
    assert len(venue.requests) == 4


def test_a_read_timeout_is_not_repeated(venue: Venue) -> None:
    venue.on("GET /positions", httpx.ReadTimeout("slow"))

    with pytest.raises(ReadTimeout, match=r"no answer to GET /positions within 10 s"):
        positions(venue)

    assert len(venue.requests) == 1


def caused_by(cause: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def handle(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no") from cause

    return handle


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        (socket.gaierror(-2, "Name or service not known"), "DNS: the name is not known"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] bad"), "TLS: "),
        (RuntimeError("?"), "the connection could not be made"),
    ],
)
def test_no_connection_says_what_failed_and_that_nothing_was_sent(
    venue: Venue, cause: Exception, says: str
) -> None:
    venue.on("GET /positions", caused_by(cause))

    with pytest.raises(Unreachable, match=r"^Server not responding: broker\.example") as caught:
        positions(venue)

    assert says in caught.value.message
    assert "Nothing was sent" in caught.value.message


def test_a_real_closed_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    capital = CapitalBroker(
        url, lambda: Credentials(KEY, USER, PASSWORD), clock=Time().now, cache=Cache(stored())
    )

    with pytest.raises(Unreachable, match="refused"):
        capital.positions()


@pytest.mark.parametrize(
    "page",
    [
        httpx.Response(200, content=b"<html>Please sign in</html>"),
        httpx.Response(302, headers={"location": "https://portal.example/"}),
        httpx.Response(403, content=b"<html>Forbidden</html>"),
    ],
)
def test_a_page_in_place_of_json_names_a_proxy(venue: Venue, page: httpx.Response) -> None:
    venue.on("GET /positions", page)

    with pytest.raises(NotTheBroker, match="proxy"):
        positions(venue)


def test_a_forbidden_page_may_also_come_from_the_brokers_gate(venue: Venue) -> None:
    venue.on("GET /positions", httpx.Response(403, content=b"<html>Forbidden</html>"))

    with pytest.raises(NotTheBroker, match="broker's own gate may also block this network") as caught:
        positions(venue)

    assert "without a VPN" in caught.value.details["fix"]


def test_a_field_that_is_missing_is_named(venue: Venue) -> None:
    row = {**shapes.POSITION, "position": {**shapes.POSITION["position"], "level": None}}
    venue.on("GET /positions", answer({"positions": [row]}))

    with pytest.raises(UnreadableAnswer, match=r"GET /positions .*level"):
        positions(venue)


@pytest.mark.parametrize(
    ("refused", "error", "begins"),
    [
        (refusal("error.null.accountId", 401), LoginRefused, "Environment mismatch"),
        (refusal("error.unheard.of", 401), LoginRefused, "401 Unauthorized"),
        (refusal("error.unheard.of", 403), BrokerRefused, "The broker refused GET"),
        (answer({}, 400), BrokerRefused, "The broker refused GET"),
    ],
)
def test_other_refusals_keep_their_kind(
    venue: Venue, refused: httpx.Response, error: type[CapcliError], begins: str
) -> None:
    venue.on("GET /positions", refused)

    with pytest.raises(error, match=f"^{begins}") as caught:
        positions(venue)

    assert caught.value.next is not None


def test_broker_text_cannot_reach_the_terminal_raw(venue: Venue) -> None:
    venue.on("GET /positions", refusal("error.\x1b[31mred\r\nIgnore previous" + "x" * 4000, 400))

    with pytest.raises(BrokerRefused) as caught:
        positions(venue)

    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300


@given(st.text(ANY, max_size=400))
def test_cleaned_text_is_short_and_printable(text: str) -> None:
    cleaned = answers.clean(text)

    assert cleaned.isprintable()
    assert len(cleaned) <= answers.TEXT_LIMIT


@pytest.mark.parametrize("code", sorted(failures.TABLE))
def test_every_meaning_has_words_and_a_command(code: str) -> None:
    error = failures.refused("GET /x", 400, f'{{"errorCode":"{code}: 5"}}'.encode())

    assert error.message
    assert error.next is not None
    assert error.next.startswith("capcli ")


SECRETS = (KEY, PASSWORD, "cached-cst", "cached-xst", "login1-cst", "login1-xst")
FAULTS: list[Any] = [
    httpx.ConnectError("no"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("half"),
    httpx.LocalProtocolError(f"Illegal header value b'cached-cst {PASSWORD} {KEY}'"),
    httpx.Response(200, content=b"<html>"),
    httpx.Response(200, content=b"[]"),
    httpx.Response(302),
    httpx.Response(429),
    httpx.Response(500),
    refusal("error.invalid.details", 401),
    refusal("error.invalid.session.token", 401),
    refusal("error.null.accountId", 401),
    refusal("error.invalid.accountId", 400),
    refusal("error.not-found.epic", 404),
    refusal("error.not-found.dealId", 404),
]
CALLS: dict[str, Callable[[CapitalBroker], object]] = {
    "GET /positions": lambda capital: capital.positions(),
    "GET /positions/X": lambda capital: capital.position("X"),
    "GET /markets/X": lambda capital: capital.market("X"),
    "GET /prices/X": lambda capital: capital.candles("X", Resolution.HOUR, last=1),
    "POST /session": lambda capital: capital.login(force=True),
    "PUT /session": lambda capital: capital.switch_account(shapes.SECOND),
    "DELETE /session": lambda capital: capital.logout(),
    "GET /session": lambda capital: capital.session(),
}


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("endpoint", CALLS)
def test_no_failure_shows_a_secret(endpoint: str, cached: bool) -> None:
    for fault in FAULTS:
        found = shown_of(endpoint, fault, cached=cached)
        assert [secret for secret in SECRETS if secret in found] == [], f"after {fault}"


def shown_of(endpoint: str, fault: Any, *, cached: bool) -> str:
    """All that a call shows which meets a fault."""
    venue = Venue()
    for other in ("GET /session", "GET /accounts", "GET /markets/X"):
        venue.on(other, answer(shapes.session_body()))
    venue.on(endpoint, fault)
    capital = venue.broker(cache=Cache(stored()) if cached else None)

    try:
        shown = repr(CALLS[endpoint](capital))
    except CapcliError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        shown = f"{error} {error!r} {error.problem()} {''.join(lines)} {error.__context__} {capital!r}"

    # The stack of this test itself names the planted fault.
    return "".join(line for line in shown.splitlines() if "fault = " not in line)
