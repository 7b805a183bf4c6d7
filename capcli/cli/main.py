"""The root of the command tree: global options and the names of the commands. Builds nothing."""

from typing import Annotated, ClassVar

import typer

from capcli.cli.call import Call
from capcli.cli.global_options import Globals, read_fields, read_zone
from capcli.cli.tree import Group, new_app
from capcli.errors import UsageError

NOTICE = (
    "capcli is independent software, not a product of Capital.com. It carries out what you order and gives "
    "no advice. You are responsible for every order; leveraged trading can lose money fast. Practise on "
    "paper or on a demo account first."
)


class Root(Group):
    """The commands, by module; a module is imported when its command is run."""

    lazy: ClassVar[dict[str, tuple[str, str]]] = {
        "buy": ("capcli.cli.buy:buy_app", "Buy: shows the preview, asks, and sends it once."),
        "sell": ("capcli.cli.buy:sell_app", "Sell: shows the preview, asks, and sends it once."),
        "preview": (
            "capcli.cli.preview:app",
            "Show an order and every check; sends nothing.",
        ),
        "propose": ("capcli.cli.propose:app", "Work out the size that a risk allows; sends nothing."),
        "execute": ("capcli.cli.execute:app", "Send a preview, once."),
        "positions": (
            "capcli.cli.positions:positions_app",
            "Open positions: P&L, margin, distance to the stop.",
        ),
        "orders": ("capcli.cli.orders:orders_app", "Working orders."),
        "exposure": ("capcli.cli.exposure:app", "What is at stake: notional, margin, loss at the stops."),
        "close": ("capcli.cli.close:app", "Close a position at market."),
        "status": ("capcli.cli.status:app", "The account at a glance: money, risk, limits left."),
        "desk": ("capcli.cli.desk:app", "The account full screen: positions, orders, prices, a chart."),
        "events": ("capcli.cli.events:app", "What happened on the account: fills, stops, closes, halts."),
        "approve": ("capcli.cli.approve:app", "Approve what an assistant or a script wants to send."),
        "mandate": ("capcli.cli.mandate:app", "Let one client send orders alone, within limits."),
        "halt": ("capcli.cli.halt:halt_app", "Stop all new risk, for every program of this user."),
        "flatten": ("capcli.cli.flatten:app", "Halt, cancel every order, close every position."),
        "resume": ("capcli.cli.halt:resume_app", "Let orders be sent again after a halt."),
        "reconcile": ("capcli.cli.reconcile:reconcile_app", "Settle orders whose answer was lost."),
        "resolve": ("capcli.cli.reconcile:resolve_app", "Say what happened to a lost order."),
        "history": ("capcli.cli.history:app", "Activity, bookings, realised P&L; what was sent from here."),
        "quote": ("capcli.cli.prices:quote_app", "Bid and offer of one or more markets."),
        "prices": ("capcli.cli.prices:prices_app", "Candles: a table, a chart, or a download."),
        "watch": ("capcli.cli.watch:watch_app", "Prices or positions, live from the stream."),
        "alert": ("capcli.cli.alert:alert_app", "Wait for prices, moves, P&L or margin."),
        "markets": ("capcli.cli.markets:app", "Find markets, and show their dealing rules and hours."),
        "watchlists": ("capcli.cli.watchlists:app", "Named lists of markets: show, make, change."),
        "accounts": ("capcli.cli.accounts:app", "Balance, equity and margin of each account; switch."),
        "login": ("capcli.cli.login:login_app", "Check your API key and store it in the keychain."),
        "logout": ("capcli.cli.login:logout_app", "End the broker session; --forget removes the key."),
        "live": ("capcli.cli.live:app", "Going live: the checklist that unlocks it."),
        "health": ("capcli.cli.health:app", "Find out why something does not work."),
        "record": ("capcli.cli.record:app", "Record how the broker answers, to show a maintainer."),
        "config": ("capcli.cli.config:app", "Effective settings and where each comes from."),
        "paper": ("capcli.cli.paper:app", "The built-in paper broker."),
        "mcp": ("capcli.cli.mcp:app", "The server for AI assistants."),
        "schema": ("capcli.cli.schema:app", "Describe commands to a program: options, exit codes, JSON."),
        "help": ("capcli.cli.help:app", "Pages to read: exit codes, settings, output, all commands."),
    }
    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        "Trade": (
            "buy", "sell", "preview", "propose", "execute", "positions", "orders", "close", "exposure",
        ),
        "Account": ("status", "desk", "events", "accounts", "history"),
        "Markets": ("quote", "prices", "watch", "alert", "markets", "watchlists"),
        "Safety": ("halt", "flatten", "resume", "approve", "mandate", "reconcile", "resolve"),
        "Set-up": ("login", "logout", "health", "config", "live", "mcp", "paper", "record", "schema", "help"),
    }  # fmt: skip


app = new_app(
    "Trade a Capital.com account: preview an order, execute it once, see what happened to it.",
    cls=Root,
    no_args_is_help=True,
    epilog=f"Global options work before and after the command.\n\n{NOTICE}",
)


def _version(wanted: bool) -> None:
    if wanted:
        from capcli import __version__

        typer.echo(f"capcli {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    *,
    env: Annotated[str | None, typer.Option(metavar="ENV", help="paper, demo or live.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="Profile in config.toml.")] = None,
    account: Annotated[str | None, typer.Option(metavar="ID", help="Account to work on.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print rows as CSV.")] = False,
    fields: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these fields, in this order.")
    ] = None,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colour (as NO_COLOR).")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors to stderr.")] = False,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more on stderr.")] = 0,
    timeout: Annotated[str | None, typer.Option(metavar="S", help="Seconds to wait for an answer.")] = None,
    tz: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Times in utc (default) or local time.")
    ] = None,
    version: Annotated[  # noqa: ARG001  handled by its callback
        bool, typer.Option("--version", "-V", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    call: Call = ctx.obj
    if json and csv:
        raise UsageError("--json and --csv cannot be used together.", next="capcli --help")
    call.options = Globals(
        env,
        profile,
        account,
        timeout,
        json,
        csv,
        read_fields(fields),
        no_color,
        quiet,
        verbose,
        read_zone(tz),
    )
