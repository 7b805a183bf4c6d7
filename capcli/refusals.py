"""What was not done: the one error of each reason, and one table of the broker's words for a refusal."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.account import OrderType
from capcli.domain.attempt import Answer, AttemptState
from capcli.domain.broker_codes import split_code
from capcli.domain.command_line import placed
from capcli.domain.commands import preview_command
from capcli.domain.money import NotANumber, parse_decimal, short
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest
from capcli.errors import BrokerRefused, CapcliError, Exit, RateLimited, SessionLost, Unreachable, kind_of

_RETRY_AFTER_S = 30
_TOO_MANY, _UNAUTHORISED = 429, 401
_FIXES = {Exit.LOGIN: "capcli login", Exit.CONFIG: "capcli health"}


def refusal(
    state: AttemptState,
    answer: Answer,
    name: str,
    unchanged: str,
    command: str,
    *,
    instead: str | None = None,
) -> CapcliError:
    """Return the error of a change that was certainly not made: `state` is one of NOTHING_DONE.

    `name` says what the change was, `unchanged` what stays as it is. `command` does it again; `instead` helps
    where that would be refused again.
    """
    reason = reason_of(answer)
    if state is AttemptState.NOT_SENT:
        # By its cause: the network where none is known.
        kind = kind_of(answer.error_code) or Unreachable
        limited = kind.exit_code is Exit.RATE_LIMITED
        wait = {"retry_after_s": answer.retry_after_s or RateLimited.after_login_s} if limited else {}
        message = f"Nothing was sent: {answer.detail.rstrip('.')}. {unchanged}".rstrip()
        return kind(message, next=_FIXES.get(kind.exit_code, command), **wait)
    name = f"{name[:1].lower()}{name[1:]}"
    if state is AttemptState.REFUSED and answer.status == _TOO_MANY:
        return RateLimited(
            f"Rate limit exceeded: {name} was refused without being processed. {unchanged} Wait"
            f" {_RETRY_AFTER_S} s.",
            next=command,
            retry_after_s=_RETRY_AFTER_S,
        )
    if state is AttemptState.REFUSED and answer.status == _UNAUTHORISED:
        return SessionLost(
            f"Session expired: {name} was refused without being processed ({reason}). {unchanged} Ask"
            f" again: it logs in.",
            next=command,
        )
    return BrokerRefused(
        f"The broker rejected it: {in_words(reason)}. {unchanged}",
        next=command if instead is None or is_passing(reason) else instead,
        broker_code=answer.error_code,
    )


def reason_of(answer: Answer) -> str:
    """Return the broker's code for a refusal, or a substitute."""
    return answer.error_code or answer.detail or "no reason given"


class Cure(StrEnum):
    """The fix for a refusal, which decides the next command."""

    AGAIN = "send it again"
    STOP = "a stop at the bound"
    LIMIT = "a limit at the bound"
    SIZE = "the size at the bound"
    GUARANTEE = "a guaranteed stop"
    NO_GUARANTEE = "no guaranteed stop"
    NO_TRAILING = "a stop that does not trail"
    NO_EXITS = "neither stop nor limit"
    NO_EXPIRY = "no expiry"
    MARKET = "look at the market's rules and hours"
    ACCOUNTS = "look at what is available"
    POSITIONS = "look at the open positions"
    ORDERS = "look at the working orders"
    SEARCH = "look for the market"
    HEALTH = "find out what is wrong with the account"


class Meaning(Struct, frozen=True):
    """A refusal of the broker: its text, its cure, and the wording of its bound."""

    says: str
    cure: Cure
    bound: str = ""


_HIGHER, _LOWER = "it must be {} or higher", "it must be {} or lower"
_FUNDS = Meaning("there is not enough available for the margin", Cure.ACCOUNTS)
_CLOSED = Meaning("the market is closed", Cure.MARKET)
_BUSY = Meaning("the broker is too busy to deal now", Cure.AGAIN)
_MOVED = Meaning("the price has moved away", Cure.AGAIN)
_NO_MARKET = Meaning("the broker has no such market for this account", Cure.SEARCH)
_NO_POSITION = Meaning("the broker has no such position", Cure.POSITIONS)
_NO_ORDER = Meaning("the broker has no such working order", Cure.ORDERS)
_NO_HEDGED_GSL = Meaning("guaranteed stops are not available in hedging mode", Cure.NO_GUARANTEE)
_WANTS_GSL = Meaning("this account or market demands a guaranteed stop", Cure.GUARANTEE)
_CLOSE_ONLY = Meaning("the market accepts only orders that close a position", Cure.POSITIONS)
_PAST = Meaning("the expiry is in the past", Cure.NO_EXPIRY)
_STEP = Meaning("a price is off the market's price step", Cure.MARKET)
_SIZE_STEP = Meaning("the size is off the market's size step", Cure.MARKET)
_TOO_LARGE = Meaning("the size is above the market's maximum", Cure.SIZE, _LOWER)
_TOO_SMALL = Meaning("the size is below the market's minimum", Cure.SIZE, _HIGHER)
_WRONG_SIDE = Meaning("a level lies on the wrong side of the price", Cure.MARKET)
_ACCOUNT = Meaning("the account is not allowed to trade", Cure.HEALTH)
_LIMITED = Meaning("the broker's limit for this market is reached", Cure.POSITIONS)
_REASONLESS = Meaning("the broker gives no further reason", Cure.MARKET)

