"""The stream's connections under a clock and a pulse that the test moves; the wire is two queues."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta

import pytest

from capcli.paper.broker import PaperBroker
from capcli.paper.channel import CONNECTION, MAX_SOCKETS, MAX_WAITING, Channel
from capcli.paper.state import reset, set_fault, switches
from tests.paper.client import FRIDAY, Client
from tests.paper.pulse import Pulse

PATIENCE_S = 60  # a test that waits so long in vain is a broken one


class Wire:
    """A client's end of one connection: what it sends, what arrived, and how it ended."""

    def __init__(self, channel, client):
        self._channel = channel
        self._client = client
        self._sent = asyncio.Queue()
        self._sent.put_nowait({"type": "websocket.connect"})
        self.frames = []
        self.code = None
        self.reads = asyncio.Event()
        self.reads.set()
        scope = {"type": "websocket", "path": "/connect", CONNECTION: self}
        self.task = asyncio.create_task(channel(scope, self._sent.get, self._arrive))

    async def _arrive(self, event):
        await self.reads.wait()
        if event["type"] == "websocket.send":
            self.frames.append(json.loads(event["text"]))
        elif event["type"] == "websocket.close":
            self.leave(event["code"])
        elif event["type"] == "websocket.http.response.start":
            self.code = event["status"]

    def abort(self):
        """What the server calls on a connection to cut it off."""
        self.leave(1006)

    def leave(self, code=1001):
        self.code = self.code or code
        self._sent.put_nowait({"type": "websocket.disconnect", "code": code})

    async def say(self, destination, **payload):
        tokens = {"cst": self._client.tokens["cst"], "securityToken": self._client.tokens["x-security-token"]}
        frame = {"destination": destination, "correlationId": "1", **tokens, "payload": payload}
        before = len(self.replies)
        self._sent.put_nowait({"type": "websocket.receive", "text": json.dumps(frame)})
        await until(lambda: len(self.replies) > before)
        return self.replies[-1]

    @property
    def replies(self):
        return [frame for frame in self.frames if "correlationId" in frame]

    @property
    def quotes(self):
        return [frame["payload"] for frame in self.frames if frame["destination"] == "quote"]


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110  (what is waited for is on the other end of the wire)
            await asyncio.sleep(0.001)


def play(client: Client, story: Callable[[Channel, Pulse, Callable[[], Wire]], Awaitable[None]]) -> None:
    """A story with as many wires as it opens, all of one login."""

    async def run():
        pulse, wires = Pulse(), []
        channel = Channel(client.broker, lambda: client.now, pause=pulse.pause)

        def opened():
            wires.append(Wire(channel, client))
            return wires[-1]

        async with asyncio.timeout(PATIENCE_S):
            await story(channel, pulse, opened)
            for wire in wires:
                wire.leave()
                await wire.task
            await pulse.end()
            await channel.rest()

    asyncio.run(run())


def test_a_stream_lives_ten_minutes_from_a_message_and_a_ping_renews_it(client):
    async def story(_channel, pulse, opened):
        wire, quiet = opened(), opened()
        await wire.say("ping")
        await quiet.say("ping")
        client.wait(minutes=9)
        await wire.say("ping")
        client.wait(minutes=1, seconds=1)
        await pulse.beat()
        await until(lambda: quiet.code)
        assert (wire.code, quiet.code) == (None, 1006)
        client.wait(minutes=9)
        await pulse.beat()
        await until(lambda: wire.code)
        assert wire.code == 1006

    play(client, story)


def test_a_message_on_the_stream_uses_the_session_of_requests_too(client):
    async def story(_channel, _pulse, opened):
        wire = opened()
        for _ in range(3):
            await wire.say("ping")
            client.wait(minutes=9)
        assert client.get("/ping").status == 200

    play(client, story)


def test_tokens_that_expired_are_refused_on_the_stream(client):
    async def story(_channel, _pulse, opened):
        wire = opened()
        await wire.say("ping")
        client.wait(minutes=5)
        client.delete("/session")
        assert (await wire.say("ping"))["errorCode"] == "error.invalid.session.token"

    play(client, story)


def test_a_logout_ends_its_stream_with_1000_and_a_switch_does_not(client):
    """After a switch the old tokens stay valid for their own account (API page 18.20)."""

    async def story(channel, pulse, opened):
        wire = opened()
        await wire.say("ping")
        client.put("/session", accountId=client.get("/accounts").json["accounts"][1]["accountId"])
        channel.refresh()
        await pulse.beat()
        assert (await wire.say("ping"))["status"] == "OK"
        assert wire.code is None
        client.delete("/session")
        channel.refresh()
        await pulse.beat()
        await until(lambda: wire.code)
        assert wire.code == 1000

    play(client, story)


