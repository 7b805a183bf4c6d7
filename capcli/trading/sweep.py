"""Close or cancel row by row, each by its own request: a failure is reported and does not stop the rest."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from capcli.context import Context
from capcli.domain.account import Listed, Position, WorkingOrder
from capcli.domain.approval import ApprovalRequest
from capcli.errors import (
    BrokerRefused,
    CapcliError,
    DealUnknown,
    Exit,
    Interrupted,
    Problem,
    RowUnreadable,
    WouldSend,
)
from capcli.reconcile.readback import require_account
from capcli.reply import Reply
from capcli.safety.trading_gate import permit_way_out, require_exit
from capcli.trading.mutation import AGREES_AFTER_S

# Most urgent first: what may still be open, then what was refused.
_WORST = (Exit.MAY_BE_LIVE, Exit.BROKER_REFUSED)
# A list can be stale: missing rows are in the next one.
_ROUNDS = 3


class Done(Protocol):
    """Common fields of a close and a cancellation."""

    @property
    def attempt_id(self) -> str: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


R = TypeVar("R", bound=Position | WorkingOrder)
D = TypeVar("D", bound=Done)


class Row(Struct, Generic[R], frozen=True):
    """A row of the list, or its readable part."""

    deal_id: str | None
    read: R | None
    words: str


def rows_of(found: Listed[R], noun: str, words: Callable[[R], str], epic: str | None = None) -> list[Row[R]]:
    """Return the rows of a list, of one market where `epic` names it; what cannot be read is a `noun`."""
    return [Row(row.deal_id, row, words(row)) for row in found.rows if epic in {None, row.epic}] + [
        Row(bad.deal_id, None, f"the {noun} {bad.words}")
        for bad in found.unreadable
        if epic in {None, bad.epic}
    ]


class Swept(Struct, Generic[R, D], frozen=True):
    """One row's result: `data` if sent, `problem` unless proved gone, `gone` if something else was first."""

    row: Row[R]
    data: D | None = None
    problem: Problem | None = None
    gone: BrokerRefused | None = None

    @property
    def attempt_id(self) -> str | None:
        if self.data is not None:
            return self.data.attempt_id
        found = self.problem.data.get("attempt_id") if self.problem else None
        return str(found) if found else None

    @property
    def exit_code(self) -> int:
        return self.problem.exit_code if self.problem else 0


@dataclass(slots=True)
class Run(Generic[R, D]):
    """The results so far, and the account."""

    account_id: str | None
    done: list[Swept[R, D]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[Swept[R, D]]:
        return [one for one in self.done if one.problem is not None]

    @property
    def tried(self) -> set[str | None]:
        return {one.row.deal_id for one in self.done}

    @property
    def distinct_warnings(self) -> tuple[str, ...]:
        """The warnings without duplicates."""
        return tuple(dict.fromkeys(self.warnings))

    def problem(self, code: str, sentence: str, command: str) -> Problem | None:
        """Return the problem of the remaining rows, with the worst exit code; None if nothing is left."""
        failed = self.failed
        if not failed:
            return None
        codes = [one.exit_code for one in failed]
        worst = next((int(each) for each in _WORST if int(each) in codes), codes[0])
        if worst == int(Exit.INTERRUPTED) and any(one.attempt_id for one in self.done):
            # Something was sent before the interruption: look before you go on.
            worst = int(Exit.MAY_BE_LIVE)
        return Problem(
            code,
            sentence,
            worst,
            next=f"{command} --confirm",
            retry_safe=True,
            details={"failed": [one.row.deal_id for one in failed]},
            assistant_error=worst != int(Exit.MAY_BE_LIVE),
        )


@dataclass(frozen=True, slots=True)
class Sweep(Generic[R, D]):
    """A bulk close or cancellation. `command` does all, `one` a single one by its deal id.

    `noun` and `verb` name what is done ("position", "close"); `words` names a row, `send` closes or cancels.
    """

    context: Context
    command: str
    one: str
    action: str
    noun: str
    verb: str
    list_command: str
    read: Callable[[], Listed[R]]
    words: Callable[[R], str]
    approval_request: Callable[[str, R | None], ApprovalRequest]
    send: Callable[..., Reply[D]]
    epic: str | None = None

    def go(self, *, confirmed: bool, person: bool) -> Run[R, D]:
        """Send a request for each row, one after the other, and look again.

        `person`: one at a terminal has just typed so. Called back, the request that is under way finishes and
        no other is sent. A row that cannot be read is swept away by its deal id.
        Raises NotConfirmed, ApprovalRequired (one code for all), ApprovalDenied, TradingOff, LiveLocked,
        WouldSend on a dry run, and what reading the list raises.
        """
        context = self.context
        require_exit(context, self.action, self.command, confirmed=confirmed, person=person)
        rows = self.rows()
        account_id = context.broker.account_id
        requests = [self.approval_request(row.deal_id, row.read) for row in rows if row.deal_id]
        if context.dry_run and requests:
            raise WouldSend(*((one.method, one.path, one.body) for one in requests), account_id=account_id)
        permit_way_out(context, requests, self.command, person=person)
        run: Run[R, D] = Run(account_id, warnings=list(context.notices))
        # The current rows, then those missing from a stale list.
        for _ in range(_ROUNDS):
            for row in rows:
                if row.deal_id not in run.tried:
                    run.done.append(self._send(row, run, person=person))
            if not rows or any(one.exit_code == Exit.INTERRUPTED for one in run.done):
                break
            try:
                rows = self.rows()
            except CapcliError as error:
                run.warnings.append(f"The {self.noun}s could not be read again: {error.message}")
                break
            if not {row.deal_id for row in rows} - run.tried:
                break
        return run

    def rows(self) -> list[Row[R]]:
        """Read the list; an empty one is read twice, with a check of the active account."""
        found, broker = self.read(), self.context.broker
        if found.is_empty:
            self.context.sleep(AGREES_AFTER_S)
            found = self.read()
        if found.is_empty:
            require_account(broker, broker.account_id, self.command)
        return rows_of(found, self.noun, self.words, self.epic)

    def _send(self, row: Row[R], run: Run[R, D], *, person: bool) -> Swept[R, D]:
        if row.deal_id is None:
            nameless = RowUnreadable(
                f"The broker sends a {self.noun} without a deal id, so it cannot be named to {self.verb} it. "
                f"{self.verb.capitalize()} it in the broker's own app.",
                next=self.list_command,
            )
            return Swept(row, problem=nameless.problem())
        try:
            reply = self.send(row.deal_id, confirmed=True, person=person)
        except DealUnknown as gone:
            return Swept(row, gone=gone)
        except Interrupted as error:
            again = Interrupted(error.message, next=f"{self.one} {row.deal_id}")
            return Swept(row, problem=again.problem())
        except CapcliError as error:
            run.warnings += error.data.get("warnings", ())
            return Swept(row, problem=error.problem())
        run.warnings += reply.data.warnings
        return Swept(row, reply.data, reply.problem)
