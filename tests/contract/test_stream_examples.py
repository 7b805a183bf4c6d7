"""Every published frame of the stream: requests are answered like the example, events have its fields."""

import json
import os
from pathlib import Path

import pytest

from capcli.paper.catalogue import MARKETS
from capcli.paper.context import Session
from capcli.paper.feed import CLASSIC, Feed
from capcli.paper.price_feed import PriceFeed
from capcli.paper.stream import BarLine, Conversation, bar_events, error, quote_event, read

EXAMPLES = Path(__file__).parents[3] / "shared" / "api" / "examples.json"
NOW = 1_795_190_400_000


@pytest.fixture(scope="module")
def examples():
    if not EXAMPLES.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("the published examples are missing")
        pytest.skip("the published examples are not part of the project")
    return json.loads(EXAMPLES.read_text())


def kinds(value):
    """A frame's shape: keys, and what kind of value is behind each."""
    if isinstance(value, dict):
        return {key: kinds(inner) for key, inner in value.items()}
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def printed(destination):
    """An event of ours."""
    market, feed = MARKETS["AAPL"], Feed(PriceFeed("capcli"))
    if destination == "quote":
        return json.loads(quote_event(next(feed.ticks(market, NOW, NOW + 60_000))))
    (closed,) = feed.bars(market, 6, CLASSIC, NOW - 1, NOW)
    return json.loads(bar_events(BarLine(market, "MINUTE_5", CLASSIC), closed)[0])


def test_every_request_is_answered_like_the_example(examples):
    talk, compared = Conversation(), 0
    frames = examples["websocket"]
    for request in frames:
        if request["kind"] != "request":
            continue
        wanted = next(
            one["message"]
            for one in frames
            if one["kind"] == "response" and one["destination"] == request["destination"]
        )
        found = json.loads(talk.answer(read(json.dumps(request["message"])), Session("c", "t", "1"), MARKETS))
        assert found == wanted
        compared += 1
    assert compared == sum(one["kind"] == "response" for one in frames) == 5


def test_every_event_has_the_fields_of_the_example(examples):
    events = [one["message"] for one in examples["websocket"] if one["kind"] == "event"]
    assert [event["destination"] for event in events] == ["quote", "ohlc.event"]
    for event in events:
        ours = kinds(printed(event["destination"]))
        ours["payload"].pop("lastTradedVolume", None)  # newer frames have it, these do not (API page 12.3)
        assert ours == kinds(event)


def test_newer_frames_have_their_fields_too(examples):
    bodies = [one.get("body") for one in examples["newer_shapes"]]
    frames = [one for one in bodies if isinstance(one, dict) and "destination" in one]
    request = read('{"destination":"marketData.subscribe","correlationId":"1"}')
    ours = [
        printed("ohlc.event"),
        json.loads(error(request, "error.invalid.session.token")),
        json.loads(error(request, "error.too-many.requests", inside=True)),
    ]
    assert [kinds(frame) for frame in frames] == [kinds(frame) for frame in ours]
    assert frames[1:] == ours[1:]
