"""A real App on the paper broker in a temporary home: virtual time, counted ids, a tap on the wire."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from capcli.app import App
from capcli.domain.market import Side
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest
from capcli.errors import CapcliError
from capcli.paper.state import switches
from capcli.paper.transport import PaperTransport
from capcli.reconcile.outcomes import Execution
from capcli.runtime import Caller, Options, Runtime
from capcli.trading.preview import Preview
from tests.support.clock import Time
from tests.support.tap import Tap

FIRST_ACCOUNT, SECOND_ACCOUNT = "100482915730264817", "100482915730264825"


@dataclass
class Ids:
    """Ids that count, each seat with digits of its own."""

    seat: int = 0
    _counter: Any = field(default_factory=lambda: count(1))

    def __call__(self, prefix: str) -> str:
        return f"{prefix}{self.seat:04d}{next(self._counter):08d}"


class _Open(httpx.BaseTransport):
    """A transport that outlives its client."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(request)


class Seat:
    """One process's view: an App with its own connections, on a home that others may share.

    `paper` is the broker's file where it is not that of the home: another computer on the same account.
    `clock` is the machine's own, which may be wrong.
    """

    def __init__(
        self,
        home: Path,
        time: Time,
        *,
        number: int = 0,
        options: Options | None = None,
        paper: Path | None = None,
        clock: Callable[[], datetime] | None = None,
        launch: Any = None,
        caller: Caller | None = None,
        **settings: str,
    ) -> None:
        self.home = home
        self.time = time
        self.tap = Tap(PaperTransport(paper or home / "paper.db", time.now))
        self.app = App.build(
            options,
            environ={"CAPCLI_HOME": str(home), **settings},
            runtime=Runtime(
                clock=clock or time.now,
                ids=Ids(number),
                sleep=time.sleep,
                monotonic=time.monotonic,
                lock_wait_s=0.2,
                transport=self.tap,
                launch=launch,
            ),
            caller=caller,
        )

    def request(self, epic: str = "SILVER", size: str = "1.5", **changes: Any) -> OrderRequest:
        return OrderRequest(epic, changes.pop("side", Side.BUY), Decimal(size), **changes)

    def preview(self, *args: Any, **changes: Any) -> Preview:
        return self.app.previews.preview(self.request(*args, **changes)).data

    def execute(self, preview_id: str, **options: Any) -> Any:
        return self.app.executions.execute(preview_id, confirmed=True, **options)

    def open(self, *args: Any, **changes: Any) -> Execution:
        """Preview and execute; the execution must have landed."""
        found = self.execute(self.preview(*args, **changes).preview_id, again=True)
        assert found.exit_code == 0, found
        return found.data

    def book(self) -> list[str]:
        """Return the deal ids that are open at the broker."""
        return [row.deal_id for row in self.app.portfolio.positions().data.positions]

    def confirms_after(self, seconds: float) -> None:
        """Let the broker confirm every later order only after this long."""
        switches(self.home / "paper.db", at=self.time.now(), confirm_delay_ms=int(seconds * 1000))

    def switched_by_another_program(self, account_id: str, old_tokens: str = "stay") -> None:
        """Switch the account with this session's own tokens, as a program that knows no lock of ours.

        `old_tokens` is what becomes of those: they `stay` on their account, `follow`, or `die`.
        """
        if old_tokens == "follow":
            self.app.paper.set_fault("old-token-follows", times=1)
        stored = self.app.broker.held_session
        assert stored is not None
        tokens = {"CST": stored.cst, "X-SECURITY-TOKEN": stored.security_token}
        with httpx.Client(transport=_Open(self.tap._inner), base_url="http://paper/api/v1") as client:
            wanted = {"accountId": account_id}
            answer = client.put("/session", json=wanted, headers=tokens)
            if answer.status_code == 429:
                # It knows nothing of our pace, so its request can be one too many in this second.
                self.time.tick(1)
                answer = client.put("/session", json=wanted, headers=tokens)
            assert answer.status_code == 200, answer.text
            if old_tokens == "die":
                assert client.delete("/session", headers=tokens).status_code == 200

    def close(self) -> None:
        self.app.close()


def stop_at(level: str) -> ExitOrder:
    return ExitOrder(ExitForm.LEVEL, Decimal(level))


def refusal(work: Callable[[], Any]) -> CapcliError:
    """Return the error that stops some work."""
    try:
        result = work()
    except CapcliError as error:
        return error
    raise AssertionError(f"nothing stopped it: {result}")


def refuse_logins(seat: Seat, monkeypatch: Any, error: CapcliError) -> None:
    """Let the session end just before the next mutation, and refuse to make another."""
    broker = seat.app.orders.broker
    real = broker.send

    def send(*args: Any, **options: Any) -> Any:
        def live() -> Any:
            raise error

        monkeypatch.setattr(seat.app.broker._sessions, "live", live)
        try:
            return real(*args, **options)
        finally:
            monkeypatch.undo()

    monkeypatch.setattr(broker, "send", send)
