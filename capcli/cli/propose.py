"""`capcli propose`: what a share of the equity would buy or sell."""

from shlex import quote
from typing import Annotated

from capcli.cli import inputs
from capcli.cli.call import Call
from capcli.cli.options import Epic, IdOnly, Stop, StopDistance, flag, option
from capcli.cli.order_options import TermOptions, terms_of
from capcli.cli.preview import print_id
from capcli.cli.run import finish
from capcli.cli.tree import command
from capcli.domain.market import Side
from capcli.errors import UsageError


@command(
    example="capcli propose GOLD --risk 1%\n"
    "capcli propose GOLD --risk 1% --buy\n"
    "capcli propose SILVER --risk 0.5% --sell --stop-distance 0.80"
)
def propose(
    call: Call,
    epic: Epic,
    *,
    risk: Annotated[str, option("Share of the equity to risk.", "1%")],
    buy: Annotated[bool, flag("--buy", "Make a preview of a buy.")] = False,
    sell: Annotated[bool, flag("--sell", "Make a preview of a sale.")] = False,
    stop: Stop = None,
    stop_distance: StopDistance = None,
    order: TermOptions,
    id_only: IdOnly = False,
) -> None:
    """Without a side it shows both, and nothing can be executed. With --buy or --sell it makes a preview,
    which `capcli execute` sends once. Without a stop it uses 2 x ATR(14) of HOUR candles (Wilder's, bid
    prices), never nearer than the market's minimum. Arithmetic, not advice.
    """
    if buy and sell:
        raise UsageError("--buy and --sell cannot be used together.", "Nothing was sent.")
    if id_only and not (buy or sell):
        raise UsageError(
            "--id-only needs a side: --buy or --sell makes the preview that has an id.",
            "Nothing was sent.",
            next=f"capcli propose {quote(epic)} --risk {quote(risk)} --buy --id-only",
        )
    side = Side.BUY if buy else Side.SELL if sell else None
    share, exit_ = inputs.risk(risk), inputs.exit_order("stop", stop, stop_distance, None)
    terms = terms_of(order)
    application = call.open()
    reply = application.proposals.propose(epic, share, side=side, stop=exit_, terms=terms)
    if (id_only or call.options.quiet) and side is not None:
        print_id(call, reply, application.env)
    finish(call, reply, application.env)
