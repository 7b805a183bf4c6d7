"""`capcli preview`: an order on paper before it is an order at the broker."""

from decimal import Decimal
from typing import Annotated

import typer

from capcli.cli import inputs
from capcli.cli.inputs import above_zero, instant, leg
from capcli.cli.run import finish
from capcli.cli.tree import command, new_app
from capcli.domain.account import OrderType
from capcli.domain.market import Side
from capcli.domain.order import OrderRequest, Trigger
from capcli.domain.risk import ONE_UNIT
from capcli.errors import UsageError

app = new_app()
_EXAMPLE = (
    "capcli preview SILVER --size 1.5 --stop 24.50\n"
    "capcli preview GOLD --size 0.1 --sell --stop-distance 15 --limit-distance 30 --explain\n"
    "capcli preview EURUSD --size 1000 --at 1.05 --type limit --good-till 2026-12-31\n"
    "capcli preview SILVER --risk 1% --stop 24.50\n"
    "id=$(capcli preview SILVER --size 1 --quiet)"
)


def _option(text: str, metavar: str = "NUMBER") -> object:
    return typer.Option(help=text, metavar=metavar)


@command(app, "preview", example=_EXAMPLE)
def preview(
    ctx: typer.Context,
    epic: Annotated[str, typer.Argument(metavar="EPIC", help="Market, as in `capcli markets search`.")],
    *,
    size: Annotated[str | None, _option("Units of the market.")] = None,
    risk: Annotated[str | None, _option("Or the size whose loss at the stop is that much.", "1%")] = None,
    sell: Annotated[bool, typer.Option("--sell", help="Sell instead of buy.")] = False,
    stop: Annotated[str | None, _option("Stop at this price.", "LEVEL")] = None,
    stop_distance: Annotated[str | None, _option("Stop this far from the price.")] = None,
    stop_amount: Annotated[str | None, _option("Stop at this loss.")] = None,
    limit: Annotated[str | None, _option("Take profit at this price.", "LEVEL")] = None,
    limit_distance: Annotated[str | None, _option("Take profit this far from the price.")] = None,
    limit_amount: Annotated[str | None, _option("Take profit at this gain.")] = None,
    trailing: Annotated[bool, typer.Option("--trailing", help="The stop follows the price.")] = False,
    guaranteed: Annotated[bool, typer.Option("--guaranteed", help="The stop fills at its level.")] = False,
    at: Annotated[str | None, _option("A working order at this price.", "LEVEL")] = None,
    type_: Annotated[str | None, typer.Option("--type", metavar="limit|stop", help="How --at works.")] = None,
    good_till: Annotated[str | None, _option("When --at ends (UTC).", "TIME")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Each field in a sentence.")] = False,
) -> None:
    """Show what an order would be, with every check; sends nothing.

    The order is a BUY at market unless --sell or --at says otherwise. The preview gets an id that
    `capcli execute` sends once, within 120 s. With --quiet only that id is printed.
    """
    from capcli.services.previews import Preview

    request = OrderRequest(
        epic=epic,
        side=Side.SELL if sell else Side.BUY,
        size=_size(epic, size, risk),
        stop=leg("stop", stop, stop_distance, stop_amount),
        limit=leg("limit", limit, limit_distance, limit_amount),
        trailing=trailing,
        guaranteed=guaranteed,
        trigger=_trigger(at, type_, good_till),
    )
    call = ctx.find_root().obj
    call.check_form(Preview)
    application = call.build()
    call.note_default(application)
    reply = application.previews.preview(request, risk=None if risk is None else inputs.risk(risk))
    if call.options.quiet and not call.json:
        call.outlet.result(f"{reply.data.preview_id}\n")
        if reply.problem:
            call.complain(reply.problem)
        raise typer.Exit(reply.exit_code)
    finish(call, reply, application.env, explain=explain)


def _size(epic: str, size: str | None, risk: str | None) -> Decimal:
    """Return the size, or one unit where the risk is to decide it. Raises UsageError."""
    if (size is None) is (risk is None):
        given = "Neither --size nor --risk is" if size is None else "Both --size and --risk are"
        raise UsageError(
            f"{given} given: name one of them, the units or the share of the equity to risk.",
            next=f"capcli preview {epic} --size 1" if size is None else "capcli preview --help",
        )
    if size is None:
        inputs.risk(risk or "")
        return ONE_UNIT
    return above_zero("--size", size, "; to sell, add --sell, the size stays positive")


def _trigger(at: str | None, type_: str | None, good_till: str | None) -> Trigger | None:
    if at is None:
        for option, given in (("--type", type_), ("--good-till", good_till)):
            if given is not None:
                raise UsageError(
                    f"{option} belongs to a working order: give its level with --at.",
                    next="capcli preview --help",
                )
        return None
    return Trigger(above_zero("--at", at), _order_type(type_), instant("--good-till", good_till))


def _order_type(text: str | None) -> OrderType | None:
    if text is None:
        return None
    try:
        return OrderType(text.upper())
    except ValueError:
        raise UsageError(
            f"--type is {text[:60]!a}. Allowed: limit (a better price), stop (a worse one).",
            next="capcli preview --help",
        ) from None
