"""A small private file shared by the user's processes. One that cannot be used counts as absent."""

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from msgspec import MsgspecError, Struct
from msgspec.json import decode, encode

from capcli.errors import CapcliError
from capcli.system import private_folder, put_in_place

T = TypeVar("T", bound=Struct)

_FAILURES = (OSError, CapcliError, ValueError, TypeError, ArithmeticError, MsgspecError)


def read_cached(file: Path, kind: type[T]) -> T | None:
    with suppress(*_FAILURES):
        return decode(file.read_bytes(), type=kind)
    return None


def write_cached(file: Path, value: Struct) -> None:
    """Replace the file. Of two processes at the same time, one loses its write."""
    with suppress(*_FAILURES):
        private_folder(file.parent)
        put_in_place(file, encode(value))


def hashed(text: str) -> str:
    """Return a part of a file's name for a host or an account."""
    return sha256(text.encode()).hexdigest()[:16]
