"""Every test has a home of its own, no `CAP_` settings of the person who runs it, and no network."""

import gc
import ipaddress
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from typer.core import TyperGroup

from capcli import system
from capcli.cli import tree
from capcli.safety import pin
from capcli.store import db
from capcli.store.schema import Migrations
from tests.support.launched import RUN
from tests.support.owners import Connections

# What a test decides does not hang on how busy the machine is.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

pytest_plugins = ["tests.support.fixtures", "tests.support.compared"]

_HOMES = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")


_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30


def _in_memory() -> bool:
    """Say whether the homes of the tests fit into memory, where nothing waits for a disk."""
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ROOM:
        return False
    return not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC


if _in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))  # pytest's setting; workers inherit it

# What collecting makes stays until the end: looking for garbage in it took two fifths of its time.
gc.disable()


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the thousands of tests themselves at every turn."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()


class NetworkUsed(AssertionError):
    """A test tried to leave this computer."""


@pytest.fixture(autouse=True, scope="session")
def users_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the operating system name another home, for fixtures that outlive a test, too."""
    real, home = system.guard_folder(), tmp_path_factory.mktemp("user")
    before = _files(real)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system, "system_home", lambda: home)
        yield
    ours = str(tmp_path_factory.getbasetemp()).encode()
    touched = [file for file in _files(real) - before if ours in file.read_bytes()]
    assert not touched, f"a test wrote into the real {real}: start its child with as_own_user()"


def _files(folder: Path) -> frozenset[Path]:
    return frozenset(folder.iterdir()) if folder.is_dir() else frozenset()


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """Fail a test that leaves a SQLite connection to the garbage collector, which Python 3.13 reports."""
    connections = Connections(sqlite3.connect)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", connections)
        yield
    left = connections.left_open()
    assert not left, "nobody closed what was opened here:\n" + "\n".join(left)


@pytest.fixture(autouse=True)
def own_home(closed_connections: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home, named = tmp_path / "home", tmp_path / "user"
    monkeypatch.setattr(system, "system_home", lambda: named)
    monkeypatch.setattr(system, "RUNTIME_FOLDERS", named / RUN)
    for name in list(os.environ):
        if name.startswith(("CAP_", "CAPCLI_")):
            monkeypatch.delenv(name)
    for name in (*_HOMES, "XDG_RUNTIME_DIR", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("CAPCLI_HOME", str(home / "capcli"))
    return home / "capcli"


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse names and addresses that are not this computer's, whoever asks."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))
        yield


@pytest.fixture(autouse=True, scope="session")
def cheap_secrets() -> Iterator[None]:
    """Make one RSA key for all paper worlds of a run, and PINs that are quick to guess."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rsa, "generate_private_key", cache(rsa.generate_private_key))
        patch.setattr(pin, "_N", 2)
        yield


@pytest.fixture(autouse=True, scope="session")
def made_once() -> Iterator[None]:
    """Make each command of its function and a journal of its migrations, and check each schema, once."""
    images: dict[Migrations, sqlite3.Connection] = {}
    with pytest.MonkeyPatch.context() as patch:
        commands = _commands_once(typer.main.get_command)
        patch.setattr(typer.main, "get_command", commands)
        patch.setattr(tree, "get_command", commands)
        checked = staticmethod(_checked_once(Draft202012Validator.check_schema))
        patch.setattr(Draft202012Validator, "check_schema", checked)
        patch.setattr(db, "_migrate", _migrated_once(db._migrate, images, sqlite3.connect))
        yield
    for image in images.values():
        image.close()


def _commands_once(real: Callable[[typer.Typer], Any]) -> Callable[[typer.Typer], Any]:
    derived = cache(real)

    def get_command(app: typer.Typer) -> Any:
        command = copy(derived(app))
        if isinstance(command, TyperGroup):
            # It takes in what was imported for one command line.
            command.commands = dict(command.commands)
        return command

    return get_command


def _checked_once(real: Callable[..., None]) -> Callable[..., None]:
    sound: set[str] = set()

    def check_schema(schema: Any, **options: Any) -> None:
        text = json.dumps([schema, repr(options)], sort_keys=True)
        if text not in sound:
            real(schema, **options)
            sound.add(text)

    return check_schema


def _migrated_once(
    real: Callable[..., None],
    images: dict[Migrations, sqlite3.Connection],
    connect: Callable[..., sqlite3.Connection],
) -> Callable[..., None]:
    def migrate(connection: sqlite3.Connection, migrations: Migrations) -> None:
        if db._version(connection):
            real(connection, migrations)
        elif migrations in images:
            images[migrations].backup(connection)
        else:
            real(connection, migrations)
            image = connect(":memory:", check_same_thread=False)
            connection.backup(image)
            images[migrations] = image

    return migrate


def _guarded(real: Any) -> Any:
    def guarded(self: socket.socket, *args: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            _refuse_remote(args[-1][0])
        return real(self, *args)

    return guarded


def _guarded_lookup(real: Any) -> Any:
    def guarded(host: Any, *args: Any, **options: Any) -> Any:
        _refuse_remote(host)
        return real(host, *args, **options)

    return guarded


def _refuse_remote(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host or "localhost"
    if name == "localhost":
        return
    try:
        local = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        local = None
    if local is None or not (local.is_loopback or local.is_unspecified):
        raise NetworkUsed(f"{name} is not this computer")
