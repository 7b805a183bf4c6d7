"""Reads an order from the options of a command."""

import re
from decimal import Decimal
from shlex import join
from typing import Annotated

from msgspec import Struct

from capcli.cli import inputs
from capcli.cli.inputs import above_zero, exit_order, instant
from capcli.cli.options import (
    Explain,
    Guaranteed,
    Limit,
    LimitDistance,
    Note,
    Stop,
    StopDistance,
    Tag,
    Trailing,
    option,
)
from capcli.domain.account import OrderType
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.market_names import NAMES, epics_for
from capcli.domain.order import OrderRequest, OrderTerms, Trigger
from capcli.domain.risk import ONE_UNIT, Risk
from capcli.errors import UsageError

_NUMBER = re.compile(r"\d+(\.\d+)?")


class TermOptions(Struct, frozen=True, kw_only=True):
    """The options that `propose` takes as well."""

    note: Note = None
    tag: Tag = None


class _Levels(TermOptions, frozen=True):
    """Where an order opens and ends."""

    stop: Stop = None
    stop_distance: StopDistance = None
    stop_amount: Annotated[str | None, option("Stop at this loss.")] = None
    limit: Limit = None
    limit_distance: LimitDistance = None
    limit_amount: Annotated[str | None, option("Take profit at this gain.")] = None
    trailing: Trailing = False
    guaranteed: Guaranteed = False
    at: Annotated[str | None, option("A working order at this price.", "LEVEL")] = None
    type_: Annotated[str | None, option("How --at works.", "limit|stop", "--type")] = None
    good_till: Annotated[str | None, option("When --at ends (UTC).", "TIME")] = None


class OrderOptions(_Levels, frozen=True, kw_only=True):
    """The options of an order besides its size, as typed."""

    explain: Explain = False


def terms_of(given: TermOptions) -> OrderTerms:
    """Return the terms that were typed. Raises UsageError."""
    return OrderTerms(note=inputs.note(given.note), tag=inputs.tag(given.tag))


def order_of(
    epic: str, size: str | None, risk: str | None, given: OrderOptions, *, side: Side, command: str
) -> tuple[OrderRequest, Risk | None]:
    """Return the order as typed, and the risk that decides its size. Raises UsageError."""
    request = with_fields_of(
        terms_of(given),
        OrderRequest,
        epic=epic,
        side=side,
        size=_size(epic, size, risk, command),
        stop=exit_order("stop", given.stop, given.stop_distance, given.stop_amount),
        limit=exit_order("limit", given.limit, given.limit_distance, given.limit_amount),
        trailing=given.trailing,
        guaranteed=given.guaranteed,
        trigger=_trigger(given),
    )
    return request, None if risk is None else inputs.risk(risk)


def _size(epic: str, size: str | None, risk: str | None, command: str) -> Decimal:
    """Return the size, or one unit if the risk decides it. Raises UsageError."""
    option = "--size" if command == "preview" else "SIZE"
    if size is not None and risk is not None:
        raise UsageError(
            f"Both {option} and --risk are given: name one of them, the units or the share of the equity to "
            "risk."
        )
    if size is not None:
        hint = "; to sell, add --sell, the size stays positive" if command == "preview" else ""
        return above_zero(option, size, hint)
    if risk is not None:
        inputs.risk(risk)
        return ONE_UNIT
    # A number alone is the size of an order without a market.
    number = _NUMBER.fullmatch(epic)
    usual = next((one for one in epics_for(epic) if one in NAMES.values()), epic)
    named, units = ("EPIC", epic) if number else (usual, "SIZE")
    suggestion = [named, *(["--size"] if command == "preview" else []), units]
    lacking = "No market is" if number else f"Neither {option} nor --risk is"
    rest = "a market and a size" if number else "one of them, the units or the share of the equity to risk"
    raise UsageError(
        f"{lacking} given: name {rest}.",
        next=f"capcli {command} {join(suggestion)}",
        typed=epic,
        suggestion=suggestion,
    )


def _trigger(given: OrderOptions) -> Trigger | None:
    """Return what makes it a working order. Raises UsageError."""
    if given.at is None:
        for option, value in (("--type", given.type_), ("--good-till", given.good_till)):
            if value is not None:
                raise UsageError(f"{option} belongs to a working order: give its level with --at.")
        return None
    level = above_zero("--at", given.at)
    text = given.type_ or ""
    try:
        kind = OrderType(text.upper()) if given.type_ is not None else None
    except ValueError:
        raise UsageError(
            f"--type is {text[:60]!a}. Allowed: limit (a better price), stop (a worse one)."
        ) from None
    return Trigger(level, kind, instant("--good-till", given.good_till))
