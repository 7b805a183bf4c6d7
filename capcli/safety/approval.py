"""Approvals: with CAP_APPROVAL=human, no change of the account is sent without a person's approval."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import Struct

from capcli.domain.approval import ApprovalRecord, ApprovalRequest, ApprovalState, code_hash, tidy_code
from capcli.domain.fields import with_fields_of
from capcli.errors import ApprovalDenied, ApprovalElsewhere, ApprovalRequired, ApprovalUnknown, CapcliError
from capcli.reply import Reply
from capcli.safety.announcements import REPEAT_S, Announcement, Happening
from capcli.safety.approval_text import harmless, one_line

if TYPE_CHECKING:
    from capcli.context import Context
    from capcli.domain.mandate import Opening, Outside, Permit, Spend, Tightening

AT_MOST = 5
"""So many requests of one client wait for a person at a time."""
_REPEAT = timedelta(seconds=REPEAT_S)
_LENGTH = 6
_DRAWS = 20
_LIST = "capcli approve"
_MEANWHILE = "It has been decided or changed in the meantime, or expired. Nothing was changed."
_PENDING = frozenset({ApprovalState.PENDING})
_OPEN = _PENDING | {ApprovalState.APPROVED}
_SAID = frozenset({ApprovalState.APPROVED, ApprovalState.DENIED})


class ApprovalRow(Struct, frozen=True):
    """A request for approval. `text` is the question shown; the code is in the answer."""

    kind: str
    state: ApprovalState
    env: str
    account_id: str
    text: str
    asked_at: datetime
    expires_at: datetime


class ApprovalsFound(Struct, frozen=True):
    """Requests waiting for a person, and approved ones not sent yet. `mode` is confirm or human."""

    mode: str
    approvals: tuple[ApprovalRow, ...]


class WaitingRequest(Struct, frozen=True):
    """A question for a person: hashes of its `codes`, and the `rows` of the latest, which a yes is for."""

    rows: tuple[ApprovalRecord, ...]
    codes: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(row.text for row in self.rows)

    @property
    def expires_at(self) -> datetime:
        return min(row.expires_at for row in self.rows)

    @property
    def client(self) -> str | None:
        return self.rows[0].client

    @property
    def digests(self) -> frozenset[str]:
        return frozenset(row.digest for row in self.rows)


class Queue(Struct, frozen=True):
    """Requests waiting here, oldest first; `elsewhere`: environment, host and count of others."""

    requests: tuple[WaitingRequest, ...]
    elsewhere: tuple[tuple[str, str, int], ...]

    @property
    def total(self) -> int:
        return len(self.requests) + sum(count for _, _, count in self.elsewhere)


class Decision(Struct, frozen=True):
    """A person's decision. `requests` is the number of requests of the code."""

    state: ApprovalState
    env: str
    account_id: str
    requests: int
    text: str
    expires_at: datetime
    sentence: str
    next: str | None


Mandated = Callable[[ApprovalRequest, "Opening | None", "Tightening | None"], "Spend | Outside | None"]


