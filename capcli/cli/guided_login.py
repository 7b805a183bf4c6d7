"""The guided login: choose the environment, type the credentials, retry, and only then use the keychain."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from capcli.credential_names import CREDENTIAL_NAMES, CREDENTIALS
from capcli.domain.broker_codes import NO_ACCOUNT
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
    from capcli.ports.login import Credentials
    from capcli.render.results import LoginDone

TRIES = 3
_UNSTORED = "Nothing was stored."
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
    """Return the app of the named environment; without one, ask the person."""
    app = call.build(new_profile=True)
    if app.settings.chosen("CAP_ENV"):
        return app
    if stdin:
        raise UsageError(
            "Credentials come on stdin, and no environment was named for them. Nothing was read or sent.",
            next="capcli login --env demo --stdin < credentials.json",
        )
    if not call.person:
        return app
    call.talk(_WHICH)
    for _ in range(TRIES):
        answer = _ask(call, "Environment [demo]: ").strip().lower() or "demo"
        if answer in {"paper", "demo", "live"}:
            call.options = replace(call.options, env=answer)
            return call.build(new_profile=True)
        call.streams.talk("Type demo, live or paper.\n")
    raise UsageError("No environment was chosen.", "Nothing was sent.", next="capcli login --env demo")


def _ask(call: "Call", question: str, *, hidden: bool = False) -> str:
    try:
        return call.streams.ask(question, hidden=hidden)
    except EOFError:
        raise Interrupted("No answer.", _UNSTORED) from None
    except KeyboardInterrupt:
        raise Interrupted("Interrupted.", _UNSTORED) from None


@dataclass(frozen=True, slots=True)
class Login:
    """One login to an environment that has credentials."""

    call: "Call"
    app: "App"

    def piped(self) -> "Reply[LoginDone]":
        """Read the credentials from stdin. The keychain is opened before the broker is asked."""
        from capcli.cli.main import NOTICE
        from capcli.cli.terminal import is_terminal
        from capcli.credentials.form import from_json

        stdin = self.call.streams.stdin
        if is_terminal(stdin):
            raise UsageError(
                "--stdin reads JSON from a file or a pipe; typed here, it would be visible on the screen.",
                "Nothing was sent.",
                next=self._command(),
            )
        # Windows shells begin what they pipe with a byte order mark.
        credentials = from_json(stdin.read().removeprefix("\ufeff"), "stdin")
        backend = self._keychain()
        try:
            reply = self._stored(credentials, backend)
        except LoginRefused as error:
            error.message = f"{error.message} {_UNSTORED}"
            raise
        self.call.talk(f"{NOTICE}\n")
        if self._needs_pin:
            # Stdin held the credentials, so it cannot be asked there.
            return _noted(reply, f"No PIN was set, for that takes a terminal: {_CHECKLIST}")
        return reply

    def guided(self) -> "Reply[LoginDone]":
        """Ask for the credentials, again if they are refused. Raises UsageError without a person."""
        from capcli.cli.main import NOTICE
        from capcli.cli.pin import choose_pin

        call = self.call
        if not call.person:
            raise UsageError(
                "Not an interactive terminal. Give the credentials as JSON on stdin, with --stdin.",
                next=f"{self._command()} --stdin < credentials.json",
            )
        backend = self._keychain()
        call.talk(f"{NOTICE}\n\n{_GUIDE}They are stored in this computer's keychain: {backend}.\n\n")
        for left in range(TRIES - 1, -1, -1):
            try:
                reply = self._stored(self._typed(), backend)
            except (LoginRefused, SettingInvalid) as error:
                if not left or _is_elsewhere(error):
                    error.message = f"{error.message} {_UNSTORED}"
                    raise
                call.complain(replace(error.problem(), next=None))
                call.streams.talk(f"{_UNSTORED} Type all three again, or stop with Ctrl-C.\n\n")
            else:
                break
        if not self._needs_pin:
            return reply
        # The login is done, with or without a PIN.
        try:
            choose_pin(call, self.app)
        except (NotConfirmed, Interrupted, KeyboardInterrupt):
            return _noted(reply, f"No PIN was set, and live asks for one: {_CHECKLIST}")
        return _noted(reply, "The PIN is set.")

    @property
    def _needs_pin(self) -> bool:
        return self.app.pin.needed and not self.app.pin.is_set

    def _keychain(self) -> str:
        """Open the keychain; refuse to move a profile to another environment with its permissions."""
        from capcli.cli.config.editing import check_place
        from capcli.credentials.source import check_keychain
        from capcli.settings import read_profile

        settings = self.app.settings
        profile = read_profile(self.app.folders.config_file, settings.profile, new=True)
        check_place(profile, "env", str(settings.env), env="")
        return check_keychain(settings.profile, settings.env, interactive=self.call.streams.interactive)

    def _command(self, env: str | None = None) -> str:
        return f"capcli login --env {env or self.app.env}{self._profile}"

    @property
    def _profile(self) -> str:
        profile = self.call.options.profile
        return f" --profile {profile}" if profile else ""

    def _typed(self) -> "Credentials":
        from capcli.credentials.form import checked
        from capcli.ports.login import Credentials

        key = _ask(self.call, "API key (hidden): ", hidden=True)
        user = _ask(self.call, "E-mail address of the account: ")
        password = _ask(self.call, "API key's own password (hidden): ", hidden=True)
        # Blanks around a pasted key or address are dropped; in a password they are pointed out.
        texts = zip(CREDENTIALS, (key.strip(), user.strip(), password), strict=True)
        return Credentials(*(checked(name, text, "typed") for name, text in texts))

    def _stored(self, credentials: "Credentials", backend: str) -> "Reply[LoginDone]":
        """Log in with the credentials, then store them and make their environment the profile's."""
        from capcli.credentials.source import store_credentials
        from capcli.render.results import LoginDone
        from capcli.settings import write_setting

        app, settings, streams = self.app, self.app.settings, self.call.streams
        profile, env = settings.profile, settings.env
        trial, found = self._tried(credentials)
        item = store_credentials(profile, env, credentials, at=app.clock(), interactive=streams.interactive)
        app.logins.take_over(trial.logins, trial.broker.held_session)
        try:
            write_setting(app.folders, profile, "env", env)
        except CapcliError as error:
            error.message = (
                f"You are logged in and the credentials are stored ({item}), but profile {profile}"
                f" was not written: {error.message} Until it is, add --env {env}."
            )
            raise
        if any(map(streams.environ.get, CREDENTIAL_NAMES)):
            self.call.talk("Credentials in the environment override the keychain; unset them to use these.\n")
        note = f"Logged in on {env}; the credentials are in the keychain."
        rows = found.data.accounts
        currency = next((row.currency for row in rows if row.active), None)
        following = "capcli health" + self._profile
        return Reply(LoginDone(profile, item, backend, currency, rows, note, following), found.account_id)

    def _tried(self, credentials: "Credentials") -> "tuple[App, Reply[Any]]":
        """Log in with these credentials only, ignoring stored ones; return the app and its accounts."""
        from capcli.runtime import Options

        values = (credentials.api_key, credentials.identifier, credentials.password)
        self.call.redaction.learn(*values)
        environ = self.call.streams.environ
        own = {name: text for name, text in environ.items() if not name.startswith(tuple(CREDENTIALS))}
        given, here = self.call.options, self.app.env
        options = Options(here, given.profile, given.account, given.timeout)
        secrets = dict(zip(CREDENTIALS, values, strict=True))
        trial = self.call.build(options=options, environ=own | secrets, new_profile=True)
        try:
            trial.accounts.login(force=True)
            return trial, trial.accounts.list()
        except KeyboardInterrupt:
            raise Interrupted("Interrupted.", _UNSTORED) from None
        except LoginRefused as error:
            trial.logins.cache.forget()
            if not _is_elsewhere(error):
                raise
            other = "live" if here == "demo" else "demo"
            raise LoginRefused(
                f"Environment mismatch: this login has no account on {here}. The key was made for {other}.",
                next=self._command(other),
                **error.details,
            ) from None


def _noted(reply: "Reply[LoginDone]", note: str) -> "Reply[LoginDone]":
    return replace(reply, data=replace(reply.data, note=f"{reply.data.note} {note}"))


def _is_elsewhere(error: LoginRefused | ConfigError) -> bool:
    return error.details.get("broker_code") == NO_ACCOUNT
