"""One exchange: where it goes, with which headers and timeouts, and whose clock it tells."""

import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

import capcli
from capcli.broker.requests import Ask, path_of
from capcli.broker.transport import Headers, Wire, date_of
from capcli.errors import ConfigError, UsageError
from capcli.ports import PREFIX

from .host import START, Time


def wire_to(seen: list[httpx.Request], time: Time, *, date: str | None = None) -> Wire:
    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={}, headers={"date": date} if date else {})

    return Wire(
        "https://broker.example/", clock=time.now, transport=httpx.MockTransport(handle), read_timeout_s=7
    )


def test_a_request_goes_below_the_prefix_with_our_name_on_it() -> None:
    seen: list[httpx.Request] = []

    wire_to(seen, Time()).exchange(Ask("GET", "/markets", {"searchTerm": "a&b c"}), Headers())

    assert str(seen[0].url) == f"https://broker.example{PREFIX}/markets?searchTerm=a%26b+c"
    assert seen[0].headers["user-agent"] == f"capcli/{capcli.__version__}"


def test_a_body_goes_out_byte_for_byte_as_json() -> None:
    seen: list[httpx.Request] = []

    wire_to(seen, Time()).exchange(Ask("POST", "/positions", body=b'{"size":1.50}'), Headers())

    assert seen[0].content == b'{"size":1.50}'
    assert seen[0].headers["content-type"] == "application/json"


def test_only_reads_obey_the_timeout_setting() -> None:
    seen: list[httpx.Request] = []
    wire = wire_to(seen, Time())

    wire.exchange(Ask("GET", "/positions"), Headers())
    wire.exchange(Ask("POST", "/positions", body=b"{}"), Headers(), mutation=True)

    read, mutation = (request.extensions["timeout"] for request in seen)
    assert (read["connect"], read["read"]) == (5.0, 7)
    assert (mutation["connect"], mutation["read"], mutation["write"]) == (5.0, 30.0, 30.0)


@pytest.mark.parametrize(
    ("segment", "quoted"),
    [("a/../b", "/a%2F..%2Fb"), ("x?y#z", "/x%3Fy%23z"), ("%2e%2e", "/%252e%252e"), ("a b", "/a%20b")],
)
def test_a_segment_cannot_leave_its_place(segment: str, quoted: str) -> None:
    seen: list[httpx.Request] = []

    wire_to(seen, Time()).exchange(Ask("GET", path_of("markets", segment)), Headers())

    assert seen[0].url.raw_path.decode() == f"{PREFIX}/markets{quoted}"


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_segments_that_mean_another_place_are_refused(segment: str) -> None:
    with pytest.raises(UsageError):
        path_of("markets", segment)


def test_redirects_are_not_followed() -> None:
    time, seen = Time(), list[httpx.Request]()

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(307, headers={"location": "https://elsewhere.example/"})

    wire = Wire("https://broker.example", clock=time.now, transport=httpx.MockTransport(handle))

    assert wire.exchange(Ask("POST", "/positions", body=b"{}"), Headers()).status == 307
    assert len(seen) == 1


def test_the_brokers_clock_is_its_last_date_moved_on_by_ours() -> None:
    time = Time()
    wire = wire_to([], time, date="Mon, 02 Mar 2026 13:00:00 GMT")
    assert wire.broker_time() is None

    wire.exchange(Ask("GET", "/time"), Headers())
    time.elapsed += 4

    assert wire.broker_time() == datetime(2026, 3, 2, 13, 0, 4, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, "", "soon", "Mon, 99 Foo 2026 13:00:00 GMT"])
def test_a_date_that_cannot_be_read_is_none(text: str | None) -> None:
    assert date_of(text) is None


def test_the_host_names_the_paper_broker_and_a_loopback_port() -> None:
    assert Wire("http://paper", clock=Time().now).host == "paper"
    assert Wire("http://127.0.0.1:8080/", clock=Time().now).host == "127.0.0.1:8080"


def test_real_connections_are_never_retried_and_tls_is_verified() -> None:
    wire = Wire("https://broker.example", clock=Time().now)

    client = wire.open()

    pool = client._transport._pool  # type: ignore[attr-defined]
    assert pool._retries == 0
    assert not pool._http2
    assert pool._ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert pool._ssl_context.check_hostname
    wire.close()


def test_plain_http_loads_no_certificates_and_still_trusts_nobody() -> None:
    wire = Wire("http://127.0.0.1:1", clock=Time().now)

    context = wire.open()._transport._pool._ssl_context  # type: ignore[attr-defined]

    assert context.get_ca_certs() == []
    assert context.verify_mode is ssl.CERT_REQUIRED
    wire.close()


def test_certificates_that_are_not_there_are_a_matter_of_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))

    with pytest.raises(ConfigError, match=r"cannot be loaded \(No such file.*SSL_CERT_FILE and SSL_CERT_DIR"):
        Wire("https://broker.example", clock=Time().now).open()


def test_headers_and_tokens_show_in_no_repr() -> None:
    seen: list[httpx.Request] = []
    reply = wire_to(seen, Time()).exchange(
        Ask("POST", "/session", body=b"secret"), Headers({"CST": "secret"})
    )

    assert "secret" not in f"{reply!r} {Headers({'CST': 'secret'})!r} {Ask('POST', '/x', body=b'secret')!r}"


def test_httpx_is_imported_without_its_command_line() -> None:
    code = (
        "import click, sys, capcli.broker.client; "
        "assert 'rich' not in sys.modules and 'httpx._main' not in sys.modules; "
        "import httpx; assert httpx.Client"
    )
    pytest.importorskip("click")

    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_a_clock_that_jumps_moves_the_brokers_clock_with_it() -> None:
    time = Time()
    wire = wire_to([], time, date="Mon, 02 Mar 2026 12:00:00 GMT")
    wire.exchange(Ask("GET", "/time"), Headers())

    time.elapsed += 3600

    assert wire.broker_time() == START + timedelta(hours=1)
