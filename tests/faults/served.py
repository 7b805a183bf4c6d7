"""`capcli.paper.serve` in a process of its own; `python -m tests.faults.served PAPER_DB` says its address."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.store.builders import CHILD_ENV


@contextmanager
def served(paper: Path) -> Iterator[tuple[str, int]]:
    """Serve a paper broker's file over loopback HTTP; yield its host and port."""
    command = [sys.executable, "-m", "tests.faults.served", str(paper)]
    with subprocess.Popen(command, text=True, env=CHILD_ENV, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            host, _, port = process.stdout.readline().strip().removeprefix("http://").partition(":")
            yield host, int(port)
        finally:
            process.terminate()


def main() -> None:
    from capcli.app import utc_now
    from capcli.paper.serve import serve

    def ready(address: str) -> None:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()

    serve(Path(sys.argv[1]), port=0, clock=utc_now, ready=ready)


if __name__ == "__main__":
    main()
