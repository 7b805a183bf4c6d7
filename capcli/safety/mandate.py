"""Mandates: a person grants, lists and revokes what a client may send alone, on paper and demo."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from capcli.context import Context
from capcli.domain.fields import with_fields_of
from capcli.domain.mandate import Deed, Mandate, MandateState, secret_hash
from capcli.domain.money import CENT, plain
from capcli.domain.numbers import counted
from capcli.domain.order import Kind
from capcli.domain.risk import Risk
from capcli.errors import CapcliError, LiveLocked, MandateUnknown, UsageError, WouldSend
from capcli.reconcile.deal_account import active_account
from capcli.reply import Reply
from capcli.safety.halt import refuse_while_halted
from capcli.safety.mandate_permits import Ledger

LONGEST = timedelta(hours=24)
MOST_ORDERS = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_LIST = "capcli mandate list"
_SHOWN_FOR = timedelta(days=1)
_UNDER_CONFIRM = (
    "Approval is confirm here, so nobody is asked anyway: it has an effect only with CAP_APPROVAL=human.\n"
)


class MandateRow(Struct, frozen=True):
    """One mandate. `risk` (of one order), `total_risk` and `charged` are in `currency`.

    `charged` is lost, paid in costs, or at stake at the stops; None where it was not read.
    """

    mandate_id: str
    name: str
    env: str
    account_id: str
    state: MandateState
    epics: tuple[str, ...]
    risk: Decimal
    total_risk: Decimal
    charged: Decimal | None
    currency: str
    orders: int
    orders_used: int
    granted_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class MandatesFound(Struct, frozen=True):
    """Mandates in force (none counts under `approval` confirm), and those ended in the last 24 hours."""

    mandates: tuple[MandateRow, ...]
    approval: str


class MandateGranted(Struct, frozen=True):
    """A mandate that is in force, and the `file` with the secret that its client is to read."""

    mandate: MandateRow
    file: str
    sentence: str
    next: str


class MandateRevoked(Struct, frozen=True):
    """A revoked mandate. Of its working orders `cancelled` are gone, `left` can fill."""

    mandate_id: str
    name: str
    cancelled: tuple[str, ...]
    left: tuple[str, ...]
    sentence: str
    next: str


class Terms(Struct, frozen=True):
    """The terms of a grant, checked and in fixed amounts."""

    mandate: Mandate
    text: str


class SecretFiles(Protocol):
    """The files that clients read their secrets from."""

    def place(self, env: str, name: str) -> str:
        """Return where the secret of a mandate is kept."""

    def write(self, env: str, name: str, secret: str) -> None:
        """Write a secret for this user only. Raises StateFolderUnusable."""

    def drop(self, env: str, name: str) -> None:
        """Remove a secret. Raises StateFolderUnusable."""


class Mandates:
    """Grants, lists and ends mandates."""

    def __init__(
        self,
        context: Context,
        files: SecretFiles,
        cancel: Callable[[str], object],
        new_secret: Callable[[], str],
    ) -> None:
        """`cancel` cancels a working order of a mandate."""
        self._context = context
        self._ledger = Ledger(context)
        self._files = files
        self._cancel = cancel
        self._new_secret = new_secret

    def plan(  # noqa: PLR0917  each is an option of the command
        self, name: str, epics: Sequence[str], risk: Risk, total_risk: Risk, orders: int, until: datetime
    ) -> Terms:
        """Check the terms and turn percentages into amounts. Sends and grants nothing.

        Raises UsageError, LiveLocked (there are none on live), Halted, EpicUnknown, and what a read raises.
        """
        if self._context.env == "live":
            raise LiveLocked(
                "There are no mandates on live: a person approves every order there. Nothing was granted.",
                next=f"{_LIST} --env demo",
            )
        refuse_while_halted(self._context.halt, "The mandate")
        now, broker = self._context.clock(), self._context.broker
        _check(name, epics, orders, until, now)
        account_id = broker.session().account_id
        account = active_account(broker.accounts(), account_id)
        for epic in epics:
            broker.details(epic)
        amounts = [
            _amount(option, each, account.currency, account.equity)
            for option, each in (("--risk", risk), ("--total-risk", total_risk))
        ]
        if amounts[1] < amounts[0]:
            raise UsageError(
                f"--total-risk is {plain(amounts[1])} {account.currency}, less than the {plain(amounts[0])} "
                "of one order. Nothing was granted.",
                option="--total-risk",
            )
        mandate = Mandate(
            mandate_id=self._context.ids("m_"),
            name=name,
            env=self._context.env,
            host=self._context.host,
            account_id=account_id,
            secret_hash="",
            epics=tuple(dict.fromkeys(epics)),
            risk=amounts[0],
            total_risk=amounts[1],
            currency=account.currency,
            orders=orders,
            since=broker.broker_time() or now,
            granted_at=now,
            expires_at=until,
        )
        confirm = "" if self._context.approval == "human" else _UNDER_CONFIRM
        text = (
            f"Mandate {name}: whoever has its file may send, without asking a person,\n"
            f"up to {counted(orders, 'order')} in {', '.join(mandate.epics)}, each with a stop,\n"
            f"each losing at most {plain(mandate.risk)} {mandate.currency} at its stop (or more by a gap),\n"
            f"all together losing at most {plain(mandate.total_risk)} {mandate.currency}, costs included,\n"
            f"and may close, cancel or tighten what they open, until {local_time(until)}.\n"
            f"{confirm}On {mandate.env.upper()}, account {account_id}"
        )
        return Terms(mandate, text)

    def grant(self, terms: Terms) -> Reply[MandateGranted]:
        """Put a mandate into force and write its client's secret.

        Raises NameTaken, JournalUnreadable, StateFolderUnusable: then none is in force.
        """
        secret = self._new_secret()
        mandate = replace(terms.mandate, secret_hash=secret_hash(secret))
        self._context.journal.mandates.grant(mandate)
        try:
            self._files.write(mandate.env, mandate.name, secret)
        except CapcliError:
            self._end((mandate,), MandateState.REVOKED, "capcli mandate grant")
            raise
        file = self._files.place(mandate.env, mandate.name)
        until = local_time(mandate.expires_at)
        sentence = (
            f"Granted: the mandate {mandate.name} is in force until {until}. Give it to one client: "
            f"CAP_MANDATE_FILE={file} in the environment of its server or script. To end it before: "
            f"capcli mandate revoke {mandate.name}"
        )
        row = self._row(mandate, 0, Decimal("0.00"))
        return Reply(MandateGranted(row, file, sentence, _LIST), mandate.account_id)

    def list(self) -> Reply[MandatesFound]:
        """Return the mandates of this user, of every environment. Reads the broker only for what is used."""
        now = self._context.clock()
        found = self._context.journal.mandates.of(since=now - _SHOWN_FOR)
        active = (one for one in found if one.state is MandateState.ACTIVE and one.expires_at > now)
        here = [one for one in active if self._is_here(one)]
        charged: dict[str, Decimal] = {}
        if here:
            # No figures for another account's mandate, or if a read fails.
            with suppress(CapcliError):
                broker = self._context.broker
                on = broker.session().account_id
                positions, orders = broker.positions(), broker.orders()
                for one in (one for one in here if one.account_id == on):
                    charged[one.mandate_id] = self._ledger.used(one, positions, orders).charged
        rows = []
        for one in found:
            uses = self._context.journal.mandates.uses(one.mandate_id)
            used = sum(use.deed is Deed.OPEN for use, _ in uses)
            rows.append(self._row(one, used, charged.get(one.mandate_id)))
        account_id = None
        with suppress(CapcliError):
            account_id = self._context.broker.account_id if here else None
        return Reply(MandatesFound(tuple(rows), self._context.approval), account_id)

    def revoke(self, name: str, *, by: str) -> Reply[MandateRevoked]:
        """End a mandate and cancel its working orders, without a question. Raises MandateUnknown."""
        journal = self._context.journal
        named = [one for one in journal.mandates.active() if one.name == name]
        mine = sorted((one for one in named if self._is_here(one)), key=lambda one: one.granted_at)
        if not mine:
            there = next((one.env for one in named), None)
            raise MandateUnknown(
                f"No mandate {name[:40]!a} is in force on {self._context.env}"
                + (f"; there is one on {there}. It was not changed." if there else "."),
                next=f"capcli mandate revoke {name} --env {there}" if there else _LIST,
            )
        mandate = mine[-1]
        self._end(mine, MandateState.REVOKED, by)
        cancelled, left = self._cancelled(mine)
        with suppress(CapcliError):
            self._files.drop(mandate.env, mandate.name)
        sentence = (
            f"Revoked: the mandate {name} is no longer in force. What it opened stays open, with its stops."
            f"{_cancelled_words(cancelled, left)}"
        )
        then = f"capcli orders cancel {left[0]} --account {mandate.account_id}" if left else _LIST
        revoked = MandateRevoked(mandate.mandate_id, name, cancelled, left, sentence, then)
        return Reply(revoked, mandate.account_id)

    def cancel_orders(self) -> str:
        """Cancel the working orders of all mandates here, and describe it; empty if there are none."""
        now, journal = self._context.clock(), self._context.journal
        # Their orders expire with them.
        found = [one for one in journal.mandates.of(since=now - _SHOWN_FOR) if one.expires_at > now]
        words = _cancelled_words(*self._cancelled([one for one in found if self._is_here(one)]))
        for one in found:
            if not self._is_here(one) and (names := self._waiting(one)):
                words += (
                    f" Orders of the mandate {one.name} may still wait on {one.env}: {', '.join(names)} "
                    f"(capcli orders cancel --all --env {one.env})."
                )
        return words.strip()

    def _waiting(self, mandate: Mandate) -> tuple[str, ...]:
        """Return the working orders placed under a mandate, even if filled or gone."""
        sent = (one.attempt for one in self._ledger.sent(mandate))
        return tuple(one.order_id for one in sent if one.kind is Kind.WORKING and one.order_id is not None)

    def _cancelled(self, mandates: Sequence[Mandate]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Cancel a mandate's working orders on this account; unreadable ones may still wait."""
        names = {name: one.account_id for one in mandates for name in self._waiting(one)}
        done: list[str] = []
        if not names:
            return (), ()
        broker = self._context.broker
        try:
            waiting = [row.deal_id for row in broker.list_orders().rows if row.deal_id in names]
        except CapcliError:
            return (), tuple(names)
        left = [name for name, account_id in names.items() if account_id != broker.account_id]
        for deal_id in waiting:
            try:
                self._cancel(deal_id)
                done.append(deal_id)
            except (CapcliError, WouldSend):
                left.append(deal_id)
        return tuple(done), tuple(left)

    def _end(self, mandates: Sequence[Mandate], state: MandateState, by: str) -> None:
        ids = tuple(one.mandate_id for one in mandates)
        self._context.journal.mandates.end(ids, state, at=self._context.clock(), by=by)

    def _is_here(self, mandate: Mandate) -> bool:
        return (mandate.env, mandate.host) == (self._context.env, self._context.host)

    def _row(self, mandate: Mandate, used: int, charged: Decimal | None) -> MandateRow:
        past = mandate.state is MandateState.ACTIVE and mandate.expires_at <= self._context.clock()
        return with_fields_of(
            mandate,
            MandateRow,
            state=MandateState.EXPIRED if past else mandate.state,
            charged=charged,
            orders_used=used,
            ended_at=mandate.ended_at or (mandate.expires_at if past else None),
        )