# API page 4.2, 7, 18.6 and 18.7. An open set: other codes are shown as the broker sent them.
TABLE: Mapping[str, Meaning] = MappingProxyType(
    {
        "error.invalid.stoploss.minvalue": Meaning("the stop is too low", Cure.STOP, _HIGHER),
        "error.invalid.stoploss.maxvalue": Meaning("the stop is too high", Cure.STOP, _LOWER),
        "error.invalid.takeprofit.minvalue": Meaning("the limit is too low", Cure.LIMIT, _HIGHER),
        "error.invalid.takeprofit.maxvalue": Meaning("the limit is too high", Cure.LIMIT, _LOWER),
        "error.invalid.size.minvalue": _TOO_SMALL,
        "error.invalid.size.maxvalue": _TOO_LARGE,
        "error.invalid.size": _SIZE_STEP,
        "error.vallidation.guaranteed-stop-loss.required": _WANTS_GSL,
        "error.validation.limit.price": _STEP,
        "error.validation.stop.price": Meaning(
            "the order's level is too near the price, or on the wrong side of it", Cure.MARKET
        ),
        "error.not-in-future.goodTillDate": _PAST,
        "error.validation.goodtilldate.in.future": _PAST,
        "error.invalid.from": Meaning("the broker cannot read a date", Cure.HEALTH),
        "error.invalid.to": Meaning("the broker cannot read a date", Cure.HEALTH),
        "error.invalid.daterange": Meaning("the broker does not accept this date", Cure.NO_EXPIRY),
        "error.invalid.epic": _NO_MARKET,
        "error.not-found.epic": _NO_MARKET,
        "error.not-found.dealId": _NO_POSITION,
        "error.too-many.requests": Meaning("too many requests at once", Cure.AGAIN),
        "error.service.unavailable": _BUSY,
        "ACCOUNT_NOT_ENABLED_TO_TRADING": _ACCOUNT,
        "ACCOUNT_NOT_FOUND": _ACCOUNT,
        "CLOSED_MARKET": _CLOSED,
        "CLOSE_ONLY": _CLOSE_ONLY,
        "CLOSING_ONLY_TRADES_ACCEPTED_ON_THIS_MARKET": _CLOSE_ONLY,
        "ENGINE_BUSY": _BUSY,
        "GOOD_TILL_DATE_IN_THE_PAST": _PAST,
        "HEDGING_MODE_GSL": _NO_HEDGED_GSL,
        "INSTRUMENT_NOT_AVAILABLE": _NO_MARKET,
        "INSTRUMENT_NOT_FOUND": _NO_MARKET,
        "INSUFFICIENT_FUNDS": _FUNDS,
        "INVALID_ORDER": Meaning("the order is not valid", Cure.MARKET),
        "INVALID_ORDER_QTY": Meaning("the market does not accept this size", Cure.MARKET),
        "INVALID_PRICE": Meaning("the market does not accept this price", Cure.MARKET),
        "LEVEL_TOLERANCE_ERROR": _MOVED,
        "LIMIT_ORDER_WRONG_SIDE_OF_MARKET": _WRONG_SIDE,
        "LONG_ONLY": Meaning("the market accepts no orders that open a short position", Cure.POSITIONS),
        "MARGIN_ERROR": _FUNDS,
        "MARKET_CLOSED": _CLOSED,
        "MARKET_CLOSED_WITH_EDITS": _CLOSED,
        "MARKET_CLOSING": _CLOSED,
        "MARKET_OFFLINE": _CLOSED,
        "MAX_AUTO_SIZE_EXCEEDED": _TOO_LARGE,
        "MINIMUM_ORDER_SIZE_ERROR": _TOO_SMALL,
        "OFF_MARKET": _MOVED,
        "ORDER_NOT_FOUND": _NO_ORDER,
        "ORIGINAL_GSL_UPDATE": Meaning("a guaranteed stop cannot be changed like this now", Cure.POSITIONS),
        "POSITION_NOT_AVAILABLE_TO_CLOSE": _NO_POSITION,
        "POSITION_NOT_FOUND": _NO_POSITION,
        "RC_INSTRUMENT_CLIENT_MOP": _LIMITED,
        "RC_INSTRUMENT_GLOBAL_MOP": _LIMITED,
        "RC_NOT_ENOUGH_MARGIN": _FUNDS,
        "RC_NOT_FOUND": _REASONLESS,
        "RC_NO_RATES": Meaning("the broker has no price for the market now", Cure.MARKET),
        "RC_SETTLEMENT": Meaning("the market is being settled", Cure.MARKET),
        "RC_UNKNOWN": _REASONLESS,
        "REQUIRED_GSL": _WANTS_GSL,
        "RISK_CHECK": Meaning("its risk check refused the order, usually for lack of margin", Cure.ACCOUNTS),
        "SIZE_INCREMENT": _SIZE_STEP,
        "STOP_OR_LIMIT_NOT_ALLOWED": Meaning("this market accepts neither stop nor limit", Cure.NO_EXITS),
        "STOP_REQUIRED_ERROR": _WANTS_GSL,
        "THROTTLING": _BUSY,
        "TRAILING_STOP_NOT_ALLOWED": Meaning("this market does not accept trailing stops", Cure.NO_TRAILING),
        "UNKNOWN": _REASONLESS,
        "WRONG_SIDE_OF_MARKET": _WRONG_SIDE,
    }
)


