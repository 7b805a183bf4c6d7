"""The stream's client against a scripted wire; the session behind it is a real one on the paper broker."""

from decimal import Decimal
from itertools import pairwise

import pytest

from capcli.broker.stream import Streams, is_own
from capcli.domain.market import Resolution
from capcli.domain.stream import Disconnected, StreamBar, StreamGap, Tick
from capcli.errors import EpicUnknown, LoginRefused, RateLimited, Unreachable, UnreadableAnswer, UsageError
from tests.support.seat import refusal
from tests.support.sockets import Exchange, processed, tick

START_MS = 1_772_452_800_350


@pytest.fixture
def exchange(time):
    return Exchange(time)


@pytest.fixture
def streams(seat, exchange):
    return Streams(seat.app.broker, exchange.setting())


def code(name):
    return {"status": "ERROR", "errorCode": name}


def heard(stream, seconds, time):
    """Everything that is told in so many seconds."""
    ends, told = time.monotonic() + seconds, []
    while time.monotonic() < ends:
        told += stream.receive(1.0)
    return told


def test_a_tick_keeps_its_digits_and_has_both_times(streams, exchange):
    stream = streams.open(["SILVER"])
    exchange.socket.fed.append(tick("SILVER", "30.410", "0.1000000000000000000001", 1_700_000_000_123))

    (found,) = stream.receive(1)

    assert str(found.bid) == "30.410"
    assert found.offer == Decimal("0.1000000000000000000001")
    assert found.at_ms == 1_700_000_000_123
    assert found.received_ms == START_MS


def test_every_message_carries_the_tokens_of_the_session(streams, exchange, seat):
    streams.open(["SILVER", "GOLD"])

    (frame,) = exchange.socket.said
    held = seat.app.broker.held_session
    assert (frame["cst"], frame["securityToken"]) == (held.cst, held.security_token)
    assert (frame["destination"], frame["payload"]) == (
        "marketData.subscribe",
        {"epics": ["SILVER", "GOLD"]},
    )


def test_a_ping_is_due_before_the_broker_cuts_an_idle_stream(streams, exchange, time):
    stream = streams.open(["SILVER"])

    assert heard(stream, 80, time) == []
    assert exchange.socket.words() == ["marketData.subscribe", "ping", "ping", "ping"]


def test_a_stream_that_does_not_answer_a_ping_is_opened_again(streams, exchange, time):
    stream = streams.open(["SILVER"])
    exchange.answer = lambda frame: None if frame["destination"] == "ping" else processed(frame)

    told = heard(stream, 60, time)

    assert [type(event) for event in told] == [Disconnected, StreamGap]
    assert told[0].reason == "no answer to a ping"
    assert len(exchange.sockets) == 2
    assert exchange.sockets[0].closed


def test_a_gap_reaches_from_the_last_frame_to_the_new_subscription(streams, exchange, time):
    stream = streams.open(["SILVER"])
    time.sleep(3)
    exchange.socket.fed.append(tick("SILVER", "30", "31"))
    stream.receive(1)
    time.sleep(2)
    exchange.socket.dead = "the broker closed the stream (code 1006)"

    lost, gap = heard(stream, 5, time)

    assert lost == Disconnected(START_MS + 5_000, "the broker closed the stream (code 1006)")
    assert gap == StreamGap(START_MS + 3_000, START_MS + 5_500, lost.reason)
    assert exchange.socket.words() == ["marketData.subscribe"]


