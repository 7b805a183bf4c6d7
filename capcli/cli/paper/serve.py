"""`capcli paper serve`: the paper broker for other clients, until it is stopped."""

import re
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from capcli.cli.call import Call
from capcli.cli.options import flag, option
from capcli.cli.paper.world import WorldOptions
from capcli.cli.tree import command
from capcli.errors import UsageError
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.render.results import Served

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,5}")


@command(
    example="capcli paper serve --port 8330\ncapcli paper serve --tls\n"
    "capcli paper serve --speed 1440 --replay SILVER=silver.csv\n"
    "capcli paper serve --behaviour kind --accounts GBP:5000,PLN --latency 80 --log"
)
def serve(
    call: Call,
    *,
    port: Annotated[int, option("Loopback port; 0 takes a free one.", None, min=0, max=65535)] = 8330,
    tls: Annotated[bool, flag("--tls", "https and wss, with a certificate made here.")] = False,
    given: WorldOptions,
    latency: Annotated[int, option("Delay every answer by this much.", "MS", min=0, max=10_000)] = 0,
    serves: Annotated[
        Literal["demo", "live"] | None,
        option("Take the keys paper and paper-demo alone, or paper and paper-live.", None),
    ] = None,
    name: Annotated[str | None, option("Another host name that clients may use.", "HOST")] = None,
    log: Annotated[bool, flag("--log", "Each request on stderr.")] = False,
) -> None:
    """Requests and the price stream share the port. Key, user and password are all `paper`. Ctrl-C stops it.
    It shares its state with the commands here; the options from --seed to --market are for a state that
    does not exist yet, `capcli paper reset --help` explains them. --start moves only the server's clock:
    a client sees a clock different from its own.
    """
    from capcli.render.results import Served

    world = given.read()
    if name is not None and not _HOST_NAME.fullmatch(name):
        raise UsageError(
            f"--name {name[:60]!a} is not a host name, such as api.example. Nothing is served.",
            option="--name",
        )
    app = call.build()
    if world and app.folders.paper.exists():
        raise UsageError(
            "--seed, --start, --speed, --ticks, --replay, --no-limits, --accounts, --behaviour, --confirms, "
            "--real-hours and --market are set by the first serve or by a reset, and this paper broker has "
            "its state already. Nothing was changed.",
            next="capcli paper reset --help",
        )
    if world:
        app.paper.reset(**world)
    try:
        app.paper.serve(
            port,
            tls=tls,
            ready=lambda *served: _announce(call, Served(*served), serves),
            ended=lambda quotes: call.talk(f"{quotes} quotes were sent on streams.\n") if quotes else None,
            troubled=lambda why: call.talk(f"Answering {why}\n"),
            latency_s=latency / 1000,
            serves=serves,
            name=name and name.lower(),
            log=(lambda line: call.talk(f"{line}\n")) if log else None,
        )
    except OSError as error:
        raise UsageError(
            f"--port {port} cannot be used: {error.strerror}. Take another, or 0 for a free one.",
            next="capcli paper serve --port 0",
        ) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _announce(call: Call, served: "Served", stands_for: str | None) -> None:
    if call.json:
        from capcli.render.envelope import document, encode

        call.streams.document(encode(document(call.command, "paper", Reply(served))))
        return
    call.streams.result(f"{served.base_url}\n{served.stream_url}\n")
    if not call.options.quiet:
        trust = f" SSL_CERT_FILE={served.certificate}" if served.certificate else ""
        other = "demo" if stands_for == "live" else "live"
        refused = f" The key paper-{other} is refused, as one of {other}." if stands_for else ""
        call.streams.result(
            f"Ready. Use it with CAP_ENV={stands_for or 'demo'} CAP_API_URL={served.base_url}{trust}; key, "
            f"user and password are: paper.{refused} Ctrl-C ends it.\n"
        )
