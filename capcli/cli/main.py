"""The root of the command tree: global options and the names of the commands. Builds nothing."""

from typing import Annotated

import typer

from capcli.cli.call import Call
from capcli.cli.global_options import Globals, read_fields, read_zone
from capcli.cli.options import flag, option
from capcli.cli.tree import PLAIN, SETTINGS, Root
from capcli.errors import UsageError

NOTICE = (
    "capcli is independent software, not a product of Capital.com. It carries out what you order and gives "
    "no advice. You are responsible for every order; leveraged trading can lose money fast. Practise on "
    "paper or on a demo account first."
)


app = typer.Typer(
    help="Trade a Capital.com account: preview an order, execute it once, see what happened to it.",
    cls=Root,
    no_args_is_help=True,
    context_settings=SETTINGS,
    epilog=f"Global options work before and after the command.\n\n{NOTICE}",
    **PLAIN,
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
    env: Annotated[str | None, option("paper, demo or live.", "ENV")] = None,
    profile: Annotated[str | None, option("Profile in config.toml.", "NAME")] = None,
    account: Annotated[str | None, option("Account to work on.", "ID")] = None,
    json: Annotated[bool, flag("--json", "One JSON document on stdout.")] = False,
    csv: Annotated[bool, flag("--csv", "Print rows as CSV.")] = False,
    fields: Annotated[str | None, option("Only these fields, in this order.", "A,B")] = None,
    no_color: Annotated[bool, flag("--no-color", "No colour (as NO_COLOR).")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors to stderr.")] = False,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more on stderr.")] = 0,
    timeout: Annotated[str | None, option("Seconds to wait for an answer.", "S")] = None,
    tz: Annotated[str | None, option("Times in utc (default) or local time.", "ZONE")] = None,
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
