"""The stream over real sockets: a served broker in a process of its own."""

import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Self

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from capcli.paper.catalogue import MARKETS
from capcli.paper.channel import MAX_FRAME
from capcli.paper.state import clear_faults, reset, set_fault

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="a console signal would reach the test run as well"),
]

MONDAY = datetime(2026, 11, 23, 15, tzinfo=UTC)  # Europe and New York are open
OPEN = [m.epic for m in MARKETS.values() if not m.suspended and m.hours.is_open(int(MONDAY.timestamp()))]
SERVER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from capcli.paper.certificates import certificate
from capcli.paper.serve import serve

path, tls = Path(sys.argv[1]), sys.argv[2] == "tls"
files = certificate(path.parent, datetime.now(UTC)) if tls else None
clock = lambda: datetime.now(UTC)
serve(path, port=0, certificate=files, clock=clock, ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


class Visitor:
    """A login and its sockets."""

    def __init__(self, url: str, trusted: ssl.SSLContext | bool = True) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v1", trust_env=False, verify=trusted)
        self.trusted = trusted

    def __enter__(self) -> Self:
        self.login()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def login(self) -> None:
        body = {"identifier": "paper", "password": "paper"}
        answer = self.http.post("/session", json=body, headers={"X-CAP-API-KEY": "paper"})
        self.stream = answer.json()["streamingHost"]
        self.adopt(answer)

    def adopt(self, answer: httpx.Response) -> None:
        self.tokens = {"cst": answer.headers["CST"], "securityToken": answer.headers["X-SECURITY-TOKEN"]}
        self.http.headers.update({name: answer.headers[name] for name in ("CST", "X-SECURITY-TOKEN")})

    @contextmanager
    def socket(self, **options) -> Iterator[ClientConnection]:
        context = self.trusted if isinstance(self.trusted, ssl.SSLContext) else None
        with connect(f"{self.stream}connect", ssl=context, compression=None, **options) as socket:
            yield socket

    def frame(self, destination: str, **payload) -> str:
        frame = {"destination": destination, "correlationId": "1", **self.tokens, "payload": payload}
        return json.dumps(frame)


def reply(socket, frame):
    """The answer to a message; events in between are passed over."""
    socket.send(frame)
    while "correlationId" not in (answer := received(socket)):
        pass
    return answer


def received(socket, seconds=5):
    return json.loads(socket.recv(seconds), parse_float=Decimal)


def close_code(socket, seconds=5):
    ends = time.monotonic() + seconds
    try:
        while time.monotonic() < ends:
            socket.recv(seconds)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006
    pytest.fail("the stream goes on")


@contextmanager
def serving(path: Path, how: str = "plain") -> Iterator[tuple[str, subprocess.Popen]]:
    command = [sys.executable, "-c", SERVER, str(path), how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "ended\n", "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "capcli" / "paper.db"


@pytest.fixture
def visitor(path: Path) -> Iterator[Visitor]:
    reset(path, start=MONDAY, limits=False, at=datetime.now(UTC))
    with serving(path) as (url, _), Visitor(url) as visitor:
        yield visitor


def test_quotes_are_what_requests_say_at_the_same_instant(path):
    reset(path, start=MONDAY, ticks=20, limits=False, at=datetime.now(UTC))
    with serving(path) as (url, _), Visitor(url) as visitor, visitor.socket() as socket:
        assert reply(socket, visitor.frame("marketData.subscribe", epics=["EURUSD"]))["status"] == "OK"
        agreed = 0
        for _ in range(60):
            event = received(socket)
            snapshot = visitor.http.get("/markets/EURUSD")
            quote = json.loads(snapshot.text, parse_float=Decimal)["snapshot"]
            event, second = event["payload"], event["payload"]["timestamp"] // 1000
            at = datetime.fromisoformat(quote["updateTime"]).replace(tzinfo=UTC)
            if (
                int(at.timestamp()) - 3600 == second
            ):  # local time of the market data, one hour ahead in winter
                assert (event["bid"], event["ofr"]) == (quote["bid"], quote["offer"])
                agreed += 1
        assert agreed > 10


def test_bars_are_the_candles_of_requests(path):
    reset(path, start=MONDAY, speed=Decimal(60), limits=False, at=datetime.now(UTC))
    with serving(path) as (url, _), Visitor(url) as visitor, visitor.socket() as socket:
        reply(socket, visitor.frame("OHLCMarketData.subscribe", epics=["GOLD"]))
        events = [received(socket)["payload"] for _ in range(6)]
        times = [event["t"] for event in events[::2]]
        assert [b - a for a, b in pairwise(times)] == [60_000, 60_000]
        for bid, ask in zip(events[::2], events[1::2], strict=True):
            begin = f"{datetime.fromtimestamp(bid['t'] / 1000, UTC):%Y-%m-%dT%H:%M:%S}"
            answer = visitor.http.get("/prices/GOLD", params={"from": begin, "to": begin, "max": 1})
            (candle,) = json.loads(answer.text, parse_float=Decimal)["prices"]
            for event, side in ((bid, "bid"), (ask, "ask")):
                names = {"o": "open", "h": "high", "l": "low", "c": "close"}
                found = {name: event[name] for name in names}
                assert found == {short: candle[f"{name}Price"][side] for short, name in names.items()}
            assert bid["lastTradedVolume"] == candle["lastTradedVolume"]


def test_forty_markets_at_250_ticks_a_second_lose_none(path):
    reset(path, start=MONDAY, ticks=250, limits=False, at=datetime.now(UTC))
    with serving(path) as (url, _), Visitor(url) as visitor, visitor.socket(max_queue=None) as socket:
        assert reply(socket, visitor.frame("marketData.subscribe", epics=OPEN[:40]))["status"] == "OK"
        seen: dict[str, list[int]] = {}
        texts = [socket.recv(5) for _ in range(30_000)]
    for text in texts:
        event = json.loads(text)["payload"]
        seen.setdefault(event["epic"], []).append(event["timestamp"])
    assert len(seen) == 40
    for times in seen.values():
        assert {b - a for a, b in pairwise(times)} == {4}


def test_an_account_switch_leaves_the_stream_of_the_old_tokens_alone(visitor):
    with visitor.socket() as socket:
        reply(socket, visitor.frame("marketData.subscribe", epics=["GOLD"]))
        accounts = visitor.http.get("/accounts").json()["accounts"]
        other = next(a["accountId"] for a in accounts if not a["preferred"])
        old = visitor.frame("ping")
        visitor.adopt(visitor.http.put("/session", json={"accountId": other}))
        assert reply(socket, old)["status"] == "OK"
        assert received(socket)["destination"] == "quote"
    with visitor.socket() as socket:
        assert reply(socket, visitor.frame("ping"))["status"] == "OK"


def test_a_logout_ends_the_stream_with_1000_and_another_login_does_not(visitor):
    with visitor.socket() as socket:
        reply(socket, visitor.frame("marketData.subscribe", epics=["GOLD"]))
        before = visitor.http.headers.copy()
        visitor.login()
        assert received(socket)["destination"] == "quote"
        visitor.http.delete(
            "/session", headers={"CST": before["CST"], "X-SECURITY-TOKEN": before["X-SECURITY-TOKEN"]}
        )
        assert close_code(socket) == 1000


def test_a_reset_by_another_process_ends_the_stream(visitor, path):
    with visitor.socket() as socket:
        reply(socket, visitor.frame("marketData.subscribe", epics=["GOLD"]))
        reset(path, start=MONDAY, limits=False, at=datetime.now(UTC))
        assert close_code(socket) == 1000


def test_wrong_tokens_are_refused_and_the_connection_stays(visitor):
    with visitor.socket() as socket:
        bad = json.dumps({"destination": "ping", "correlationId": "9", "cst": "x", "securityToken": "y"})
        assert reply(socket, bad) == {
            "status": "ERROR",
            "destination": "ping",
            "correlationId": "9",
            "errorCode": "error.invalid.session.token",
        }
        assert reply(socket, visitor.frame("ping"))["payload"] == {}


def test_frames_that_are_no_messages_are_answered_or_end_their_own_connection_only(visitor):
    with visitor.socket() as good, visitor.socket() as bad:
        reply(good, visitor.frame("marketData.subscribe", epics=["EURUSD"]))
        for frame in ("#ping", "", "[]", b"\x00\x01", "{" * 1000):
            bad.send(frame)
            assert received(bad) == {
                "status": "ERROR",
                "destination": "",
                "errorCode": "error.invalid.message",
            }
        bad.send(" " * (MAX_FRAME + 1))
        assert close_code(bad) == 1009
        assert received(good)["destination"] == "quote"


def test_thousands_of_subscriptions_are_answered_one_by_one(visitor):
    epics = list(MARKETS)
    with visitor.socket() as socket:
        for i in range(3_000):
            socket.send(visitor.frame("marketData.subscribe", epics=[epics[i % 30]]))
            if i % 100 == 99:
                answers = 0
                while answers < 100:
                    answers += "correlationId" in received(socket)
        assert reply(socket, visitor.frame("ping"))["status"] == "OK"


def test_a_reader_that_is_too_slow_is_cut_off_and_others_are_not(path):
    reset(path, start=MONDAY, ticks=250, limits=False, at=datetime.now(UTC))
    with (
        serving(path) as (url, process),
        Visitor(url) as visitor,
        visitor.socket(max_queue=1) as slow,
        visitor.socket(max_queue=None) as good,
    ):
        for socket in (slow, good):
            socket.send(visitor.frame("marketData.subscribe", epics=OPEN[:40]))
        ends = time.monotonic() + 15
        while time.monotonic() < ends:
            good.recv(5)
        assert _memory_mb(process.pid) < 250
        assert close_code(slow, 20) == 1006
        assert json.loads(good.recv(5))["status"] == "OK"


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def test_other_paths_and_other_hosts_are_turned_away(visitor):
    with pytest.raises(InvalidStatus) as refused, connect(f"{visitor.stream}elsewhere"):
        pass
    assert refused.value.response.status_code == 404
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers |= {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Host": "paper.example"}
    address = f"{visitor.stream.replace('ws', 'http')}connect"
    assert httpx.get(address, headers=headers, trust_env=False).status_code == 403


def test_faults_of_the_stream(visitor, path):
    def arm(name, **options):
        set_fault(path, name, at=datetime.now(UTC), **options)
        time.sleep(0.4)  # the server looks four times a second

    with visitor.socket() as socket:
        reply(socket, visitor.frame("ping"))
        arm("one-stream")
        reply(socket, visitor.frame("marketData.subscribe", epics=["GOLD"]))
        with visitor.socket() as second:
            assert reply(second, visitor.frame("marketData.subscribe", epics=["GOLD"])) == {
                "status": "ERROR",
                "destination": "marketData.subscribe",
                "correlationId": "1",
                "payload": {"errorCode": "error.too-many.requests"},
            }
            assert reply(second, visitor.frame("ping"))["status"] == "OK"
        clear_faults(path, at=datetime.now(UTC))
        arm("stream-cut")
        assert close_code(socket) == 1006
    with visitor.socket() as socket:
        reply(socket, visitor.frame("ping"))
        arm("idle-cut", value="1")
        assert close_code(socket) == 1006


def test_a_lost_bar_leaves_the_quotes(path):
    reset(path, start=MONDAY, speed=Decimal(60), limits=False, at=datetime.now(UTC))
    set_fault(path, "bars-lost", times=1, at=datetime.now(UTC))
    with serving(path) as (url, _), Visitor(url) as visitor, visitor.socket() as socket:
        reply(socket, visitor.frame("OHLCMarketData.subscribe", epics=["GOLD"]))
        reply(socket, visitor.frame("marketData.subscribe", epics=["GOLD"]))
        quotes: list[int] = []
        while (event := received(socket))["destination"] == "quote":
            quotes.append(event["payload"]["timestamp"])
        opened = event["payload"]["t"]
    assert opened - quotes[0] > 0  # the bar that was open at the beginning never came


def test_the_stream_ends_cleanly_when_the_server_does(path):
    reset(path, start=MONDAY, limits=False, at=datetime.now(UTC))
    with serving(path) as (url, process), Visitor(url) as visitor, visitor.socket() as socket:
        reply(socket, visitor.frame("marketData.subscribe", epics=["GOLD"]))
        process.send_signal(signal.SIGINT)
        assert close_code(socket) == 1012
        assert process.wait(60) == 0


def test_tls_is_trusted_by_its_own_authority_only(path):
    reset(path, start=MONDAY, limits=False, at=datetime.now(UTC))
    with serving(path, "tls") as (url, _):
        assert url.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=path.parent / "paper-ca.pem")
        trusted.verify_flags |= ssl.VERIFY_X509_STRICT
        with Visitor(url, trusted) as visitor, visitor.socket() as socket:
            assert visitor.stream == f"{url.replace('https', 'wss')}/"
            assert reply(socket, visitor.frame("ping"))["status"] == "OK"
        stranger = Visitor(url)
        with closing(stranger.http), pytest.raises(httpx.ConnectError, match="certificate"):
            stranger.login()
