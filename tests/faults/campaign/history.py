"""What a run leaves behind, and nothing else: what the oracle sees."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.campaign.plan import Plan
from tests.faults.campaign.venue import Entry
from tests.faults.checker import Books


@dataclass
class Command:
    """One command line or one call of a tool: when it ran, how it ended, what it said.

    `exit` is negative where a signal ended it, and None for a tool's call and a process that never ended.
    """

    step: str
    home: str
    deed: str
    words: tuple[str, ...]
    began: float
    ended: float = 0
    exit: int | None = None
    out: str = ""
    err: str = ""
    tool: str = ""
    hung: bool = False
    server_died: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """Return what it said as JSON: the envelope, or a tool's document in the envelope's form."""
        try:
            found = json.loads(self.out)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def data(self) -> dict[str, Any]:
        found = self.document
        return found if self.tool else found.get("data") or {}

    @property
    def error(self) -> dict[str, Any]:
        return self.document.get("error") or {}

    @property
    def said(self) -> str:
        """Return every word of it."""
        if self.document:
            return f"{self.data.get('sentence', '')} {self.error.get('message', '')}".strip()
        return f"{self.out}\n{self.err}"

    @property
    def about(self) -> dict[str, Any]:
        """Return what it said of an attempt of its own; one that blocks it is another's."""
        details = self.error.get("details") or {}
        if self.data.get("attempt_id"):
            return self.data
        return details if details.get("attempt_id") and details.get("state") else {}

    @property
    def state(self) -> str:
        return str(self.about.get("state") or "")

    @property
    def attempt_id(self) -> str:
        return str(self.about.get("attempt_id") or "")


@dataclass(frozen=True, slots=True)
class Unfit:
    """A time in which a home's journal was not fit for an order; `ended` is None until somebody accepts it.

    A server that has the journal open already can still write what nobody else can.
    """

    home: str
    kind: str
    began: float
    ended: float | None = None
    but_servers: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """What a person approved, and when: account, method, path and hash of the body of each request."""

    home: str
    at: float
    requests: tuple[tuple[str, str, str, str], ...]


@dataclass
class History:
    """A run from the outside. `lost`: journals as they were before an older copy took their place.

    `armed`: the kinds that were to befall a process; `struck`: those that did.
    """

    plan: Plan
    folder: Path
    entries: list[Entry] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    books: dict[str, Books] = field(default_factory=dict)
    ledger: dict[str, Any] = field(default_factory=dict)
    lost: dict[str, list[Books]] = field(default_factory=dict)
    unfit: list[Unfit] = field(default_factory=list)
    signed: list[Signed] = field(default_factory=list)
    armed: list[str] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    server_said: str = ""
    seconds: float = 0
