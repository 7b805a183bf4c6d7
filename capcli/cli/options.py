"""How arguments and options are declared, and those that several commands take."""

from typing import Annotated, Any

import typer
from msgspec import Struct


def argument(metavar: str, about: str | None = None) -> Any:
    return typer.Argument(metavar=metavar, help=about, show_default=False)


def option(about: str, metavar: str | None = "NUMBER", *names: str, **limits: Any) -> Any:
    """Declare an option with a value; it is named as its parameter where no name is given."""
    return typer.Option(*names, metavar=metavar, help=about, **limits)


def flag(name: str, about: str) -> Any:
    return typer.Option(name, help=about)


def confirmation(about: str) -> Any:
    return typer.Option("--confirm", "--yes", help=about)


Epic = Annotated[str, argument("EPIC", "Market, as in `capcli markets search`.")]
Deal = Annotated[str, argument("DEAL", "Deal id; on a terminal its number or its epic, too.")]
DealOrAll = Annotated[str | None, argument("DEAL", "Deal id; on a terminal its number or its epic, too.")]
Risk = Annotated[str | None, option("Work the size out from the loss at the stop: 1% or 100USD.", "1%")]
Stop = Annotated[str | None, option("Stop at this price, or 2% from the entry.", "LEVEL")]
StopDistance = Annotated[str | None, option("Stop this far from the price.")]
Limit = Annotated[str | None, option("Take profit at this price, or 4% from the entry.", "LEVEL")]
LimitDistance = Annotated[str | None, option("Take profit this far from the price.")]
Trailing = Annotated[bool, flag("--trailing", "The stop follows the price.")]
Guaranteed = Annotated[bool, flag("--guaranteed", "Guaranteed stop: it fills at its level, for a fee.")]
Note = Annotated[str | None, option("Stored with the order, on this computer only.", "TEXT")]
Tag = Annotated[str | None, option("A word to count trades by.", "WORD")]
Explain = Annotated[bool, flag("--explain", "Explain each field in a sentence.")]
IdOnly = Annotated[bool, flag("--id-only", "Print the preview's id alone, for a script.")]
Confirm = Annotated[bool, confirmation("Send it without a question.")]
Last = Annotated[str | None, option("How far back: 90m, 24h, 7d, 2w.", "SPAN")]
From = Annotated[str | None, option("From this time (UTC).", "TIME", "--from")]
To = Annotated[str | None, option("To this time (UTC).", "TIME", "--to")]
ForSeconds = Annotated[str | None, option("Stop after seconds, or 5m, 2h.", "TIME", "--for")]


class OrderOptions(Struct, frozen=True):
    """The options of an order besides its size, as typed, for every command that makes one."""

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
    note: Note = None
    tag: Tag = None
    explain: Explain = False


class ToolOptions(Struct, frozen=True):
    """Which tools a server for assistants offers, as typed."""

    read_only: Annotated[bool, flag("--read-only", "Only tools that change nothing at the broker.")] = False
    toolsets: Annotated[
        str | None, option("Only these toolsets, such as market,account; `mcp tools` names them.", "A,B")
    ] = None
