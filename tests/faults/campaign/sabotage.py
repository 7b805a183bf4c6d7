"""capcli broken on purpose, and the promise that the oracle must then find broken: a judge that can fail."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.campaign.plan import Fault, Plan, Step


@dataclass(frozen=True)
class Sabotage:
    """What is done to a forked process of capcli, the steps in which it shows, and as what."""

    done: Callable[[], None]
    steps: tuple[Step, ...]
    promise: str


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    setattr(owner, name, make(getattr(owner, name)))


def _orders_twice() -> None:
    import httpx

    def make(real: Any) -> Any:
        def handle(self: Any, request: httpx.Request) -> httpx.Response:
            if request.method == "POST" and request.url.path.endswith("/positions"):
                real(self, request).close()
            found: httpx.Response = real(self, request)
            return found

        return handle

    _replace(httpx.HTTPTransport, "handle_request", make)


def _doubt_is_refusal() -> None:
    from capcli.domain.attempt import AttemptState
    from capcli.trading import sending

    def make(real: Any) -> Any:
        def classify(answer: Any) -> AttemptState:
            found: AttemptState = real(answer)
            return AttemptState.REFUSED if found is AttemptState.UNKNOWN else found

        return classify

    _replace(sending, "classify", make)


def _sending_is_kept_back() -> None:
    from capcli.store.journal import SqliteJournal

    def make(real: Any) -> Any:
        def move(self: Any, attempt_id: str, from_state: Any, to_state: Any, **facts: Any) -> bool:
            return to_state == "SENDING" or bool(real(self, attempt_id, from_state, to_state, **facts))

        return move

    _replace(SqliteJournal, "move", make)


def _halts_are_not_seen() -> None:
    from capcli.store.halt import FileHalt

    _replace(FileHalt, "read", lambda _real: lambda _self: None)


def _stops_are_assumed() -> None:
    from capcli.domain.attempt import Protection
    from capcli.reconcile import reconciler

    def make(real: Any) -> Any:
        return lambda *args: real(*args) | {"protected": Protection.YES}

    _replace(reconciler, "protection", make)


def _nothing_is_open() -> None:
    from capcli.broker.client import CapitalBroker
    from capcli.domain.account import Listed

    _replace(CapitalBroker, "positions", lambda _real: lambda _self: ())
    _replace(CapitalBroker, "list_positions", lambda _real: lambda _self: Listed(()))


def _all_is_well() -> None:
    from capcli.reply import Reply

    _replace(Reply, "exit_code", lambda _real: property(lambda _self: 0))


def _step(deed: str, size: str = "1", *faults: Fault, **more: Any) -> Step:
    return Step(deed, "one", 0, size, faults=faults, tidy=False, **more)


SABOTAGES = {
    "orders are sent twice": Sabotage(_orders_twice, (_step("open"),), "at most one post"),
    "a lost answer is a refusal": Sabotage(
        _doubt_is_refusal, (_step("open", "1", Fault("reset after", "order")),), "verdicts are true"
    ),
    "SENDING is not written": Sabotage(_sending_is_kept_back, (_step("open"),), "durable first"),
    "halts are not seen": Sabotage(
        _halts_are_not_seen, (_step("halt"), _step("open", "1.1")), "halted is halted"
    ),
    "stops are assumed": Sabotage(
        _stops_are_assumed,
        (_step("open", "1", Fault("stop dropped", "order"), stop=True),),
        "stops are told",
    ),
    "nothing is open": Sabotage(_nothing_is_open, (_step("open"), _step("flatten")), "flat is flat"),
    "every exit code is 0": Sabotage(
        _all_is_well, (_step("open", "1", Fault("silence before", "order")),), "exits fit"
    ),
}


def plan_of(name: str) -> Plan:
    return Plan(0, ("one",), False, False, False, 600, 0, steps=SABOTAGES[name].steps, sabotage=name)
