"""Account settings (hedging, leverage) and play money. A change is sent once and read back."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import TypeVar

from msgspec import Struct, field

from capcli.context import Context
from capcli.domain.account import Account, Preferences
from capcli.domain.approval import ApprovalRequest
from capcli.domain.attempt import NOTHING_DONE, Answer, Delivery, classify
from capcli.domain.command_line import placed
from capcli.domain.fields import with_fields_of
from capcli.domain.money import EXACT, plain, short
from capcli.domain.numbers import counted
from capcli.errors import (
    BrokerRefused,
    CapcliError,
    ChangeUnseen,
    ChecksFailed,
    DemoOnly,
    Exit,
    OrderNotConfirmed,
    Problem,
    UsageError,
)
from capcli.ports import Request
from capcli.reconcile.deal_account import active_account
from capcli.reconcile.readback import require_account
from capcli.refusals import refusal
from capcli.reply import Reply, about
from capcli.safety.approval_text import request_text
from capcli.safety.halt import refuse_while_halted
from capcli.safety.trading_gate import require_trading
from capcli.trading.mutation import READ_BACK_DELAYS_S

MOST = Decimal(400000)
_READ = "capcli accounts preferences"
_LIMITS = (
    "Documented limits: from -400,000 to 400,000 at a time (below 0 withdraws), at most 100,000 on the "
    "account afterwards, 100 a day."
)

T = TypeVar("T")


class LeverageRow(Struct, frozen=True):
    """The leverage of a class of markets, and what may be chosen. 20 asks for a margin of 5 % at least."""

    market_class: str
    current: Decimal
    available: tuple[Decimal, ...]


class PreferencesShown(Struct, frozen=True):
    """Hedging mode and leverages of the active account."""

    hedging_mode: bool
    leverages: tuple[LeverageRow, ...]


class PreferencesSet(PreferencesShown, frozen=True):
    """The preferences as they were read back after a change; `sent` is false when there was none to make."""

    sent: bool
    retry_safe: bool
    sentence: str


class ToppedUp(Struct, frozen=True):
    """The account after a top-up, as it was read back. Amounts in `currency`."""

    amount: Decimal
    currency: str
    cash_before: Decimal
    cash: Decimal
    available: Decimal
    retry_safe: bool
    sentence: str


class Wanted(Struct, frozen=True):
    """The wanted changes; None and classes that are not named stay as they are."""

    hedging: bool | None = None
    leverages: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def command(self) -> str:
        hedging = "" if self.hedging is None else f" --hedging {_on(self.hedging)}"
        leverages = (f" --leverage {name}={short(each)}" for name, each in sorted(self.leverages.items()))
        return "".join(("capcli accounts preferences", hedging, *leverages))

    def seen_in(self, preferences: Preferences) -> bool:
        """Say whether preferences are as wanted."""
        same = all(preferences.leverage(name) == value for name, value in self.leverages.items())
        return same and self.hedging in {None, preferences.hedging}


class _Words(Struct, frozen=True):
    """The words for one of these changes: its name, what stays if it is refused, and two commands."""

    name: str
    unchanged: str
    command: str
    read: str


class AccountChanges:
    """Reads and sets preferences, and moves play money."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def preferences(self) -> Reply[PreferencesShown]:
        """Return hedging mode and leverages of the active account, as the broker has them now."""
        found = self._context.broker.preferences()
        return Reply(PreferencesShown(found.hedging, _rows(found)), self._context.broker.account_id)

    def question(self, wanted: Wanted) -> str:
        """Return what a person is asked before a change of the preferences there are. Raises ChecksFailed."""
        found = self._context.broker.preferences()
        _check(wanted, found)
        return self._question(
            "Change preferences", _effects(wanted, found), self._context.broker.account_id or ""
        )

    def top_up_question(self, amount: Decimal) -> str:
        """Return what a person is asked before play money is moved."""
        before = self._account(self._context.broker.session().account_id)
        return self._question(_top_up_words(amount, before), "", before.account_id)

    def _question(self, what: str, effects: str, account_id: str) -> str:
        return request_text(what, filter(None, (effects,)), self._context.env, account_id)

    def prefer(self, wanted: Wanted, *, confirmed: bool) -> Reply[PreferencesSet]:
        """Set preferences, once, and read them back.

        Raises UsageError, TradingOff, LiveLocked, ChecksFailed, NotConfirmed, Busy, BrokerRefused and what a
        read raises: nothing changed. Problem PREFERENCES_UNKNOWN when they do not read as asked.
        """
        require_trading(self._context.policy, "The change of preferences")
        if wanted == Wanted():
            raise UsageError("Name what is to change.", next="capcli accounts preferences --help")
        account_id = self._context.broker.session().account_id
        with about(account_id), self._context.lock(self._context.env, self._context.broker.host, account_id):
            before = self._preferences_of(account_id)
            _check(wanted, before)
            refuse_while_halted(self._context.halt, "The change of preferences")
            if wanted.seen_in(before):
                same = "Nothing to change: it is set that way already. Nothing was sent."
                return _set(before, account_id, same)
            effects = _effects(wanted, before)
            self._confirm(effects, f"{wanted.command} --confirm", confirmed=confirmed)
            return self._prefer(wanted, account_id, effects)

    def _prefer(self, wanted: Wanted, account_id: str, effects: str) -> Reply[PreferencesSet]:
        words = _Words("The change of preferences", "The preferences are as before.", wanted.command, _READ)
        text = self._question("Change preferences", effects, account_id)
        request = self._context.broker.requests.set_preferences(wanted.hedging, wanted.leverages)
        answer = self._send(request, account_id, text)
        self._context.broker.forget_preferences()
        self._require_taken(answer, words, lambda: self._why_not(wanted))
        now = self._seen(words, answer, partial(self._preferences_of, account_id), wanted.seen_in)
        if wanted.seen_in(now):
            return _set(now, account_id, f"{_lead(answer)} {effects}", sent=True)
        leverages = "".join(f", {name} {short(one.current)}" for name, one in now.leverages.items())
        message = (
            f"The change of preferences was sent, but the account shows something else ({_detail(answer)}). "
            f"Now: hedging {_on(now.hedging)}{leverages}. Setting them again is safe."
        )
        code, exit_code = "PREFERENCES_UNKNOWN", int(Exit.MAY_BE_LIVE)
        problem = Problem(code, message, exit_code, next=_READ, retry_safe=True, assistant_error=False)
        return _set(now, account_id, message, problem, sent=True)

    def _preferences_of(self, account_id: str) -> Preferences:
        """Read the preferences of an account: another program may have moved the session to another one.

        Raises UnreadableAnswer there.
        """
        found = self._context.broker.preferences()
        require_account(self._context.broker, account_id, _READ)
        return found

    def _why_not(self, wanted: Wanted) -> str:
        """Explain a refusal: hedging does not switch while positions are open (seen)."""
        if wanted.hedging is None:
            return ""
        with suppress(CapcliError):
            if count := len(self._context.broker.positions()):
                return f"{counted(count, 'position')} open: hedging switches only while none is. "
        return ""

    def top_up(self, amount: Decimal, *, confirmed: bool) -> Reply[ToppedUp]:
        """Move play money on the active account, in its currency, once; an amount below 0 withdraws.

        Raises DemoOnly on live, UsageError, TradingOff, NotConfirmed, Busy, BrokerRefused and what a read
        raises: nothing changed. Problem TOPUP_UNKNOWN when the cash does not show it.
        """
        if self._context.policy.env == "live":
            raise DemoOnly(
                f"Money is topped up here on demo and paper only. Nothing was sent. {_LIMITS}",
                next=placed(top_up_command(amount), "--env", "demo"),
            )
        if amount == 0 or abs(amount) > MOST:
            raise UsageError(
                f"The amount is {plain(amount)}. {_LIMITS}",
                "Nothing was sent.",
                next="capcli accounts topup --help",
            )
        require_trading(self._context.policy, "The top-up")
        account_id = self._context.broker.session().account_id
        with about(account_id), self._context.lock(self._context.env, self._context.broker.host, account_id):
            before = self._account(account_id)
            what = _top_up_words(amount, before)
            self._confirm(f"{what}.", top_up_command(amount, confirm=True), confirmed=confirmed)
            return self._top_up(amount, before, what)

    def _top_up(self, amount: Decimal, before: Account, what: str) -> Reply[ToppedUp]:
        unchanged, command = f"The money is as before. {_LIMITS}", top_up_command(amount)
        words = _Words("The top-up", unchanged, command, "capcli accounts")
        text = self._question(what, "", before.account_id)
        answer = self._send(self._context.broker.requests.top_up(amount), before.account_id, text)
        self._require_taken(answer, words, lambda: "")
        wanted = EXACT.add(before.cash, amount)
        read = partial(self._account, before.account_id)
        now = self._seen(words, answer, read, lambda account: account.cash == wanted)
        if now.cash == wanted:
            sentence = f"{_lead(answer)} {_moved(amount, before, 'Put', 'Took')}: {now.cash:,f} now."
            return _topped(amount, before, now, sentence)
        sentence = (
            f"The top-up was sent, but the cash balance does not show it ({_detail(answer)}): it was "
            f"{before.cash:,f} {before.currency} and is {now.cash:,f} now. Check again before you repeat it."
        )
        return _topped(amount, before, now, sentence, done=False)

    def _account(self, account_id: str) -> Account:
        return active_account(self._context.broker.accounts(), account_id)

    def _confirm(self, effects: str, command: str, *, confirmed: bool) -> None:
        if confirmed or not self._context.confirmation_needed:
            return
        raise OrderNotConfirmed(
            f"Not confirmed, so nothing was sent to {self._context.policy.env}. It would do this: {effects}",
            next=command,
        )

    def _send(self, request: Request, account_id: str, text: str) -> Answer:
        """Send once; the request and its answer are recorded as events in the journal."""
        context = self._context
        method, path, body = request
        context.rehearse(request, account_id)
        permit = context.approvals.permit(
            ApprovalRequest(
                kind="ACCOUNT",
                subject=path,
                env=context.env,
                host=context.broker.host,
                account_id=account_id,
                method=method,
                path=path,
                body=body,
                text=text,
            )
        )
        self._context.send_gate.ask()
        sent = {"account_id": account_id, "method": method, "path": path, "body": body.decode()}

        def ready() -> None:
            self._context.send_gate.go(path)
            context.journal.note(None, "account_change", at=context.clock(), detail=sent, permit=permit)

        answer = context.broker.send(*request, account_id=account_id, ready=ready)
        received = {
            "delivery": answer.delivery.value,
            "status": answer.status,
            "error_code": answer.error_code,
        }
        with suppress(CapcliError):
            # It was sent: a journal failure now must not read as "nothing was sent".
            context.journal.note(None, "account_change_answer", at=context.clock(), detail=sent | received)
        return answer

    def _require_taken(self, answer: Answer, words: _Words, why: Callable[[], str]) -> None:
        """Raise if nothing changed: never sent, or refused by the broker."""
        if (state := classify(answer)) not in NOTHING_DONE:
            return
        error = refusal(state, answer, words.name, words.unchanged, words.command)
        if isinstance(error, BrokerRefused):
            error = refusal(state, answer, words.name, f"{why()}{words.unchanged}", words.command)
        raise error

    def _seen(self, words: _Words, answer: Answer, read: Callable[[], T], done: Callable[[T], bool]) -> T:
        """Read back a few times until it is as asked. Raises ChangeUnseen when it could not be read."""
        found, why = None, ""
        for pause in READ_BACK_DELAYS_S:
            self._context.sleep(pause)
            try:
                found = read()
            except CapcliError as error:
                why = error.message.rstrip(".")
            if found is not None and done(found):
                break
        if found is None:
            raise ChangeUnseen(
                f"{words.name} was sent ({_detail(answer)}), and the result could not be read ({why}). "
                "Check before you repeat it.",
                next=words.read,
            )
        return found