def local_time(at: datetime) -> str:
    """Format a time in this computer's zone, with date and zone."""
    here = at.astimezone()
    zone = here.tzname() or ""
    named = f" {zone}" if zone.isascii() and zone.isalpha() else ""
    return f"{here:%Y-%m-%d %H:%M}{named} (UTC{here:%z})"


def _check(name: str, epics: Sequence[str], orders: int, until: datetime, now: datetime) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"The name {name[:40]!a} cannot be used: 1 to 32 of a-z, 0-9, - and _. Nothing was granted.",
            next="capcli mandate grant --help",
        )
    if not epics:
        raise UsageError("Name its markets: --epics SILVER,GOLD. Nothing was granted.", option="--epics")
    if not 1 <= orders <= MOST_ORDERS:
        raise UsageError(
            f"--orders is 1 to {MOST_ORDERS}, not {orders}. Nothing was granted.", option="--orders"
        )
    if not now < until <= now + LONGEST:
        what = "in the past" if until <= now else "more than 24 h ahead"
        raise UsageError(
            f"--until is {local_time(until)}, which is {what}. A mandate lasts at most 24 h. Nothing was "
            "granted.",
            option="--until",
        )


def _amount(option: str, risk: Risk, currency: str, equity: Decimal) -> Decimal:
    if risk.amount is not None and risk.amount.currency != currency:
        raise UsageError(
            f"{option} is {risk.words}, and the account is in {currency}. Nothing was granted.", option=option
        )
    found = risk.of(equity)
    if found < CENT:
        raise UsageError(f"{option} is less than {CENT} {currency}. Nothing was granted.", option=option)
    return found


def _cancelled_words(cancelled: Sequence[str], left: Sequence[str]) -> str:
    words = ""
    if cancelled:
        words += f" Cancelled its {counted(len(cancelled), 'working order')}: {', '.join(cancelled)}."
    if left:
        words += f" Not cancelled, and may still fill: {', '.join(left)}."
    return words
