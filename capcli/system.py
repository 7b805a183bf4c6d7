"""Differences between Linux, macOS and Windows: folders, file modes, locks. Nothing about trading."""

import errno
import json
import os
import shlex
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from capcli.errors import Busy, ConfigError, SettingInvalid, StateFolderUnusable

RUNTIME_FOLDERS = Path("/run/user")
XDG = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
_NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_OWN_PLACES = (
    ("Library/Application Support", "Library/Application Support", "Library/Caches")
    if sys.platform == "darwin"
    else (".config", ".local/state", ".cache")
)


class Folders(Struct, frozen=True):
    """Where capcli keeps its files. `CAPCLI_HOME` puts all of them under one folder, except `guard`.

    `guard` is the same for every process of this user, whatever its environment says.
    """

    config: Path
    state: Path
    cache: Path
    runtime: Path | None
    guard: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def journal(self) -> Path:
        return self.state / "journal.db"

    @property
    def halt(self) -> Path:
        return self.state / "halted"

    @property
    def guarded_halt(self) -> Path:
        return guarded_halt(self.guard)

    @property
    def paper(self) -> Path:
        return self.state / "paper.db"

    @property
    def mandates(self) -> Path:
        return self.state / "mandates"

    @property
    def locks(self) -> Path:
        return self.state / "locks"


def guarded_halt(guard: Path | None = None) -> Path:
    """Return the second place of a halt."""
    return (guard or guard_folder()) / "halted"


def folders(environ: Mapping[str, str]) -> Folders:
    """Return the folders for this user: `CAPCLI_HOME`, else the platform's own, from this environment alone.

    Raises SettingInvalid for a relative path, which would be another folder in every directory.
    """
    base, guard = environ.get("XDG_RUNTIME_DIR"), guard_folder()
    runtime = Path(base) / "capcli" if base and sys.platform != "win32" else None
    if environ.get("CAPCLI_HOME"):
        root = _absolute("CAPCLI_HOME", environ)
        return Folders(root, root, root / "cache", runtime, guard)
    if sys.platform == "win32":
        from platformdirs import PlatformDirs

        dirs = PlatformDirs("capcli", appauthor=False, roaming=False)
        return Folders(dirs.user_config_path, dirs.user_state_path, dirs.user_cache_path, runtime, guard)
    home = _absolute("HOME", environ) if environ.get("HOME") else system_home()
    if home is None:
        raise StateFolderUnusable(
            "There is no home folder.", "Nothing was sent.", next="export CAPCLI_HOME=/PATH"
        )
    config, state, cache = (
        _absolute(name, environ) / "capcli" if environ.get(name, "").strip() else home / place / "capcli"
        for name, place in zip(XDG, _OWN_PLACES, strict=True)
    )
    return Folders(config, state, cache, runtime, guard)


def _absolute(name: str, environ: Mapping[str, str]) -> Path:
    """Return a variable's folder. Raises SettingInvalid for one that depends on the current directory."""
    path = Path(environ[name].strip()).expanduser()
    if path.is_absolute():
        return path
    if sys.platform == "win32":
        quoted = str(path.absolute()).replace("'", "''")
        assignment = f"$env:{name} = '{quoted}'"
    else:
        assignment = f"export {name}={shlex.quote(str(path.absolute()))}"
    raise SettingInvalid(
        f"{name} is {environ[name][:80]!a}, a relative path: halts, orders and settings would be kept in"
        " another folder wherever capcli is started. Write the whole path.",
        "Nothing was sent.",
        next=assignment,
        variable=name,
        allowed="an absolute path",
    )


def session_bus() -> Path | None:
    """Return the socket of this user's own session bus, where logind puts it; None where there is none."""
    if sys.platform == "win32":
        return None
    place = RUNTIME_FOLDERS / str(os.getuid()) / "bus"
    with suppress(OSError):
        found = place.stat()
        if stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid():
            return place
    return None


def private_folder(path: Path) -> Path:
    """Create a folder that only this user can enter (0700) and return it. Raises StateFolderUnusable."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sys.platform != "win32":
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode):
                path = path.resolve(strict=True)
                found = path.lstat()
            if found.st_uid != os.getuid():
                raise StateFolderUnusable(f"{path} belongs to another user. Nothing was written there.")
            if stat.S_IMODE(found.st_mode) & 0o077:
                path.chmod(0o700)
    except OSError as error:
        raise StateFolderUnusable(
            f"The folder {path} cannot be used: {error.strerror or error}.",
            "Nothing was sent.",
            next="capcli config path",
        ) from error
    return path


def make_private(path: Path) -> None:
    """Remove group and others' rights from a file (0600); Windows relies on the profile folder's rights."""
    if sys.platform != "win32":
        path.chmod(0o600)


def open_private(path: Path, mode: str) -> IO[bytes]:
    """Open a binary file; a new one is for this user only (0600), whatever the umask."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def put_in_place(file: Path, content: bytes, *, mode: int = 0o600, durable: bool = False) -> None:
    """Write a file atomically: readers see the complete old or new one.

    `durable` holds over a power cut. Raises OSError; what was there is unchanged then.
    """
    import tempfile

    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            if durable:
                stream.flush()
                sync(stream.fileno())
        Path(name).chmod(mode)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def file_lock(
    path: Path,
    *,
    wait_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    bare: bool = False,
) -> Iterator[IO[bytes]]:
    """Hold an exclusive kernel lock on a file, and yield the open file (`r+b`).

    The kernel frees it when the process dies, kill -9 included. `bare`: nothing is written to it, so on a
    read-only disk a file that is there is locked all the same.

    Raises Busy when another process keeps it for longer than `wait_s` seconds, StateFolderUnusable where the
    file cannot be opened or the file system refuses the lock.
    """
    private_folder(path.parent)
    deadline = clock() + wait_s
    with _lock_file(path, bare=bare) as handle:
        while not _locked(handle, path):
            if clock() >= deadline:
                raise Busy(f"Another capcli process holds {path.name} for more than {wait_s:g} s.")
            sleep(0.02)
        try:
            yield handle
        finally:
            if handle.writable():
                handle.flush()
            _unlock(handle)


