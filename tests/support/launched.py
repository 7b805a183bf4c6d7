"""A Python child for whom the operating system names another home, so that no test touches the user's own.

`python -m tests.support.launched HOME -m MODULE WORDS…` or `… HOME -c CODE WORDS…`.
"""

import runpy
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from capcli import system
from tests.support.paths import IMPORT_PATH

real_system_home = system.system_home
"""What the operating system says; everywhere else it is replaced."""


RUN = "run"
"""Stands for /run/user in the home: the developer's own keychain lies behind the real one."""


def as_own_user() -> list[str]:
    """Return what stands between the interpreter and its `-m` or `-c`: the child has this test's home."""
    return ["-m", "tests.support.launched", str(system.system_home())]


def program(folder: Path) -> Path:
    """Write a `capcli` that does so, to be found on a PATH."""
    script = folder / "capcli"
    folder.mkdir(parents=True, exist_ok=True)
    path = f'PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}"{shlex.quote(IMPORT_PATH)}'
    words = shlex.join([sys.executable, *as_own_user(), "-m", "capcli"])
    script.write_text(f'#!/bin/sh\n{path} exec {words} "$@"\n')
    script.chmod(0o755)
    return script


def main(home: str, kind: str, what: str, *words: str) -> None:
    replaced: Any = system
    replaced.system_home = lambda: Path(home)
    replaced.RUNTIME_FOLDERS = Path(home, RUN)
    # A shell that starts the tests in the background lets them, and their children, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # And one with nohup lets them ignore that their terminal is gone.
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    sys.argv = [kind, *words]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main(*sys.argv[1:])
