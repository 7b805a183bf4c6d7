"""Credentials for a login, and the stored session for the next command."""

from collections.abc import Callable
from contextlib import suppress
from threading import Lock

from capcli.credentials.session_item import FirstUsableCache, KeychainSessionCache
from capcli.credentials.sessions import FileSessionCache
from capcli.credentials.source import CredentialSource
from capcli.errors import (
    CapcliError,
    ConfigError,
    CredentialsMissing,
    KeychainMissing,
    KeychainSilent,
    KeychainUnsafe,
)
from capcli.ports.login import Credentials, StoredSession
from capcli.settings import Env
from capcli.system import Folders


class Logins:
    """Credentials and sessions of one host: the `SessionCache` port.

    `on_secret` gets every credential and token that comes up; `on_use` is called once they are used.
    """

    def __init__(
        self,
        source: CredentialSource,
        places: Folders,
        url: str,
        *,
        on_secret: Callable[..., None],
        on_use: Callable[[], None],
    ) -> None:
        self._source = source
        self._places = places
        self._url = url
        self._on_secret = on_secret
        self._on_use = on_use
        self._cache: FirstUsableCache | None = None
        self._lock = Lock()

    def key(self, address: str) -> str:
        """Return a login's fingerprint, without the account: one key may log in once a second."""
        return f"{self._source.profile}\n{self._source.env}\n{address}\n{self._source.fingerprint_hint()}"

    @property
    def cache(self) -> FirstUsableCache:
        """Return the session store. Raises the errors of credentials in the environment."""
        with self._lock:
            if self._cache is None:
                self._cache = self._make_cache()
            return self._cache

    def _make_cache(self) -> FirstUsableCache:
        source, account = self._source, self._source.settings.account or ""
        # Paper tokens are no secret, so without a runtime folder the cache folder will do.
        folder = self._places.cache if source.env is Env.PAPER else self._places.runtime
        file = FileSessionCache(folder, self.key(self._url), account)
        if not source.in_keychain:
            return FirstUsableCache(None, file)
        item = f"{source.keychain.item}/session"
        return FirstUsableCache(
            KeychainSessionCache(item, self._url, account, source.keychain.deadline_s), file
        )

    def credentials(self) -> Credentials:
        """Read the credentials when a login needs them. Raises as CredentialSource.load does.

        A login without any has read and changed nothing: it is no use of the environment.
        """
        try:
            silent = self.cache.just_failed()
            if isinstance(silent, KeychainSilent):
                # One deadline per command: a keychain that did not answer is not asked again.
                raise silent
            found = self._source.load()
            if self._source.env is not Env.PAPER:
                self._on_secret(found.api_key, found.identifier, found.password)
        except (CredentialsMissing, KeychainMissing, KeychainUnsafe):
            raise
        except CapcliError:
            self._on_use()
            raise
        self._on_use()
        return found

    def check_keychain(self) -> str:
        """Open the keychain and name it. Raises its errors; the session cache then leaves it alone."""
        try:
            return self._source.keychain.check()
        except CapcliError as error:
            self.cache.leave_alone(error)
            raise

    def take_over(self, trial: "Logins", session: StoredSession | None) -> None:
        """Store the session of a trial login for the next command, in place of the previous one."""
        trial.cache.forget()
        with suppress(ConfigError):
            # An incomplete set in the environment: no command can have a session with it.
            self.cache.forget()
            if session is not None:
                self.cache.save(session)

    def load(self) -> StoredSession | None:
        session = self._noted(self.cache.load())
        if session is not None:
            self._on_use()
        return session

    def save(self, session: StoredSession) -> None:
        self._noted(session)
        self.cache.save(session)

    def save_default(self, session: StoredSession) -> None:
        self.cache.save_default(session)

    def drop(self) -> None:
        self.cache.drop()

    def take_all(self) -> tuple[StoredSession, ...]:
        found = self.cache.take_all()
        for session in found:
            self._noted(session)
        return found

    def _noted(self, session: StoredSession | None) -> StoredSession | None:
        if session is not None:
            self._on_secret(session.cst, session.security_token)
        return session
