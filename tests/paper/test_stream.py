"""One client's conversation with the stream, without a socket."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capcli.paper.catalogue import MARKETS
from capcli.paper.context import Session
from capcli.paper.price_feed import RESOLUTIONS
from capcli.paper.stream import KINDS, MAX_EPICS, Conversation, Unreadable, error, read
from tests.support.drawn import ANY

SESSION = Session("c", "t", "1")
EPICS = list(MARKETS)


@pytest.fixture
def talk():
    return Conversation()


def ask(talk, destination, payload=None, session=SESSION, correlation="7"):
    frame = {"destination": destination, "correlationId": correlation, "cst": "c", "securityToken": "t"}
    if payload is not None:
        frame["payload"] = payload
    return json.loads(talk.answer(read(json.dumps(frame)), session, MARKETS))


def test_a_subscription_is_answered_as_published(talk):
    assert ask(talk, "marketData.subscribe", {"epics": ["OIL_CRUDE"]}) == {
        "status": "OK",
        "destination": "marketData.subscribe",
        "correlationId": "7",
        "payload": {"subscriptions": {"OIL_CRUDE": "PROCESSED"}},
    }
    assert list(talk.quotes) == ["OIL_CRUDE"]


def test_unsubscribed_quotes_stop(talk):
    ask(talk, "marketData.subscribe", {"epics": ["GOLD", "SILVER"]})
    assert ask(talk, "marketData.unsubscribe", {"epics": ["GOLD"]})["payload"] == {
        "subscriptions": {"GOLD": "PROCESSED"}
    }
    assert list(talk.quotes) == ["SILVER"]


def test_bars_are_minutes_and_classic_unless_asked_otherwise(talk):
    payload = {"epics": ["OIL_CRUDE", "AAPL"], "resolutions": ["MINUTE_5"], "type": "heikin-ashi"}
    assert ask(talk, "OHLCMarketData.subscribe", payload)["payload"]["subscriptions"] == {
        "OIL_CRUDE:MINUTE_5:heikin-ashi": "PROCESSED",
        "AAPL:MINUTE_5:heikin-ashi": "PROCESSED",
    }
    assert ask(talk, "OHLCMarketData.subscribe", {"epics": ["GOLD"]})["payload"]["subscriptions"] == {
        "GOLD:MINUTE:classic": "PROCESSED"
    }
    assert len(talk.bars) == 3


def test_unsubscribed_bars_are_those_named_by_resolutions_and_types(talk):
    both = ["MINUTE", "HOUR"]
    for kind in KINDS:
        ask(talk, "OHLCMarketData.subscribe", {"epics": ["GOLD"], "resolutions": both, "type": kind})
    payload = {"epics": ["GOLD"], "resolutions": ["HOUR"], "types": ["heikin-ashi"]}
    assert ask(talk, "OHLCMarketData.unsubscribe", payload)["payload"]["subscriptions"] == {
        "GOLD:HOUR:heikin-ashi": "PROCESSED"
    }
    assert sorted(talk.bars) == ["GOLD:HOUR:classic", "GOLD:MINUTE:classic", "GOLD:MINUTE:heikin-ashi"]


def test_bars_unsubscribed_without_resolutions_and_types_are_all_of_the_market(talk):
    ask(talk, "OHLCMarketData.subscribe", {"epics": ["GOLD", "SILVER"], "resolutions": ["MINUTE", "DAY"]})
    reply = ask(talk, "OHLCMarketData.unsubscribe", {"epics": ["GOLD"]})
    assert len(reply["payload"]["subscriptions"]) == len(RESOLUTIONS) * len(KINDS)
    assert sorted(talk.bars) == ["SILVER:DAY:classic", "SILVER:MINUTE:classic"]


def test_a_ping_is_answered_with_an_empty_payload(talk):
    assert ask(talk, "ping") == {"status": "OK", "destination": "ping", "correlationId": "7", "payload": {}}


@pytest.mark.parametrize(
    "destination",
    [
        "ping",
        "marketData.subscribe",
        "marketData.unsubscribe",
        "OHLCMarketData.subscribe",
        "OHLCMarketData.unsubscribe",
    ],
)
def test_every_message_needs_valid_tokens(talk, destination):
    assert ask(talk, destination, {"epics": ["GOLD"]}, session=None) == {
        "status": "ERROR",
        "destination": destination,
        "correlationId": "7",
        "errorCode": "error.invalid.session.token",
    }
    assert (talk.quotes, talk.bars, talk.session) == ({}, {}, None)


def test_an_unknown_market_is_not_processed_and_the_others_are(talk):
    reply = ask(talk, "marketData.subscribe", {"epics": ["GOLD", "NOPE"]})["payload"]["subscriptions"]
    assert reply == {"GOLD": "PROCESSED", "NOPE": "error.not-found.epic"}
    bars = ask(talk, "OHLCMarketData.subscribe", {"epics": ["nope", "GOLD"]})["payload"]["subscriptions"]
    assert bars == {"GOLD:MINUTE:classic": "PROCESSED", "nope": "error.not-found.epic"}


def test_forty_markets_fit_on_a_connection_and_the_next_is_an_error(talk):
    assert ask(talk, "marketData.subscribe", {"epics": EPICS[:30]})["status"] == "OK"
    assert ask(talk, "OHLCMarketData.subscribe", {"epics": EPICS[20:MAX_EPICS]})["status"] == "OK"
    refused = ask(talk, "marketData.subscribe", {"epics": [EPICS[MAX_EPICS]]})
    assert (refused["status"], refused["errorCode"]) == ("ERROR", "error.invalid.epics")
    assert (len(talk.quotes), len(talk.bars)) == (30, 20)
    ask(talk, "marketData.unsubscribe", {"epics": EPICS[:1]})
    assert ask(talk, "marketData.subscribe", {"epics": [EPICS[MAX_EPICS]]})["status"] == "OK"
    assert ask(talk, "marketData.subscribe", {"epics": EPICS[:41]})["status"] == "ERROR"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (None, "error.invalid.epics"),
        ({"epics": []}, "error.invalid.epics"),
        ({"epics": "GOLD"}, "error.invalid.epics"),
        ({"epics": [1]}, "error.invalid.epics"),
        ([], "error.invalid.payload"),
        ({"epics": ["GOLD"], "resolutions": ["SECOND"]}, "error.invalid.resolution"),
        ({"epics": ["GOLD"], "resolutions": 5}, "error.invalid.resolutions"),
        ({"epics": ["GOLD"], "type": "renko"}, "error.invalid.type"),
    ],
)
def test_a_payload_that_cannot_be_used_is_an_error_and_changes_nothing(talk, payload, code):
    reply = ask(talk, "OHLCMarketData.subscribe", payload)
    assert (reply["status"], reply["errorCode"], reply["correlationId"]) == ("ERROR", code, "7")
    assert talk.bars == {}


def test_a_destination_that_is_none_is_an_error(talk):
    for destination in ("market.subscribe", "", None, 5, ["ping"], {"a": 1}):
        reply = ask(talk, destination)
        assert (reply["status"], reply["errorCode"]) == ("ERROR", "error.invalid.destination")


def test_a_number_for_a_correlation_comes_back_as_it_was(talk):
    assert ask(talk, "ping", correlation=12)["correlationId"] == 12
    assert "correlationId" not in json.loads(talk.answer(read('{"destination":"ping"}'), SESSION, MARKETS))


def test_the_last_session_is_the_streams(talk):
    ask(talk, "ping")
    ask(talk, "ping", session=Session("new", "t2", "1"))
    assert talk.session.cst == "new"


@pytest.mark.parametrize("text", ["#ping", "", "[]", "5", "{", '{"payload": }', "[" * 50_000, b"{}", None])
def test_a_frame_that_is_no_json_object_is_unreadable(text):
    with pytest.raises(Unreadable):
        read(text)


def test_a_refusal_may_be_in_the_payload():
    frame = json.loads(error(read('{"destination":"ping"}'), "error.too-many.requests", inside=True))
    assert frame == {
        "status": "ERROR",
        "destination": "ping",
        "payload": {"errorCode": "error.too-many.requests"},
    }


words = st.sampled_from(["destination", "payload", "epics", "resolutions", "type", "types", "cst"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(ANY, max_size=8)
    | st.sampled_from(EPICS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.text(ANY, max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
destinations = st.sampled_from(["ping", "marketData.subscribe", "OHLCMarketData.subscribe", "x"]) | values


@given(destinations, values, values)
@settings(deadline=None)
def test_whatever_is_sent_gets_an_answer(destination, payload, correlation):
    frame = json.dumps({"destination": destination, "payload": payload, "correlationId": correlation})
    try:
        message = read(frame)
    except Unreadable:
        return
    assert json.loads(Conversation().answer(message, SESSION, MARKETS))["status"] in {"OK", "ERROR"}
