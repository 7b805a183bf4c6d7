"""The fault matrix as data: what is done, and what journal, broker and user must then agree on."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).with_name("matrix.toml")
GROUPS = {
    "A": (1, 28),
    "B": (1, 10),
    "C": (0, 13),
    "D": (1, 8),
    "E": (1, 13),
    "F": (1, 6),
    "G": (1, 8),
    "H": (1, 6),
}
DESIGN = [f"{group}{number}" for group, (first, last) in GROUPS.items() for number in range(first, last + 1)]
TIERS = {"pure", "process", "socket", "kill"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must be true after a step. A `sentence` is how it begins; `*` stands for anything.

    `exit` -9 with an empty sentence is a process that was killed and told nobody anything. `journal` is the
    state that the journal holds where that is not the one that the user was told.
    """

    state: str
    exit: int
    sentence: str
    journal: str = ""

    @property
    def recorded(self) -> str:
        return self.journal or self.state

    def reads(self, sentence: str) -> bool:
        return fnmatchcase(sentence, f"{self.sentence}*")


@dataclass(frozen=True, slots=True)
class Case:
    """One id.

    `posts` order POSTs reach the broker, and `orders` of them become orders there. The second step runs the
    same preview again, which brings an unresolved attempt as far as evidence allows and sends nothing.
    """

    id: str
    title: str
    how: str
    first: Outcome
    posts: int
    orders: int
    tier: tuple[str, ...]
    then: Outcome | None = None


def _case(name: str, entry: dict[str, Any]) -> Case:
    then = Outcome(**entry["then"]) if "then" in entry else None
    rest = {key: entry[key] for key in ("title", "how", "posts", "orders")}
    return Case(id=name, first=Outcome(**entry["first"]), then=then, tier=tuple(entry["tier"]), **rest)


CASES = {name: _case(name, entry) for name, entry in tomllib.loads(FILE.read_text()).items()}
COVERED: set[str] = set()


def cases(*names: str) -> pytest.MarkDecorator:
    """Run a test once for each id; the id is in its name."""
    COVERED.update(names)
    return pytest.mark.parametrize("case", [pytest.param(CASES[name], id=name) for name in names])


def as_working_orders(names: Iterable[str]) -> pytest.MarkDecorator:
    """Run cases of other groups with a working order (H6): where it lands it reads differently."""
    COVERED.add("H6")
    landed = CASES["H6"].first.sentence

    def reword(outcome: Outcome | None) -> Outcome | None:
        return replace(outcome, sentence=landed) if outcome and outcome.state == "LANDED" else outcome

    found = [
        replace(CASES[name], first=reword(CASES[name].first), then=reword(CASES[name].then)) for name in names
    ]
    return pytest.mark.parametrize("case", [pytest.param(case, id=f"H6-{case.id}") for case in found])
