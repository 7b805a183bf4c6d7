"""Turns a use case into a tool result, with one App, and one form of answers and failures."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from shlex import quote
from threading import Event, Lock, Thread
from typing import Any, NoReturn

from fastmcp.tools import ToolResult
from msgspec.structs import replace

from capcli.app import App, halting_alone
from capcli.domain.approval import READING_S
from capcli.errors import (
    ApprovalRequired,
    ApprovalsFull,
    Busy,
    CapcliError,
    ConfigError,
    DuplicateOrder,
    LiveLocked,
    MayBeLive,
    NotConfirmed,
    Problem,
    ReadTimeout,
    TradingOff,
    UnderWay,
    WouldSend,
)
from capcli.mcp.compact import Listing, without_absent
from capcli.mcp.elicitation import Elicitation, FormAnswer, client_name
from capcli.mcp.in_flight_calls import PATIENCE_S, InFlightCalls
from capcli.mcp.next_step import NextSteps, ask_user
from capcli.mcp.schema import numbers
from capcli.render.envelope import encode, error_document, plain
from capcli.reply import Reply
from capcli.trading.dry_run import dry_reply

Ask = Callable[[App], Reply[Any]]


class ToolRunner:
    """Holds the App of the process. While settings are wrong, every call retries and reports the error."""

    def __init__(
        self,
        build: Callable[[], App],
        in_flight: InFlightCalls | None = None,
        *,
        reading_s: float = READING_S,
        build_way_out: Callable[[str], App] | None = None,
    ) -> None:
        """`reading_s`: a yes or no within these seconds does not count: nobody reads a form so fast.

        `build_way_out` makes an App for a command that takes risk away, beside settings that it does not use.
        """
        self._build = build
        self._build_way_out = build_way_out
        self.reading_s = reading_s
        self._app: App | None = None
        self._lock = Lock()
        self.in_flight = in_flight or InFlightCalls()
        self._put: dict[str, float] = {}
        self.next_steps = NextSteps()
        self.tools_in_all = 0
        self._client: str | None = None

    def app(self) -> App:
        """Return the App. Raises UsageError and ConfigError."""
        with self._lock:
            if self._app is None:
                self._app = self._build()
            return self._app

    @property
    def env(self) -> str | None:
        """Return the environment, None while the settings are wrong."""
        return self._known(lambda app: app.env)

    def _known(self, read: Callable[[App], str | None]) -> str | None:
        try:
            return read(self.app())
        except Exception:  # noqa: BLE001  called while another failure is reported, which must not be lost
            return None

    @property
    def client(self) -> str:
        """Return the client's first name: it cannot change its name between calls."""
        return self._client or "an assistant"

    def close(self) -> None:
        with self._lock:
            if self._app is not None:
                self._app.close()

    def answer(self, ask: Ask, rows: Listing | None = None, *, notes_paper: bool = False) -> ToolResult:
        """Call a use case that sends nothing and return its reply or its error. Never raises.

        `rows`: which of them, and in what form. `notes_paper`: on paper it begins by saying so.
        """

        def work() -> ToolResult:
            if rows is not None:
                rows.check()
            app = self.app()
            noted = notes_paper and app.env == "paper"
            return self._answered(ask(app), app.env, rows, PAPER if noted else None)

        return self._read(work)

    async def listen(
        self, ask: "Callable[[App, Callable[[], bool]], Reply[Any]]", rows: Listing | None = None
    ) -> ToolResult:
        """Call a use case that listens for a while; cancelling the call stops it. Never raises."""
        from anyio.to_thread import run_sync

        stop = Event()
        work = lambda: self.answer(lambda app: ask(app, stop.is_set), rows)  # noqa: E731
        try:
            return await run_sync(work, abandon_on_cancel=True)
        finally:
            stop.set()

    def report(self, ask: Ask, broken: Callable[[CapcliError], Reply[Any]]) -> ToolResult:
        """Report a state: a problem is part of the report, not a failure of the call."""

        def work() -> ToolResult:
            try:
                reply = ask(self.app())
            except CapcliError as error:
                reply = broken(error)
            if reply.problem is not None:
                reply = replace(reply, problem=replace(reply.problem, assistant_error=False))
            return self._answered(reply)

        return self._read(work)

    def halt(self, reason: str, by: str) -> ToolResult:
        """Halt, whatever the settings, and name the working orders that can still fill. Never raises."""

        def work() -> ToolResult:
            try:
                with self._app_for(f"capcli halt --reason {quote(reason)}") as app:
                    halted = app.halting.halt(reason, by=by, waiting=app.waiting_orders)
                    return self._answered(halted, app.env)
            except ConfigError:
                with halting_alone(os.environ) as halting:
                    return self._answered(halting.halt(reason, by=by))

        return self._read(work)

    def _read(self, work: Callable[[], ToolResult]) -> ToolResult:
        try:
            result = self.in_flight.read(lambda: self._guarded(work), self.in_flight.longest_s)
            return result or self.failed(_SLOW)
        except BaseException as error:  # noqa: BLE001  whoever waits for a thread is told that it died
            return self._died(error)

    def send(
        self,
        ask: Ask,
        meanwhile: Ask,
        *,
        way_out: str | None = None,
        refused: Callable[[ConfigError], None] = lambda _: None,
    ) -> ToolResult:
        """Call a use case that sends something, on a thread that continues if the call is cancelled.

        If it takes too long the result is that of `meanwhile`; the sending continues. If a person has to
        approve it, they are asked by a form, if the client has one and it is not live; else the result names
        the code for a terminal. `way_out` is the command of a change that reduces risk, as typed; `refused`
        is called with the settings' error that stops even that.
        """
        until = time.monotonic() + self.in_flight.patience_s
        self._client = self._client or client_name()
        # On live a form does not prove who answered: only a terminal with the PIN does.
        form = None if self.env == "live" else Elicitation.of_call()
        if form is not None and form.answered is not None:
            put = self._put.pop(form.answered, None)
            self._decide(
                form.answered, form.answer(None if put is None else time.monotonic() - put, self.reading_s)
            )
            # A call asks once: after an invalid answer the result names the code for a terminal.
            form = None
        waiting: list[ApprovalRequired] = []

        def work() -> ToolResult:
            try:
                with self._app_for(way_out, refused) as app:
                    return self._answered(ask(app), app.env)
            except ApprovalRequired as question:
                waiting.append(question)
                raise

        result = self._sent(work, meanwhile, until)
        if form is None or not waiting:
            return result
        question = waiting[0]
        if form.in_rounds:
            self._put[question.approval_code] = time.monotonic()
            return form.question(question.shown, question.approval_code)
        answer = form.ask(question.shown, max(0.0, until - time.monotonic()), self.reading_s)
        return self._sent(work, meanwhile, until) if self._decide(question.approval_code, answer) else result

    def _decide(self, code: str, answer: FormAnswer) -> bool:
        """Record a person's answer; False without one."""
        if answer is FormAnswer.SILENCE:
            return False
        # If it was decided on a terminal meanwhile, or expired, the following call reports that.
        with suppress(CapcliError):
            self.app().approvals.decide(code, approved=answer is FormAnswer.YES, by=_BY_FORM)
        return True

    def _sent(self, work: Callable[[], ToolResult], meanwhile: Ask, until: float) -> ToolResult:
        call = self.in_flight.start(lambda: self._guarded(work))
        if call is None:
            return self.failed(_STOPPING)
        try:
            return (
                self.in_flight.wait(call, max(0.0, until - time.monotonic()))
                or self.in_flight.read(lambda: self._so_far(meanwhile), self.in_flight.check_s)
                or self.in_flight.wait(call, 0)
                or self.failed(_IN_DOUBT)
            )
        except BaseException as error:  # noqa: BLE001  the thread died, and how far it got is not known
            return self._died(error)

    def _so_far(self, meanwhile: Ask) -> ToolResult:
        """Return the call's progress. An error here says nothing about the order itself."""
        try:
            return self._answered(meanwhile(self.app()))
        except UnderWay as error:
            return self.failed(error.problem())
        except Exception as error:  # noqa: BLE001  a failure to read must not look like a failure to send
            log_bug(error)
            return self.failed(_IN_DOUBT)

    @contextmanager
    def _app_for(
        self, way_out: str | None, refused: Callable[[ConfigError], None] = lambda _: None
    ) -> Iterator[App]:
        """Yield the App; for a way out another one, if settings it does not use stop the usual one."""
        with ExitStack() as stack:
            try:
                try:
                    app = self.app()
                except ConfigError:
                    if way_out is None or self._build_way_out is None:
                        raise
                    app = stack.enter_context(closing(self._build_way_out(way_out)))
                else:
                    if way_out is not None:
                        app.require_way_out(way_out)
            except ConfigError as error:
                refused(error)
                raise
            yield app

    def _guarded(self, work: Callable[[], ToolResult]) -> ToolResult:
        try:
            result = work()
        except WouldSend as stop:
            result = self._answered(dry_reply(stop))
        except CapcliError as error:
            result = self.failed(error.problem())
        except Exception as error:  # noqa: BLE001 - the assistant must not read what a library says
            result = self._died(error)
        try:
            # No answer waits for, or depends on, the journal's anchor in the keychain.
            if self._app is not None and self._app.is_ahead_of_keychain:
                Thread(target=self._app.anchor, name="capcli-anchor", daemon=True).start()
        except Exception as error:  # noqa: BLE001  `history verify` tells of what is not anchored
            log_bug(error)
        return result

    def _died(self, error: BaseException) -> ToolResult:
        log_bug(error)
        return self.failed(BUG)

    def _answered(
        self,
        reply: Reply[Any],
        env: str | None = None,
        rows: Listing | None = None,
        notice: str | None = None,
    ) -> ToolResult:
        problem = None if reply.problem is None else self._for_assistants(reply.problem)
        document = ({"notice": notice} if notice else {}) | plain(reply.data)
        if problem is not None:
            document["error"] = error_document(problem)
        document |= {"env": env or self.env, "account_id": reply.account_id}
        if rows is not None:
            document = rows.cut(document)
        return _result(problem, self.next_steps.translated(document))

    def failed(self, problem: Problem) -> ToolResult:
        """Return the result of a call that was stopped."""
        problem = self._for_assistants(problem)
        document = plain(problem.data)
        # The account last seen: no request is made for it.
        account_id = problem.account_id or self._known(lambda app: app.broker.account_id)
        document |= {"error": error_document(problem), "env": self.env, "account_id": account_id}
        return _result(problem, document)

    def _for_assistants(self, problem: Problem) -> Problem:
        if problem.code == ApprovalRequired.code:
            return replace(problem, next=_APPROVE.format(problem.details["watch"], problem.next))
        if problem.code in _BY_PERSON:
            return replace(problem, next=ask_user(problem.next))
        return replace(
            problem,
            next=_ASK_FIRST.get(problem.code)
            or self.next_steps.step(problem.next, problem.details.get("kind")),
        )


