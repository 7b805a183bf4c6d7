"""The lock that lets one process at a time log in with a key: whoever waits for it finds the session made."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import sleep

from capcli.errors import CapcliError
from capcli.store.cache_file import hashed
from capcli.system import file_lock

_NOTICEABLE_S = 1.0


class FileLoginLock:
    """The `LoginLock` port: one file per key, env and host, held by a kernel lock.

    It bounds the wait and raises nothing: a login without it is one too many at worst, and paced. `told`
    hears of a wait that a person would notice.
    """

    def __init__(
        self, folder: Path, key: str, wait_s: float = 20, told: Callable[[], None] = lambda: None
    ) -> None:
        self.folder = folder
        self.key = key
        self.wait_s = wait_s
        self.told = told

    @contextmanager
    def __call__(self) -> Iterator[None]:
        file = self.folder / f"login-{hashed(self.key)}.lock"
        with ExitStack() as held:
            with suppress(OSError, CapcliError):
                held.enter_context(file_lock(file, wait_s=self.wait_s, sleep=self._napping(), bare=True))
            yield

    def _napping(self) -> Callable[[float], None]:
        naps: list[float] = []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            if sum(naps[:-1]) <= _NOTICEABLE_S < sum(naps):
                self.told()
            sleep(seconds)

        return nap
