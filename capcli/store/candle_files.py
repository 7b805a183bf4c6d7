"""A download's file: candles go to a partial file; a checkpoint beside it says how many bytes are valid.

The complete file is renamed to the target. Torn data after the checkpoint is cut off.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

import msgspec

from capcli.domain.candle_days import DownloadState
from capcli.domain.market import Candle
from capcli.errors import Busy, OutputUnusable, UsageError
from capcli.store.candle_rows import HEADER, csv_lines, json_lines, need_pyarrow, to_parquet
from capcli.system import file_lock, open_private, put_in_place, sync_folder

_FORMATS = (".csv", ".jsonl", ".parquet")
_VERSION = 3


class _Note(msgspec.Struct, frozen=True):
    """The checkpoint: its download, and how many bytes of its rows are valid."""

    version: int
    terms: dict[str, str]
    bytes: int
    kept: DownloadState


class FileTarget:
    """The `CandleTarget` of a file, in the format of its suffix.

    `place` is what a download depends on beside its own terms. With `force` a finished file is replaced at
    the end, and a partial one of another download is thrown away.
    """

    def __init__(self, name: str, locks: Path, place: Mapping[str, str], *, force: bool = False) -> None:
        self._path = Path(name).expanduser()
        self._format = self._path.suffix.lower()
        if self._format not in _FORMATS:
            raise UsageError(
                f"--output is {name[:200]!a}: its name must end with {', '.join(_FORMATS)}, or be - for "
                "stdout. Nothing was fetched.",
                next="capcli prices --help",
            )
        self._rows = self._path.with_name(f"{self._path.name}.part")
        self._note = self._path.with_name(f"{self._path.name}.part.json")
        self._locks = locks
        self._place = dict(place)
        self._force = force
        self._lock = ExitStack()
        self._terms: dict[str, str] = {}
        self._file: IO[bytes] | None = None

    def begin(self, terms: dict[str, str], command: str) -> DownloadState | None:
        if self._format == ".parquet":
            need_pyarrow()
        with self._writing("Nothing was fetched."):
            name = sha256(os.fsencode(self._path.absolute())).hexdigest()[:16]
            try:
                self._lock.enter_context(file_lock(self._locks / f"download-{name}.lock", wait_s=0))
            except Busy:
                busy = f"Another capcli process is writing {self._path}. Nothing was fetched."
                raise Busy(busy) from None
            if self._path.exists() and not self._force:
                raise UsageError(
                    f"{self._path} exists already and was not changed. To replace it, add --force. Nothing"
                    " was fetched.",
                    next=f"{command} --force",
                )
            self._terms = {**self._place, **terms}
            kept = self._earlier(command)
            self._file = self._open(kept)
        return kept[0] if kept else None

    def _earlier(self, command: str) -> tuple[DownloadState, int] | None:
        """Return an earlier run's state, and how many bytes of its rows are valid."""
        try:
            note = msgspec.json.decode(self._note.read_bytes(), type=_Note)
        except FileNotFoundError:
            return None
        except (ValueError, msgspec.MsgspecError):
            raise self._other(f"{self._note} cannot be read", command) from None
        kept, size = note.kept, note.bytes
        same = note.version == _VERSION and note.terms == self._terms
        if not same and self._force:
            return None
        if not same:
            terms = ", ".join(f"{name} {value}" for name, value in note.terms.items() if value)
            raise self._other(f"{self._rows} belongs to another download ({terms})", command)
        if not self._rows.exists() or self._rows.stat().st_size < size:
            if self._force:
                return None
            raise self._other(f"{self._rows} holds less than its checkpoint says", command)
        return kept, size

    def _other(self, what: str, command: str) -> UsageError:
        return UsageError(
            f"{what}. Run the command that began it, choose another file, or start over with --force. "
            "Nothing was fetched.",
            next=f"{command} --force",
        )

    def _open(self, kept: tuple[DownloadState, int] | None) -> IO[bytes]:
        if kept is None:
            # The checkpoint is removed first: without one the rows are started over.
            self._note.unlink(missing_ok=True)
            begun: IO[bytes] = self._lock.enter_context(open_private(self._rows, "wb"))
            if self._format != ".jsonl":
                begun.write(HEADER)
            return begun
        gone_on: IO[bytes] = self._lock.enter_context(self._rows.open("r+b"))
        gone_on.truncate(kept[1])
        gone_on.seek(kept[1])
        return gone_on

    def append(self, candles: tuple[Candle, ...]) -> None:
        with self._writing():
            self._open_file.write(json_lines(candles) if self._format == ".jsonl" else csv_lines(candles))

    def keep(self, kept: DownloadState) -> None:
        with self._writing():
            file = self._open_file
            file.flush()
            os.fsync(file.fileno())
            note = _Note(_VERSION, self._terms, file.tell(), kept)
            put_in_place(self._note, msgspec.json.encode(note), durable=True)
            sync_folder(self._note.parent)

    def finish(self, kept: DownloadState) -> None:
        with self._writing():
            self._open_file.close()
            whole = self._as_parquet(kept) if self._format == ".parquet" else self._rows
            whole.replace(self._path)
            self._file = None
            sync_folder(self._path.parent)
            self._note.unlink(missing_ok=True)
            self._rows.unlink(missing_ok=True)

    def _as_parquet(self, kept: DownloadState) -> Path:
        whole = self._path.with_name(f"{self._path.name}.part.parquet")
        try:
            to_parquet(self._rows, whole, price_places=kept.price_places, volume_places=kept.volume_places)
            with whole.open("r+b") as file:
                os.fsync(file.fileno())
        except BaseException:
            # An incomplete file is useless, and takes space on a full disk.
            whole.unlink(missing_ok=True)
            raise
        return whole

    def close(self) -> None:
        # Data that cannot be flushed is after the checkpoint; without one nothing is worth keeping.
        with suppress(OSError):
            if self._file is not None and not self._note.exists():
                self._rows.unlink(missing_ok=True)
        with suppress(OSError):
            self._lock.close()

    @property
    def _open_file(self) -> IO[bytes]:
        assert self._file is not None
        return self._file

    @contextmanager
    def _writing(self, what: str = "") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
            raise OutputUnusable(f"{self._path} cannot be written: {reason}. {what}".rstrip()) from None


class StreamTarget:
    """The `CandleTarget` of a stream: rows as they arrive, as CSV or JSON lines. Cannot be resumed."""

    def __init__(self, write: Callable[[bytes], None], *, as_json: bool) -> None:
        self._write = write
        self._json = as_json

    def begin(self, terms: dict[str, str], command: str) -> DownloadState | None:
        del terms, command
        if not self._json:
            self._put(HEADER)
        return None

    def append(self, candles: tuple[Candle, ...]) -> None:
        self._put(json_lines(candles) if self._json else csv_lines(candles))

    def _put(self, rows: bytes) -> None:
        try:
            self._write(rows)
        except BrokenPipeError:
            # Not an error: the reader closed the pipe.
            raise
        except OSError as error:
            raise OutputUnusable(f"stdout cannot be written: {error.strerror or error}.") from None

    def keep(self, kept: DownloadState) -> None: ...

    def finish(self, kept: DownloadState) -> None: ...

    def close(self) -> None: ...
