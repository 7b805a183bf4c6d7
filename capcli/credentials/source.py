"""Which credentials an environment uses: paper's own, else the process environment, else the keychain."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from capcli.credentials import environment
from capcli.credentials.form import key_ending, masked
from capcli.errors import CapcliError, CredentialsMissing, SettingInvalid, UsageError
from capcli.ports.login import Credentials
from capcli.settings import Env, Settings
from capcli.settings.config_file import DEFAULT_PROFILE

if TYPE_CHECKING:
    from capcli.credentials.keychain import Keychain, StoredCredentials

PAPER = Credentials("paper", "paper", "paper")


class CredentialStatus(Struct, frozen=True):
    """Where credentials come from, and the part that may be shown."""

    env: Env
    profile: str
    source: str
    api_key: str | None
    identifier: str | None
    backend: str | None = None
    key_stored_at: datetime | None = None
    """When the keychain first got this key, the best that is known of its age: a key lives for a year unless
    another time was chosen (API page 2.1). None for a key of the environment."""


class CredentialSource:
    """The credentials of the chosen profile and env, read when needed.

    With a person there (`interactive`) the keychain may take a minute. It holds the process environment, so
    its repr shows nothing of it.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], interactive: bool = False) -> None:
        self.settings = settings
        self.environ = environ
        self.interactive = interactive

    def __repr__(self) -> str:
        return f"CredentialSource(env={str(self.env)!r}, profile={self.profile!r})"

    @property
    def env(self) -> Env:
        return self.settings.env

    @property
    def profile(self) -> str:
        return self.settings.profile

    @property
    def in_environment(self) -> bool:
        """Whether the environment names credentials, which take precedence over the keychain's."""
        try:
            return bool(environment.variables(self.environ))
        except CapcliError:
            return True

    @property
    def keychain(self) -> "Keychain":
        return _keychain(self.profile, self.env, interactive=self.interactive)

    @property
    def in_keychain(self) -> bool:
        """Whether the keychain is used: never on paper, nor when the environment names credentials.

        An incomplete set is never completed from the keychain.
        """
        return self.env is not Env.PAPER and not self.in_environment

    def load(self) -> Credentials:
        """Return the credentials.

        Raises CredentialsMissing, SettingInvalid for a slip in the environment, and the Keychain errors.
        Neither an incomplete environment nor a silent keychain falls back to anything else.
        """
        if self.env is Env.PAPER:
            return PAPER
        return environment.read(self.environ) or self._kept()[0].credentials

    def _kept(self) -> "tuple[StoredCredentials, str]":
        """Return the keychain's credentials and its backend's name."""
        kept, backend = self.keychain.read()
        if kept is None:
            raise CredentialsMissing(
                f"There are no credentials for {self.env} in profile {self.profile}: none in the environment,"
                f" none in the keychain ({backend}).",
                "Nothing was sent.",
                next=login_command(self.profile, self.env),
            )
        return kept, backend

    def describe(self) -> CredentialStatus:
        """Say where the credentials come from, with the key's last four characters. Raises as `load` does."""
        if self.env is Env.PAPER:
            return CredentialStatus(self.env, self.profile, "none needed on paper", None, None)
        found, backend, since = environment.read(self.environ), None, None
        if found is not None:
            source = f"environment ({', '.join(environment.variables(self.environ))})"
        else:
            kept, backend = self._kept()
            source, found, since = f"keychain item {self.keychain.item}", kept.credentials, kept.stored_at
        key, user = key_ending(found.api_key), masked(found.identifier)
        return CredentialStatus(self.env, self.profile, source, key, user, backend, since)

    def mandate_secret(self) -> str:
        """Read the secret of this client's mandate. Raises SettingInvalid for a file that is not private."""
        name = "CAP_MANDATE_FILE"
        chosen = self.settings.chosen(name)
        if chosen is not None and chosen.source != "environment":
            raise SettingInvalid(
                f"{name} comes from {chosen.source}, which every client reads. It counts from the "
                "environment of one client alone",
                next="capcli help environment",
                variable=name,
            )
        return environment.read_private(name, self.settings.mandate_file or "")

    def fingerprint_hint(self) -> str:
        """Return a fingerprint of the credentials without opening the keychain or running a command.

        For session caches: a warm command then needs no credential. Whoever stores other credentials or
        forgets them must drop the cached session.
        """
        if self.env is Env.PAPER:
            return PAPER.fingerprint
        known = environment.identity(self.environ)
        return known or sha256(self.keychain.item.encode()).hexdigest()[:16]


def envs_in_keychain(profile: str | None) -> Iterator[str]:
    """Yield the environments with credentials in the keychain; none if it is unavailable."""
    for env in (Env.LIVE, Env.DEMO):
        with suppress(CapcliError):
            if _keychain(profile or DEFAULT_PROFILE, env, interactive=False).read()[0] is not None:
                yield env.value


def login_command(profile: str, env: Env) -> str:
    """Return the command that stores credentials for a profile and env."""
    named = "" if profile == "main" else f" --profile {profile}"
    return f"capcli login --env {env}{named}"


def check_keychain(profile: str, env: Env, *, interactive: bool) -> str:
    """Open the keychain before any question or request, and name it. Raises the Keychain errors."""
    return _keychain(profile, env, interactive=interactive).check()


def store_credentials(
    profile: str, env: Env, credentials: Credentials, *, at: datetime, interactive: bool = False
) -> str:
    """Store credentials in the keychain and name the item. Raises UsageError on paper."""
    if env is Env.PAPER:
        raise UsageError("Paper needs no credentials. Nothing was stored.", next="capcli login --env demo")
    keychain = _keychain(profile, env, interactive=interactive)
    keychain.save(credentials, at=at)
    return keychain.item


def forget(profile: str, env: Env, *, interactive: bool = False) -> bool:
    """Remove credentials from the keychain; False when there were none. Raises the Keychain errors."""
    return env is not Env.PAPER and _keychain(profile, env, interactive=interactive).delete()


def _keychain(profile: str, env: Env, *, interactive: bool) -> "Keychain":
    from capcli.credentials.keychain import DEADLINE_S, INTERACTIVE_DEADLINE_S, Keychain

    return Keychain(profile, env, INTERACTIVE_DEADLINE_S if interactive else DEADLINE_S)
