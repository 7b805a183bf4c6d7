"""Which credentials an environment uses: paper's own, else the process environment, else the keychain."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from capcli.credentials import environment
from capcli.credentials.form import key_ending, masked
from capcli.credentials.keychain import DEADLINE_S, INTERACTIVE_DEADLINE_S, Keychain
from capcli.errors import ConfigError, CredentialsMissing, UsageError
from capcli.services.ports import Credentials
from capcli.settings import Env, Settings

PAPER = Credentials("paper", "paper", "paper")


@dataclass(frozen=True, slots=True)
class CredentialStatus:
    """Where credentials come from, and as much of them as may be shown."""

    env: Env
    profile: str
    source: str
    api_key: str | None
    identifier: str | None


@dataclass(frozen=True, slots=True, repr=False)
class CredentialSource:
    """The credentials of the chosen profile and env, read when asked for.

    With a person there (`interactive`) the keychain may take a minute. It holds the process environment, so
    its repr shows nothing of it.
    """

    settings: Settings
    environ: Mapping[str, str]
    interactive: bool = False

    def __repr__(self) -> str:
        return f"CredentialSource(env={str(self.env)!r}, profile={self.profile!r})"

    @property
    def env(self) -> Env:
        return self.settings.env

    @property
    def profile(self) -> str:
        return self.settings.profile

    @property
    def keychain(self) -> Keychain:
        deadline_s = INTERACTIVE_DEADLINE_S if self.interactive else DEADLINE_S
        return Keychain(self.profile, self.env, deadline_s)

    @property
    def in_keychain(self) -> bool:
        """Say whether the keychain is asked: never on paper, nor when the environment names credentials.

        Complete or not: an incomplete set is never completed from the keychain.
        """
        if self.env is Env.PAPER:
            return False
        try:
            return not environment.variables(self.environ)
        except ConfigError:
            return False

    def load(self) -> Credentials:
        """Return the credentials.

        Raises CredentialsMissing, SettingInvalid for a slip in the environment, and the Keychain errors.
        Neither an incomplete environment nor a silent keychain falls back to anything else.
        """
        if self.env is Env.PAPER:
            return PAPER
        found = environment.read(self.environ) or self.keychain.load()
        if found is None:
            raise CredentialsMissing(
                f"There are no credentials for {self.env} in profile {self.profile}: none in the environment,"
                " none in the keychain. Nothing was sent.",
                next=login_command(self.profile, self.env),
            )
        return found

    def describe(self) -> CredentialStatus:
        """Say where the credentials come from, with the key's last four characters. Raises as `load` does."""
        if self.env is Env.PAPER:
            return CredentialStatus(self.env, self.profile, "none needed on paper", None, None)
        found = self.load()
        names = environment.variables(self.environ)
        source = f"environment ({', '.join(names)})" if names else f"keychain item {self.keychain.item}"
        return CredentialStatus(
            self.env, self.profile, source, key_ending(found.api_key), masked(found.identifier)
        )

    def fingerprint_hint(self) -> str:
        """Tell one set of credentials from another without opening the keychain or running a command.

        For session caches: a warm command then needs no credential. Whoever stores other credentials or
        forgets them must drop the cached session.
        """
        if self.env is Env.PAPER:
            return PAPER.fingerprint
        known = environment.identity(self.environ)
        return known or sha256(self.keychain.item.encode()).hexdigest()[:16]


def login_command(profile: str, env: Env) -> str:
    """Return the command that stores credentials for a profile and env."""
    named = "" if profile == "main" else f" --profile {profile}"
    return f"capcli login --env {env}{named}"


def store_credentials(
    profile: str, env: Env, credentials: Credentials, *, deadline_s: float = INTERACTIVE_DEADLINE_S
) -> str:
    """Store credentials in the keychain and name the item. Raises UsageError on paper."""
    if env is Env.PAPER:
        raise UsageError("Paper needs no credentials. Nothing was stored.", next="capcli login --env demo")
    keychain = Keychain(profile, env, deadline_s)
    keychain.save(credentials)
    return keychain.item


def forget(profile: str, env: Env, *, deadline_s: float = INTERACTIVE_DEADLINE_S) -> bool:
    """Remove credentials from the keychain; False when there were none. Raises the Keychain errors."""
    return env is not Env.PAPER and Keychain(profile, env, deadline_s).delete()
