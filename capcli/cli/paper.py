"""`capcli paper`: the built-in broker, its state, and serving it to other clients."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from capcli.cli.inputs import instant
from capcli.cli.run import finish
from capcli.cli.tree import command, epilog, new_app
from capcli.errors import NotConfirmed, UsageError
from capcli.services.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App

app = new_app(
    "The built-in paper broker: status, reset, serve.",
    no_args_is_help=True,
    epilog=epilog("capcli paper status\ncapcli paper reset --confirm"),
)
Seed = Annotated[str | None, typer.Option(metavar="TEXT", help="Other prices: any text.")]
Start = Annotated[str | None, typer.Option(metavar="TIME", help="The market's clock begins here (UTC).")]
NoLimits = Annotated[bool, typer.Option("--no-limits", help="No request limits, for tests.")]


@app.callback()
def paper() -> None:
    pass


@command(app, "status", example="capcli paper status")
def status(ctx: typer.Context) -> None:
    """Seed, market time, accounts and counts."""
    from capcli.paper.state import PaperStatus

    call = ctx.find_root().obj
    call.check_form(PaperStatus)
    finish(call, Reply(call.build().paper.status()), "paper")


@command(app, "reset", example="capcli paper reset --confirm\ncapcli paper reset --seed crash --confirm")
def reset(
    ctx: typer.Context,
    seed: Seed = None,
    start: Start = None,
    no_limits: NoLimits = False,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Without a question.")] = False,
) -> None:
    """Forget every paper deal and start over with fresh accounts."""
    from capcli.paper.state import PaperStatus

    call = ctx.find_root().obj
    call.check_form(PaperStatus)
    begin = instant("--start", start)
    application = call.build()

    def act(yes: bool) -> "Reply[Any]":
        if not yes:
            raise NotConfirmed(
                "A reset forgets every paper deal. Not confirmed, so nothing was changed.",
                next="capcli paper reset --confirm",
            )
        return Reply(application.paper.reset(seed=seed, start=begin, limits=not no_limits))

    reply = call.confirmed(act, given=confirm, summary=lambda: "This forgets every paper deal.")
    finish(call, reply, "paper")


@command(app, "serve", example="capcli paper serve --port 8330")
def serve(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Loopback port; 0 takes a free one.")] = 8330,
    seed: Seed = None,
    start: Start = None,
    no_limits: NoLimits = False,
) -> None:
    """Serve the paper broker over loopback HTTP, for other clients.

    Key, user and password are all `paper`. Ctrl-C ends it. It shares its state with the commands here.
    """
    call = ctx.find_root().obj
    application = call.build()
    _prepare(application, seed=seed, start=start, no_limits=no_limits)
    try:
        application.paper.serve(port, ready=lambda url: _announce(call, url))
    except OSError as error:
        raise UsageError(
            f"--port {port} cannot be used: {error.strerror}. Take another, or 0 for a free one.",
            next="capcli paper serve --port 0",
        ) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _prepare(application: "App", *, seed: str | None, start: str | None, no_limits: bool) -> None:
    """Start a world as asked for, unless there is one: then these are not for a serve to change."""
    begin = instant("--start", start)
    if seed is None and begin is None and not no_limits:
        return
    if application.folders.paper.exists():
        raise UsageError(
            "--seed, --start and --no-limits are set by the first serve or by a reset, and this paper broker "
            "has its state already.",
            next="capcli paper reset --help",
        )
    application.paper.reset(seed=seed, start=begin, limits=not no_limits)


def _announce(call: Any, url: str) -> None:
    if call.json:
        from capcli.render.envelope import document, encode
        from capcli.render.results import Served

        call.outlet.document(encode(document(call.command, "paper", Reply(Served(url, ready=True)))))
        return
    call.outlet.result(f"{url}\n")
    if not call.options.quiet:
        call.outlet.result(
            f"Ready. Use it with CAP_ENV=demo CAP_API_URL={url}; key, user and password are: paper. "
            "Ctrl-C ends it.\n"
        )
