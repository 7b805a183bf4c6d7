"""`capcli preview`: an order on paper before it is an order at the broker."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from capcli.cli import order_options as options
from capcli.cli.call import Call
from capcli.cli.run import finish
from capcli.cli.tree import command, new_app
from capcli.domain.market import Side

if TYPE_CHECKING:
    from capcli.reply import Reply

app = new_app()
IdOnly = Annotated[bool, typer.Option("--id-only", help="Print the preview's id alone, for a script.")]
_EXAMPLE = (
    "capcli preview SILVER --size 1.5 --stop 24.50\n"
    "capcli preview GOLD --size 0.1 --sell --stop-distance 15 --limit-distance 30 --explain\n"
    "capcli preview EURUSD --size 1000 --at 1.05 --type limit --good-till 2026-12-31\n"
    "capcli preview SILVER --risk 1% --stop 24.50\n"
    "id=$(capcli preview SILVER --size 1 --id-only)"
)


@command(app, "preview", example=_EXAMPLE)
def preview(
    ctx: typer.Context,
    epic: options.Epic,
    *,
    size: Annotated[str | None, typer.Option(metavar="NUMBER", help="Number of units.")] = None,
    risk: options.RiskOption = None,
    sell: Annotated[bool, typer.Option("--sell", help="Sell instead of buy.")] = False,
    stop: options.Stop = None,
    stop_distance: options.StopDistance = None,
    stop_amount: options.StopAmount = None,
    limit: options.Limit = None,
    limit_distance: options.LimitDistance = None,
    limit_amount: options.LimitAmount = None,
    trailing: options.Trailing = False,
    guaranteed: options.Guaranteed = False,
    at: options.At = None,
    type_: options.Type = None,
    good_till: options.GoodTill = None,
    note: options.Note = None,
    tag: options.Tag = None,
    explain: options.Explain = False,
    id_only: IdOnly = False,
) -> None:
    """Show an order and every check; sends nothing.

    The order is a BUY at market unless --sell or --at says otherwise. The preview gets an id that `capcli
    execute` sends once, within 120 s. --id-only prints only that id, and nothing if the preview cannot be
    executed.
    """
    from capcli.trading.preview import Preview

    request, share = options.order_of(locals(), Side.SELL if sell else Side.BUY, "preview")
    call = ctx.find_root().obj
    call.check_form(Preview)
    application = call.build()
    call.note_default(application)
    reply = application.previews.preview(request, risk=share)
    if id_only or call.options.quiet:
        print_id(call, reply, application.env, explain=explain)
    finish(call, reply, application.env, explain=explain)


def print_id(call: Call, reply: "Reply[Any]", env: str, *, explain: bool = False) -> None:
    """Print the id of a preview alone, and end; JSON has it anyway. Nothing for one that cannot be executed.

    An explanation that was asked for goes to stderr, where no script takes it for an id.
    """
    if call.json:
        return
    if explain:
        call.explain(reply, env)
    if reply.problem is not None:
        call.complain(reply.problem)
    elif reply.data.preview_id:
        call.streams.result(f"{reply.data.preview_id}\n")
    raise typer.Exit(reply.exit_code)
