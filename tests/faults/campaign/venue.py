"""The broker of a run, in a process of its own: the paper broker behind a socket, with a proxy's powers.

It counts every request, strikes those that the runner has armed, and writes down what the broker really did
with each: that, and not capcli's word, is what the oracle believes.
"""

import asyncio
import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from capcli.paper.broker import PaperBroker
from capcli.paper.messages import PREFIX, Request
from tests.faults.campaign.clock import SharedTime
from tests.faults.campaign.kinds import On
from tests.faults.proxy import HOST, Exchange, read_message, reset

LABEL, PID = "x-campaign-step", "x-campaign-pid"
HAND = "hand"
_BOOKS = ("/positions", "/workingorders")
_SETTINGS = ("/accounts/preferences", "/accounts/topUp", "/watchlists")


# What is read here shows what the broker holds at that moment.
_SEEN = ("/positions", "/workingorders", "/accounts", "/watchlists")


@dataclass
class Book:
    """What the broker holds: deal id -> row, account -> cash, and what it chose, id -> watchlist."""

    positions: dict[str, dict[str, Any]]
    orders: dict[str, dict[str, Any]]
    cash: dict[str, str]
    preferences: dict[str, dict[str, int]]
    watchlists: dict[str, dict[str, Any]]


@dataclass
class Entry:
    """One request and what became of it. `status` is the broker's own, whatever the client was told."""

    at: float
    step: str
    pid: int
    method: str
    path: str
    body: str
    account: str = ""
    durable: bool | None = None
    reached: bool = False
    done_at: float = 0
    status: int = 0
    reference: str = ""
    confirm: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    struck: str = ""

    @property
    def is_order(self) -> bool:
        return self.method == "POST" and self.path in _BOOKS

    @property
    def is_change(self) -> bool:
        return self.method in {"PUT", "DELETE"} and self.path.startswith(_BOOKS)

    @property
    def is_setting(self) -> bool:
        """Say whether it changes preferences, play money or a watchlist."""
        return self.method != "GET" and self.path.startswith(_SETTINGS)

    @property
    def changes(self) -> bool:
        return self.is_order or self.is_change or self.is_setting

    @property
    def is_done(self) -> bool:
        return self.reached and self.status == 200

    @property
    def kin(self) -> str:
        """Return what is alike in the requests whose answers may be taken for each other's."""
        return self.method + ("/".join(self.path.split("/")[:3]) if self.is_setting else "")


@dataclass(frozen=True)
class Answer:
    """An answer before it is bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    def raw(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {text}" for name, text in self.headers.items())]
        return "\r\n".join([*lines, f"content-length: {len(self.body)}", "", ""]).encode() + self.body

    @classmethod
    def of(cls, status: int, body: object) -> "Answer":
        return cls(status, {"content-type": "application/json"}, json.dumps(body).encode())

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Armed:
    """A kind that waits for its request: after `skip` of that sort, the next `times`."""

    name: str
    on: str
    times: int
    skip: int
    value: float

    def meets(self, sorts: set[str]) -> bool:
        if self.on not in sorts or self.times < 1:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


def sorts_of(method: str, path: str) -> set[str]:
    """Return what kinds of request this is one of."""
    if path.startswith(_BOOKS) and method != "GET":
        return {On.ORDER if method == "POST" else On.CHANGE}
    if path.startswith(_SETTINGS) and method != "GET":
        return {On.CHANGE}
    found: set[str] = {On.READ} if method == "GET" or path == "/session" else set()
    heads = {
        "/confirms": On.CONFIRM,
        "/positions": On.POSITIONS,
        "/workingorders": On.WAITING,
        "/history/activity": On.ACTIVITY,
    }
    return found | {sort for head, sort in heads.items() if path.startswith(head)}


@dataclass
class Passing(Exchange):
    """A request at the venue. `forward` hands it to the broker; `value` is the armed kind's own number."""

    venue: Any = None
    entry: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    value: float = 0

    async def forward(self) -> bytes:
        return (await self.ask()).raw()

    async def ask(self, body: bytes | None = None) -> Answer:
        """Let the broker do it, with another body where one is given."""
        return await asyncio.to_thread(self.venue.handle, self, self.body if body is None else body)

    async def say(self, answer: Answer) -> None:
        await self.answer(answer.raw())