class Approvals:
    """Requests approvals, records decisions, and checks for them."""

    def __init__(
        self,
        context: "Context",
        *,
        announce: Callable[[Announcement], None],
        mandate: Mandated = lambda *_: None,
        at_terminal: bool = False,
    ) -> None:
        """`mandate` judges a request by this client's mandate; None without one.

        At a terminal nothing is announced, and a denial does not keep the person from it, who is asked there.
        """
        self._context = context
        self.mode = context.approval
        self._announce = announce
        self._mandate = mandate
        self._at_terminal = at_terminal
        self._codes: dict[tuple[str, ...], str] = {}
        self._lock = Lock()

    @property
    def needed(self) -> bool:
        """Whether a person must approve."""
        return self.mode == "human"

    def permit(
        self,
        request: ApprovalRequest,
        opening: "Opening | None" = None,
        tightening: "Tightening | None" = None,
    ) -> "Permit | None":
        """Return the approval or the mandate use for a request; None if neither is needed.

        A mandate judges by `opening` or `tightening`. Raises ApprovalRequired, ApprovalDenied.
        """
        if not self.needed:
            return None
        now = self._context.clock()
        if self._is_approved(request, now):
            return request.digest
        # Mandates are for scripts and assistants: a person at the terminal is asked.
        found = None if self._at_terminal else self._mandate(request, opening, tightening)
        if found is not None:
            # Only who was given a mandate pays for its import.
            from capcli.domain.mandate import Spend

            if isinstance(found, Spend):
                return found
        raise self._required((request,), now, found)

    def sent(self, permit: "Permit | None", request: ApprovalRequest, attempt_id: str) -> None:
        """Announce an order sent under a mandate, without approval."""
        if permit is not None and not isinstance(permit, str):
            self._announce(
                Announcement(
                    Happening.ORDER_SENT,
                    key=attempt_id,
                    env=request.env,
                    account_id=request.account_id,
                    at=self._context.clock(),
                    text=request.text,
                    attempt_id=attempt_id,
                    mandate=permit.name,
                )
            )

    def has_to_ask(self, request: ApprovalRequest) -> bool:
        """Whether a person still has to approve; on an error False, since `permit` will raise it."""
        if not self.needed:
            return False
        with suppress(CapcliError):
            return not self._is_approved(request, self._context.clock())
        return False

    def permit_all(self, requests: Sequence[ApprovalRequest]) -> None:
        """Use up each request's approval; the others get one code. No mandate covers them.

        Raises ApprovalRequired, ApprovalDenied.
        """
        if not self.needed:
            return
        now = self._context.clock()
        if open_ones := tuple(one for one in requests if not self._is_approved(one, now)):
            raise self._required(open_ones, now)

    def _is_approved(self, request: ApprovalRequest, now: datetime) -> bool:
        records = self._context.journal.approvals_of(request.digest, now=now)
        decided = (one for one in records if one.state in _SAID)
        last = max(decided, key=lambda one: one.decided_at or one.created_at, default=None)
        if last is None or (last.state is ApprovalState.DENIED and self._at_terminal):
            return False
        if last.state is ApprovalState.APPROVED:
            return True
        raise ApprovalDenied(
            "A person said no to this. Nothing was sent. It can be asked again from "
            f"{last.expires_at:%H:%M:%S}Z.",
            expires_at=last.expires_at.isoformat(),
        )

    def _required(
        self, requests: tuple[ApprovalRequest, ...], now: datetime, outside: "Outside | None" = None
    ) -> ApprovalRequired:
        code = self._code(requests, now)
        # The stored text is shown, even if the same request is repeated with newer figures.
        rows = self._context.journal.approvals(code_hash(code))
        text, until = "\n".join(one.text for one in rows), min(one.expires_at for one in rows)
        error = ApprovalRequired(
            "A person has to approve this, so nothing was sent yet: with y in capcli approve --watch, or with"
            f" the code {code}, until {until:%H:%M:%S}Z. The same call sends it after that. "
            f"{f'{outside.sentence} ' if outside else ''}{one_line(text)}",
            next=f"{_LIST} {code} --env {self._context.env}",
            approval_code=code,
            watch=f"{_LIST} --watch --env {self._context.env}",
            expires_at=until.isoformat(),
        )
        error.shown = text
        # Another process may have just made the same request, such as a repeated script.
        before = () if self._at_terminal else self._context.journal.approvals_of(rows[0].digest, now=now)
        others = (one.created_at for one in before if one.code_hash != rows[0].code_hash)
        if not self._at_terminal and not any(timedelta(0) <= now - at < _REPEAT for at in others):
            news = Announcement(
                Happening.APPROVAL_WAITS,
                key=" ".join(row.digest for row in rows),
                env=rows[0].env,
                account_id=rows[0].account_id,
                at=now,
                text=text,
                code=code,
                expires_at=until,
            )
            self._announce(news)
        known = {"preview_id": requests[0].preview_id} if requests[0].preview_id else {}
        return error.about(requests[0].account_id, **known)

    def _code(self, requests: tuple[ApprovalRequest, ...], now: datetime) -> str:
        """Return the code of these requests; a question that still waits keeps the one it has."""
        wanted = tuple(one.digest for one in requests)
        with self._lock:
            rows = (
                self._context.journal.approvals(code_hash(self._codes[wanted]))
                if wanted in self._codes
                else ()
            )
            waits = all(row.state is ApprovalState.PENDING and row.expires_at > now for row in rows)
            if wanted in self._codes and waits:
                return self._codes[wanted]
            client = (
                None if self._at_terminal else harmless(self._context.client()) or "a client without a name"
            )
            for _ in range(_DRAWS):
                code = tidy_code(self._context.ids(""))[-_LENGTH:]
                new = [ApprovalRecord.of(one, code_hash(code), now, client) for one in requests]
                if self._context.journal.ask_approval(new, at_most=None if self._at_terminal else AT_MOST):
                    self._codes[wanted] = code
                    return code
            raise RuntimeError("no code is free")

    def waiting(self) -> Reply[ApprovalsFound]:
        """Return waiting requests of all environments of this user."""
        found = self._context.journal.approvals_waiting(now=self._context.clock())
        rows = tuple(with_fields_of(one, ApprovalRow, asked_at=one.created_at) for one in found)
        return Reply(ApprovalsFound(self.mode, rows))

    def queue(self) -> Queue:
        """Return requests waiting, each once, except those at a terminal. Raises JournalUnreadable."""
        codes: dict[str, list[ApprovalRecord]] = {}
        approved = set()
        elsewhere: dict[tuple[str, str], set[str]] = {}
        for row in self._context.journal.approvals_waiting(now=self._context.clock()):
            if row.state is ApprovalState.APPROVED:
                approved.add(row.digest)
            elif row.client is None:
                continue
            elif (row.env, row.host) == (self._context.env, self._context.host):
                codes.setdefault(row.code_hash, []).append(row)
            else:
                elsewhere.setdefault((row.env, row.host), set()).add(row.code_hash)
        found: dict[frozenset[str], WaitingRequest] = {}
        for code, rows in codes.items():
            digests = frozenset(row.digest for row in rows)
            if not digests <= approved:
                before = found[digests].codes if digests in found else ()
                found[digests] = WaitingRequest(tuple(rows), (*before, code))
        return Queue(tuple(found.values()), tuple((*place, len(some)) for place, some in elsewhere.items()))

    def settle(self, request: WaitingRequest, *, approved: bool, by: str) -> Reply[Decision]:
        """Record a person's answer: a no to all its codes, a yes to the latest.

        Raises ApprovalUnknown where it is not that any more.
        """
        if approved:
            signed = self._context.journal.decide(
                request.rows[0].code_hash,
                ApprovalState.APPROVED,
                at=self._context.clock(),
                by=by,
                shown=request.rows,
            )
        else:
            decide = partial(self._context.journal.decide, at=self._context.clock(), by=by)
            # Deny each of them, even if one fails.
            signed = sum(decide(code, ApprovalState.DENIED) for code in request.codes) > 0
        if not signed:
            raise ApprovalUnknown(_MEANWHILE, next=_LIST)
        return self._decision(request.rows, approved=approved)

    def found(self, code: str, states: frozenset[ApprovalState] = _PENDING) -> tuple[ApprovalRecord, ...]:
        """Return a code's requests, all in one of some states. Raises ApprovalUnknown, ApprovalElsewhere."""
        rows = self._context.journal.approvals(code_hash(code))
        now = self._context.clock()
        if not rows:
            shown = ascii(tidy_code(code)[:20])
            raise ApprovalUnknown(f"Nothing waits under the code {shown}. Nothing was approved.", next=_LIST)
        first = rows[0]
        if (first.env, first.host) != (self._context.env, self._context.host):
            raise ApprovalElsewhere(
                f"This code is for {first.env} ({first.host}), this is {self._context.env} "
                f"({self._context.host}). Nothing was approved.",
                next=f"capcli approve {tidy_code(code)} --env {first.env}",
            )
        if not {row.state for row in rows} <= states:
            state = first.state.value.lower()
            raise ApprovalUnknown(f"This code was decided already: {state}. Nothing was changed.", next=_LIST)
        if first.expires_at <= now:
            raise ApprovalUnknown(
                f"This code expired at {first.expires_at:%H:%M:%S}Z. Nothing was approved. "
                "Repeat the call to ask again.",
                next=_LIST,
            )
        return rows

    def decide(self, code: str, *, approved: bool, by: str) -> Reply[Decision]:
        """Record a person's answer; a yes can be taken back until it is used. Raises as `found`."""
        rows = self.found(code, _PENDING if approved else _OPEN)
        self._decide(code, ApprovalState.APPROVED if approved else ApprovalState.DENIED, by)
        return self._decision(rows, approved=approved)

    def _decision(self, rows: tuple[ApprovalRecord, ...], *, approved: bool) -> Reply[Decision]:
        first, sentence = rows[0], "Denied. Nothing was sent."
        if approved:
            sentence = (
                f"Approved until {first.expires_at:%H:%M:%S}Z, for one send. Nothing was sent yet: repeat "
                "the same call to send it, after a new check."
            )
        done = with_fields_of(
            first,
            Decision,
            state=ApprovalState.APPROVED if approved else ApprovalState.DENIED,
            requests=len(rows),
            text="\n".join(row.text for row in rows),
            sentence=sentence,
            next=f"capcli execute {first.preview_id}" if approved and first.preview_id else None,
        )
        return Reply(done, first.account_id)

    def withdraw(self, code: str, *, by: str) -> None:
        """Withdraw a code's requests: they are not wanted any more."""
        self._decide(code, ApprovalState.VOID, by)

    def _decide(self, code: str, state: ApprovalState, by: str) -> None:
        if not self._context.journal.decide(code_hash(code), state, at=self._context.clock(), by=by):
            raise ApprovalUnknown(_MEANWHILE, next=_LIST)