# An assistant confirms by repeating its call; a command for a terminal would bypass the user.
_ASK_FIRST = {
    NotConfirmed.code: "show the user what it does; after a yes to that make the same call with confirm=true",
    ApprovalsFull.code: "ask the user to decide what waits in `capcli approve --watch`; after that make the"
    " same call again",
    DuplicateOrder.code: "ask the user; after a yes to one more make the same call with again=true",
}
# Only a person at a terminal may send it: the same tool would be refused again.
_BY_PERSON = frozenset({TradingOff.code, LiveLocked.code})
PAPER = "PAPER: simulated money"
_BY_FORM = "a form at the assistant's client"
_APPROVE = (
    "ask the user to press y in `{}`, or to run `{}`, in a terminal of their own; after that make the same"
    " call again"
)
BUG = CapcliError(
    "A bug in capcli stopped this call; its place is on the server's stderr. If something was being sent, "
    "look at the positions and working orders before anything else.",
    next="capcli health",
).problem()
_SLOW = ReadTimeout(
    "Server not responding: there was no answer in time. No order was sent. Ask again.", next="capcli health"
).problem()
_STOPPING = Busy("The server is stopping.", "Nothing was sent.", next="capcli health").problem()
# A result, not an error: clients repeat after errors, and this order may be live.
_IN_DOUBT = replace(
    MayBeLive(
        "There was no answer in time, and its state could not be read: it may be live. Check the positions"
        " and the working orders before you send it again.",
        next="capcli positions",
    ).problem(),
    assistant_error=False,
)


def confirm_wait_s(timeout_s: float, *, wanted: bool) -> float:
    """Return the seconds to wait for the broker's confirmation."""
    return min(timeout_s, PATIENCE_S) if wanted else 0.0


def under_way(what: str, command: str, note: str = "The same call again is safe.") -> NoReturn:
    """Raise the answer of a call that is still sending. Not a failure, so that it is not retried."""
    raise UnderWay(f"{what} is still running. {note}", next=f"capcli {command}")


def one_line(problem: Problem) -> str:
    """Return a problem in one line. Quoted data cannot start a line or hide characters."""
    line = f"{problem.code}: {problem.message}" + (f" Next: {problem.next}" if problem.next else "")
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _result(problem: Problem | None, document: dict[str, Any]) -> ToolResult:
    document = without_absent(document)
    if problem is not None and problem.assistant_error:
        return ToolResult(one_line(problem), numbers(document), is_error=True)
    return ToolResult(encode(document).decode(), numbers(document))


def log_bug(error: BaseException) -> None:
    """Write an exception's origin to stderr, without its text, which may hold data from the wire."""
    places = "".join(traceback.format_tb(error.__traceback__))
    sys.stderr.write(f"capcli mcp: {type(error).__name__}\n{places}")