def test_connecting_again_waits_longer_each_time_with_chance_in_it(seat, exchange, time):
    def waits(chance):
        exchange.down = ""
        stream = Streams(seat.app.broker, exchange.setting(chance=chance)).open(["SILVER"])
        exchange.socket.dead, exchange.down = "gone", "refused"
        stream.receive(1)
        tries = []
        for _ in range(400):
            before = len(exchange.addresses)
            stream.receive(0.05)
            tries += [time.monotonic()] * (len(exchange.addresses) - before)
        return [round(b - a, 1) for a, b in pairwise(tries)]

    assert waits(1.0)[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits(0.0)[:4] == [0.5, 1.0, 2.0, 4.0]


def test_one_broken_line_is_told_once_however_often_it_is_tried(streams, exchange, time):
    stream = streams.open(["SILVER"])
    exchange.socket.dead, exchange.down = "gone", "refused"

    told = heard(stream, 300, time)

    assert len(exchange.addresses) > 8
    assert [type(event) for event in told] == [Disconnected, Disconnected]  # it broke; nobody answers
    exchange.down = ""
    assert [type(event) for event in heard(stream, 31, time)] == [StreamGap]


def test_new_tokens_are_said_on_the_same_stream_without_a_gap(streams, exchange, seat, time):
    stream = streams.open(["SILVER"])
    seat.app.broker.login(force=True)

    assert heard(stream, 30, time) == []
    first, second = exchange.socket.said
    assert second["destination"] == "marketData.subscribe"
    assert second["cst"] != first["cst"]


def test_tokens_that_the_stream_refuses_are_renewed_without_a_word(streams, exchange, seat, time):
    stream = streams.open(["SILVER"])
    seat.app.broker.login(force=True)
    dead = exchange.socket.said[0]["cst"]
    exchange.answer = lambda frame: (
        code("error.invalid.session.token") if frame["cst"] == dead else processed(frame)
    )
    exchange.socket.fed.append(
        '{"status":"ERROR","destination":"ping","errorCode":"error.null.client.token"}'
    )

    assert heard(stream, 3, time) == []
    assert exchange.socket.words() == ["marketData.subscribe"] * 2


def test_tokens_that_are_never_good_end_it(seat, exchange):
    exchange.answer = lambda _: code("error.invalid.session.token")

    error = refusal(lambda: Streams(seat.app.broker, exchange.setting()).open(["SILVER"]))

    assert "Session expired" in error.message
    assert exchange.socket.closed


def test_a_market_that_the_broker_does_not_stream_is_named_with_a_suggestion(streams, exchange):
    exchange.answer = lambda _: {"payload": {"subscriptions": {"silver": "error.not-found.epic"}}}

    error = refusal(lambda: streams.open(["silver"]))

    assert isinstance(error, EpicUnknown)
    assert "did you mean SILVER?" in error.message


@pytest.mark.parametrize("inside", [False, True])
def test_a_stream_that_is_one_too_many_is_a_rate_limit_and_no_law_about_streams(streams, exchange, inside):
    refused = code("error.too-many.requests")
    exchange.answer = lambda _: {"status": "ERROR", "payload": refused} if inside else refused

    error = refusal(lambda: streams.open(["SILVER"]))

    assert isinstance(error, RateLimited)
    assert "may be open" in error.message
    assert "allows one" not in error.message


def test_after_a_break_a_crowded_account_is_waited_for(streams, exchange, time):
    stream = streams.open(["SILVER"])
    exchange.socket.dead = "gone"
    exchange.answer = lambda _: code("error.too-many.requests")
    told = heard(stream, 10, time)
    exchange.answer = processed

    assert {type(event) for event in told} == {Disconnected}
    assert isinstance(heard(stream, 60, time)[-1], StreamGap)


def test_nobody_at_the_other_end_is_an_unreachable_broker(streams, exchange):
    exchange.down = "ConnectionRefusedError: refused"

    error = refusal(lambda: streams.open(["SILVER"]))

    assert isinstance(error, Unreachable)
    assert error.message.startswith("Server not responding")


def test_more_than_forty_markets_are_refused_before_anything_is_opened(streams, exchange):
    error = refusal(lambda: streams.open([f"EPIC{n}" for n in range(41)]))

    assert isinstance(error, UsageError)
    assert exchange.addresses == []


def test_more_markets_can_be_added_up_to_forty(streams, exchange):
    stream = streams.open(["SILVER"])
    stream.add(["GOLD", "SILVER"])

    assert exchange.socket.said[-1]["payload"] == {"epics": ["GOLD"]}
    assert isinstance(refusal(lambda: stream.add([f"EPIC{n}" for n in range(39)])), UsageError)


@pytest.mark.parametrize("text", ["#ping", "", "[]", "{", '{"destination":7}', '{"destination":"quote"}'])
def test_frames_without_meaning_are_passed_over(streams, exchange, text):
    stream = streams.open(["SILVER"])
    exchange.socket.fed.extend([text, tick("SILVER", "30", "31")])

    assert [type(event) for event in stream.receive(1)] == [Tick]


def test_what_was_sent_before_the_end_was_known_is_still_told(streams, exchange):
    stream = streams.open(["SILVER"])
    exchange.socket.fed.append(tick("SILVER", "30", "31"))

    assert [event.epic for event in stream.close()] == ["SILVER"]
    assert exchange.socket.words()[-1] == "marketData.unsubscribe"
    assert exchange.socket.closed
    assert stream.close() == []


def test_bars_are_subscribed_by_resolution_and_told_by_side(streams, exchange):
    stream = streams.open(["GOLD"], Resolution.MINUTE)
    exchange.socket.fed.append(
        '{"status":"OK","destination":"ohlc.event","payload":{"resolution":"MINUTE","epic":"GOLD",'
        '"type":"classic","priceType":"ask","t":60000,"o":1.10,"h":1.3,"l":1.0,"c":1.2}}'
    )

    found = stream.receive(1)

    prices = [Decimal(text) for text in ("1.10", "1.3", "1.0", "1.2")]
    assert found == [StreamBar("GOLD", "MINUTE", "ask", 60_000, *prices, None)]
    assert exchange.socket.said[0]["payload"] == {"epics": ["GOLD"], "resolutions": ["MINUTE"]}


def test_the_host_of_the_session_is_used_and_a_setting_goes_before_it(seat, exchange):
    Streams(seat.app.broker, exchange.setting()).open(["SILVER"])
    Streams(seat.app.broker, exchange.setting(url="wss://else.where", checked=True)).open(["SILVER"])

    assert exchange.addresses == ["wss://localhost/connect", "wss://else.where/connect"]


def test_a_host_that_is_not_the_brokers_gets_no_tokens(seat, exchange):
    error = refusal(lambda: Streams(seat.app.broker, exchange.setting(checked=True)).open(["SILVER"]))

    assert isinstance(error, UnreadableAnswer)
    assert "CAP_STREAM_URL" in error.message
    assert exchange.addresses == []


@pytest.mark.parametrize(
    ("address", "host", "own"),
    [
        ("wss://api-streaming-capital.backend-capital.com", "demo-api-capital.backend-capital.com", True),
        ("ws://api-streaming-capital.backend-capital.com", "api-capital.backend-capital.com", False),
        ("wss://backend-capital.com.evil.example", "api-capital.backend-capital.com", False),
        ("wss://evilbackend-capital.com", "api-capital.backend-capital.com", False),
        ("wss://user@evil.example", "api-capital.backend-capital.com", False),
        ("ws://127.0.0.1:8330", "127.0.0.1:8330", True),
        ("ws://127.0.0.1:8330", "api-capital.backend-capital.com", False),
        ("wss://api-streaming-capital.backend-capital.com", "127.0.0.1:8330", False),
        ("ws://localhost.evil.example", "127.0.0.1:8330", False),
        ("ws://127.evil.example", "localhost:8330", False),
        ("wss://proxy.example", "proxy.example", True),
    ],
)
def test_whose_host_it_is(address, host, own):
    assert is_own(address, host) is own


def test_a_login_that_is_refused_ends_a_stream_that_lost_its_session(
    streams, exchange, seat, time, monkeypatch
):
    stream = streams.open(["SILVER"])

    def refused():
        raise LoginRefused("wrong key")

    monkeypatch.setattr(seat.app.broker._sessions, "details", refused)
    exchange.socket.dead = "gone"

    with pytest.raises(LoginRefused):
        heard(stream, 5, time)
