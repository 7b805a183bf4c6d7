"""A child process that a failing test does not wait for."""

import subprocess
from types import TracebackType


class Child(subprocess.Popen[str]):
    """As `Popen`; but where its `with` block fails, the process is killed and the failure is what one reads.

    Popen itself waits there until the child ends by itself, which a server never does.
    """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, value, traceback)