def _check(wanted: Wanted, found: Preferences) -> None:
    """Refuse a class or a leverage that the broker does not offer. Raises ChecksFailed."""
    for name, value in wanted.leverages.items():
        offered = found.leverages.get(name)
        if offered is None:
            listed = ", ".join(sorted(found.leverages))
            message = f"This account has no class {name}; it has {listed}. Nothing was sent."
            raise ChecksFailed(message, next=_READ, failed=["class"])
        if value not in offered.available:
            allowed = ", ".join(map(short, offered.available))
            message = f"The leverage of {name} is one of {allowed}, not {short(value)}. Nothing was sent."
            raise ChecksFailed(message, next=_READ, failed=["leverage"])


def _effects(wanted: Wanted, before: Preferences) -> str:
    """Describe what a change does to margin and to opposite deals."""
    effects = []
    for name, value in sorted(wanted.leverages.items()):
        now = before.leverages[name].current
        if value != now:
            effects.append(
                f"{name} leverage {short(now)} -> {short(value)}: a new deal there needs a margin of at "
                f"least {_share(value)} instead of {_share(now)}."
            )
    if wanted.hedging is not None and wanted.hedging is not before.hedging:
        effects.append(
            "Hedging on: opposite positions in a market stay open side by side, each with its own margin;"
            " guaranteed stops are not available."
            if wanted.hedging
            else "Hedging off: an opposite order closes older positions first, and opens no second one."
        )
    return " ".join(effects)


