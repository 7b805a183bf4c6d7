"""A desk when something goes wrong: no broker, no prices, an answer that is lost, a window that changes."""

import re
from threading import Event

import httpx
import pytest
from textual import events

from capcli.cli.confirming import left_behind
from capcli.errors import MayBeLive
from tests.desk.conftest import Hand, Place
from tests.desk.test_day import filled, yes
from tests.support.tap import Tap

COLOUR = re.compile(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})\b")
_BUTTONS = {("ff", "5f", "57"), ("fe", "bc", "2e"), ("28", "c8", "40")}  # of the window in the picture


def gone(tap: Tap) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        tap.breaks(method, "", before=httpx.ConnectError("gone"), times=1000)


def test_a_broker_that_is_gone_is_told_and_the_last_figures_stay(place: Place) -> None:
    async def day(hand: Hand) -> None:
        await filled(hand, "p", size="1.5", stop="5%")
        await yes(hand, "Send it?", "landed")
        gone(place.tap)
        hand.look()
        hand.look()
        assert re.search(r"Account as of \d+ s ago: .*not responding", hand.text)
        assert "BUY 1.5" in hand.text
        # What is tried meanwhile is told as it is anywhere else.
        await hand.press("c")
        await yes(hand, "Close it?", "it is safe to try again", 7)
        place.tap.mend()
        hand.look()
        assert "Account as of" not in hand.text

    place.run(day)


def test_a_stream_that_dies_is_told_and_comes_back(place: Place) -> None:
    reader = place.desk.reader

    async def day(hand: Hand) -> None:
        reader.read_stream()
        hand.screen.draw()
        assert "SILVER" in hand.text
        assert "GOLD" in hand.text
        reader._watch._stream._socket.abort()
        place.time.sleep(12)
        await hand.until(lambda: (reader.read_stream(), reader.seen().stream)[1])
        hand.screen.draw()
        assert "Prices stopped 1" in hand.text
        assert "reconnecting" in hand.text
        place.time.sleep(30)
        await hand.until(lambda: (reader.read_stream(), not reader.seen().stream)[1])
        hand.screen.draw()
        assert "Prices stopped" not in hand.text

    place.run(day)


def test_an_order_whose_answer_is_lost_is_unknown_until_a_key_settles_it(place: Place) -> None:
    def cut(_request: httpx.Request) -> None:
        gone(place.tap)
        raise httpx.ReadError("cut")

    async def day(hand: Hand) -> None:
        await filled(hand, "p", size="1.5", stop="5%")
        place.tap.breaks("POST", "/positions", after=cut)
        await yes(hand, "Send it?", "MAY BE LIVE", 8)
        place.tap.mend()
        hand.look()
        assert re.search("What became of a_[0-9a-z]+ is unknown. u checks it.", hand.text)
        await hand.press("u")
        await hand.ended("", 0)
        assert "is unknown" not in hand.text
        assert "BUY 1.5" in hand.text

    place.run(day)


def test_nothing_leaves_while_an_order_is_on_its_way(place: Place) -> None:
    async def day(hand: Hand) -> None:
        await hand.press("h")
        dialog = hand.screen.screen
        # The answer stands: only then can it be closed.
        await hand.until(lambda: "Exit code" in hand.dialog)
        assert dialog.leave()
        await hand.until(lambda: not hand.dialog)
        await hand.press("r")
        await hand.asked("Resume?")
        await hand.press("escape")
        await hand.until(lambda: not hand.dialog)
        hand.look()
        assert "Halted since" in hand.text
        await hand.press("r")
        await yes(hand, "Resume?", "")

    place.run(day)


def test_keys_that_were_typed_ahead_confirm_nothing(place: Place) -> None:
    async def day(hand: Hand) -> None:
        await filled(hand, "p", size="1.5", stop="5%")
        for _ in range(5):
            await hand.press("y", "enter", "y")
        await hand.until(lambda: "Send it?" in hand.dialog)
        await hand.press("y", "y")
        assert place.tap.orders() == []
        await hand.asked("Send it?")
        await hand.press("n")
        await hand.ended("You did not say yes, so nothing was sent.", 5)

    place.run(day)
    assert place.tap.orders() == []


def test_a_key_asks_even_where_the_settings_ask_for_no_confirmation(places) -> None:
    place = places(CAP_REQUIRE_EXPLICIT_CONFIRM="false")

    async def day(hand: Hand) -> None:
        await filled(hand, "p", size="1.5", stop="5%")
        await hand.asked("Send it?")
        assert place.tap.orders() == []
        await hand.press("escape")
        await hand.until(lambda: not hand.dialog)

    place.run(day)
    assert place.tap.orders() == []


def test_a_refused_order_shows_every_check_and_keeps_the_form(place: Place) -> None:
    async def day(hand: Hand) -> None:
        await filled(hand, "p", size="0.01", stop="99")
        await hand.ended("cannot be executed", 5)
        await hand.press("p")
        assert hand.screen.screen.values["size"] == "0.01"
        await hand.press("escape")

    place.run(day)


