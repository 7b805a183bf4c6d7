"""A broker's host on the wire: answers with scripted bytes and remembers what arrived."""

from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from capcli.broker.client import CapitalBroker
from capcli.ports.login import Credentials, LoginLock, StoredSession

from . import shapes

START = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
PASSWORD = "pass-word-SECRET-1"
KEY = "api-key-SECRET-2"
USER = "someone@example.com"
KEY_ENDPOINT = "GET /session/encryptionKey"

Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


@dataclass
class Time:
    """Wall clock, monotonic clock and sleep in one: sleeping moves both."""

    slept: list[float] = field(default_factory=list)
    elapsed: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.elapsed += seconds


@dataclass
class Cache:
    """A session cache in memory."""

    stored: StoredSession | None = None
    drops: int = 0
    default: StoredSession | None = None

    def load(self) -> StoredSession | None:
        return self.stored

    def save(self, session: StoredSession) -> None:
        self.stored = session

    def save_default(self, session: StoredSession) -> None:
        self.default = self.default or session

    def drop(self) -> None:
        self.stored = None
        self.drops += 1

    def take_all(self) -> tuple[StoredSession, ...]:
        found = () if self.stored is None else (self.stored,)
        self.drop()
        return found

    forget = drop

    def describe(self) -> str:
        return "memory"


def stored(account: str = shapes.FIRST, name: str = "cached", created_at: datetime = START) -> StoredSession:
    return StoredSession(f"{name}-cst", f"{name}-xst", account, "10000001", "USD", 3, created_at)


def answer(body: object, status: int = 200, *, tokens: str | None = None) -> httpx.Response:
    headers = {"cst": f"{tokens}-cst", "x-security-token": f"{tokens}-xst"} if tokens else {}
    return httpx.Response(status, json=body, headers={"date": "Mon, 02 Mar 2026 12:00:00 GMT", **headers})


def refusal(code: str, status: int) -> httpx.Response:
    return answer({"errorCode": code}, status)


class Venue:
    """Answers each endpoint with its script, the last step for ever; an endpoint must have one."""

    def __init__(self) -> None:
        self.time = Time()
        self.requests: list[httpx.Request] = []
        self.logins = 0
        self._scripts: dict[str, deque[Step]] = defaultdict(deque)
        self.on("POST /session", self._login)
        self.on(KEY_ENDPOINT, refusal("error.not-found", 404))

    def on(self, endpoint: str, *steps: Step) -> None:
        self._scripts[endpoint] = deque(steps)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.raw_path.decode().partition("?")[0]
        script = self._scripts[f"{request.method} {path.removeprefix('/api/v1')}"]
        assert script, f"nothing scripted for {request.method} {request.url}"
        step = script.popleft() if len(script) > 1 else script[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, httpx.Response):
            return httpx.Response(step.status_code, content=step.content, headers=step.headers)
        return step(request)

    def seen(self) -> list[str]:
        """List what arrived; every login asks for the key of an encrypted one first."""
        lines = [f"{each.method} {each.url.path.removeprefix('/api/v1')}" for each in self.requests]
        return [line for line in lines if line != KEY_ENDPOINT]

    def broker(
        self, *, cache: Cache | None = None, wanted: str | None = None, lock: LoginLock = nullcontext
    ) -> CapitalBroker:
        return CapitalBroker(
            "https://broker.example",
            lambda: Credentials(KEY, USER, PASSWORD),
            clock=self.time.now,
            cache=cache,
            wanted_account=wanted,
            transport=httpx.MockTransport(self.handle),
            monotonic=self.time.monotonic,
            sleep=self.time.sleep,
            login_lock=lock,
        )

    def _login(self, request: httpx.Request) -> httpx.Response:
        self.logins += 1
        return answer(shapes.login_body(), tokens=f"login{self.logins}")
