"""`capcli paper`: the built-in broker, its state, and serving it to other clients."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from capcli.cli.inputs import instant
from capcli.cli.run import finish
from capcli.cli.tree import command, epilog, new_app
from capcli.domain.money import NotANumber, parse_decimal
from capcli.errors import NotConfirmed, UsageError
from capcli.paper.faults import GROUPS
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.paper.state import PaperFaults
    from capcli.render.results import Served

app = new_app(
    "The built-in paper broker.",
    no_args_is_help=True,
    epilog=epilog("capcli paper status\ncapcli paper reset --confirm"),
)
faults_app = new_app(
    """A bad day on paper: lost, late and wrong answers on purpose.

    Use it to test scripts. Without a subcommand it lists what is set. Only the paper broker is
    affected, embedded here and while `capcli paper serve` runs; demo and live never are. A reset clears
    everything.
    """,
    invoke_without_command=True,
)
app.add_typer(faults_app, name="faults")
BAD_DAY = """\
capcli paper faults set drop-after --times 1     the next order goes through, its answer is lost
capcli preview SILVER --size 1.5 --stop 24.50
capcli execute p_0123456789ab --confirm          exit 8: it may be live, so it is not sent again
capcli paper faults clear                        back to normal"""
Seed = Annotated[str | None, typer.Option(metavar="TEXT", help="Other prices: any text.")]
Start = Annotated[str | None, typer.Option(metavar="TIME", help="The market's clock begins here (UTC).")]
NoLimits = Annotated[bool, typer.Option("--no-limits", help="No request limits, for tests.")]
Speed = Annotated[
    str | None,
    typer.Option(metavar="X", help="Market time in real time; 1440 is a day a minute."),
]
Ticks = Annotated[
    int | None,
    typer.Option(min=1, max=250, metavar="N", help="Ticks a second of every open market on the stream."),
]
Replay = Annotated[
    list[str] | None,
    typer.Option(metavar="EPIC=FILE", help="Play a file's candles as this market; repeatable."),
]
Accounts = Annotated[
    str | None,
    typer.Option(metavar="CUR:CASH,...", help="Other accounts, such as GBP:5000,PLN (default 10,000)."),
]
RealHours = Annotated[
    bool, typer.Option("--real-hours", help="SILVER, GOLD and EURUSD close at night and on weekends too.")
]
OwnMarkets = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="More markets, from a TOML file; `paper reset --help` shows its form."),
]


class Behaviour(StrEnum):
    """Whom a paper world suits."""

    KIND = "kind"
    AWKWARD = "awkward"


class Confirming(StrEnum):
    """When a confirm can be read."""

    PROMPT = "prompt"
    LATE = "late"


class Side(StrEnum):
    """An environment that a served broker can stand for."""

    DEMO = "demo"
    LIVE = "live"


Behave = Annotated[
    Behaviour | None,
    typer.Option(help="kind: for a first try, nothing late or limited; awkward: for a bot before it trades."),
]
Confirms = Annotated[
    Confirming | None, typer.Option(help="late: one confirm in three is a 404 for up to 0.4 s (the default).")
]
FASTEST = 10_000
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,5}")


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


@command(
    app,
    "reset",
    example="capcli paper reset --confirm\ncapcli paper reset --seed crash --confirm\n"
    "capcli paper reset --replay SILVER=silver.csv --speed 60 --confirm",
)
def reset(
    ctx: typer.Context,
    *,
    seed: Seed = None,
    start: Start = None,
    speed: Speed = None,
    ticks: Ticks = None,
    replay: Replay = None,
    no_limits: NoLimits = False,
    accounts: Accounts = None,
    behaviour: Behave = None,
    confirms: Confirms = None,
    real_hours: RealHours = False,
    market: OwnMarkets = None,
    confirm: Annotated[bool, typer.Option("--confirm", "--yes", help="Without a question.")] = False,
) -> None:
    """Forget every paper deal and start over with fresh accounts.

    A file to replay is CSV, JSON lines or Parquet with the columns time (UTC), bid_open, bid_high, bid_low,
    bid_close, ask_open, ask_high, ask_low, ask_close, volume. Plain open, high, low, close are bids, and the
    market's spread is added. The clock then begins with its first bar; without a bar the market is closed.
    A currency cross is priced from its two dollar pairs; while one of them is replayed or replaced, it is
    offered only with a file or a table of its own.

    --market FILE adds markets, or replaces some of these: one TOML table for each epic.

    \b
      [PORK]
      kind = "commodity"   # or currency, index, gold, share, crypto
      price = 91.5         # it moves around this
      spread = 0.05        # optional, as are name, currency, step, daily_move (percent),
                           # min_size, max_size, size_step and hours
      hours = "newyork"    # or clock, forex, futures, softs, london, frankfurt, tokyo, europe, asia

    Sessions, request limits and faults keep to real time, however fast the market's clock runs.
    """
    world = _world(locals())
    from capcli.paper.state import PaperStatus

    call = ctx.find_root().obj
    call.check_form(PaperStatus)
    application = call.build()

    def act(yes: bool) -> "Reply[Any]":
        if not yes:
            raise NotConfirmed(
                "A reset forgets every paper deal. Not confirmed, so nothing was changed.",
                next="capcli paper reset --confirm",
            )
        return Reply(application.paper.reset(**world))

    reply = call.confirmed(act, given=confirm, summary=lambda: "This forgets every paper deal.")
    if application.env == "paper":
        application.seen.forget()
    finish(call, reply, "paper")


@command(
    app,
    "serve",
    example="capcli paper serve --port 8330\ncapcli paper serve --tls\n"
    "capcli paper serve --speed 1440 --replay SILVER=silver.csv\n"
    "capcli paper serve --behaviour kind --accounts GBP:5000,PLN --latency 80 --log",
)
def serve(
    ctx: typer.Context,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Loopback port; 0 takes a free one.")] = 8330,
    tls: Annotated[bool, typer.Option("--tls", help="https and wss, with a certificate made here.")] = False,
    seed: Seed = None,
    start: Start = None,
    speed: Speed = None,
    ticks: Ticks = None,
    replay: Replay = None,
    no_limits: NoLimits = False,
    accounts: Accounts = None,
    behaviour: Behave = None,
    confirms: Confirms = None,
    real_hours: RealHours = False,
    market: OwnMarkets = None,
    latency: Annotated[
        int, typer.Option(min=0, max=10_000, metavar="MS", help="Delay every answer by this much.")
    ] = 0,
    serves: Annotated[
        Side | None, typer.Option(help="Take the keys paper and paper-demo alone, or paper and paper-live.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="HOST", help="Another host name that clients may use.")
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Each request on stderr.")] = False,
) -> None:
    """Serve the paper broker over loopback HTTP, for other clients.

    Requests and the price stream share the port. Key, user and password are all `paper`. Ctrl-C stops it.
    It shares its state with the commands here; the options from --seed to --market are for a state that
    does not exist yet, `capcli paper reset --help` explains them. --start moves only the server's clock:
    a client sees a clock different from its own.
    """
    world = _world(locals())
    from capcli.render.results import Served

    call = ctx.find_root().obj
    host = _host_name(name)
    application = call.build()
    _prepare(application, world)
    try:
        application.paper.serve(
            port,
            tls=tls,
            ready=lambda *served: _announce(call, Served(*served), serves and serves.value),
            ended=lambda quotes: call.talk(f"{quotes} quotes were sent on streams.\n") if quotes else None,
            troubled=lambda why: call.talk(f"Answering {why}\n"),
            latency_s=latency / 1000,
            serves=serves and serves.value,
            name=host,
            log=(lambda line: call.talk(f"{line}\n")) if log else None,
        )
    except OSError as error:
        raise UsageError(
            f"--port {port} cannot be used: {error.strerror}. Take another, or 0 for a free one.",
            next="capcli paper serve --port 0",
        ) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@command(app, "check", example="capcli paper check answers.json")
def check(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written by `capcli record`.")],
) -> None:
    """Show what is new in a recording of the broker.

    Each answer is read by capcli's own client and compared with the paper broker's: fields added or
    removed, other forms of a number, a text or a time, another status. It does not contact the broker.
    """
    from capcli.health.recording import RecordingChecked

    call = ctx.find_root().obj
    call.check_form(RecordingChecked)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"{file} cannot be read: {why}.", next="capcli record --help") from None
    from capcli.health.recording_check import check as checked

    finish(call, Reply(checked(text, str(file))), "paper")


def _world(given: Mapping[str, Any]) -> dict[str, Any]:
    """Read what was asked of a new world; nothing for the usual one. Raises UsageError."""
    behaviour = given["behaviour"]
    asked = {
        "seed": given["seed"],
        "start": instant("--start", given["start"]),
        "speed": _speed(given["speed"]),
        "ticks": given["ticks"],
        "replays": _replays(given["replay"] or []) or None,
        "limits": False if given["no_limits"] or behaviour is Behaviour.KIND else None,
        "accounts": _accounts(given["accounts"]),
        "late_confirms": _late(behaviour, given["confirms"]),
        "real_hours": given["real_hours"] or None,
        "markets": given["market"],
    }
    return {name: value for name, value in asked.items() if value is not None}


def _host_name(text: str | None) -> str | None:
    if text is None or _HOST_NAME.fullmatch(text):
        return text and text.lower()
    raise UsageError(
        f"--name {text[:60]!a} is not a host name, such as api.example. Nothing is served.",
        next="capcli paper serve --help",
        option="--name",
    )


def _late(behaviour: Behaviour | None, confirms: Confirming | None) -> bool | None:
    if confirms is not None:
        return confirms is Confirming.LATE
    return False if behaviour is Behaviour.KIND else None


def _accounts(text: str | None) -> list[tuple[str, Decimal]] | None:
    """Read `GBP:5000,PLN`: currencies with what their accounts begin with."""
    if text is None:
        return None
    found = []
    for word in text.replace(",", " ").split():
        currency, _, cash = word.partition(":")
        try:
            found.append((currency.upper(), parse_decimal(cash or "10000")))
        except NotANumber:
            raise UsageError(
                f"--accounts {word[:60]!a} is not CURRENCY:CASH, such as GBP:5000. Nothing was changed.",
                next="capcli paper reset --help",
                option="--accounts",
            ) from None
    if not found:
        raise UsageError(
            "--accounts names no currency. Nothing was changed.",
            next="capcli paper reset --help",
            option="--accounts",
        )
    return found


def _speed(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        speed = parse_decimal(text)
    except NotANumber:
        speed = Decimal(0)
    if not 0 < speed <= FASTEST:
        raise UsageError(
            f"--speed is {text[:60]!a}: a number above 0, at most {FASTEST}. Nothing was changed.",
            next="capcli paper reset --help",
            option="--speed",
        )
    return speed


def _replays(texts: list[str]) -> dict[str, Path]:
    files = {}
    for text in texts:
        epic, given, file = text.partition("=")
        if not (epic and given and file) or epic in files:
            why = "is given twice" if epic in files else "is not EPIC=FILE"
            raise UsageError(
                f"--replay {text[:60]!a} {why}. Nothing was changed.",
                next="capcli paper reset --help",
                option="--replay",
            )
        files[epic] = Path(file)
    return files


def _prepare(application: "App", world: dict[str, Any]) -> None:
    """Start a world as asked for, unless there is one: then these are not for a serve to change."""
    if not world:
        return
    if application.folders.paper.exists():
        raise UsageError(
            "--seed, --start, --speed, --ticks, --replay, --no-limits, --accounts, --behaviour, --confirms, "
            "--real-hours and --market are set by the first serve or by a reset, and this paper broker has "
            "its state already. Nothing was changed.",
            next="capcli paper reset --help",
        )
    application.paper.reset(**world)


def _announce(call: Any, served: "Served", serves: str | None) -> None:
    if call.json:
        from capcli.render.envelope import document, encode

        call.streams.document(encode(document(call.command, "paper", Reply(served))))
        return
    call.streams.result(f"{served.base_url}\n{served.stream_url}\n")
    if not call.options.quiet:
        trust = f" SSL_CERT_FILE={served.certificate}" if served.certificate else ""
        other = "demo" if serves == "live" else "live"
        refused = f" The key paper-{other} is refused, as one of {other}." if serves else ""
        call.streams.result(
            f"Ready. Use it with CAP_ENV={serves or 'demo'} CAP_API_URL={served.base_url}{trust}; key, user "
            f"and password are: paper.{refused} Ctrl-C ends it.\n"
        )


def _about_faults() -> str:
    """List what can be set, from the table of the faults."""
    listed = "\n".join(
        f"\b\n{title}\n" + "\n".join(f"  {spec.name:<17} {spec.about}" for spec in group) + "\n"
        for title, group in GROUPS.items()
    )
    bad_day = "\n".join(f"  {line}" for line in BAD_DAY.splitlines())
    return f"""\
