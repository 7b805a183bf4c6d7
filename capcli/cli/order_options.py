"""The options of an order, once for every command that makes one."""

import re
from collections.abc import Mapping
from decimal import Decimal
from shlex import join
from typing import Annotated, Any

import typer

from capcli.cli import inputs
from capcli.cli.inputs import above_zero, exit_order, instant
from capcli.domain.account import OrderType
from capcli.domain.market import Side
from capcli.domain.market_names import NAMES, epics_for
from capcli.domain.order import OrderRequest, Trigger
from capcli.domain.risk import ONE_UNIT, Risk
from capcli.errors import UsageError

_NUMBER = re.compile(r"\d+(\.\d+)?")


def _option(text: str, metavar: str = "NUMBER", name: str | None = None) -> Any:
    return typer.Option(*([name] if name else []), help=text, metavar=metavar)


Epic = Annotated[str, typer.Argument(metavar="EPIC", help="Market, as in `capcli markets search`.")]
RiskOption = Annotated[
    str | None, _option("Work the size out from the loss at the stop: 1% or 100USD.", "1%")
]
Stop = Annotated[str | None, _option("Stop at this price, or 2% from the entry.", "LEVEL")]
StopDistance = Annotated[str | None, _option("Stop this far from the price.")]
StopAmount = Annotated[str | None, _option("Stop at this loss.")]
Limit = Annotated[str | None, _option("Take profit at this price, or 4% from the entry.", "LEVEL")]
LimitDistance = Annotated[str | None, _option("Take profit this far from the price.")]
LimitAmount = Annotated[str | None, _option("Take profit at this gain.")]
Trailing = Annotated[bool, typer.Option("--trailing", help="The stop follows the price.")]
Guaranteed = Annotated[
    bool, typer.Option("--guaranteed", help="Guaranteed stop: it fills at its level, for a fee.")
]
At = Annotated[str | None, _option("A working order at this price.", "LEVEL")]
Type = Annotated[str | None, _option("How --at works.", "limit|stop", "--type")]
GoodTill = Annotated[str | None, _option("When --at ends (UTC).", "TIME")]
Note = Annotated[str | None, _option("Stored with the order, on this computer only.", "TEXT")]
Tag = Annotated[str | None, _option("A word to count trades by.", "WORD")]
Explain = Annotated[bool, typer.Option("--explain", help="Explain each field in a sentence.")]


def order_of(given: Mapping[str, Any], side: Side, command: str) -> tuple[OrderRequest, Risk | None]:
    """Read an order from the options of a command line. Raises UsageError."""
    risk, size = given["risk"], given["size"]
    request = OrderRequest(
        epic=given["epic"],
        side=side,
        size=_size(given["epic"], size, risk, command),
        stop=exit_order("stop", given["stop"], given["stop_distance"], given["stop_amount"]),
        limit=exit_order("limit", given["limit"], given["limit_distance"], given["limit_amount"]),
        trailing=given["trailing"],
        guaranteed=given["guaranteed"],
        trigger=_trigger(given["at"], given["type_"], given["good_till"], command),
        note=inputs.note(given["note"]),
        tag=inputs.tag(given["tag"]),
    )
    return request, None if risk is None else inputs.risk(risk)


def _size(epic: str, size: str | None, risk: str | None, command: str) -> Decimal:
    """Return the size, or one unit where the risk is to decide it. Raises UsageError."""
    option = "--size" if command == "preview" else "SIZE"
    if (size is None) is (risk is None):
        if size is None:
            raise _sizeless(epic, command, option)
        raise UsageError(
            f"Both {option} and --risk are given: name one of them, the units or the share of the equity to "
            "risk.",
            next=f"capcli {command} --help",
        )
    if size is None:
        inputs.risk(risk or "")
        return ONE_UNIT
    hint = "; to sell, add --sell, the size stays positive" if command == "preview" else ""
    return above_zero(option, size, hint)


def _sizeless(epic: str, command: str, option: str) -> UsageError:
    """Return the error of an order without a size; a number alone is the size of one without a market."""
    number = _NUMBER.fullmatch(epic)
    usual = next((one for one in epics_for(epic) if one in NAMES.values()), epic)
    named, size = ("EPIC", epic) if number else (usual, "SIZE")
    suggestion = [named, *(["--size"] if command == "preview" else []), size]
    lacking = "No market is" if number else f"Neither {option} nor --risk is"
    rest = "a market and a size" if number else "one of them, the units or the share of the equity to risk"
    return UsageError(
        f"{lacking} given: name {rest}.",
        next=f"capcli {command} {join(suggestion)}",
        typed=epic,
        suggestion=suggestion,
    )


def _trigger(at: str | None, type_: str | None, good_till: str | None, command: str) -> Trigger | None:
    following = f"capcli {command} --help"
    if at is None:
        for option, given in (("--type", type_), ("--good-till", good_till)):
            if given is not None:
                raise UsageError(
                    f"{option} belongs to a working order: give its level with --at.", next=following
                )
        return None
    return Trigger(above_zero("--at", at), _order_type(type_, following), instant("--good-till", good_till))


def _order_type(text: str | None, following: str) -> OrderType | None:
    if text is None:
        return None
    try:
        return OrderType(text.upper())
    except ValueError:
        raise UsageError(
            f"--type is {text[:60]!a}. Allowed: limit (a better price), stop (a worse one).", next=following
        ) from None
