"""A whole day on paper by keys alone: look, order, amend, approve, close, cancel, halt, flatten."""

import pytest

from capcli.desk.dialogs import Form
from capcli.desk.screen import DeskScreen
from capcli.errors import ApprovalRequired
from tests.desk.conftest import Hand, Place
from tests.support.seat import Seat, refusal, stop_at

SIZES = [(80, 24), pytest.param((200, 60), marks=pytest.mark.faults)]


async def filled(hand: Hand, key: str, **fields: str) -> None:
    """Open a form, write into its fields, and press Enter."""
    await hand.press(key)
    form = hand.screen.screen
    assert isinstance(form, Form)
    for name, text in fields.items():
        while form.field.name != name:
            await hand.press("tab")
        await hand.press("ctrl+u", *text)
    await hand.press("enter")


async def yes(hand: Hand, question: str, outcome: str, code: int = 0) -> None:
    """Read a question, answer it with y, and see what happened to it."""
    await hand.asked(question)
    await hand.press("y")
    await hand.ended(outcome, code)


def booked(place: Place) -> list[str]:
    return [one for one in place.tap.seen() if not one.startswith("GET")]


@pytest.mark.parametrize("size", SIZES)
def test_a_day_by_keys(place: Place, size: tuple[int, int]) -> None:
    async def day(hand: Hand) -> None:
        assert "Equity 10,000.00 USD" in hand.text
        assert "No open positions" in hand.text
        await filled(hand, "p", size="1.5", stop="5%", limit="10%")
        await yes(hand, "Send it?", "landed")
        assert "BUY 1.5" in hand.text
        # A tighter stop: shown in money, then sent.
        await filled(hand, "e", stop="29.9")
        await yes(hand, "Change it?", "29.9")
        assert "29.9" in hand.text
        # A working order, and its end.
        await filled(hand, "p", at="25.5", stop="", limit="")
        await yes(hand, "Send it?", "landed")
        assert "Working orders 1" in hand.text
        await hand.press("tab", "x")
        await yes(hand, "Cancel it?", "ancelled")
        assert "No working orders" in hand.text
        # Out of the position, whose result is told.
        await hand.press("c")
        await yes(hand, "Close it?", "P&L")
        assert "No open positions" in hand.text
        await hand.press("h")
        await hand.ended("alted", 0)
        assert "Halted since" in hand.text
        await hand.press("r")
        await yes(hand, "Resume?", "")
        assert "Halted since" not in hand.text
        await filled(hand, "p", at="")
        await yes(hand, "Send it?", "landed")
        await hand.press("F")
        await hand.asked("Halt and send it?")
        await hand.press(*"FLATTEN", "enter")
        await hand.ended("Halt, cancel 0 working orders and close 1 position", 0)
        assert "No open positions" in hand.text

    place.run(day, size)
    assert len(booked(place)) >= 6


async def alone(hand: Hand, key: str) -> None:
    """Press a key and wait until it is taken: two of one moment would be no answer at all."""
    await hand.press(key)
    await hand.until(lambda: not hand.screen.screen._talk._typed)


def test_what_an_assistant_asks_for_is_approved_by_a_key(places, own_home) -> None:
    place = places(CAP_APPROVAL="human")
    seat = Seat(own_home, place.time, number=1, CAP_APPROVAL="human", CAP_NOTIFY="false")
    asked = seat.preview(stop=stop_at("24.50")).preview_id
    assert isinstance(refusal(lambda: seat.execute(asked)), ApprovalRequired)

    async def day(hand: Hand) -> None:
        assert "a: waits for you: BUY 1.5 SILVER" in hand.text
        await hand.press("a")
        await hand.until(lambda: "Approve it, once?" in hand.dialog)
        await alone(hand, "y")
        # A key that meets the command while it looks, and time that passes meanwhile, count for nothing.
        for _ in range(20):
            place.time.tick(2.1)
            await alone(hand, "y")
            if "Approved until" in hand.dialog:
                break
        await hand.until(lambda: "Nothing waits." in hand.dialog)
        assert "Approved until" in hand.dialog
        await hand.press("escape")
        hand.look()
        assert "a: waits for you" not in hand.text

    place.run(day)
    assert seat.execute(asked).data.state == "LANDED"
    seat.close()


def test_a_desk_says_what_its_keys_do(place: Place) -> None:
    async def day(hand: Hand) -> None:
        await hand.press("?")
        assert hand.screen.screen.query_one("#text")
        await hand.press("x")
        assert isinstance(hand.screen, DeskScreen)
        await hand.press("q")

    place.run(day)