class Venue:
    """The broker, its eyes, and the hand of somebody else on the same account."""

    def __init__(self, folder: Path, time: SharedTime) -> None:
        self.time = time
        self.folder = folder
        self.paper = folder / "paper.db"
        self.broker = PaperBroker(self.paper)
        self.log: list[Entry] = []
        self.armed: list[Armed] = []
        self.earlier: dict[str, Answer] = {}
        self.frozen: dict[str, Answer] = {}
        self.unreachable = 0
        self._turn = threading.Lock()
        self._hand: dict[str, str] = {}

    def at(self) -> float:
        return self.time.monotonic()

    def look(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with closing(sqlite3.connect(self.paper, timeout=10, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            return db.execute(sql, values).fetchall()

    def book(self) -> dict[str, Any]:
        columns = "deal_id, account_id, epic, direction, size"
        positions = self.look(f"SELECT {columns}, stop, profit, order_id FROM positions")
        orders = self.look(f"SELECT {columns}, level, stop_offset, profit_offset FROM orders")
        rows = [{row["deal_id"]: dict(row) for row in found} for found in (positions, orders)]
        cash = {row["account_id"]: row["cash"] for row in self.look("SELECT account_id, cash FROM accounts")}
        chosen: dict[str, dict[str, int]] = {account: {} for account in cash}
        for row in self.look("SELECT account_id, name, value FROM preferences"):
            chosen[row["account_id"]][row["name"]] = row["value"]
        lists = {
            str(row["id"]): {"name": row["name"], "epics": [one for one in row["epics"].split(",") if one]}
            for row in self.look("SELECT id, name, epics FROM watchlists")
        }
        return asdict(Book(*rows, cash, chosen, lists))

    def handle(self, passing: Passing, body: bytes) -> Answer:
        """Hand one request to the broker, one at a time, and write down what it did."""
        entry: Entry = passing.entry
        path = PREFIX + entry.path
        query = dict(part.partition("=")[::2] for part in passing.query.split("&") if part)
        with self._turn:
            entry.account = self._account(passing.headers)
            watched = entry.changes
            if watched:
                entry.before = self.book()
                self._freeze(passing.headers, entry.path)
            entry.reached, entry.done_at = True, self.at()
            answer = self._answer(entry.method, path, query, passing.headers, body)
            entry.status = answer.status
            if watched:
                entry.after = self.book()
                self._note_reference(entry, answer)
                if answer.status == 200:
                    self.earlier[entry.kin] = answer
            elif entry.path.startswith(_SEEN):
                entry.after = self.book()
        return answer

    def _answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> Answer:
        from urllib.parse import unquote_plus

        asked = {name: unquote_plus(text) for name, text in query.items()}
        got = self.broker.handle(Request(method, path, asked, headers, body, self.time.now()))
        return Answer(got.status, dict(got.headers), got.body)

    def _note_reference(self, entry: Entry, answer: Answer) -> None:
        with suppress(ValueError):
            entry.reference = answer.json.get("dealReference", "")
        found = self.look("SELECT body FROM confirms WHERE reference = ?", entry.reference)
        if found:
            entry.confirm = json.loads(found[0]["body"])

    def _freeze(self, headers: dict[str, str], path: str) -> None:
        """Keep the lists as they are before a change, for those who will be shown old ones."""
        if any(one.name.startswith("stale") for one in self.armed):
            for shown in (*_BOOKS, "/history/activity"):
                query = {"detailed": "true", "lastPeriod": "86400"} if shown.startswith("/history") else {}
                self.frozen[shown] = self._answer("GET", PREFIX + shown, query, headers, b"")

    def _account(self, headers: dict[str, str]) -> str:
        # A switch of the account brings a new security token; the old one stays on its own account.
        tokens = headers.get("cst", ""), headers.get("x-security-token", "")
        found = self.look("SELECT account_id FROM sessions WHERE cst = ? AND token = ?", *tokens)
        return found[0]["account_id"] if found else ""

    def change(self, sql: str, *values: Any) -> None:
        """Change the broker's own rows, as only the broker can."""
        with closing(sqlite3.connect(self.paper, timeout=10)) as db, db:
            db.execute(sql, values)

    # The hand: somebody else's platform on the same login.

    def by_hand(self, method: str, path: str, body: object = None) -> Answer:
        """Ask the broker over a connection that nothing strikes; written down like any other request."""
        if not self._hand:
            keys = {"x-cap-api-key": "paper"}
            login = json.dumps({"identifier": "paper", "password": "paper"}).encode()
            got = self._answer("POST", f"{PREFIX}/session", {}, keys, login)
            self._hand = {name.lower(): text for name, text in got.headers.items()}
            first = self.look("SELECT account_id FROM accounts ORDER BY account_id")[0]["account_id"]
            self.change("UPDATE sessions SET account_id = ? WHERE cst = ?", first, self._hand["cst"])
        content = json.dumps(body).encode() if body is not None else b""
        entry = Entry(self.at(), HAND, 0, method, path, content.decode())
        passing = Passing(None, None, b"", content, None, ("", 0), self, entry, dict(self._hand))  # type: ignore[arg-type]
        answer = self.handle(passing, content)
        if answer.status == 401:
            self._hand = {}
            return self.by_hand(method, path, body)
        self.log.append(entry)
        return answer

    def accounts(self) -> list[str]:
        return [row["account_id"] for row in self.look("SELECT account_id FROM accounts ORDER BY account_id")]

    # The socket.

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from tests.faults.campaign.strikes import STRIKES

        try:
            while True:
                if self.unreachable > 0:
                    self.unreachable -= 1
                    await reader.read(1)
                    reset(writer)
                    return
                passing = await self._next(reader, writer)
                if passing is None:
                    return
                met = self._met(passing.entry)
                if met is None:
                    await passing.say(await passing.ask())
                    continue
                passing.entry.struck, passing.value = met.name, met.value
                goes_on = await STRIKES[met.name](passing)
                if not passing.entry.struck:
                    # It changed nothing of this answer, so it waits for the next.
                    met.times += 1
                if not goes_on:
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _met(self, entry: Entry) -> Armed | None:
        sorts = sorts_of(entry.method, entry.path)
        return next((one for one in self.armed if one.meets(sorts)), None)

    async def _next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Passing | None:
        try:
            head, body = await read_message(reader)
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {
            name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)
        }
        path, _, query = target.partition("?")
        step, pid = headers.pop(LABEL, ""), int(headers.pop(PID, "0"))
        entry = Entry(self.at(), step, pid, method, path.removeprefix(PREFIX), body.decode("latin-1"))
        if entry.is_order:
            entry.durable = self._is_durable(entry)
        self.log.append(entry)
        return Passing(reader, writer, head, body, None, ("", 0), self, entry, headers, query)  # type: ignore[arg-type]

    def _is_durable(self, entry: Entry) -> bool:
        """Look into the sender's journal, as a client of its own, before anything is done with its order."""
        journal = self.folder / entry.step.partition(".")[0] / "journal.db"
        query = "SELECT count(*) FROM attempts WHERE state = 'SENDING' AND path = ?"
        try:
            with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
                return db.execute(query, (entry.path,)).fetchone()[0] > 0
        except sqlite3.Error:
            return False


Order = Callable[[Venue, dict[str, Any]], Any]


def _arm(venue: Venue, given: dict[str, Any]) -> None:
    venue.armed.append(Armed(**given))


def _mend(venue: Venue, _given: dict[str, Any]) -> None:
    venue.armed.clear()
    venue.unreachable = 0


def _book(venue: Venue, _given: dict[str, Any]) -> Any:
    return venue.book()


def _hand(venue: Venue, given: dict[str, Any]) -> Any:
    answer = venue.by_hand(given["method"], given["path"], given.get("body"))
    return {"status": answer.status, "body": answer.body.decode()}


def _price(venue: Venue, _given: dict[str, Any]) -> Any:
    found = venue.by_hand("GET", "/markets/SILVER").json["snapshot"]
    return [found["bid"], found["offer"]]


def _log(venue: Venue, _given: dict[str, Any]) -> Any:
    return [asdict(entry) for entry in venue.log]


def _gain(venue: Venue, given: dict[str, Any]) -> None:
    """Let a position have been opened at a price that has been left far behind."""
    bid, offer = _price(venue, given)
    levels = {"BUY": f"{bid - 3:.3f}", "SELL": f"{offer + 3:.3f}"}
    for side, level in levels.items():
        found = "UPDATE positions SET level = ? WHERE deal_id = ? AND direction = ?"
        venue.change(found, level, given["deal"], side)


def _accounts(venue: Venue, _given: dict[str, Any]) -> Any:
    return venue.accounts()


ORDERS: dict[str, Order] = {
    "arm": _arm,
    "mend": _mend,
    "book": _book,
    "hand": _hand,
    "price": _price,
    "gain": _gain,
    "log": _log,
    "accounts": _accounts,
}


async def _serve(venue: Venue, control: socket.socket) -> None:
    server = await asyncio.start_server(venue.connected, HOST, 0, backlog=256)
    reader, writer = await asyncio.open_connection(sock=control, limit=1 << 26)
    writer.write(f"{server.sockets[0].getsockname()[1]}\n".encode())
    while line := await reader.readline():
        name, given = json.loads(line)
        done = await asyncio.to_thread(ORDERS[name], venue, given)
        writer.write(json.dumps(done).encode() + b"\n")
        await writer.drain()
    server.close()


class Remote:
    """The runner's end: starts the venue in a process of its own and gives it orders."""

    def __init__(self, folder: Path, time: SharedTime) -> None:
        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if not self.pid:
            code = 1
            try:
                ours.close()
                asyncio.run(_serve(Venue(folder, time), theirs))
                code = 0
            finally:
                os._exit(code)
        theirs.close()
        self._file = ours.makefile("rwb")
        ours.close()
        self.port = int(self._file.readline())

    def order(self, order: str, **given: Any) -> Any:
        self._file.write(json.dumps([order, given]).encode() + b"\n")
        self._file.flush()
        return json.loads(self._file.readline())

    def arm(self, armed: Armed) -> None:
        self.order("arm", **asdict(armed))

    def entries(self) -> list[Entry]:
        return [Entry(**row) for row in self.order("log")]

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()
        os.waitpid(self.pid, 0)