def test_the_hard_cap_of_a_session_ends_its_stream(client):
    switches(client.path, at=client.now, session_cap=True)

    async def story(_channel, pulse, opened):
        wire = opened()
        for _ in range(7):
            await wire.say("ping")
            client.wait(minutes=8.7)
        await pulse.beat()
        await until(lambda: wire.code)
        assert wire.code == 1000

    play(client, story)


def test_quotes_come_from_the_subscription_on_and_stop_with_it(client):
    async def story(_channel, pulse, opened):
        wire = opened()
        await wire.say("marketData.subscribe", epics=["SILVER", "EURUSD"])
        client.wait(seconds=3)
        await pulse.beat()
        await until(lambda: {quote["epic"] for quote in wire.quotes} == {"SILVER", "EURUSD"})
        assert all(quote["timestamp"] > FRIDAY.timestamp() * 1000 for quote in wire.quotes)
        await wire.say("marketData.unsubscribe", epics=["SILVER", "EURUSD"])
        seen = len(wire.quotes)
        client.wait(seconds=3)
        await pulse.beat()
        assert len(wire.quotes) == seen

    play(client, story)


def test_a_long_sleep_of_the_machine_is_not_made_up_for(client):
    async def story(_channel, pulse, opened):
        wire = opened()
        await wire.say("marketData.subscribe", epics=["EURUSD"])
        client.wait(minutes=9)
        await pulse.beat()
        await until(lambda: wire.quotes)
        first = wire.quotes[0]["timestamp"]
        assert client.now.timestamp() * 1000 - first <= 5_000

    play(client, story)


def test_a_second_stream_gets_prices_too_unless_the_fault_is_set(client):
    async def story(_channel, pulse, opened):
        one, two = opened(), opened()
        await one.say("marketData.subscribe", epics=["GOLD"])
        assert (await two.say("marketData.subscribe", epics=["GOLD"]))["status"] == "OK"
        set_fault(client.path, "one-stream", at=client.now, times=1)
        client.wait(seconds=1)
        await pulse.beat()
        refused = await two.say("OHLCMarketData.subscribe", epics=["GOLD"])
        assert refused["payload"] == {"errorCode": "error.too-many.requests"}
        assert (await two.say("OHLCMarketData.subscribe", epics=["GOLD"]))["status"] == "OK"

    play(client, story)


def test_a_new_stream_hears_nothing_of_the_time_before_it(client):
    async def story(channel, pulse, opened):
        first = opened()
        await first.say("marketData.subscribe", epics=["EURUSD"])
        first.leave()
        await first.task
        await pulse.end()
        await channel.rest()
        client.wait(seconds=4)
        second, since = opened(), client.now
        await second.say("marketData.subscribe", epics=["EURUSD"])
        client.wait(seconds=2)
        await pulse.beat()
        await until(lambda: second.quotes)
        assert second.quotes[0]["timestamp"] > since.timestamp() * 1000

    play(client, story)


def test_a_quiet_socket_is_cut_when_the_fault_is_set_and_a_ping_keeps_it(client):
    """Quirk 31 of the API page: cut after a minute without a frame, which a ping every 30 s cured."""

    async def story(_channel, pulse, opened):
        set_fault(client.path, "idle-cut", at=client.now)
        quiet, busy = opened(), opened()
        for wire in (quiet, busy):
            await wire.say("OHLCMarketData.subscribe", epics=["GOLD"], resolutions=["HOUR"])
        client.wait(seconds=40)
        await busy.say("ping")
        client.wait(seconds=25)
        await pulse.beat()
        await until(lambda: quiet.code)
        assert (quiet.code, busy.code) == (1006, None)

    play(client, story)


def test_a_stream_can_be_cut_once(client):
    async def story(_channel, pulse, opened):
        wire = opened()
        await wire.say("ping")
        await pulse.beat()  # a look that is under way would cut it before the beat below is waited for
        set_fault(client.path, "stream-cut", at=client.now)
        client.wait(seconds=1)
        await pulse.beat()
        await until(lambda: wire.code)
        assert wire.code == 1006
        again = opened()
        await again.say("ping")
        client.wait(seconds=1)
        await pulse.beat()
        assert again.code is None

    play(client, story)


