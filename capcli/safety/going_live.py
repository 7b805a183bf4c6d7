"""The go-live checklist: its completed steps, their evidence, and the unlock of live on this computer."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from capcli.account.accounts import Accounts
from capcli.context import Context
from capcli.domain.attempt import AttemptState
from capcli.domain.going_live import Approval, Gate, Step, Unlock
from capcli.domain.hosts import HostKind, host_kind
from capcli.domain.numbers import counted
from capcli.errors import CapcliError, JournalAltered, LiveLocked, NotConfirmed
from capcli.marketdata.markets import Markets
from capcli.reply import Reply
from capcli.safety.preview_fields import sentences

if TYPE_CHECKING:
    from capcli.safety.audit import Verification
    from capcli.safety.pin import Pin

KIND = "checklist"
PHRASES = {
    Approval.HUMAN: "I trade real money",
    Approval.CONFIRM: "I trade real money and no person approves it",
}
_COMMAND = "capcli live checklist"
_MANY = 1000
_NOT_COMPLETED = "it was not completed on this computer"
_TEXTS = {
    Step.LOGIN: "A login on live worked",
    Step.ACCOUNTS: "The accounts of live returned data",
    Step.MARKETS: "A market search on live returned data",
    Step.DEMO_TRADE: "A trade was previewed and confirmed on demo",
    Step.PREVIEW_FIELDS: "Every field of a demo preview is understood",
    Step.ENV: "CAP_ENV is live, on purpose",
    Step.TRADING: "CAP_ALLOW_TRADING is true, on purpose",
    Step.TERMS: "Capital.com's Terms and Conditions are read",
    Step.ELECTRONIC_TERMS: "Capital.com's Electronic Trading Terms are read",
    Step.PIN: "A PIN of live is set",
    Step.PHRASE: "PIN and phrase typed; stored in the keychain",
}
_WHERE = {
    HostKind.BROKER: "at the broker's own host",
    HostKind.LOOPBACK: "on this computer",
    HostKind.OTHER: "at such a host",
}
ASKED = (Step.PREVIEW_FIELDS, Step.TERMS, Step.ELECTRONIC_TERMS)


class UnlockKeeper(Protocol):
    """Protected storage of a completed go-live checklist. Raises as `PinKeeper` does."""

    def load(self) -> Unlock | None: ...

    def save(self, unlock: Unlock) -> None: ...


class LivePlace(Protocol):
    """Identifies this state folder on this computer, so that a copy differs."""

    def read(self) -> str | None: ...

    def make(self) -> str: ...


class ChecklistItem(Struct, frozen=True):
    """One step: whether it is done, and the evidence or what is missing."""

    name: str
    done: bool
    text: str
    how: str


class Checklist(Struct, frozen=True):
    """The go-live checklist of a profile on this computer. `approval` is who approves orders on live."""

    complete: bool
    profile: str
    approval: str
    items: tuple[ChecklistItem, ...]
    sentence: str
    next: str | None


def gate_of(keeper: UnlockKeeper, place: LivePlace) -> Gate:
    """Return whether live is unlocked here. Never raises: on an error it is locked."""
    try:
        kept, here = keeper.load(), place.read()
    except CapcliError as error:
        reason = f"its completion is stored in the keychain, which cannot be read ({error.code})"
    else:
        if kept is not None and kept.place == here:
            return Gate(True, kept.approval, f"completed on {kept.at:%Y-%m-%d %H:%M:%S}Z")
        reason = "it was completed for another state folder or computer" if kept else _NOT_COMPLETED
    return Gate(unlocked=False, approval=Approval.HUMAN, reason=reason)


class GoingLive:
    """The checklist of one profile. Progress is stored in the journal, completion in the keychain."""

    def __init__(
        self,
        context: Context,
        keeper: UnlockKeeper,
        place: LivePlace,
        pin: "Pin",
        verification: "Callable[[], Verification]",
        *,
        profile: str,
        on_purpose: Mapping[Step, str | None],
    ) -> None:
        """Only steps done on the same kind of host count.

        `on_purpose`: where environment and profile enable live and trading; None if they do not.
        """
        self._context = context
        self._keeper = keeper
        self._place = place
        self._pin = pin
        self._verification = verification
        self._profile = profile
        self._kind = host_kind(context.host)
        self._on_purpose = on_purpose
        self._troubles: dict[Step, str] = {}

    def show(self) -> Reply[Checklist]:
        """Return the current checklist, without a request. Problem LIVE_LOCKED while it is incomplete."""
        gate = gate_of(self._keeper, self._place)
        items = tuple(self._items(gate))
        left = sum(not item.done for item in items)
        complete = gate.unlocked
        sentence = (
            f"Live is unlocked on this computer for profile {self._profile} ({gate.reason})."
            if complete
            else f"Live is locked: {gate.reason}; {left} of {len(items)} steps are open."
        )
        found = Checklist(
            complete, self._profile, gate.approval.value, items, sentence, None if complete else _COMMAND
        )
        if complete:
            return Reply(found)
        error = LiveLocked(
            f"{sentence} The list is completed by a person on a terminal: never by a pipe, a flag or a "
            "variable.",
            "Nothing was sent.",
            next=_COMMAND,
        )
        return Reply(found, problem=error.problem())

    def open_steps(self) -> tuple[Step, ...]:
        """Return the open steps."""
        gate = gate_of(self._keeper, self._place)
        return tuple(Step(item.name) for item in self._items(gate) if not item.done)

    def _items(self, gate: Gate) -> list[ChecklistItem]:
        """Return each step with its evidence, or what is missing."""
        # By step: the evidence (None: not done) and what is missing.
        found: dict[Step, tuple[str | None, str]] = {}
        for at, detail in self._context.journal.notes(KIND):
            here = (detail.get("profile"), detail.get("hosts")) == (self._profile, self._kind.value)
            if here and detail.get("step") in tuple(Step):
                found[Step(detail["step"])] = f"{detail.get('how', '')} ({at:%Y-%m-%d %H:%M}Z)", ""
        for step in Step:
            missing = "a person says so on a terminal" if step in ASKED else "looked at on a terminal"
            found.setdefault(step, (None, self._troubles.get(step, missing)))
        unset = "set neither in the environment nor in the profile"
        found[Step.ENV] = self._on_purpose[Step.ENV], f"{unset}; --env alone does not count"
        found[Step.TRADING] = self._on_purpose[Step.TRADING], unset
        no_trade = f"the journal has no preview that was executed on demo {_WHERE[self._kind]}"
        found[Step.DEMO_TRADE] = self._demo_trade(), f"{no_trade}: capcli --env demo preview ..."
        found[Step.PHRASE] = gate.reason if gate.unlocked else None, gate.reason
        try:
            found[Step.PIN] = "in the keychain" if self._pin.is_set else None, "set on a terminal"
        except CapcliError as error:
            found[Step.PIN] = None, f"the keychain cannot be asked ({error.code})"
        return [
            ChecklistItem(step.value, known is not None, _TEXTS[step], known or missing)
            for step, known, missing in ((step, *found[step]) for step in Step)
        ]

    def _demo_trade(self) -> str | None:
        for attempt in self._context.journal.attempts("demo", limit=_MANY):
            landed = attempt.state is AttemptState.LANDED and attempt.preview_id is not None
            if landed and host_kind(attempt.host) is self._kind:
                return f"journal: preview {attempt.preview_id} became {attempt.attempt_id}"
        return None

    def note(self, step: Step, how: str) -> None:
        """Record that a step is done, so that the list can be continued. Raises JournalUnreadable."""
        detail = {"profile": self._profile, "hosts": self._kind.value, "step": step.value, "how": how}
        self._context.journal.note(None, KIND, at=self._context.clock(), detail=detail)

    def ask_broker(self) -> None:
        """Do the open steps of login, accounts and market search at the broker, and record the successes."""
        for step in self.open_steps():
            try:
                if step is Step.LOGIN:
                    Accounts(self._context).login(force=True)
                    self.note(step, "logged in")
                elif step is Step.ACCOUNTS:
                    self.note(step, counted(len(Accounts(self._context).list().data.accounts), "account"))
                elif step is Step.MARKETS:
                    rows = Markets(self._context).search("gold", limit=1).data.markets
                    if not rows:
                        raise LiveLocked("A search for gold found no market.")
                    self.note(step, f"found {rows[0].epic}")
            except CapcliError as error:
                self._troubles[step] = f"{error.code}: {error.message}"

    def fields(self) -> tuple[tuple[str, str], ...]:
        """Return the fields of the latest demo preview with their meaning; empty without such a preview."""
        for record in self._context.journal.previews("demo", limit=_MANY):
            if host_kind(record.host) is self._kind and (found := sentences(record)):
                return found
        return ()

    def complete(self, *, pin: str, phrase: str, approval: Approval) -> None:
        """Unlock live on this computer, or change who approves there.

        Raises LiveLocked, PinMissing, PinWrong, NotConfirmed, JournalAltered, the Keychain errors: unchanged
        then.
        """
        left = [step.value for step in self.open_steps() if step is not Step.PHRASE]
        if left:
            raise LiveLocked(f"Still open: {', '.join(left)}. Live stays locked.", next=_COMMAND)
        self._pin.check(pin)
        if " ".join(phrase.split()) != PHRASES[approval]:
            raise NotConfirmed("That is not the phrase, so nothing was changed.", next=_COMMAND)
        if (altered := self._verification().verify().problem) is not None:
            raise JournalAltered(f"{altered.message} Live is unchanged.", next="capcli history verify")
        now = self._context.clock()
        done = {"profile": self._profile, "hosts": self._kind.value, "approval": approval.value}
        self._context.journal.note(None, KIND, at=now, detail=done | {"step": "complete"})
        self._keeper.save(Unlock(self._place.make(), now, approval))
