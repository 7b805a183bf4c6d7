"""What befalls the files of a home while commands are at work in it, and the repair that follows."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

_FILES = ("journal.db", "journal.db-wal", "journal.db-shm")
_GARBAGE = b"no database " * 1000


def copied(journal: Path) -> tuple[int, bytes]:
    """Return how many events a journal has, and a copy of it in one file."""
    copy = journal.with_name("copy.db")
    with closing(sqlite3.connect(journal, timeout=10)) as db, closing(sqlite3.connect(copy)) as other:
        db.backup(other)
    content = copy.read_bytes()
    copy.unlink()
    return counted(journal), content


def counted(journal: Path) -> int:
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
        return int(db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def put_back(journal: Path, content: bytes) -> None:
    """Put a copy in a journal's place, as a person restores one."""
    for name in _FILES:
        journal.with_name(name).unlink(missing_ok=True)
    journal.write_bytes(content)
    journal.chmod(0o600)


@contextmanager
def _away(journal: Path) -> Iterator[None]:
    aside = journal.with_name("aside")
    aside.mkdir()
    for name in _FILES:
        with suppress(FileNotFoundError):
            journal.with_name(name).rename(aside / name)
    yield
    for name in _FILES:
        journal.with_name(name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            (aside / name).rename(journal.with_name(name))
    aside.rmdir()


@contextmanager
def _overwritten(journal: Path) -> Iterator[None]:
    with _away(journal):
        journal.write_bytes(_GARBAGE)
        yield


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """Take the right to write off a folder and its files; folders in it keep theirs."""
    there = [path for path in (folder, *folder.iterdir()) if path.is_file() or path == folder]
    modes = {path: path.stat().st_mode for path in there}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    yield
    for path, mode in modes.items():
        with suppress(FileNotFoundError):
            path.chmod(mode)


@contextmanager
def _no_folder(folder: Path) -> Iterator[None]:
    aside = folder.with_name(f"{folder.name}.aside")
    folder.rename(aside)
    folder.write_bytes(b"")
    yield
    folder.unlink()
    aside.rename(folder)


@contextmanager
def _garbage(folder: Path) -> Iterator[None]:
    """Overwrite every file; what is of no use any more is removed in the end."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        path.write_bytes(b"\xff\x00 garbage")
    yield
    for path in files:
        with suppress(OSError):
            if path.read_bytes().endswith(b" garbage"):
                path.unlink()


@contextmanager
def _bad_settings(home: Path) -> Iterator[None]:
    file = home / "config.toml"
    file.write_text("[profiles.main\nenv = demo")
    yield
    file.unlink(missing_ok=True)


Damage = Callable[[Path, Path], "tuple[Path, Callable[[Path], object]]"]

# The kind: what it befalls (given the home and the guard folder), and how.
DAMAGES: dict[str, Damage] = {
    "no journal": lambda home, _: (home / "journal.db", _away),
    "overwritten journal": lambda home, _: (home / "journal.db", _overwritten),
    "read-only journal": lambda home, _: (home, _read_only),
    "damaged cache": lambda home, _: (home / "cache", _garbage),
    "damaged settings": lambda home, _: (home, _bad_settings),
    "no lock folder": lambda home, _: (home / "locks", _no_folder),
    "read-only locks": lambda home, _: (home / "locks", _read_only),
    "read-only guard": lambda _, guard: (guard, _read_only),
    "no guard": lambda _, guard: (guard, _no_folder),
}
# Those under which no order can be written down, so none may leave.
UNFIT = frozenset({"no journal", "overwritten journal", "read-only journal"})


@contextmanager
def damaged(home: Path, guard: Path, kinds: list[str]) -> Iterator[list[str]]:
    """Damage what is there and yield what was done; everything is repaired in the end."""
    with ExitStack() as repairs:
        harmed: set[Path] = set()
        done: list[str] = []
        for kind in kinds:
            place, harm = DAMAGES[kind](home, guard)
            if place.exists() and place not in harmed:
                harmed.add(place)
                done.append(kind)
                repairs.enter_context(harm(place))  # type: ignore[arg-type]
        yield done