def test_a_row_is_needed_for_what_a_key_is_about(place: Place) -> None:
    async def day(hand: Hand) -> None:
        for key, words in (("c", "Choose a position first"), ("x", "Choose a working order first")):
            await hand.press(key)
            assert words in hand.text
        await hand.press("e")
        assert "Choose a position or an order first" in hand.text
        assert not hand.dialog

    place.run(day)


def test_a_window_that_changes_is_filled_anew(place: Place) -> None:
    async def day(hand: Hand) -> None:
        for size in ((40, 12), (200, 60), (30, 8), (80, 24)):
            await hand.pilot.resize_terminal(*size)
            await hand.pilot.pause()
            lines = hand.text.split("\n")
            assert len(lines) == size[1]
            assert max(map(len, lines)) <= size[0]
            assert "PAPER" in hand.text

    place.run(day)


@pytest.mark.parametrize("colour", [False, True])
def test_without_colour_there_is_none(places, colour: bool) -> None:
    place = places() if colour else places(NO_COLOR="1")

    async def day(hand: Hand) -> None:
        place.tap.breaks("GET", "", before=httpx.ConnectError("gone"), times=1000)
        hand.look()
        await hand.pilot.pause()
        colours = set(COLOUR.findall(hand.screen.export_screenshot())) - _BUTTONS
        parts = [[int(part, 16) for part in one] for one in colours]
        assert any(max(one) - min(one) > 8 for one in parts) is colour, colours

    place.run(day)


def test_a_market_is_found_and_shown(place: Place) -> None:
    async def day(hand: Hand) -> None:
        await hand.press("/", *"gold", "enter")
        await hand.until(lambda: hand.screen.screen._epics)
        await hand.press("enter")
        await hand.until(lambda: len(hand.screen.screen_stack) == 1)
        place.desk.reader.read_stream()
        hand.look()
        assert "GOLD 1h" in hand.text
        await hand.press("t")
        hand.look()
        assert "GOLD 4h" in hand.text

    place.run(day)


def test_a_bug_in_a_command_is_told_in_its_dialogue(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(place.app.status), "show", lambda _: 1 / 0)

    async def day(hand: Hand) -> None:
        await hand.press("s")
        await hand.ended("A bug in capcli", 1)

    place.run(day)


@pytest.mark.parametrize(("key", "second"), [("?", "x"), ("p", "escape"), ("/", "escape"), ("s", "escape")])
def test_a_key_that_comes_when_a_page_is_gone_already_closes_nothing_else(
    place: Place, key: str, second: str
) -> None:
    async def day(hand: Hand) -> None:
        await hand.press(key)
        front = hand.screen.screen
        await hand.until(lambda: not hand.dialog or "Exit code" in hand.dialog)
        for _ in range(3):
            front.post_message(events.Key(second, None))
        await hand.until(lambda: len(hand.screen.screen_stack) == 1)
        await hand.pilot.pause()
        assert hand.screen.is_running

    place.run(day)


def test_enter_twice_makes_one_preview(place: Place) -> None:
    async def day(hand: Hand) -> None:
        await hand.press("p", "1")
        form = hand.screen.screen
        for _ in range(3):
            form.post_message(events.Key("enter", None))
        await hand.asked("Send it?")
        assert len(hand.screen.screen_stack) == 2
        await hand.press("escape")

    place.run(day)


def test_ctrl_c_leaves_an_order_on_its_way_at_the_second_time_only(place: Place) -> None:
    sent, go_on = Event(), Event()

    def held(_request: httpx.Request) -> None:
        sent.set()
        go_on.wait(20)

    async def day(hand: Hand) -> None:
        await filled(hand, "p", size="1.5", stop="5%")
        place.tap.breaks("POST", "/positions", before=held)
        await hand.asked("Send it?")
        await hand.press("y")
        await hand.until(sent.is_set)
        for key in ("escape", "q", "ctrl+c"):
            await hand.press(key)
            assert "it can no longer be stopped" in hand.dialog
            assert not hand.screen.left_behind
        await hand.press("ctrl+c")
        assert hand.screen.left_behind
        go_on.set()

    place.run(day)
    with pytest.raises(MayBeLive, match="may have been carried out"):
        left_behind(place.call)


def test_ctrl_c_in_a_question_says_no_and_leaves_the_desk_open(place: Place) -> None:
    async def day(hand: Hand) -> None:
        await filled(hand, "p", size="1.5", stop="5%")
        await hand.asked("Send it?")
        await hand.press("ctrl+c")
        await hand.until(lambda: len(hand.screen.screen_stack) == 1)
        await hand.press("/", "ctrl+c")
        await hand.until(lambda: len(hand.screen.screen_stack) == 1)
        assert hand.screen.is_running

    place.run(day)
    assert place.tap.orders() == []
