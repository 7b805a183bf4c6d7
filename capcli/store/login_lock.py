"""The lock that lets one process at a time log in with a key: whoever waits for it finds the session made."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from capcli.errors import CapcliError
from capcli.system import file_lock


@dataclass(frozen=True, slots=True)
class FileLoginLock:
    """The `LoginLock` port: one file per key, env and host, held by a kernel lock.

    It bounds the wait and raises nothing: a login without it is one too many at worst, and paced.
    """

    folder: Path
    key: str
    wait_s: float = 20

    @contextmanager
    def __call__(self) -> Iterator[None]:
        file = self.folder / f"login-{sha256(self.key.encode()).hexdigest()[:16]}.lock"
        with ExitStack() as held:
            with suppress(OSError, CapcliError):
                held.enter_context(file_lock(file, wait_s=self.wait_s))
            yield
