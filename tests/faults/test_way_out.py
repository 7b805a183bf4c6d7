"""The table of the way out (`way_out.toml`), cell by cell, on demo against a served broker on real disks."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from capcli.app import App
from capcli.errors import kind_of
from capcli.mcp import session, trading_close
from capcli.mcp.next_step import NextSteps
from capcli.mcp.server import tools
from capcli.mcp.tool_runner import ToolRunner
from capcli.paper import store
from capcli.paper.state import reset, switches
from capcli.runtime import Runtime, utc_now
from capcli.store.db import Database
from capcli.store.halt import FileHalt
from capcli.system import file_lock, folders
from tests.cli.conftest import Cli
from tests.faults.processes import MONDAY
from tests.faults.served import served
from tests.support.clock import Time

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="mounts and links"),
]

TABLE = tomllib.loads(Path(__file__).with_name("way_out.toml").read_text())
PLACES = ("journal", "config", "cache", "locks", "paper.db", "paper.db of embedded paper")
FACES = ("terminal", "script", "assistant")
ACTIONS = tuple(TABLE["columns"])
SETTINGS = {
    "CAP_ENV": "demo",
    "CAP_API_KEY": "paper",
    "CAP_IDENTIFIER": "paper",
    "CAP_API_PASSWORD": "paper",
    "CAP_ALLOW_TRADING": "true",
}
STATES = {
    "trading off": {"CAP_ALLOW_TRADING": "false"},
    "live locked": {"CAP_ENV": "live"},
    "invalid number": {"CAP_MAX_DRIFT_PCT": "much"},
    "unknown name": {"CAP_MAX_LOSS": "5"},
    "quoted limit": {"CAP_MAX_POSITION_SIZE": '"5"'},
    "placeholder": {"CAP_MAX_OPEN_POSITIONS": "<your limit>"},
    "invalid environment": {"CAP_ENV": "prod"},
    "invalid host": {"CAP_API_URL": "ftp://nowhere"},
}


@dataclass(frozen=True)
class Cell:
    place: str
    state: str
    action: str
    runner: str
    verdict: str

    @property
    def id(self) -> str:
        return f"{self.place}-{self.state}-{self.action}-{self.runner}".replace(" ", "_")


def cells() -> Iterator[Cell]:
    for row in TABLE["row"]:
        for action in ACTIONS:
            words = row[action].split()
            for runner, verdict in zip(FACES, words if len(words) > 1 else words * 3, strict=True):
                if verdict != "none":
                    yield Cell(row["place"], row["state"], action, runner, verdict)


CELLS = tuple(cells())


class Books:
    """The broker's own view of its deals, asked with a session of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client = httpx.Client(base_url=f"{address}/api/v1", trust_env=False)
        login = {"identifier": "paper", "password": "paper"}
        answer = self.client.post("/session", json=login, headers={"X-CAP-API-KEY": "paper"})
        self.client.headers.update(
            {name: answer.headers[name] for name in ("CST", "X-SECURITY-TOKEN") if name in answer.headers}
        )

    def deals(self) -> dict[str, Any]:
        """Return the size of every position and working order by its deal id."""
        positions = self.client.get("/positions").json()["positions"]
        orders = self.client.get("/workingorders").json()["workingOrders"]
        sizes = {row["position"]["dealId"]: row["position"]["size"] for row in positions}
        return sizes | {
            row["workingOrderData"]["dealId"]: row["workingOrderData"]["orderSize"] for row in orders
        }

    def open(self, path: str, **more: Any) -> str:
        before = self.deals()
        body = {"epic": "SILVER", "direction": "BUY", "size": 1.5, **more}
        assert self.client.post(path, json=body).status_code == 200
        (deal,) = self.deals().keys() - before.keys()
        return deal

    def clear(self) -> None:
        for kind in ("positions", "workingorders"):
            for deal in self.deals():
                self.client.delete(f"/{kind}/{deal}")


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    paper = tmp_path_factory.mktemp("broker") / "paper.db"
    reset(paper, start=MONDAY, limits=False, at=utc_now())
    switches(paper, at=utc_now(), confirm_delay_ms=0)
    with served(paper) as (host, port):
        found = Books(f"http://{host}:{port}")
        with closing(found.client):
            yield found