def _lock_file(path: Path, *, bare: bool) -> IO[bytes]:
    try:
        handle = os.fdopen(os.open(path, _LOCK_FLAGS, 0o600), "r+b")
        try:
            make_private(path)
        except OSError:
            handle.close()
            raise
    except OSError as error:
        if bare and _READ_ONLY_LOCKS and error.errno in _NOT_WRITABLE:
            with suppress(OSError):
                return os.fdopen(os.open(path, os.O_RDONLY), "rb")
        raise StateFolderUnusable(
            f"The lock {path} cannot be opened: {error.strerror or error}.",
            "Nothing was sent.",
            next="capcli config path",
        ) from error
    return handle


def _locked(handle: IO[bytes], path: Path) -> bool:
    """Try to acquire the lock; False while another process has it. Raises StateFolderUnusable."""
    try:
        _try_lock(handle)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise StateFolderUnusable(
            f"The file system refuses the lock {path}: {error.strerror or error}. Nobody else holds it, and "
            "nothing was sent. Keep capcli's files on a local disk: name a folder there in CAPCLI_HOME.",
            next="capcli config path",
        ) from error
    return True


def put_guarded(file: Path, facts: Mapping[str, Any]) -> None:
    """Write a JSON file of the guard folder (0600 in 0700) atomically. Raises StateFolderUnusable."""
    private_folder(file.parent)
    try:
        put_in_place(file, json.dumps(facts).encode(), durable=True)
        sync_folder(file.parent)
    except OSError as error:
        raise StateFolderUnusable(
            f"{file} cannot be written: {error.strerror or error}.", next="capcli config path"
        ) from error


def read_guarded(file: Path) -> dict[str, Any] | None:
    """Return the facts of a JSON file of the guard folder; None where there is no such file.

    Raises StateFolderUnusable for one that cannot be read or is not a JSON object: it is never "nothing".
    """
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(file, getattr(error, "strerror", None) or "it is not JSON") from error
    if not isinstance(found, dict):
        raise _unreadable(file, "it is not a JSON object")
    return found


def _unreadable(file: Path, why: str) -> ConfigError:
    return StateFolderUnusable(f"{file} cannot be read: {why}.", next="capcli config path")


def sync(descriptor: int) -> None:
    """Make a file's data survive a power cut. Raises OSError."""
    os.fsync(descriptor)
    if sys.platform == "darwin":
        # On macOS fsync leaves the bytes in the drive's cache; not every file system supports the other call.
        with suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)


def sync_folder(folder: Path) -> None:
    """Make changes of a folder survive a power cut, if the system can."""
    # Windows cannot open a folder and logs its renames.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            sync(handle)
        finally:
            os.close(handle)


if sys.platform == "win32":
    import ctypes
    import msvcrt

    # FOLDERID_LocalAppData, {F1B32785-6FBA-4FCF-9D55-7B8E7F157091}, as the bytes of a GUID
    _LOCAL_APP_DATA = bytes.fromhex("8527b3f1ba6fcf4f9d557b8e7f157091")

    def system_home() -> Path | None:
        """Return this user's local application data folder, from Windows itself; None if it names none."""
        found = ctypes.c_wchar_p()
        failed = ctypes.windll.shell32.SHGetKnownFolderPath(_LOCAL_APP_DATA, 0, None, ctypes.byref(found))
        path = found.value
        ctypes.windll.ole32.CoTaskMemFree(found)
        return None if failed or not path else Path(path)

    def guard_folder() -> Path:
        """Return the folder of what no environment variable may move: the second halt, the journal's head.

        It may not exist yet: `put_guarded` makes it. Raises StateFolderUnusable.
        """
        home = system_home()
        if home is None:
            raise StateFolderUnusable("Windows does not name your local application data folder.")
        return home / "capcli-guard"

    _LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_BINARY
    _READ_ONLY_LOCKS = False

    _HELD = {errno.EACCES, errno.EDEADLK}

    def _try_lock(handle: IO[bytes]) -> None:
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)

    def _unlock(handle: IO[bytes]) -> None:
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl
    import pwd

    def system_home() -> Path | None:
        """Return this user's home from the password database, never from HOME; None if it names none."""
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return None
        return Path(home) if Path(home).is_absolute() else None

    def guard_folder() -> Path:
        """Return the folder of what no environment variable may move: the second halt, the journal's head.

        It may not exist yet: `put_guarded` makes it. A user without a home has one under /var/tmp.
        """
        home = system_home()
        return home / ".capcli-guard" if home else Path(f"/var/tmp/.capcli-guard-{os.getuid()}")  # noqa: S108

    _LOCK_FLAGS = os.O_RDWR | os.O_CREAT
    # flock needs no write permission.
    _READ_ONLY_LOCKS = True

    _HELD = {errno.EAGAIN, errno.EWOULDBLOCK}

    def _try_lock(handle: IO[bytes]) -> None:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(handle: IO[bytes]) -> None:
        fcntl.flock(handle.fileno(), fcntl.LOCK_UN)
