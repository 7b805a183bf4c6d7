"""The lock of live: who asks the keychain, and who waits for that meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from capcli.domain.going_live import Approval, Gate

SHUT = Gate(unlocked=False, approval=Approval.HUMAN, reason="a test")


def test_whoever_asks_the_keychain_keeps_the_others_from_building(seats: Any, monkeypatch: Any) -> None:
    """With a lock of its own, one thread could ask for what another one is building, and that one for it."""
    app, free = seats(CAP_ENV="live").app, []

    def read() -> Gate:
        with ThreadPoolExecutor(1) as other:
            free.append(other.submit(app.building.acquire, blocking=False).result())
        return SHUT

    monkeypatch.setattr(app.live, "_read", read)
    assert (app.live.gate, app.live.gate, free) == (SHUT, SHUT, [False])


def test_a_changed_lock_is_asked_for_again(seats: Any, monkeypatch: Any) -> None:
    live, asked = seats(CAP_ENV="live").app.live, []
    monkeypatch.setattr(live, "_read", lambda: asked.append(None) or SHUT)
    assert live.gate is live.gate
    live.look_again()
    assert (live.gate, len(asked)) == (SHUT, 2)
