"""`capcli propose`: what a share of the equity would buy or sell."""

from shlex import quote
from typing import Annotated

import typer

from capcli.cli import inputs
from capcli.cli.inputs import exit_order, risk
from capcli.cli.order_options import Note, Tag
from capcli.cli.preview import IdOnly, print_id
from capcli.cli.run import finish
from capcli.cli.tree import command, new_app
from capcli.domain.market import Side
from capcli.errors import UsageError

app = new_app()
_EXAMPLE = (
    "capcli propose GOLD --risk 1%\n"
    "capcli propose GOLD --risk 1% --buy\n"
    "capcli propose SILVER --risk 0.5% --sell --stop-distance 0.80"
)


@command(app, "propose", example=_EXAMPLE)
def propose(
    ctx: typer.Context,
    epic: Annotated[str, typer.Argument(metavar="EPIC", help="Market, as in `capcli markets search`.")],
    *,
    share: Annotated[str, typer.Option("--risk", metavar="1%", help="Share of the equity to risk.")],
    buy: Annotated[bool, typer.Option("--buy", help="Make a preview of a buy.")] = False,
    sell: Annotated[bool, typer.Option("--sell", help="Make a preview of a sale.")] = False,
    stop: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="Stop at this price, or 2% from the entry.")
    ] = None,
    stop_distance: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Stop this far from the price.")
    ] = None,
    note: Note = None,
    tag: Tag = None,
    id_only: IdOnly = False,
) -> None:
    """Work out the size that a risk allows; sends nothing.

    Without a side it shows both, and nothing can be executed. With --buy or --sell it makes a preview,
    which `capcli execute` sends once. Without a stop it uses 2 x ATR(14) of HOUR candles (Wilder's, bid
    prices), never nearer than the market's minimum. Arithmetic, not advice.
    """
    from capcli.trading.propose import Proposal

    if buy and sell:
        raise UsageError(
            "--buy and --sell cannot be used together. Nothing was sent.", next="capcli propose --help"
        )
    if id_only and not (buy or sell):
        raise UsageError(
            "--id-only needs a side: --buy or --sell makes the preview that has an id. Nothing was sent.",
            next=f"capcli propose {quote(epic)} --risk {quote(share)} --buy --id-only",
        )
    side = Side.BUY if buy else Side.SELL if sell else None
    call = ctx.find_root().obj
    call.check_form(Proposal)
    percent, given = risk(share), exit_order("stop", stop, stop_distance, None)
    kept = inputs.note(note), inputs.tag(tag)
    application = call.build()
    call.note_default(application)
    reply = application.proposals.propose(epic, percent, side=side, stop=given, note=kept[0], tag=kept[1])
    if (id_only or call.options.quiet) and side is not None:
        print_id(call, reply, application.env)
    finish(call, reply, application.env)