def test_bars_come_twice_at_their_close_and_can_get_lost_while_quotes_go_on(client):
    """Quirk 30 of the API page."""

    async def story(_channel, pulse, opened):
        wire = opened()

        def bars():
            return [frame["payload"] for frame in wire.frames if frame["destination"] == "ohlc.event"]

        await wire.say("OHLCMarketData.subscribe", epics=["SILVER"])
        await wire.say("marketData.subscribe", epics=["SILVER"])
        client.wait(seconds=59)
        await pulse.beat()
        await until(lambda: wire.quotes)
        assert bars() == []
        client.wait(seconds=1)
        await pulse.beat()
        await until(lambda: len(bars()) == 2)
        assert [(bar["priceType"], bar["t"]) for bar in bars()] == [("bid", opening), ("ask", opening)]
        set_fault(client.path, "bars-lost", at=client.now)
        seen = len(wire.quotes)
        for _ in range(2):
            client.wait(seconds=31)
            await pulse.beat()
        assert len(wire.quotes) > seen
        assert len(bars()) == 2

    opening = int(FRIDAY.timestamp()) * 1000
    play(client, story)


def test_old_bars_can_come_again_after_a_subscription(client):
    set_fault(client.path, "bars-again", at=client.now, times=1)

    async def story(_channel, pulse, opened):
        wire = opened()
        await wire.say("ping")
        await pulse.beat()
        for epic in ("SILVER", "GOLD"):
            await wire.say("OHLCMarketData.subscribe", epics=[epic])
        await pulse.beat()
        bars = [frame["payload"] for frame in wire.frames if frame["destination"] == "ohlc.event"]
        assert [(bar["epic"], bar["priceType"], opening - bar["t"]) for bar in bars] == [
            ("SILVER", side, minutes * 60_000) for minutes in (3, 2, 1) for side in ("bid", "ask")
        ]

    opening = int(FRIDAY.timestamp()) * 1000
    play(client, story)


def test_no_more_than_so_many_connections_are_taken(client):
    async def story(_channel, _pulse, opened):
        wires = [opened() for _ in range(MAX_SOCKETS)]
        await wires[-1].say("ping")
        late = opened()
        await until(lambda: late.code)
        assert late.code == 503

    play(client, story)


def test_what_does_not_fit_into_the_buffer_ends_the_connection(client):
    async def story(channel, _pulse, opened):
        wire = opened()
        await wire.say("ping")
        (listener,) = channel._listeners
        wire.reads.clear()
        half = ["x" * (MAX_WAITING // 2)]
        for _ in range(3):
            listener.put(half, 0)
        await until(lambda: wire.code)
        assert wire.code == 1006
        wire.reads.set()

    play(client, story)


def test_a_file_that_fails_for_a_moment_ends_no_stream(client):
    async def story(_channel, pulse, opened):
        wire = opened()
        await wire.say("marketData.subscribe", epics=["SILVER"])
        with closing(sqlite3.connect(client.path)) as db:
            db.execute("ALTER TABLE faults RENAME TO away")
            client.wait(seconds=1)
            await pulse.beat()
            db.execute("ALTER TABLE away RENAME TO faults")
        client.wait(seconds=1)
        await pulse.beat()
        client.wait(seconds=1)
        await pulse.beat()
        await until(lambda: wire.quotes)
        assert wire.code is None

    play(client, story)


def test_the_served_address_is_what_logins_name(path):
    broker = PaperBroker(path, stream="ws://127.0.0.1:8330/")
    client = Client(path)
    client.broker.close()
    client.broker = broker
    assert client.login().json["streamingHost"] == "ws://127.0.0.1:8330/"
    client.wait(seconds=1)
    assert client.get("/session").json["streamEndpoint"] == "ws://127.0.0.1:8330/"
    broker.close()


@pytest.mark.parametrize("speed", [1, 60])
def test_sessions_keep_to_real_time_however_fast_the_market_runs(path, speed):
    reset(path, speed=speed, limits=False, at=FRIDAY)
    client = Client(path)
    client.login()
    client.wait(minutes=9)
    assert client.get("/time").json["serverTime"] == int(
        (FRIDAY + timedelta(minutes=9 * speed)).timestamp() * 1000
    )
    assert client.get("/ping").status == 200
    client.wait(minutes=11)
    assert client.get("/ping").code == "error.invalid.session.token"
