"""The go-live checklist as values: what there is to do, and whether live is unlocked."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Step(StrEnum):
    """The steps of the broker's guide before a live account, and what completes them."""

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


@dataclass(frozen=True, slots=True)
class Unlock:
    """What the keychain keeps of a completed checklist; `place` stands for one state folder of a machine."""

    place: str
    at: datetime
    approval: Approval


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether orders may go to live, who approves them, and, while it is locked, why."""

    unlocked: bool
    approval: Approval
    reason: str
