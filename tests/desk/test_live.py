"""On live a yes by key takes the PIN, as everywhere; without the checklist every order is refused."""

from tests.cli.conftest import keychain
from tests.cli.test_live import (
    PIN,
    WANTED,
    capcli,
    complete,
    completing,
    demo,
    hidden,
    keyboard,
    live,
    practised,
    stages,
)
from tests.desk.conftest import Hand, Place
from tests.desk.test_day import filled

__all__ = [
    "capcli", "complete", "completing", "demo", "hidden",
    "keyboard", "keychain", "live", "practised", "stages",
]  # fmt: skip


def opened(cli, demo) -> Place:
    return Place(cli.home, {**WANTED, "XDG_RUNTIME_DIR": str(demo.runtime)}, cli.time, demo.tap)


def test_an_order_on_live_takes_the_pin(capcli, demo, complete, at_once) -> None:
    place = opened(capcli, demo)

    async def day(hand: Hand) -> None:
        assert hand.text.startswith("LIVE")
        await filled(hand, "p", size="1", stop="5%")
        await hand.asked("Send it?")
        await hand.press("y")
        await hand.asked("PIN of live")
        assert demo.tap.orders() == []
        await hand.press(*"not it")
        await hand.press("enter")
        await hand.ended("PIN_WRONG", 5)
        assert demo.tap.orders() == []
        await filled(hand, "p")
        await hand.asked("Send it?")
        await hand.press("y")
        await hand.asked("PIN of live")
        await hand.press(*PIN)
        await hand.press("enter")
        await hand.ended("landed", 0)
        assert PIN not in hand.text

    place.run(day)
    place.close()
    assert len(demo.tap.orders()) == 1


def test_live_without_the_checklist_is_locked(capcli, demo, practised, at_once) -> None:
    place = opened(capcli, demo)

    async def day(hand: Hand) -> None:
        await filled(hand, "p", size="1", stop="5%")
        await hand.ended("cannot be executed", 5)

    place.run(day)
    place.close()
    assert demo.tap.orders() == []
