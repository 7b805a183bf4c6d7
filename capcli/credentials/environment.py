"""Credentials from the environment (plain, files, systemd, commands): one complete set or none."""

import os
import shlex
import stat
import sys
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from capcli.credential_names import CREDENTIAL_NAMES, CREDENTIALS, ENDINGS
from capcli.credentials.form import checked
from capcli.errors import ConfigError, CredentialsMissing, SettingInvalid
from capcli.ports.login import Credentials
from capcli.settings.values import command

COMMAND_DEADLINE_S = 10.0

_LARGEST_FILE = 4096


class _Kind(StrEnum):
    PLAIN = "plain"
    FILE = "file"
    SYSTEMD = "systemd"
    COMMAND = "command"


_KINDS = dict(zip(ENDINGS, (_Kind.PLAIN, _Kind.FILE, _Kind.COMMAND), strict=True))


class _Origin(Struct, frozen=True):
    """The source of one credential. `text` is the variable's content, so there is no repr."""

    name: str
    variable: str
    kind: _Kind
    text: str

    def __repr__(self) -> str:
        return f"_Origin({self.variable})"


def read(environ: Mapping[str, str], *, deadline_s: float = COMMAND_DEADLINE_S) -> Credentials | None:
    """Return the credentials of the environment, or None when it names none of the three.

    Raises CredentialsMissing for an incomplete set and SettingInvalid for one that cannot be read.
    """
    origins = _origins(environ)
    if not origins:
        return None
    values = []
    for each in origins:
        match each.kind:
            case _Kind.PLAIN:
                text = each.text
            case _Kind.COMMAND:
                text = _run(each, environ, deadline_s)
            case _Kind.FILE | _Kind.SYSTEMD:
                text = _read_file(each)
        values.append(checked(each.name, text, each.variable))
    return Credentials(*values)


def read_private(variable: str, path: str) -> str:
    """Return the text of a secret file that only its owner can open. Raises SettingInvalid."""
    return _read_file(_Origin(variable, variable, _Kind.FILE, path))


def variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Name the variables that hold the credentials, without reading files or running commands."""
    return tuple(origin.variable for origin in _origins(environ))


def identity(environ: Mapping[str, str]) -> str | None:
    """Return a fingerprint of the credentials for session caches, without running a command."""
    origins = _origins(environ)
    if not origins:
        return None
    if all(origin.kind is not _Kind.COMMAND for origin in origins):
        credentials = read(environ)
        return credentials.fingerprint if credentials else None
    marks = "\0".join(f"{origin.variable}={origin.text}" for origin in origins)
    return sha256(marks.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _origins(environ: Mapping[str, str]) -> tuple[_Origin, ...]:
    found = {name: origin for name in CREDENTIALS if (origin := _origin(name, environ))}
    missing = [name for name in CREDENTIALS if name not in found]
    if found and missing:
        there = " and ".join(origin.variable for origin in found.values())
        zsh = (
            " If the shell said `event not found`, the password has an exclamation mark: put it in single"
            " quotes."
        )
        raise CredentialsMissing(
            f"The environment has {there}, but not {' and '.join(missing)}. The keychain is not used for"
            " the rest. Set what is missing, or unset the others."
            f"{zsh if 'CAP_API_PASSWORD' in missing else ''}",
            "Nothing was sent.",
            next="capcli help environment",
            missing=missing,
        )
    return tuple(found.values())


def _origin(name: str, environ: Mapping[str, str]) -> _Origin | None:
    """Find the source of one credential; an empty variable counts as not set."""
    found = [
        _Origin(name, name + ending, kind, environ[name + ending])
        for ending, kind in _KINDS.items()
        if environ.get(name + ending, "").strip()
    ]
    if len(found) > 1:
        names = " and ".join(origin.variable for origin in found)
        raise SettingInvalid(
            f"{names} are both set. Keep one of them.",
            "Nothing was sent.",
            next=f"unset {found[-1].variable}",
            variable=name,
        )
    if found:
        return found[0]
    folder = environ.get("CREDENTIALS_DIRECTORY")
    for form in (name.lower(), name) if folder else ():
        path = Path(folder or "") / form
        if os.path.lexists(path):
            return _Origin(name, f"CREDENTIALS_DIRECTORY/{form}", _Kind.SYSTEMD, str(path))
    return None


def _refused(origin: _Origin, why: str, *, next: str = "capcli help environment") -> ConfigError:  # noqa: A002
    return SettingInvalid(
        f"{origin.variable} {why}.", "Nothing was sent.", next=next, variable=origin.variable
    )


def _read_file(origin: _Origin) -> str:
    """Read a secret from a file. Its path is named only once it exists: it might be the secret itself."""
    path = Path(origin.text.strip())
    if not path.is_absolute():
        raise _refused(origin, "does not name a file by its full path")
    try:
        handle = os.open(path, _open_flags(origin.kind))
    except OSError as error:
        raise _refused(origin, f"names a file that cannot be opened ({_reason(error)})") from None
    try:
        _check_file(origin, path, os.fstat(handle))
        content = os.read(handle, _LARGEST_FILE + 1)
    except OSError as error:
        raise _refused(origin, f"names {path}, which cannot be read ({_reason(error)})") from None
    finally:
        os.close(handle)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = ""
    if len(content) > _LARGEST_FILE or (content and not text):
        raise _refused(origin, f"names {path}, which is not text of at most {_LARGEST_FILE} bytes")
    return text


def _reason(error: OSError) -> str:
    return "it is a symbolic link" if error.errno == _TOO_MANY_LINKS else error.strerror or "unreadable"


if sys.platform == "win32":
    _TOO_MANY_LINKS = -1

    def _open_flags(_kind: _Kind) -> int:
        return os.O_RDONLY | os.O_BINARY

    def _check_file(origin: _Origin, path: Path, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise _refused(origin, f"names {path}, which is not a regular file")

else:
    import errno

    _TOO_MANY_LINKS = errno.ELOOP

    def _open_flags(kind: _Kind) -> int:
        # Without O_NONBLOCK a named pipe would hang here. systemd's folder may be linked into a container.
        links = 0 if kind is _Kind.SYSTEMD else os.O_NOFOLLOW
        return os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | links

    def _check_file(origin: _Origin, path: Path, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise _refused(origin, f"names {path}, which is not a regular file")
        if origin.kind is _Kind.SYSTEMD:
            return  # Protected by the service manager: they belong to root and have an access list.
        if found.st_uid != os.getuid():
            raise _refused(origin, f"names {path}, which belongs to another user")
        if stat.S_IMODE(found.st_mode) & 0o077:
            mode = f"{stat.S_IMODE(found.st_mode):04o}"
            raise _refused(
                origin,
                f"names {path}, which others can open (mode {mode}, 0600 is required)",
                next=f"chmod 600 {shlex.quote(str(path))}",
            )


def _run(origin: _Origin, environ: Mapping[str, str], deadline_s: float) -> str:
    """Run a command without a shell and return its output. It is never named: it might be the secret."""
    import subprocess

    argv = _argv(origin)
    outcome: subprocess.CompletedProcess[bytes] | str
    try:
        outcome = subprocess.run(  # noqa: S603 - the user's own command, split without a shell
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=deadline_s,
            check=False,
            env={name: text for name, text in environ.items() if name not in CREDENTIAL_NAMES},
        )
    except subprocess.TimeoutExpired:
        outcome = f"names a command that did not end within {deadline_s:g} s; it was stopped"
    except (OSError, ValueError) as error:
        cause = (error.strerror or "not found") if isinstance(error, OSError) else "not a command line"
        outcome = f"names a command that cannot be started ({cause})"
    # Raised outside the handlers: their errors hold the command line.
    if isinstance(outcome, str):
        raise _refused(origin, outcome)
    if outcome.returncode:
        # Its stderr is not shown: that may hold the secret.
        why = f"names a command that ended with exit code {outcome.returncode}; run it by hand to see why"
        raise _refused(origin, why)
    try:
        return outcome.stdout.decode()
    except UnicodeDecodeError:
        pass
    raise _refused(origin, "names a command whose output is not UTF-8 text")


def _argv(origin: _Origin) -> list[str]:
    try:
        return list(command(origin.text))
    except ValueError as error:
        why = str(error)
    raise _refused(origin, f"is {why}")