Set a fault of the paper broker; nothing else is affected.

\b
A bad day, step by step:
{bad_day}

It stays until you clear it, or until --times or --for is over. Setting it again replaces it. It affects
orders, unless --on names something else; the default of --value is in brackets. "Forms of an answer" and
"Markets" are what was seen at the broker itself.

{listed}"""


@faults_app.callback(epilog=epilog(f"capcli paper faults\n{BAD_DAY}"))
def faults(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        _with_faults(ctx, lambda application: application.paper.faults())


@command(
    faults_app,
    "set",
    example="capcli paper faults set delay --value 12 --on reads --for 60",
    about=_about_faults(),
)
def set_fault(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of the list above.")],
    *,
    times: Annotated[
        int | None,
        typer.Option("--times", min=1, metavar="N", help="For the next N requests that it changes."),
    ] = None,
    lasts: Annotated[
        int | None,
        typer.Option("--for", min=1, max=604_800, metavar="SECONDS", help="For this many seconds."),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="orders (POST), changes (PUT, DELETE), confirms, positions (and working orders), activity, "
            "reads (every GET of a session), login or all.",
        ),
    ] = None,
    value: Annotated[str | None, typer.Option(metavar="X", help="As listed above.")] = None,
) -> None:
    _with_faults(
        ctx,
        lambda application: application.paper.set_fault(name, times=times, lasts_s=lasts, on=on, value=value),
    )


@command(faults_app, "clear", example="capcli paper faults clear\ncapcli paper faults clear drop-after")
def clear(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Without it, all of them.")] = None,
) -> None:
    """Remove one fault of the paper broker, or all of them."""
    _with_faults(ctx, lambda application: application.paper.clear_faults(name))


def _with_faults(ctx: typer.Context, use: "Callable[[App], PaperFaults]") -> None:
    from capcli.paper.state import PaperFaults

    call = ctx.find_root().obj
    call.check_form(PaperFaults)
    finish(call, Reply(use(call.build())), "paper")
