"""The go-live checklist as values: its steps, and whether live is unlocked."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class PinHash(Struct, frozen=True):
    """The stored PIN: its scrypt hash with salt and cost, and the wrong tries in a row."""

    hash: bytes
    salt: bytes
    n: int
    r: int
    p: int
    wrong: int = 0
    wrong_at: datetime | None = None

    def __repr__(self) -> str:
        return f"PinHash(wrong={self.wrong})"


class Step(StrEnum):
    """The steps of the broker's guide before a live account."""

    LOGIN = "login"
    ACCOUNTS = "accounts"
    MARKETS = "markets"
    DEMO_TRADE = "demo_trade"
    PREVIEW_FIELDS = "preview_fields"
    ENV = "env"
    TRADING = "trading"
    TERMS = "terms"
    ELECTRONIC_TERMS = "electronic_terms"
    PIN = "pin"
    PHRASE = "phrase"


class Approval(StrEnum):
    """Who approves an order on live: a person, or whoever confirms it."""

    HUMAN = "human"
    CONFIRM = "confirm"


class Unlock(Struct, frozen=True):
    """A completed checklist in the keychain; `place` identifies one state folder of a machine."""

    place: str
    at: datetime
    approval: Approval


class Gate(Struct, frozen=True):
    """Whether orders may go to live, who approves them, and why it is locked."""

    unlocked: bool
    approval: Approval
    reason: str
