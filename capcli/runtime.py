"""The start parameters of an app: the options as typed, the caller, and what tests replace."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from capcli.safety.announcements import Launch
    from capcli.trading.send_gate import SendGate

_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 12


def utc_now() -> datetime:
    """Return the present as aware UTC."""
    return datetime.now(UTC)


def random_id(prefix: str) -> str:
    """Return a new id: the prefix and 12 of `[0-9a-z]` from the operating system's randomness."""
    return prefix + "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))


class Options(Struct, frozen=True):
    """The global options as typed."""

    env: str | None = None
    profile: str | None = None
    account: str | None = None
    timeout: str | None = None


class Runtime(Struct, frozen=True, kw_only=True):
    """What tests replace: clock, random ids, waiting, and the connection to the broker.

    `quiet_s`: how long after a send absence proves nothing; `gap_s`: between two empty lookups.
    `launch` starts the programs that notify a person.
    """

    clock: Callable[[], datetime] = utc_now
    ids: Callable[[str], str] = random_id
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    lock_wait_s: float = 20
    quiet_s: float = 120
    gap_s: float = 30
    transport: Any = None
    launch: "Launch | None" = None


class Caller(Struct, frozen=True, kw_only=True):
    """The caller of an app.

    `send_gate` calls back what is not sent yet; `on_wait` gets why a command waits; `on_secret` gets every
    credential and token that comes up, so that logs can mask them. With a person there (`interactive`) the
    keychain's own window may stay open for a minute. Who `reads_only` changes nothing at the broker, nor the
    session that others share. `client` names who asks for what a person approves. `asks_always`: a change is
    asked about even where CAP_REQUIRE_EXPLICIT_CONFIRM is false.
    """

    send_gate: "SendGate | None" = None
    on_wait: Callable[[str], None] = lambda _why: None
    on_secret: Callable[..., None] = lambda *_: None
    interactive: bool = False
    reads_only: bool = False
    client: Callable[[], str] = lambda: "a script"
    asks_always: bool = False
