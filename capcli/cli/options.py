"""How arguments and options are declared, and those that several commands take."""

from typing import Annotated, Any

import typer
from msgspec import Struct


def argument(metavar: str, about: str | None = None) -> Any:
    return typer.Argument(metavar=metavar, help=about, show_default=False)


def option(about: str, metavar: str | None = "NUMBER", *names: str, **limits: Any) -> Any:
    """Declare an option with a value; named like its parameter unless a name is given."""
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


class ToolOptions(Struct, frozen=True):
    """Which tools a server for assistants offers, as typed."""

    read_only: Annotated[bool, flag("--read-only", "Only tools that change nothing at the broker.")] = False
    toolsets: Annotated[
        str | None, option("Only these toolsets, such as market,account; `mcp tools` names them.", "A,B")
    ] = None
