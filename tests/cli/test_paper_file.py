"""A paper.db that cannot be used is named, with its cause and what to do: it is no bug in capcli."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from capcli.paper import store
from tests.cli.conftest import Cli

State = Callable[[Path], AbstractContextManager[None]]


@contextmanager
def damaged(file: Path) -> Iterator[None]:
    file.write_bytes(b"no database at all" * 100)
    yield


@contextmanager
def a_folder(file: Path) -> Iterator[None]:
    file.unlink()
    file.mkdir()
    yield


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def locked_for_one(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        yield


LOCKED = "was locked by another process for 0.05 s"
STATES = {
    damaged: "is damaged (file is not a database)",
    a_folder: "cannot be opened or written (unable to open database file)",
    locked: LOCKED,
    locked_for_one: LOCKED,
}
COMMANDS = (
    "positions",
    "preview SILVER --size 1",
    "close 006011e7-0001-54c4-0000-000080560038 --confirm",
    "flatten --confirm",
    "paper status",
    "paper reset --confirm",
    "paper faults set drop-stop",
)


@pytest.fixture
def used(capcli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    assert capcli("positions").code == 0
    for rest in capcli.home.glob("paper.db-*"):
        rest.unlink()
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.05)
    return capcli


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_wrong_with_the_paper_file_is_told(command: str, state: State, used: Cli) -> None:
    file = used.home / "paper.db"
    with state(file):
        told = used(*command.split(), "--json")

    assert (told.code, told.error["code"]) == (3, "PAPER_FILE"), told
    assert (
        f"The paper broker's file {file} {STATES[state]}. Nothing was changed on paper."
        in told.error["message"]
    )
    assert told.error["next"] in {"capcli health", "capcli config path"}


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_health_tells_it_as_a_finding_of_its_own(state: State, used: Cli) -> None:
    with state(used.home / "paper.db"):
        told = used("health", "--only", "market_data", "--json")

    failed = [check for check in told.data["checks"] if check["status"] == "failed"]
    assert (told.code, {check["code"] for check in failed}) == (3, {"PAPER_FILE"}), told.data
    assert STATES[state] in failed[0]["message"]
