"""One command from its line to its answer: options, the app that it builds, questions, and the writing."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from shlex import join
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from capcli.cli.commands import COMMANDS
from capcli.cli.global_options import Globals
from capcli.cli.io_streams import IOStreams
from capcli.errors import (
    CapcliError,
    NotConfirmed,
    Problem,
    UsageError,
)
from capcli.trading.send_gate import SendGate

if TYPE_CHECKING:
    from datetime import datetime

    from capcli.app import App
    from capcli.domain.market import MarketRow
    from capcli.log import Redaction
    from capcli.render.blocks import Terminal
    from capcli.reply import Reply
    from capcli.runtime import Options, Runtime

_ENVS = frozenset({"paper", "demo", "live"})
# Where credentials come from the environment.
_HEADLESS = ("CAP_API_KEY", "CAP_API_KEY_FILE", "CAP_API_KEY_CMD", "CREDENTIALS_DIRECTORY")
_BY_DEFAULT = "Paper trading, since no environment was chosen (--env, CAP_ENV or capcli login).\n"
_NO_LIMIT_OF_RISK = {"CAP_ALLOWED_EPICS", "CAP_ENSURE_STOP"}
_NO_LIMITS = (
    "No limit is set. The defaults of the broker's own MCP server (sizes 1.0 and 1.0, 3 positions, 20 orders"
    " a day) do not apply here: set CAP_MAX_POSITION_SIZE, CAP_MAX_WORKING_ORDER_SIZE, CAP_MAX_OPEN_POSITIONS"
    " and CAP_MAX_ORDERS_PER_DAY. You will not see this again.\n"
)


class Call:
    """What every command works with. `lent`: the desk's app, which stays open after the command."""

    def __init__(
        self,
        streams: IOStreams,
        runtime: "Runtime | None" = None,
        *,
        json: bool = False,
        line: Sequence[str] = (),
        send_gate: SendGate | None = None,
        lent: "App | None" = None,
        redaction: "Redaction | None" = None,
    ) -> None:
        self.streams = streams
        self.runtime = runtime
        self.json = json
        self.line = line
        self.options = Globals()
        self.path: list[str] = []
        self.env: str | None = None
        self.send_gate = SendGate() if send_gate is None else send_gate
        self.lent = lent
        self.written: int | None = None
        self.about_order = False
        self.is_stopping = False
        self._apps: list[App] = []
        self._redaction = redaction
        self._deaf: Callable[[], None] | None = None

    @property
    def command(self) -> str:
        return " ".join(self.path)

    @property
    def clock(self) -> "Callable[[], datetime]":
        """Return the clock of this command (UTC)."""
        from capcli.runtime import utc_now

        return self.runtime.clock if self.runtime else utc_now

    @property
    def person(self) -> bool:
        """Whether a person at a terminal can be asked."""
        return self.streams.interactive and not self.json

    @property
    def terminal(self) -> "Terminal":
        """How stdout is read."""
        return self.streams.terminal(no_colour=self.options.no_colour)

    def require_person(self, message: str, following: str) -> None:
        """Refuse what only a person at a terminal can do. Raises NotConfirmed."""
        if not self.person:
            raise NotConfirmed(message, next=following)

    def ask(self, question: str, following: str | None) -> None:
        """Ask a person for a yes. Raises NotConfirmed with `following` as the next command."""
        if not self.streams.agrees(question):
            raise NotConfirmed("You did not say yes, so nothing was sent.", next=following)

    @property
    def app(self) -> "App":
        """The app that was built last."""
        return self._apps[-1]

    def open(self, kind: type | None = None, *, way_out: str | None = None) -> "App":
        """Check the output options and return the app. Raises UsageError and ConfigError."""
        self.check_form(kind)
        app = self.build(way_out=way_out)
        self.note_default(app)
        return app

    def build(
        self,
        *,
        options: "Options | None" = None,
        environ: Mapping[str, str] | None = None,
        interactive: bool = True,
        caller: Mapping[str, Any] = MappingProxyType({}),
        **settings: Any,
    ) -> "App":
        """Read the settings and return the app. Raises UsageError and ConfigError."""
        from capcli.app import App
        from capcli.log import listen, louder
        from capcli.runtime import Caller

        if self.lent is not None:
            self._apps, self.env = [self.lent], self.lent.env
            return self.lent
        usual: dict[str, Any] = {
            "send_gate": self.send_gate,
            "on_wait": lambda why: self.talk(f"{why}\n"),
            "on_secret": self.redaction.learn,
            "interactive": interactive and self.person,
        }
        app = App.build(
            options or self.app_options(),
            environ=environ or self.streams.environ,
            runtime=self.runtime,
            caller=Caller(**usual | dict(caller)),
            **settings,
        )
        self._apps.append(app)
        self.env = app.env
        # The log level of the option or of CAP_LOG_LEVEL, whichever shows more.
        self.stop_listening()
        level = louder(app.settings.log_level, self.options.verbose)
        self._deaf = listen(self.streams.stderr, level, self.redaction)
        return app

    @property
    def redaction(self) -> "Redaction":
        """Return the redaction that removes this command's secrets from text."""
        if self._redaction is None:
            from capcli.log import Redaction

            self._redaction = Redaction(self.streams.environ)
        return self._redaction

    def stop_listening(self) -> None:
        if self._deaf is not None:
            self._deaf()
            self._deaf = None

    def app_options(self) -> "Options":
        from capcli.runtime import Options

        given = self.options
        return Options(env=given.env, profile=given.profile, account=given.account, timeout=given.timeout)

    def offers(self, name: str) -> "tuple[MarketRow, ...]":
        """Return the markets that a name may mean; empty if the broker cannot be reached."""
        with suppress(CapcliError):
            return self._apps[-1].markets.offers(name) if self._apps else ()
        return ()

    def close(self) -> None:
        with ExitStack() as ends:
            ends.callback(self.stop_listening)
            for app in reversed(self._apps):
                if app is not self.lent:
                    ends.callback(app.close)

    def note_default(self, app: "App") -> None:
        """Say on stderr that paper is the default; the first time also that no limits are set."""
        if self.lent is not None:
            return
        if not app.settings.chosen("CAP_ENV"):
            self.talk(_BY_DEFAULT)
        elif app.env != "paper" and "CAP_API_KEY" in self.streams.environ:
            limited = set(app.settings.limits_set) - _NO_LIMIT_OF_RISK
            if not limited and app.seen.is_first("no-limits"):
                self.talk(_NO_LIMITS)

    def talk(self, text: str) -> None:
        """Write a note to stderr, unless --quiet."""
        if not self.options.quiet:
            self.streams.talk(text)

    def check_form(self, kind: type | None = None) -> None:
        """Refuse an output form that this kind of result (or the usual one) lacks. Raises UsageError."""
        from capcli.render.fields import check_fields, rows_key

        kind = kind or COMMANDS[self.command].kind()
        if self.options.csv and rows_key(kind) is None:
            raise UsageError(
                f"{self.command} has no rows, so it cannot be written as CSV; use --json.",
                next=f"capcli {self.command} --json",
            )
        check_fields(kind, self.options.fields)

    def check_chart_width(self) -> None:
        """Refuse a chart for a window that is too narrow, before any request. Raises UsageError."""
        from capcli.render.chart import NARROWEST

        width = self.terminal.width or self.terminal.columns
        if width < NARROWEST and not (self.json or self.options.csv):
            raise UsageError(f"A chart needs {NARROWEST} columns; here are {width}. Nothing was fetched.")

    def again(self, problem: Problem) -> Problem:
        """Return a problem whose next command keeps this line's --dry-run, --again and --ensure-stop."""
        from capcli.domain.command_line import read_command

        # If the client is missing: the same line, once it is installed.
        command = join(["capcli", *self.line]) if problem.code == "CLIENT_MISSING" else problem.next
        line = read_command(command)
        if line is None or "--help" in line.words:
            return replace(problem, next=command)
        same = self.path != [] and line.words[: len(self.path)] == self.path
        keeps = {"--dry-run": same, "--again": same, "--ensure-stop": same or line.words[:1] == ["execute"]}
        kept = (word for word in keeps if keeps[word] and word in self.line and word not in line.words)
        return replace(problem, next=self.addressed(" ".join([str(command), *kept])))

    def addressed(self, command: str | None, *, account: bool = True) -> str | None:
        """Return a next command for the env, profile and (with `account`) account of this line."""
        from capcli.domain.command_line import placed, read_command

        line = read_command(command)
        if command is None or line is None or {"help", "--help"} & set(line.words):
            return command
        if command == "capcli login" and any(map(self.streams.environ.get, _HEADLESS)):
            # Credentials in the environment take precedence over the keychain: a login would change nothing.
            return "capcli help environment"
        if not self.env and self.options.env not in _ENVS:
            return command
        given = {name: text for name, text in self.options.place.items() if account or name != "--account"}
        return placed(command, *(part for one in given.items() if one[0] not in line.place for part in one))

    def write(self, reply: "Reply[Any]", env: str | None, *, explain: bool = False) -> None:
        """Write a reply in the chosen form; its problem goes to stderr, or into the document."""
        if self.command != "login" or reply.problem is not None:
            # After a login the environment is the profile's default.
            problem, data = reply.problem and self.again(reply.problem), reply.data
            if isinstance(getattr(data, "next", None), str):
                data = replace(data, next=self.addressed(data.next))
            reply = replace(reply, data=data, problem=problem)
        if self.json:
            from capcli.render.envelope import document, encode

            self.streams.document(encode(document(self.command, env, reply, only=self.options.fields)))
        else:
            from capcli.render.fields import rows_key

            # No pager for order outcomes or for machine-readable output.
            long = rows_key(type(reply.data)) is not None or self.command in {"help", "health"}
            long = long and not (self.options.csv or self.options.quiet or self.send_gate.latest)
            self.streams.result(self._text(reply, env, explain=explain), long=long)
            if reply.problem is not None:
                self.complain(self._unrepeated(reply.problem, reply.data))
        self.warn(reply.data)
        self.written = reply.exit_code
        self.about_order = bool(self.send_gate.latest or getattr(reply.data, "attempt_id", None))
        if self.streams.lost and self.about_order:
            # Even with --quiet: stdout could not be written, and something was sent.
            sentence = getattr(reply.data, "sentence", "")
            self.streams.talk(f"{sentence} See: {self.addressed('capcli history executions')}\n")

    def show(self, reply: "Reply[Any]", env: str | None, *, explain: bool = False) -> None:
        """Write what a person reviews before a question; the command's result follows later."""
        self.streams.result(self._text(reply, env, explain=explain, ask=True) + "\n")
        self.warn(reply.data)

    def explain(self, reply: "Reply[Any]", env: str | None) -> None:
        """Write the explanation of a result to stderr, even with --quiet: it was requested."""
        self.streams.talk(f"{self._text(reply, env, explain=True).rstrip()}\n")
        self.warn(reply.data)

    def _unrepeated(self, problem: Problem, data: Any) -> Problem:
        """Shorten what the same screen has just said: a pipe takes stdout away, a terminal shows both."""
        if not self.streams.interactive or problem.message != getattr(data, "sentence", None):
            return problem
        following = None if problem.next == getattr(data, "next", None) else problem.next
        return replace(problem, why=f"exit code {problem.exit_code}", then="", next=following)

    def warn(self, data: Any) -> None:
        """Write to stderr, even with --quiet, what could not be read, recorded or locked."""
        from capcli.render.text import warnings_of

        for line in warnings_of(data):
            self.streams.talk(f"warning: {line}\n")

    def _text(self, reply: "Reply[Any]", env: str | None, *, explain: bool, ask: bool = False) -> str:
        from capcli.render import text
        from capcli.render.envelope import plain
        from capcli.render.fields import field_names, pick, rows_key

        key, only = rows_key(type(reply.data)), self.options.fields
        subject = text.Subject(env, reply.account_id)
        terminal = replace(self.terminal, local=self.options.local)
        if terminal.width is not None and self._apps:
            from capcli.cli.deal_names import numbers_shown

            terminal = replace(terminal, numbers=numbers_shown(self.app, self.command, reply))
        if self.options.csv and key:
            names = only or field_names(type(reply.data))
            return text.csv_text(
                plain(reply.data)[key], names, screen=terminal if terminal.terminal else None
            )
        if only:
            data = pick(type(reply.data), plain(reply.data), only)
            return text.rows_text(data.get(key, [data]) if key else [data], only, subject, terminal)
        return text.text(reply.data, subject, terminal, explain=explain, ask=ask)

    def complain(self, problem: Problem) -> None:
        """Write the error to stderr, with the next command."""
        from capcli.render.text import problem_text

        terminal = self.streams.stderr_terminal(no_colour=self.options.no_colour)
        self.streams.talk(problem_text(problem, terminal))
