"""The PIN of live: proves a person at the terminal, since no program has it."""

import hmac
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from hashlib import scrypt
from typing import Protocol
from unicodedata import normalize

from msgspec.structs import replace

from capcli.domain.going_live import PinHash
from capcli.errors import PinMissing, PinTooShort, PinWrong, UsageError
from capcli.ports import Clock
from capcli.safety.halt import Halting

TRIES = 5
LENGTH = 6
_LONGEST = 128
_PAUSE = timedelta(seconds=60)
# 16 MiB and about 50 ms per guess; a stored hash keeps its own cost.
_N, _R, _P = 2**14, 8, 1


class PinKeeper(Protocol):
    """Protected storage of the PIN's hash. Raises the Keychain errors, ConfigError for a garbled item."""

    def load(self) -> PinHash | None: ...

    def save(self, pin: PinHash) -> None: ...


class Pin:
    """Sets and checks the PIN. One per profile; the count of wrong tries is stored."""

    def __init__(
        self,
        keeper: PinKeeper,
        halting: Callable[[], Halting],
        clock: Clock,
        turn: Callable[[], AbstractContextManager[object]],
        *,
        needed: Callable[[], bool],
    ) -> None:
        """`turn` lets one process at a time try; `needed`: whether this environment requires it."""
        self._keeper = keeper
        self._halting = halting
        self._clock = clock
        self._turn = turn
        self._needed = needed

    @property
    def needed(self) -> bool:
        """Whether it must be typed here: on live, unless the checklist turned that off."""
        return self._needed()

    @property
    def is_set(self) -> bool:
        return self._keeper.load() is not None

    def set(self, text: str) -> None:
        """Store a first PIN. Raises PinTooShort, UsageError, and the Keychain errors."""
        if not LENGTH <= len(text) <= _LONGEST:
            raise PinTooShort(f"A PIN has {LENGTH} to {_LONGEST} characters. Nothing was stored.")
        with self._turn():
            if self._keeper.load() is not None:
                raise UsageError(
                    "A PIN is set already. Nothing was changed. To set another one, forget the login of"
                    " live; live is then locked until its checklist is completed again.",
                    next="capcli logout --forget --env live",
                )
            salt = secrets.token_bytes(16)
            self._keeper.save(PinHash(_hashed(text, salt, _N, _R, _P), salt, _N, _R, _P))

    def check(self, text: str) -> None:
        """Accept the right PIN; five wrong in a row halt, then one try a minute.

        Raises PinMissing, PinWrong, and the Keychain errors.
        """
        with self._turn():
            kept = self._keeper.load()
            if kept is None:
                raise PinMissing(
                    "No PIN was set for live. Nothing was done. The checklist asks for one, on a terminal.",
                    next="capcli live checklist",
                )
            now = self._clock()
            # A clock that was set back must not lock the person out.
            if kept.wrong >= TRIES and kept.wrong_at and kept.wrong_at <= now < kept.wrong_at + _PAUSE:
                raise PinWrong(
                    f"The PIN was wrong {kept.wrong} times in a row. Nothing was done, and this PIN was not"
                    f" checked: try again from {kept.wrong_at + _PAUSE:%H:%M:%S}Z.",
                    tries_left=0,
                )
            # Counted before the check: killing the process does not save the try.
            self._keeper.save(tried := replace(kept, wrong=kept.wrong + 1, wrong_at=now))
            right = hmac.compare_digest(kept.hash, _hashed(text, kept.salt, kept.n, kept.r, kept.p))
            if right:
                self._keeper.save(replace(kept, wrong=0, wrong_at=None))
        if right:
            return
        left = TRIES - tried.wrong
        if left > 0:
            tries = "1 try is left" if left == 1 else f"{left} tries are left"
            raise PinWrong(f"Wrong PIN. Nothing was done. {tries}, then everything halts.", tries_left=left)
        self._halting().halt(f"the PIN of live was wrong {tried.wrong} times in a row", by="five wrong PINs")
        raise PinWrong(
            f"Wrong PIN, {tried.wrong} times in a row: halted. Nothing that adds risk is sent until a "
            "person with the PIN resumes. Closing, cancelling and tightening a stop are still possible.",
            next="capcli resume --env live",
            tries_left=0,
            halted=True,
        )


def _hashed(text: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # Keyboards send the same letter composed or decomposed.
    text = normalize("NFC", text)
    return scrypt(text.encode("utf-8", "surrogateescape"), salt=salt, n=n, r=r, p=p, maxmem=2**27)
