"""capcli's processes: each command line is a forked process of its own that lives on the run's clock.

Everything is imported once before, so that a process costs its work and not its start.
"""

import ctypes
import fcntl
import json
import os
import pkgutil
import resource
import select
import signal
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.faults.campaign.clock import SharedTime
from tests.faults.campaign.sabotage import SABOTAGES
from tests.faults.campaign.venue import LABEL, PID

PATIENCE_S = 60.0
# linux/capability.h: version 3, and CAP_DAC_OVERRIDE with CAP_DAC_READ_SEARCH.
_CAPABILITIES, _OVERRIDES = 0x20080522, 0b110
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# What is waited for in real time (seconds): a connection, an answer, the journal's lock, the account's.
_CONNECT_S, _ANSWER_S, _JOURNAL_S, _LOCK_S = 1.0, 1.5, 1.0, 1


# What a library imports at its first use.
_LAZY = (
    "certifi",
    "fastmcp",
    "httpcore",
    "jaraco.context",
    "jaraco.functools",
    "keyring.core",
    "mcp.server.stdio",
    "typer._click.decorators",
)


def preload() -> None:
    """Import all of capcli, and the server's library, before anything is forked."""
    import capcli

    for module in pkgutil.walk_packages(capcli.__path__, "capcli."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in _LAZY:
        import_module(name)


@dataclass(frozen=True)
class Start:
    """What a process starts with; `user` is the home that the system knows.

    No file of it can grow beyond `disk` bytes, where there is such a limit. What it says goes into pipes: a
    full disk does not silence it.
    """

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    user: Path
    time: SharedTime
    step: Callable[[], str]
    stdout: int
    stderr: int
    stdin: int | None = None
    disk: int | None = None
    sabotage: str = ""
    work: Callable[[], int] | None = None
    """What a person does there that no command line can; else the command line."""


def launch(start: Start) -> int:
    """Fork a capcli command and return its process id; its ends of the pipes are closed here."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        for handle in {start.stdout, start.stderr}:
            os.close(handle)
        return pid
    code = 1
    try:
        _become(start)
        from capcli.__main__ import main

        # What came before the command line runs ends the process here, and nothing of capcli's.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        code = (start.work or main)()
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 1
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = code or 1
        os._exit(code)


def _become(start: Start) -> None:
    stdin = os.open(os.devnull, os.O_RDONLY) if start.stdin is None else start.stdin
    # Far above the standard ones first: none of them is overwritten before it was moved.
    handles = [fcntl.fcntl(one, fcntl.F_DUPFD, 100) for one in (stdin, start.stdout, start.stderr)]
    for number, handle in enumerate(handles):
        os.dup2(handle, number)
    os.closerange(3, 256)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.resetwarnings()
    os.environ.clear()
    os.environ.update(start.environ)
    sys.argv = ["capcli", *start.argv]
    _live_faster(start)
    _obey_modes()
    if start.sabotage:
        SABOTAGES[start.sabotage].done()
    if start.disk is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (start.disk, resource.RLIM_INFINITY))


def _obey_modes() -> None:
    """Give up what lets root write to what is read-only: users cannot."""
    if os.geteuid():
        return
    libc = ctypes.CDLL(None)
    head, rights = struct.pack("II", _CAPABILITIES, 0), ctypes.create_string_buffer(24)
    libc.capget(head, rights)
    effective, *rest = struct.unpack("6I", rights.raw)
    libc.capset(head, struct.pack("6I", effective & ~_OVERRIDES, *rest))


def _live_faster(start: Start) -> None:
    """Put the process on the run's clock, and its name on each of its requests."""
    import httpx

    from capcli import system
    from capcli.app import App
    from capcli.broker import transport
    from capcli.runtime import Runtime
    from capcli.store import db

    runtime = Runtime(
        clock=start.time.now, sleep=start.time.sleep, monotonic=start.time.monotonic, lock_wait_s=_LOCK_S
    )
    real_build, real_handle = App.build, httpx.HTTPTransport.handle_request

    def build(*options: Any, **more: Any) -> App:
        return real_build(*options, **{**more, "runtime": runtime})

    def handle(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        request.headers[LABEL], request.headers[PID] = start.step(), str(os.getpid())
        return real_handle(self, request)

    app, wire, database, http, machine = map(
        _open, (App, transport, db.Database, httpx.HTTPTransport, system)
    )
    machine.system_home = lambda: start.user
    app.build, http.handle_request = build, handle
    wire.CONNECT_S, wire.MUTATION_READ_S = _CONNECT_S, _ANSWER_S
    database.__init__.__kwdefaults__["wait_s"] = _JOURNAL_S


def _open(owner: Any) -> Any:
    return owner


def pipe() -> tuple[int, int]:
    """Return a pipe that takes all that a command says before anybody reads it."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
    os.set_blocking(reading, False)
    return reading, writing


def drained(reading: int) -> str:
    """Return what is in a pipe, and close it."""
    parts = []
    try:
        while part := os.read(reading, 1 << 20):
            parts.append(part)
    except BlockingIOError:
        pass  # a process that outlived its parent holds the other end
    os.close(reading)
    return b"".join(parts).decode(errors="replace")


def ended(pid: int) -> int | None:
    """Return how a process ended (negative: by which signal), None while it lives; a stopped one goes on."""
    found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
    if not found:
        return None
    if os.WIFSTOPPED(status):
        return None
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def state(pid: int) -> str:
    """Return a process's state as Linux has it, nothing where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_suspended(pid: int) -> bool:
    return state(pid) == "T"


@dataclass
class Server:
    """`capcli mcp serve` and its client: one call after the other over stdin and stdout."""

    environ: Mapping[str, str]
    user: Path
    time: SharedTime
    note: Path
    pid: int = 0
    _to: int = -1
    _from: int = -1
    _heard: bytes = b""
    _number: int = 0
    said: str = ""
    _quiet: int = -1

    def start(self) -> None:
        ours_in, self._to = os.pipe()
        (self._from, theirs_out), (self._quiet, theirs_err) = os.pipe(), pipe()
        begin = Start(
            ("mcp", "serve"), self.environ, self.user, self.time, self._step, theirs_out, theirs_err, ours_in
        )
        self.pid = launch(begin)
        os.close(ours_in)
        client = {"name": "campaign", "version": "1"}
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        self._heard = b""
        self._ask("initialize", hello)
        self._say({"method": "notifications/initialized"})

    def _step(self) -> str:
        return self.note.read_text()

    def call(self, step: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """Call a tool; None where the server died of it."""
        self.note.write_text(step)
        if not self.pid:
            self.start()
        try:
            return self._ask("tools/call", {"name": tool, "arguments": arguments})
        except (BrokenPipeError, EOFError):
            self.stop()
            return None

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        self._say({"id": self._number, "method": method, "params": params})
        until = time.monotonic() + PATIENCE_S
        while True:
            line = self._line(until)
            answer: dict[str, Any] = json.loads(line)
            if answer.get("id") == self._number and "method" not in answer:
                return answer.get("result") or answer

    def _say(self, message: dict[str, Any]) -> None:
        os.write(self._to, json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def _line(self, until: float) -> bytes:
        while b"\n" not in self._heard:
            ready, _, _ = select.select([self._from], [], [], 0.05)
            if self.pid and not ready:
                self._wake()
            if time.monotonic() > until:
                raise TimeoutError("the server does not answer")
            chunk = os.read(self._from, 1 << 16) if ready else b"\0"
            if not chunk:
                raise EOFError
            self._heard += chunk.strip(b"\0")
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _wake(self) -> None:
        """Let it go on when something has suspended it."""
        if is_suspended(self.pid):
            time.sleep(0.2)
            os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        if not self.pid:
            return
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for handle in (self._to, self._from):
            os.close(handle)
        self.pid, self.said = 0, self.said + drained(self._quiet)
