"""The lock that lets one process at a time send on an account. It knows nothing of the journal."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from capcli.errors import Busy, StateFolderUnusable
from capcli.system import file_lock


@dataclass(frozen=True, slots=True)
class FileAccountLock:
    """The `AccountLock` port: one file per env, host and account, held by a kernel lock.

    Not reentrant: a thread that asks for what it holds waits for itself and is told Busy.
    """

    folder: Path
    wait_s: float = 20
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @contextmanager
    def __call__(self, env: str, host: str, account_id: str) -> Iterator[None]:
        with ExitStack() as held:
            # Only entering is translated: what the body raises belongs to the body.
            self._enter(held, self.folder / lock_name(env, host, account_id))
            yield

    def _enter(self, held: ExitStack, path: Path) -> None:
        try:
            held.enter_context(file_lock(path, wait_s=self.wait_s, clock=self.clock, sleep=self.sleep))
        except Busy as error:
            raise Busy(
                "Another process is sending on this account. Nothing was sent.",
                next="capcli reconcile",
                waited_s=self.wait_s,
            ) from error
        except OSError as error:
            raise StateFolderUnusable(
                f"The lock {path} cannot be opened: {error.strerror or error}. Nothing was sent.",
                next="capcli config path",
            ) from error


def lock_name(env: str, host: str, account_id: str) -> str:
    """Return a name for any file system: readable first, then a hash that tells accounts apart."""
    readable = re.sub(r"[^a-z0-9]+", "-", f"{env}-{account_id}".lower()).strip("-")[:40]
    identity = json.dumps([env, host, account_id]).encode()
    return f"{readable}-{sha256(identity).hexdigest()[:16]}.lock"