@dataclass
class Bench:
    """A home with one fault in it, and the three faces."""

    root: Path
    settings: dict[str, str]
    books: Books
    time: Time
    position: str
    order: str

    def runtime(self) -> Runtime:
        time = self.time
        return Runtime(
            clock=utc_now, sleep=time.sleep, monotonic=time.monotonic, lock_wait_s=1, transport=None
        )

    def words(self, action: str) -> list[str]:
        return {
            "close": ["close", self.position],
            "size": ["close", self.position, "--size", "0.5"],
            "all": ["close", "--all"],
            "cancel": ["orders", "cancel", self.order],
            "flatten": ["flatten"],
            "halt": ["halt"],
        }[action]

    def named(self, action: str) -> set[str]:
        return {"cancel": {self.order}, "flatten": {self.position, self.order}}.get(action, {self.position})

    def run(self, cell: Cell, answer: str = "y\n") -> "Told":
        if cell.runner == "assistant":
            return self.assistant(cell.action)
        yes = [] if cell.runner == "terminal" or cell.action == "halt" else ["--confirm"]
        as_json = ["--json"] if cell.runner == "script" else []
        typed = answer if cell.runner == "terminal" else None
        done = self.cli(*self.words(cell.action), *yes, *as_json, typed=typed)
        document = json.loads(done.out) if as_json else {}
        following = document.get("error", {}).get("next") or _next_of(done.err)
        warned = "warning: " in done.err
        if as_json and done.code == 0:
            assert bool(document["data"].get("warnings")) is warned, done
        return Told(done.code, following, warned, f"{done.out}\n{done.err}")

    def cli(self, *words: str, typed: str | None = None) -> Any:
        return Cli(self.root)(*words, env=self.settings, typed=typed, runtime=self.runtime())

    def assistant(self, action: str) -> "Told":
        def build(way_out: str | None = None) -> App:
            environ = {"CAPCLI_HOME": str(self.root), **self.settings}
            return App.build(environ=environ, runtime=self.runtime(), way_out=way_out)

        with closing(ToolRunner(build, build_way_out=build)) as runner:
            runner.next_steps = NextSteps(tools(runner))
            call: dict[str, Callable[[], Any]] = {
                "close": lambda: trading_close.cap_trade_positions_close(runner, self.position, confirm=True),
                "size": lambda: trading_close.cap_trade_positions_close(
                    runner, self.position, confirm=True, size=HALF
                ),
                "cancel": lambda: trading_close.cap_trade_orders_cancel(runner, self.order, confirm=True),
                "flatten": lambda: trading_close.cap_trade_flatten(runner, confirm=True),
                "halt": lambda: session.cap_halt(runner),
            }
            said = call[action]().structured_content
        error = said.get("error", {})
        kind = kind_of(error.get("code"))
        code = 0 if not error else int(kind.exit_code) if kind else 1
        return Told(code, error.get("next") or "", bool(said.get("warnings")), json.dumps(said))

    def is_halted(self) -> bool:
        """Look as another process would."""
        places = folders({"CAPCLI_HOME": str(self.root)})
        return FileHalt(places.halt, places.guarded_halt).read() is not None


@dataclass
class Told:
    code: int
    next: str
    warned: bool
    text: str


def _next_of(err: str) -> str:
    bare = re.sub(r"\x1b\[[0-9;]*m", "", err)
    lines = [line.removeprefix("next: ") for line in bare.splitlines() if line.startswith("next: ")]
    return lines[-1] if lines else ""


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A disk of half a mebibyte of its own; skipped where this user may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    with (folder / "filler").open("ab", buffering=0) as handle:
        try:
            while True:
                handle.write(b"\0" * 1024)
        except OSError:
            return


