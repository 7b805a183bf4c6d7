"""`capcli buy` and `capcli sell`: preview, look and execute in one sitting."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from capcli.cli import order_options as options
from capcli.cli.call import Call
from capcli.cli.execute import Again, EnsureStop, sent
from capcli.cli.run import finish, run
from capcli.cli.tree import command, new_app
from capcli.domain.market import Side
from capcli.errors import Exit, Problem

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.reply import Reply
    from capcli.trading.preview import Preview

buy_app, sell_app = new_app(), new_app()
_Size = Annotated[str | None, typer.Argument(metavar="[SIZE]", help="Number of units.", show_default=False)]
_Confirm = Annotated[
    bool, typer.Option("--confirm", "--yes", help="Has no effect: you always see the preview first.")
]


def _add(app: typer.Typer, side: Side, *, example: str, about: str) -> None:
    """Add the command of a side: `buy` or `sell`."""

    @command(app, side.value.lower(), example=example, about=about)
    def trade(
        ctx: typer.Context,
        epic: options.Epic,
        size: _Size = None,
        *,
        risk: options.RiskOption = None,
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
        again: Again = False,
        ensure_stop: EnsureStop = False,
        confirm: _Confirm = False,
    ) -> None:
        _trade(ctx, locals(), side)


_add(
    buy_app,
    Side.BUY,
    example="capcli buy SILVER 1.5 --stop 24.50\ncapcli buy GOLD --risk 1% --stop-distance 15",
    about="""Buy: shows the preview, asks, and sends it once.

    On a terminal you see the preview and answer. Elsewhere it stops after the preview, with exit code 5 and
    the command that sends it.
    """,
)
_add(
    sell_app,
    Side.SELL,
    example="capcli sell SILVER 1.5 --stop 45\ncapcli sell EURUSD 1000 --at 1.20 --type limit",
    about="""Sell: shows the preview, asks, and sends it once.

    On a terminal you see the preview and answer. Elsewhere it stops after the preview, with exit code 5 and
    the command that sends it. Where a position of the other side is open, the preview says
    what is closed and what is opened.
    """,
)


def _trade(ctx: typer.Context, given: Mapping[str, Any], side: Side) -> None:
    from capcli.reconcile.outcomes import Execution
    from capcli.trading.preview import Preview

    call: Call = ctx.find_root().obj
    request, share = options.order_of(given, side, call.command)
    call.check_form(Preview)
    application = call.build()
    call.note_default(application)
    shown = application.previews.preview(request, risk=share)
    if shown.problem is not None or call.json or not call.streams.interactive:
        finish(call, _to_be_looked_at(shown), application.env, explain=given["explain"])
    call.show(shown, application.env, explain=given["explain"])

    def use(_: "App") -> "Reply[Execution]":
        again, ensure_stop = given["again"], given["ensure_stop"]
        preview_id = shown.data.preview_id
        return sent(call, application, preview_id, given=False, again=again, ensure_stop=ensure_stop)

    run(ctx, use, Execution, app=application)


def _to_be_looked_at(shown: "Reply[Preview]") -> "Reply[Preview]":
    """Return a preview that nobody looked at: it can be executed, and was not."""
    if shown.problem is not None:
        return shown
    preview_id = shown.data.preview_id
    problem = Problem(
        "NOT_CONFIRMED",
        "The preview was not confirmed on a terminal, so nothing was sent.",
        int(Exit.REFUSED),
        next=f"capcli execute {preview_id} --confirm",
        retry_safe=True,
        details={"preview_id": preview_id},
    )
    return replace(shown, problem=problem)