def meaning_of(reason: str) -> tuple[Meaning | None, Decimal | None]:
    """Return what a refusal means, and the bound that the broker put behind its colon (API page 4.1)."""
    code, value = split_code(reason)
    try:
        bound = parse_decimal(value)
    except NotANumber:
        bound = None
    return TABLE.get(code), bound


def in_words(reason: str) -> str:
    """Return a refusal as a sentence with the broker's code; an unknown one unchanged."""
    meaning, bound = meaning_of(reason)
    if meaning is None:
        return reason
    bound_text = f": {meaning.bound.format(short(bound))}" if bound is not None and meaning.bound else ""
    return f"{meaning.says}{bound_text} ({reason})"


def page() -> str:
    """Return the table as a page of help."""
    lines = [
        "The broker's reasons for a refusal, what each means, and what is offered then.",
        "A code that is not listed is shown in the broker's own words.",
        "",
    ]
    for code, meaning in TABLE.items():
        bound = f"; {meaning.bound.format('N')}" if meaning.bound else ""
        lines += [
            f"{code}{': N' if meaning.bound else ''}",
            f"    {meaning.says}{bound}",
            f"    {meaning.cure.value}",
        ]
    return "\n".join(lines)


_LOOKS = {
    Cure.ACCOUNTS: "capcli accounts",
    Cure.POSITIONS: "capcli positions",
    Cure.ORDERS: "capcli orders",
    Cure.HEALTH: "capcli health",
}


def command_after(reason: str, request: OrderRequest, order_type: OrderType | None) -> str:
    """Return the command that would work after a refused order: changed as the broker asks, or a look."""
    meaning, bound = meaning_of(reason)
    if meaning is None:
        return f"capcli markets show {request.epic}"
    if meaning.cure in _LOOKS:
        return _LOOKS[meaning.cure]
    if meaning.cure is Cure.SEARCH:
        return f"capcli markets search {request.epic}"
    changed = _cured(meaning.cure, request, bound)
    return f"capcli markets show {request.epic}" if changed is None else preview_command(changed, order_type)


def _cured(cure: Cure, request: OrderRequest, bound: Decimal | None) -> OrderRequest | None:
    """Return the order as the broker would accept it; None if unknown."""
    trigger, known = request.trigger, bound is not None
    at_bound = ExitOrder(ExitForm.LEVEL, bound or Decimal(0))
    bare = {"stop": None, "limit": None, "trailing": False, "guaranteed": False}
    changes: dict[Cure, tuple[bool, dict[str, Any]]] = {
        Cure.AGAIN: (True, {}),
        Cure.STOP: (known and not request.trailing, {"stop": at_bound}),
        Cure.LIMIT: (known, {"limit": at_bound}),
        Cure.SIZE: (known, {"size": bound}),
        Cure.GUARANTEE: (request.stop is not None, {"guaranteed": True, "trailing": False}),
        Cure.NO_GUARANTEE: (request.guaranteed, {"guaranteed": False}),
        Cure.NO_TRAILING: (request.trailing, {"trailing": False}),
        Cure.NO_EXITS: (bool(request.stop or request.limit), bare),
        Cure.NO_EXPIRY: (
            bool(trigger and trigger.good_till),
            {"trigger": trigger and replace(trigger, good_till=None)},
        ),
    }
    possible, change = changes.get(cure, (False, {}))
    changed = replace(request, **change)
    return changed if possible and (changed != request or cure is Cure.AGAIN) else None


def bounded_exit(reason: str) -> str | None:
    """Return the option with a stop or a limit at a refusal's bound; None without a bound."""
    meaning, bound = meaning_of(reason)
    name = {Cure.STOP: "stop", Cure.LIMIT: "limit"}.get(meaning.cure) if meaning else None
    return f"--{name} {short(bound)}" if name and bound is not None else None


def is_passing(reason: str) -> bool:
    """Whether the same request is likely to work in a moment."""
    meaning, _ = meaning_of(reason)
    return meaning is not None and meaning.cure is Cure.AGAIN


def name_env(error: CapcliError, command: str, last: str | None) -> CapcliError:
    """Say which environment to name, and that nothing was sent to a guessed one."""
    used = f" ({last} was used last)" if last and "last" not in error.details else ""
    names = " or ".join(f"--env {env}" for env in ((last, "paper") if last else ("paper", "demo", "live")))
    error.message = f"{error.message} Name it{used}: {names}. Nothing was sent."
    # A person must choose: a command to copy could act on the wrong account.
    error.next = placed(command, "--env", "ENV")
    return error
