"""The guided login: which environment, what to type, a second chance, and only then the keychain."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from capcli.errors import (
    CapcliError,
    ConfigError,
    Interrupted,
    LoginRefused,
    NotConfirmed,
    SettingInvalid,
    UsageError,
)
from capcli.reply import Reply

if TYPE_CHECKING:
    from capcli.app import App
    from capcli.cli.call import Call
    from capcli.ports import Credentials
    from capcli.render.results import LoginDone

TRIES = 3
SECRETS = ("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD")
_ENDINGS = ("", "_FILE", "_CMD")
_NO_ACCOUNT = "error.null.accountId"
_CHECKLIST = "capcli live checklist"

_WHICH = """Which environment is the key for?
  demo   practice money; start here
  live   real money
  paper  built in, needs no key and no login
"""
_GUIDE = """Your API key comes from Capital.com, on its website:
  1. Settings, Two-Factor Authentication: switch it on first.
  2. Settings, API integrations: generate a key. You set a password for it there, a new one of its own; \
it is not the password that you log in with.
  3. Key and password are shown once. Keep them out of chats, e-mails and shared files.
What you paste at a hidden question is not shown. The broker is asked first; only what works is stored.
"""


def chosen(call: "Call", *, stdin: bool) -> "App":
    """Return the app of the environment that was named; where none was, ask the person who is there."""
    application = call.build(new_profile=True)
    if application.settings.env_source != "default":
        return application
    if stdin:
        raise UsageError(
            "Credentials come on stdin, and no environment was named for them. Nothing was read or sent.",
            next="capcli login --env demo --stdin < credentials.json",
        )
    if call.json or not call.streams.interactive:
        return application
    call.options = replace(call.options, env=_environment(call))
    return call.build(new_profile=True)


def _environment(call: "Call") -> str:
    call.talk(_WHICH)
    for _ in range(TRIES):
        answer = _ask(call, "Environment [demo]: ").strip().lower() or "demo"
        if answer in {"paper", "demo", "live"}:
            return answer
        call.streams.talk("Type demo, live or paper.\n")
    raise UsageError("No environment was chosen. Nothing was sent.", next="capcli login --env demo")


def _ask(call: "Call", question: str, *, hidden: bool = False) -> str:
    try:
        return call.streams.ask(question, hidden=hidden)
    except EOFError:
        raise Interrupted("No answer. Nothing was stored.") from None
    except KeyboardInterrupt:
        raise Interrupted("Interrupted. Nothing was stored.") from None


@dataclass(frozen=True, slots=True)
class Login:
    """One login to an environment that has credentials."""

    call: "Call"
    application: "App"

    def piped(self) -> "Reply[LoginDone]":
        """Take the credentials from stdin. The keychain goes before the broker: without it nothing rests."""
        from capcli.cli.main import NOTICE
        from capcli.cli.terminal import is_terminal
        from capcli.credentials.form import from_json

        stdin = self.call.streams.stdin
        if is_terminal(stdin):
            raise UsageError(
                "--stdin reads JSON from a file or a pipe; typed here, it would be visible on the screen."
                " Nothing was sent.",
                next=self._command(),
            )
        # Windows shells begin what they pipe with a byte order mark.
        credentials = from_json(stdin.read().removeprefix("\ufeff"), "stdin")
        backend = self._keychain()
        try:
            reply = self._stored(credentials, backend)
        except LoginRefused as error:
            refusal = _kept_out(error)
        else:
            self.call.talk(f"{NOTICE}\n")
            return self._without_pin(reply)
        raise refusal

    def _without_pin(self, reply: "Reply[LoginDone]") -> "Reply[LoginDone]":
        """Say where the PIN of live comes from: stdin brought the credentials and cannot bring it."""
        if not self.application.pin.needed or self.application.pin.is_set:
            return reply
        note = f"{reply.data.note} No PIN was set, for that takes a terminal: {_CHECKLIST}"
        return replace(reply, data=replace(reply.data, note=note))

    def _with_pin(self, reply: "Reply[LoginDone]") -> "Reply[LoginDone]":
        """Have a PIN chosen where live has none. The login stands, whatever becomes of that."""
        from capcli.cli.pin import choose_pin

        if not self.application.pin.needed or self.application.pin.is_set:
            return reply
        try:
            choose_pin(self.call, self.application)
            note = f"{reply.data.note} The PIN is set."
        except (NotConfirmed, Interrupted, KeyboardInterrupt):
            note = f"{reply.data.note} No PIN was set, and live asks for one: {_CHECKLIST}"
        return replace(reply, data=replace(reply.data, note=note))

    def guided(self) -> "Reply[LoginDone]":
        """Ask for the credentials, and again when they are refused. Raises UsageError where nobody is."""
        call = self.call
        if call.json or not call.streams.interactive:
            raise UsageError(
                "Not an interactive terminal. Give the credentials as JSON on stdin, with --stdin.",
                next=f"{self._command()} --stdin < credentials.json",
            )
        from capcli.cli.main import NOTICE

        backend = self._keychain()
        call.talk(f"{NOTICE}\n\n{_GUIDE}They are stored in this computer's keychain: {backend}.\n\n")
        for left in range(TRIES - 1, -1, -1):
            try:
                reply = self._stored(self._typed(), backend)
            except (LoginRefused, SettingInvalid) as error:
                if not left or _is_elsewhere(error):
                    raise _kept_out(error) from None
                call.complain(replace(error.problem(), next=None))
            else:
                return self._with_pin(reply)
            call.streams.talk("Nothing was stored. Type all three again, or stop with Ctrl-C.\n\n")
        raise AssertionError

    def _keychain(self) -> str:
        """Open the keychain, and refuse to make a profile another environment's with what it allows there."""
        from capcli.cli.config import check_place
        from capcli.credentials.source import check_keychain
        from capcli.settings import read_profile

        settings, file = self.application.settings, self.application.folders.config_file
        check_place(read_profile(file, settings.profile, new=True), "env", str(settings.env), asked="")
        return check_keychain(settings.profile, settings.env, interactive=self.call.streams.interactive)

    def _command(self, env: str | None = None) -> str:
        profile = self.call.options.profile
        return f"capcli login --env {env or self.application.env}" + (
            f" --profile {profile}" if profile else ""
        )

    def _typed(self) -> "Credentials":
        from capcli.credentials.form import checked
        from capcli.ports import Credentials

        key = _ask(self.call, "API key (hidden): ", hidden=True)
        user = _ask(self.call, "E-mail address of the account: ")
        password = _ask(self.call, "API key's own password (hidden): ", hidden=True)
        # Around a pasted key or address, blanks are never meant; in a password they are told of.
        texts = zip(SECRETS, (key.strip(), user.strip(), password), strict=True)
        return Credentials(*(checked(name, text, "typed") for name, text in texts))

    def _stored(self, credentials: "Credentials", backend: str) -> "Reply[LoginDone]":
        """Log in with the credentials, then keep them and make their environment the profile's."""
        from capcli.credentials.source import store_credentials
        from capcli.render.results import LoginDone
        from capcli.settings import write_profile

        settings, application = self.application.settings, self.application
        trial = self._trial(credentials)
        found = self._accounts(trial)
        item = store_credentials(
            settings.profile,
            settings.env,
            credentials,
            at=application.clock(),
            interactive=self.call.streams.interactive,
        )
        application.take_session(trial)
        try:
            write_profile(application.folders, settings.profile, settings.env)
        except CapcliError as error:
            error.message = (
                f"You are logged in and the credentials are stored ({item}), but profile {settings.profile}"
                f" was not written: {error.message} Until it is, add --env {settings.env}."
            )
            raise
        if any(self.call.streams.environ.get(name + ending) for name in SECRETS for ending in _ENDINGS):
            self.call.talk("Credentials in the environment override the keychain; unset them to use these.\n")
        note = f"Logged in on {settings.env}; the credentials are in the keychain."
        rows = found.data.accounts
        currency = next((row.currency for row in rows if row.active), None)
        done = LoginDone(settings.profile, item, backend, currency, rows, note, self._following())
        return Reply(done, found.account_id)

    def _following(self) -> str:
        given = self.call.options.profile
        return "capcli health" + (f" --profile {given}" if given else "")

    def _trial(self, credentials: "Credentials") -> "App":
        """Build an app that has these credentials and nothing of what is stored."""
        from capcli.app import Options

        values = (credentials.api_key, credentials.identifier, credentials.password)
        self.call.redaction.learn(*values)
        environ = {
            name: value for name, value in self.call.streams.environ.items() if not name.startswith(SECRETS)
        } | dict(zip(SECRETS, values, strict=True))
        given = self.call.options
        options = Options(self.application.env, given.profile, given.account, given.timeout)
        return self.call.build(options=options, environ=environ, new_profile=True)

    def _accounts(self, trial: "App") -> "Reply[Any]":
        try:
            trial.accounts.login(force=True)
            return trial.accounts.list()
        except KeyboardInterrupt:
            raise Interrupted("Interrupted. Nothing was stored.") from None
        except LoginRefused as error:
            trial.forget_session()
            if not _is_elsewhere(error):
                raise
            mismatch = self._mismatch(error)
        raise mismatch

    def _mismatch(self, error: LoginRefused) -> LoginRefused:
        here = self.application.env
        other = "live" if here == "demo" else "demo"
        return LoginRefused(
            f"Environment mismatch: this login has no account on {here}. The key was made for {other}."
            " Nothing was stored.",
            next=self._command(other),
            **error.details,
        )


def _is_elsewhere(error: LoginRefused | ConfigError) -> bool:
    return error.details.get("broker_code") == _NO_ACCOUNT


def _kept_out(error: LoginRefused | ConfigError) -> LoginRefused | ConfigError:
    """Say with a refusal that ends the login what it means for the keychain."""
    if "Nothing was stored." in error.message:
        return error
    return type(error)(f"{error.message} Nothing was stored.", next=error.next, **error.details)