def _share(leverage: Decimal) -> str:
    if leverage <= 0:
        return "an unknown share"
    return f"{short(EXACT.divide(Decimal(100), leverage).quantize(Decimal('0.01')))} %"


def _rows(preferences: Preferences) -> tuple[LeverageRow, ...]:
    return tuple(LeverageRow(name, one.current, one.available) for name, one in preferences.leverages.items())


def _on(value: bool) -> str:
    return "on" if value else "off"


def _lead(answer: Answer) -> str:
    clear = answer.delivery is Delivery.ANSWERED
    return "Done." if clear else "The broker's answer was lost, but the account shows that it was done."


def _detail(answer: Answer) -> str:
    return answer.detail.rstrip(".") or "no clear answer"


def top_up_command(amount: Decimal, *, confirm: bool = False) -> str:
    """Return the command that moves this amount; a negative amount follows `--`."""
    words = ["capcli accounts topup", *["--confirm"] * confirm, *["--"] * (amount < 0), plain(amount)]
    return " ".join(words)


def _top_up_words(amount: Decimal, before: Account) -> str:
    return f"{_moved(amount, before, 'Puts', 'Takes')}, of which there are {before.cash:,f} now"


def _moved(amount: Decimal, account: Account, put: str, take: str) -> str:
    verb, where = (put, "on") if amount > 0 else (take, "off")
    return f"{verb} {abs(amount):,f} {account.currency} of practice money {where} {account.account_id}"


def _set(
    now: Preferences, account_id: str, sentence: str, problem: Problem | None = None, *, sent: bool = False
) -> Reply[PreferencesSet]:
    done = PreferencesSet(now.hedging, _rows(now), sent, retry_safe=True, sentence=sentence)
    return Reply(done, account_id, problem)


def _topped(
    amount: Decimal, before: Account, now: Account, sentence: str, *, done: bool = True
) -> Reply[ToppedUp]:
    facts = {"amount": amount, "cash_before": before.cash, "retry_safe": False, "sentence": sentence}
    problem = Problem(
        "TOPUP_UNKNOWN", sentence, int(Exit.MAY_BE_LIVE), next="capcli accounts", assistant_error=False
    )
    return Reply(with_fields_of(now, ToppedUp, **facts), now.account_id, None if done else problem)
