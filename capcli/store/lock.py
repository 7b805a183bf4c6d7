"""Locks between the user's processes: only one at a time sends on an account, switches it, or logs in."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from capcli.errors import Busy, CapcliError
from capcli.store.cache_file import hashed
from capcli.system import file_lock

_NOTICEABLE_S = 1.0


class FileAccountLock:
    """The `AccountLock` port: one file per env, host and account, held by a kernel lock.

    Not reentrant: a thread that asks again waits for itself and gets Busy.
    """

    def __init__(
        self,
        folder: Path,
        wait_s: float = 20,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.folder = folder
        self.wait_s = wait_s
        self.clock = clock
        self.sleep = sleep

    @contextmanager
    def __call__(self, env: str, host: str, account_id: str) -> Iterator[None]:
        path = self.folder / lock_name(env, host, account_id)
        lock = file_lock(path, wait_s=self.wait_s, clock=self.clock, sleep=self.sleep, bare=True)
        with _held(lock, self.wait_s, "Another process is sending on this account"):
            yield


class FileSessionLock:
    """The `SessionLock` port: one file per env, host and key, held by a kernel lock."""

    def __init__(self, folder: Path, key: str, wait_s: float = 20) -> None:
        self.folder = folder
        self.key = key
        self.wait_s = wait_s

    @contextmanager
    def __call__(self) -> Iterator[None]:
        path = self.folder / f"session-{hashed(self.key)}.lock"
        lock = file_lock(path, wait_s=self.wait_s, bare=True)
        with _held(lock, self.wait_s, "Another process is sending with this login"):
            yield


class FileLoginLock:
    """The `LoginLock` port: one file per key, env and host, held by a kernel lock.

    The wait is bounded and nothing is raised: without the lock there is at worst one login more, and paced.
    After a wait the session usually exists. `on_wait` is called when the wait is long enough to notice.
    """

    def __init__(
        self, folder: Path, key: str, wait_s: float = 20, on_wait: Callable[[], None] = lambda: None
    ) -> None:
        self.folder = folder
        self.key = key
        self.wait_s = wait_s
        self.on_wait = on_wait

    @contextmanager
    def __call__(self) -> Iterator[None]:
        waited = 0.0

        def nap(seconds: float) -> None:
            nonlocal waited
            if waited <= _NOTICEABLE_S < waited + seconds:
                self.on_wait()
            waited += seconds
            time.sleep(seconds)

        file = self.folder / f"login-{hashed(self.key)}.lock"
        with ExitStack() as locks:
            with suppress(OSError, CapcliError):
                locks.enter_context(file_lock(file, wait_s=self.wait_s, sleep=nap, bare=True))
            yield


@contextmanager
def _held(lock: AbstractContextManager[Any], wait_s: float, busy: str) -> Iterator[None]:
    """Hold a lock. Only errors of acquiring it are translated, not those of the body."""
    with ExitStack() as locks:
        try:
            locks.enter_context(lock)
        except Busy as error:
            raise Busy(f"{busy}.", "Nothing was sent.", next="capcli reconcile", waited_s=wait_s) from error
        yield


def lock_name(env: str, host: str, account_id: str) -> str:
    """Return a file name for any file system: readable text, then a hash that is unique to the account."""
    readable = re.sub(r"[^a-z0-9]+", "-", f"{env}-{account_id}".lower()).strip("-")[:40]
    identity = json.dumps([env, host, account_id]).encode()
    return f"{readable}-{sha256(identity).hexdigest()[:16]}.lock"
