"""Runs one program on its own for a limited time: `run_once.py SECONDS PROGRAM [ARGUMENT ...]`.

A separate process, so that the limit holds after its parent has ended.
"""

import os
import signal
import subprocess
import sys


def main(limit_s: float, argv: list[str]) -> int:
    """Run it with our stdin; at the time limit stop it and all its children."""
    try:
        process = subprocess.Popen(  # noqa: S603  the user's own program, as argv, without a shell
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except (OSError, ValueError):
        return 127
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return 124


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
