"""Which credentials an environment uses: paper's own, else the process environment, else the keychain."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from capcli.credentials import environment
from capcli.credentials.form import key_ending, masked
from capcli.credentials.keychain import DEADLINE_S, INTERACTIVE_DEADLINE_S, Keychain
from capcli.errors import CredentialsMissing, UsageError
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
    """The credentials of one profile and env, read when asked for.

    It holds the process environment, so it has no repr of its content.
    """

    environ: Mapping[str, str]
    env: Env
    profile: str
    keychain_deadline_s: float = DEADLINE_S
    command_deadline_s: float = environment.COMMAND_DEADLINE_S

    def __repr__(self) -> str:
        return f"CredentialSource(env={str(self.env)!r}, profile={self.profile!r})"

    @classmethod
    def of(
        cls, settings: Settings, environ: Mapping[str, str], *, interactive: bool = False
    ) -> "CredentialSource":
        """Build the source for the chosen env; with a person there the keychain may take a minute."""
        deadline_s = INTERACTIVE_DEADLINE_S if interactive else DEADLINE_S
        return cls(environ, settings.env, settings.profile, deadline_s)

    @property
    def keychain(self) -> Keychain:
        return Keychain(self.profile, self.env, self.keychain_deadline_s)

    def read(self) -> Credentials:
        """Return the credentials.

        Raises CredentialsMissing, SettingInvalid for a slip in the environment, and the Keychain errors.
        Neither an incomplete environment nor a silent keychain falls back to anything else.
        """
        if self.env is Env.PAPER:
            return PAPER
        found = environment.read(self.environ, deadline_s=self.command_deadline_s) or self.keychain.load()
        if found is None:
            raise CredentialsMissing(
                f"There are no credentials for {self.env} in profile {self.profile}: none in the environment,"
                " none in the keychain. Nothing was sent.",
                next=login_command(self.profile, self.env),
            )
        return found

    def describe(self) -> CredentialStatus:
        """Say where the credentials come from, with the key's last four characters. Raises as `read` does."""
        if self.env is Env.PAPER:
            return CredentialStatus(self.env, self.profile, "none needed on paper", None, None)
        found = self.read()
        names = environment.variables(self.environ)
        source = f"environment ({', '.join(names)})" if names else f"keychain item {self.keychain.item}"
        return CredentialStatus(
            self.env, self.profile, source, key_ending(found.api_key), masked(found.identifier)
        )

    def identity(self) -> str:
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
