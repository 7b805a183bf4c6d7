"""A child that believes it runs on Windows: `python -m tests.support.as_windows "LINE" "LINE"` runs capcli.

What POSIX alone has is taken away, so that reaching for it fails; what Windows has and capcli uses is
given in its simplest form. Libraries are loaded before, for this system: they are not what is tested.
"""

import errno
import fcntl
import importlib
import os
import runpy
import shlex
import shutil
import signal
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

LIBRARIES = (
    *(
        "asyncio",
        "concurrent.futures",
        "ctypes",
        "getpass",
        "multiprocessing",
        "pathlib",
        "selectors",
        "shutil",
    ),
    *(
        "subprocess",
        "tempfile",
        "urllib.request",
        "webbrowser",
        "zipfile",
        "zoneinfo",
        "anyio",
        "cryptography",
    ),
    *(
        "cryptography.hazmat.primitives.asymmetric.rsa",
        "fastmcp",
        "fastmcp.client.transports",
        "httpx",
        "keyring",
    ),
    *("keyring.backends.null", "keyring.core", "msgspec", "platformdirs.windows", "pydantic", "rich.console"),
    *("rich.table", "tomlkit", "typer", "typer.core", "typer.main", "typer.testing", "uvicorn", "websockets"),
)
MODULES = ("fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
CALLS = (
    *(
        "O_CLOEXEC",
        "O_DIRECTORY",
        "O_NOCTTY",
        "O_NOFOLLOW",
        "O_NONBLOCK",
        "O_SYNC",
        "chown",
        "chroot",
        "fchmod",
    ),
    *(
        "fchown",
        "fork",
        "forkpty",
        "getegid",
        "geteuid",
        "getgid",
        "getgroups",
        "getpgid",
        "getpgrp",
        "getpriority",
    ),
    *(
        "getsid",
        "getuid",
        "killpg",
        "lchown",
        "mkfifo",
        "mknod",
        "nice",
        "openpty",
        "setgid",
        "setpgid",
        "setsid",
    ),
    *("setuid", "sync", "tcgetpgrp", "ttyname", "uname", "wait3", "wait4"),
)
SIGNALS = (
    *(
        "SIGALRM",
        "SIGCHLD",
        "SIGCONT",
        "SIGHUP",
        "SIGKILL",
        "SIGPIPE",
        "SIGQUIT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGUSR1",
    ),
    *("SIGUSR2", "SIGWINCH", "alarm", "pause", "pthread_kill", "pthread_sigmask", "setitimer", "sigwait"),
)


def become_windows(local_app_data: str, libraries: tuple[str, ...] = LIBRARIES) -> None:
    """Take away and give; `local_app_data` is the folder that Windows names as this user's own."""
    for name in libraries:
        importlib.import_module(name)
    for owner, names in ((os, CALLS), (signal, SIGNALS)):
        for name in names:
            if hasattr(owner, name):
                delattr(owner, name)
    windows: Any = os
    windows.O_BINARY = 0
    sys.modules["msvcrt"] = _msvcrt()
    # What `shutil.which` asks Windows since Python 3.12.
    programs: Any = shutil
    programs._winapi = SimpleNamespace(NeedCurrentDirectoryForExePath=lambda _name: False)
    known: Any = sys.modules["ctypes"]
    known.windll = SimpleNamespace(
        shell32=SimpleNamespace(SHGetKnownFolderPath=_named(local_app_data)),
        ole32=SimpleNamespace(CoTaskMemFree=lambda _place: None),
    )
    modules: dict[str, Any] = sys.modules
    for name in MODULES:
        modules[name] = None
    places: Any = sys.modules["platformdirs.windows"]
    places.get_win_folder = places.get_win_folder_from_env_vars
    chosen: Any = sys.modules["platformdirs"]
    chosen.PlatformDirs = places.Windows
    sys.platform = "win32"


def _named(folder: str) -> Any:
    def named(which: bytes, flags: int, token: None, found: Any) -> int:
        # FOLDERID_LocalAppData: three little-endian numbers and eight bytes.
        assert which.hex() == "8527b3f1ba6fcf4f9d557b8e7f157091"
        assert (flags, token) == (0, None)
        found._obj.value = folder
        return 0

    return named


def _msvcrt() -> ModuleType:
    """Lock a file the way Windows answers: EACCES while another process has it."""
    module: Any = ModuleType("msvcrt")
    module.LK_UNLCK, module.LK_NBLCK = 0, 2

    def locking(descriptor: int, mode: int, count: int) -> None:
        assert (count, os.lseek(descriptor, 0, os.SEEK_CUR)) == (1, 0), (
            "Windows locks from where the file stands"
        )
        if mode == module.LK_UNLCK:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1)
            return
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        except OSError as error:
            raise OSError(errno.EACCES, "Permission denied") from error

    module.locking = locking
    module.kbhit = lambda: False
    return module


def capcli(line: str) -> int:
    """Run a line of capcli; return its exit code."""
    sys.argv = ["capcli", *shlex.split(line)]
    try:
        runpy.run_module("capcli", run_name="__main__", alter_sys=True)
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def main(*lines: str) -> None:
    become_windows(os.environ["LOCALAPPDATA"])
    raise SystemExit(max(capcli(line) for line in lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
