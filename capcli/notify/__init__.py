"""Starts notification programs: the desktop's own command, and the user's.

Text reaches them as an argument or on stdin, never as a script. Nothing here waits for them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LIMIT_S = 10
_HERE = Path(__file__).parent
_LONGEST = 200
_APPLESCRIPT = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)
_MARKUP = str.maketrans("<>&", "   ")
# Only the variables a program needs to start and to find the screen: no secrets.
_HANDED_ON = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "TZ", "TMPDIR"}
    | {"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"}
    | {"XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP", "XDG_DATA_DIRS", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}
    | {"APPDATA", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATHEXT", "PROGRAMDATA"}
    | {"PROGRAMFILES", "PSMODULEPATH", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "USERNAME"}
    | {"USERPROFILE", "WINDIR"}
)


class Launcher:
    """Starts a program with its input in the background; it is stopped after 10 s."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = handed_on(environ)

    def __call__(self, argv: Sequence[str], document: bytes) -> None:
        """Start it. Raises OSError if no process can be started."""
        process = self._started(argv, document)
        threading.Thread(target=process.wait, name="capcli-notify", daemon=True).start()

    def run(self, argv: Sequence[str], document: bytes) -> int:
        """Run it and return its exit code (127: cannot be run, 124: timeout). Raises OSError as a call."""
        return self._started(argv, document).wait()

    def _started(self, argv: Sequence[str], document: bytes) -> "subprocess.Popen[bytes]":
        with tempfile.TemporaryFile() as given:
            # A file, not a pipe: a program that never reads its input cannot block us.
            given.write(document)
            given.seek(0)
            return subprocess.Popen(  # noqa: S603  the user's own program, as argv, without a shell
                [sys.executable, "-I", str(_HERE / "run_once.py"), str(LIMIT_S), *argv],
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._environ,
                cwd=tempfile.gettempdir(),
                # Ctrl-C must reach only the command at the terminal.
                start_new_session=True,
            )

    def desktop(self, title: str, text: str) -> tuple[str, ...] | None:
        """Return the command that shows a notification; None without a desktop."""
        return desktop_command(sys.platform, self._environ, title, text)


def handed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment passed to a program."""
    return {
        name: text
        for name, text in environ.items()
        if name.upper() in _HANDED_ON or name.upper().startswith("LC_")
    }


def plain(text: str) -> str:
    """Return one line without control characters and markup that cannot be taken for an option."""
    line = "".join(letter if letter.isprintable() else " " for letter in text).translate(_MARKUP)
    return " ".join(line.split()).lstrip("-")[:_LONGEST]


def desktop_command(
    platform: str, environ: Mapping[str, str], title: str, text: str
) -> tuple[str, ...] | None:
    """Return the system's own command for a notification: notify-send, osascript or PowerShell."""
    words = (plain(title), plain(text))
    if platform == "darwin":
        script_words = (word for line in _APPLESCRIPT for word in ("-e", line))
        return _found("osascript", environ, *script_words, *words)
    if platform == "win32":
        script = str(_HERE / "toast.ps1")
        options = ("-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File")
        return _found("powershell", environ, *options, script, *words)
    if not environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return None
    return _found("notify-send", environ, "--app-name=capcli", "--urgency=critical", "--", *words)


def _found(program: str, environ: Mapping[str, str], *words: str) -> tuple[str, ...] | None:
    path = find_program(program, environ)
    return None if path is None else (path, *words)


def find_program(program: str, environ: Mapping[str, str]) -> str | None:
    """Return the full path of a program; None if none can be started."""
    with suppress(OSError, ValueError):
        return shutil.which(program, path=environ.get("PATH", os.defpath))
    return None