def freeze(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def on_disk(stack: ExitStack, bench: Bench, place: str, state: str) -> None:
    """Put a place on a disk of its own that is full or read-only."""
    folder = {"journal": bench.root, "cache": bench.root / "cache", "locks": bench.root / "locks"}.get(
        place, bench.root.with_name("config")
    )
    stack.enter_context(mounted(folder))
    if place == "config":
        (folder / "config.toml").write_text('[profiles.main]\nlog_level = "ERROR"\n')
        bench.root.mkdir(parents=True, exist_ok=True)
        (bench.root / "config.toml").symlink_to(folder / "config.toml")
    if place == "journal" or (place, state) == ("locks", "full"):
        used(bench)
    (fill if state == "full" else freeze)(folder)


def used(bench: Bench) -> None:
    """Make the files that a healthy day leaves."""
    environ = {"CAPCLI_HOME": str(bench.root), **bench.settings}
    with closing(App.build(environ=environ, runtime=bench.runtime())) as app:
        app.reconciliations.reconcile()
        app.broker.preferences()


def break_config(bench: Bench, state: str) -> None:
    file = bench.root / "config.toml"
    if state == "locked":
        file.mkdir(parents=True)
    elif state == "corrupt":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("[profiles.main\nenv = demo")


def break_journal(stack: ExitStack, bench: Bench, state: str) -> None:
    if state == "missing":
        return
    used(bench)
    journal = bench.root / "journal.db"
    if state in {"deleted", "older"}:
        before = journal.read_bytes()
        bench.cli("preview", "SILVER", "--size", "1")
        journal.unlink()
        if state == "older":
            journal.write_bytes(before)
    elif state == "locked":
        holder = stack.enter_context(closing(sqlite3.connect(journal, isolation_level=None)))
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
    else:
        journal.write_bytes(b"no database" * 1000)


def break_folder(stack: ExitStack, bench: Bench, place: str, state: str) -> None:
    """A lock that a suspended process holds; a file, or garbage, where the folder or its files are."""
    used(bench)
    folder = bench.root / place
    if state == "locked" and place == "locks":
        for file in folder.glob("demo-*.lock"):
            stack.enter_context(file_lock(file, wait_s=0))
    elif state == "missing":
        shutil.rmtree(folder)
    elif state == "locked" or place == "locks":
        shutil.rmtree(folder)
        folder.write_text("")
    else:
        for file in folder.iterdir():
            file.write_bytes(b"\xff\x00 garbage")


def break_paper(stack: ExitStack, bench: Bench, state: str) -> None:
    """The file of the broker inside capcli, on a disk of its own."""
    if state == "missing":
        return
    disk = bench.root.with_name("disk")
    stack.enter_context(mounted(disk))
    file = disk / "paper.db"
    reset(file, limits=False, at=utc_now())
    bench.root.mkdir(parents=True, exist_ok=True)
    (bench.root / "paper.db").symlink_to(file)
    if state == "locked":
        holder = stack.enter_context(closing(sqlite3.connect(file, isolation_level=None)))
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
    elif state == "corrupt":
        file.write_bytes(b"no database" * 1000)
    else:
        (fill if state == "full" else freeze)(disk)


def apply(stack: ExitStack, cell: Cell, bench: Bench) -> None:
    place, state = cell.place, cell.state
    if place == "settings":
        bench.settings |= STATES[state]
    elif place.startswith("config that alone"):
        for name in ("CAP_ENV", "CAP_ALLOW_TRADING", "CAP_API_URL"):
            del bench.settings[name]
        config = bench.root / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(
            f'[profiles.main]\nenv = "demo"\nallow_trading = true\napi_url = "{bench.books.address}"\n'
        )
        used(bench)
        for name in ("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD"):
            del bench.settings[name]
        config.unlink()
        break_config(bench, state)
    elif place.startswith("paper.db"):
        if place.endswith("embedded paper"):
            bench.settings = {"CAP_ENV": "paper"}
        break_paper(stack, bench, state)
    elif state in {"full", "read-only"}:
        on_disk(stack, bench, place, state)
    elif place == "config":
        break_config(bench, state)
    elif place == "journal":
        break_journal(stack, bench, state)
    else:
        break_folder(stack, bench, place, state)


HALF = Decimal("0.5")


@pytest.fixture
def bench(request: pytest.FixtureRequest, books: Books, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    cell: Cell = request.param
    # Real time, which a locked journal would take ten seconds of.
    monkeypatch.setitem(Database.__init__.__kwdefaults__, "wait_s", 0.2)
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.2)
    folder = Path(tempfile.mkdtemp(prefix="capcli-way-out-"))
    settings = SETTINGS | {"CAP_API_URL": books.address}
    position = books.open("/positions")
    order = books.open("/workingorders", level=10, type="LIMIT")
    made = Bench(folder / "home", settings, books, Time(), position, order)
    monkeypatch.setenv("CAPCLI_HOME", str(made.root))
    try:
        with ExitStack() as stack:
            apply(stack, cell, made)
            yield made
    finally:
        books.clear()
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("cell", "bench"), [(one, one) for one in CELLS], ids=[one.id for one in CELLS], indirect=["bench"]
)
def test_cell(cell: Cell, bench: Bench) -> None:
    before = bench.books.deals()
    if cell.verdict == "typed":
        refused = bench.run(cell)
        assert (refused.code, bench.books.deals()) == (5, before), refused.text
    done = bench.run(cell, "CLOSE\n" if cell.verdict == "typed" else "y\n")
    after = bench.books.deals()
    judge(cell, done, before, after, bench)
    if cell.action in {"flatten", "halt"}:
        assert bench.is_halted(), done.text


def judge(cell: Cell, done: Told, before: dict[str, Any], after: dict[str, Any], bench: Bench) -> None:
    verdict = cell.verdict
    if verdict == "halted":
        assert (done.code, after) == (0, before), done.text
        return
    if verdict in {"gone", "told", "typed"}:
        assert done.code == 0, done.text
        assert gone(cell, before, after, bench), done.text
        assert verdict == "typed" or done.warned is (verdict == "told"), done.text
        return
    code = {"whole": 3, "settings": 3, "env": 3, "busy": 10, "person": 5, "refused": 5}[verdict]
    assert (done.code, after) == (code, before), done.text
    by_tool = cell.runner == "assistant"
    if verdict == "whole":
        close = "cap_trade_positions_close deal_id=" if by_tool else "capcli close "
        assert done.next == f"{close}{bench.position}", done.text
    if verdict in {"env", "person"}:
        assert done.next.startswith("ask the user to run `capcli --env " if by_tool else "capcli --env "), (
            done.text
        )


def gone(cell: Cell, before: dict[str, Any], after: dict[str, Any], bench: Bench) -> bool:
    if cell.action == "size":
        return before[bench.position] - after.get(bench.position, 0) == 0.5
    return not bench.named(cell.action) & after.keys()


def test_every_state_of_every_place_has_its_row() -> None:
    rows = {(row["place"], row["state"]) for row in TABLE["row"]}
    states = ("full", "read-only", "locked", "corrupt", "missing")
    wanted = {(place, state) for place in PLACES for state in states}
    assert wanted <= rows
    assert {state for place, state in rows if place == "settings"} == set(STATES)
