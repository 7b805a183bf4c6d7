"""capcli or its record broken on purpose, and the promise that the oracle must then find broken."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from tests.faults.campaign.history import History, Unfit
from tests.faults.campaign.plan import Fault, Plan, Step
from tests.faults.campaign.venue import HAND, Entry


def _nothing() -> None:
    pass


def _kept(_history: History) -> None:
    pass


@dataclass(frozen=True)
class Sabotage:
    """What is done to a forked process of capcli, the steps in which it shows, and as what.

    `recorded`: what is done to the record of the run before it is judged. `asks`: a person approves.
    """

    done: Callable[[], None]
    steps: tuple[Step, ...]
    promise: str
    recorded: Callable[[History], None] = _kept
    asks: bool = False


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


def _lost_is_not_sent() -> None:
    from msgspec import structs

    from capcli.broker.changes import Changes
    from capcli.domain.attempt import Delivery

    def make(real: Any) -> Any:
        def send(self: Any, *given: Any) -> Any:
            answer, reply = real(self, *given)
            if answer.delivery is Delivery.LOST:
                answer = structs.replace(answer, delivery=Delivery.NOT_CONNECTED)
            return answer, reply

        return send

    _replace(Changes, "_send_now", make)


def _a_close_is_believed() -> None:
    from capcli.reconcile import readback

    _replace(readback, "is_open", lambda _real: lambda *_given: False)


def _a_cancellation_is_believed() -> None:
    from capcli.reconcile.readback import ReadBack
    from capcli.trading import cancel

    _replace(cancel, "order_read_back", lambda _real: lambda *_given: ReadBack.GONE)
    _replace(cancel.Cancellations, "_is_in_activity", lambda _real: lambda *_given: True)


def _positions_break() -> None:
    from capcli.broker.client import CapitalBroker

    def make(_real: Any) -> Any:
        def positions(*_given: Any, **_more: Any) -> Any:
            raise AssertionError("on purpose")

        return positions

    _replace(CapitalBroker, "positions", make)
    _replace(CapitalBroker, "list_positions", make)


def _nobody_is_asked() -> None:
    from capcli.safety.approval import Approvals

    _replace(Approvals, "permit", lambda _real: lambda *_given, **_more: None)


def _changes_are_believed() -> None:
    from capcli.account.preferences import Wanted

    looks = count()
    _replace(Wanted, "seen_in", lambda _real: lambda *_given: next(looks) > 0)


def _settings_twice() -> None:
    from capcli.broker.client import CapitalBroker

    def make(real: Any) -> Any:
        def send(self: Any, *given: Any, **more: Any) -> Any:
            real(self, *given, **more)
            return real(self, *given, **more)

        return send

    _replace(CapitalBroker, "send", make)


def _orders_of(history: History) -> list[Entry]:
    return [entry for entry in history.entries if entry.is_order and entry.step != HAND]


def _second_has_the_deals_of_the_first(history: History) -> None:
    first, second = history.books["one"].attempts.values()
    history.books["one"].attempts[second["id"]] = {**second, "deal_ids": first["deal_ids"]}


def _on_another_account(history: History) -> None:
    for entry in _orders_of(history):
        entry.account = "another"


def _the_row_says_rejected(history: History) -> None:
    (row,) = history.books["one"].attempts.values()
    history.books["one"].attempts[row["id"]] = {**row, "state": "REJECTED"}


def _one_a_day(history: History) -> None:
    history.plan = replace(history.plan, a_day=1)


def _without_a_journal(history: History) -> None:
    history.unfit.append(Unfit("one", "no journal", 0, float("inf")))


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
    "a lost answer is an order not sent": Sabotage(
        _lost_is_not_sent, (_step("open", "1", Fault("reset after", "order")),), "nothing sent is true"
    ),
    "a lost top-up is not sent": Sabotage(
        _lost_is_not_sent, (_step("top up", "1", Fault("reset after", "change")),), "settings are true"
    ),
    "a close is believed": Sabotage(
        _a_close_is_believed,
        (_step("open"), _step("close", "1.1", Fault("change lost", "change"))),
        "closed is closed",
    ),
    "a cancellation is believed": Sabotage(
        _a_cancellation_is_believed,
        (_step("place"), _step("cancel", "1.1", Fault("change lost", "change"))),
        "cancelled is cancelled",
    ),
    "positions break": Sabotage(_positions_break, (_step("close all"),), "nothing breaks"),
    "a row is not what was told": Sabotage(
        _nothing, (_step("open"),), "words are the journals", _the_row_says_rejected
    ),
    "a state without its event": Sabotage(
        _nothing, (_step("open"),), "the journal is whole", _the_row_says_rejected
    ),
    "more orders than the day has": Sabotage(
        _nothing, (_step("open"), _step("open", "1.1")), "the day is kept", _one_a_day
    ),
    "nobody is asked": Sabotage(_nobody_is_asked, (_step("open"),), "nothing unapproved", asks=True),
    "preferences are believed": Sabotage(
        _changes_are_believed,
        (_step("preferences", "1", Fault("change lost", "change"), near=True),),
        "settings are true",
    ),
    "changes are sent twice": Sabotage(_settings_twice, (_step("top up"),), "one change a command"),
    "a deal has two owners": Sabotage(
        _nothing,
        (_step("open"), _step("open", "1.1")),
        "one owner",
        _second_has_the_deals_of_the_first,
    ),
    "orders reach another account": Sabotage(
        _nothing, (_step("open"),), "stays on its account", _on_another_account
    ),
    "an order without a journal": Sabotage(
        _nothing, (_step("open"),), "unfit sends no order", _without_a_journal
    ),
}


def plan_of(name: str) -> Plan:
    one = SABOTAGES[name]
    return Plan(0, ("one",), False, False, False, 600, 0, asks=one.asks, steps=one.steps, sabotage=name)
