"""Runs the tests on mutants, as a pytest plugin: collected once, and each mutant has a fork of that process.

Code inside a function is exchanged in the functions that exist. What runs when a module is imported needs
the modules of the program and of the tests anew; the libraries stay.
"""

import gc
import importlib.abc
import importlib.util
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from hashlib import sha256
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from tests.mutation.mutants import ROOT, Mutant, mutants, mutated

OPTIONS = (
    "-q",
    "--capture=sys",
    "--assert=plain",
    "-pno:cacheprovider",
    "-pno:xdist",
    "-ofaulthandler_timeout=0",
)
_SHARE = 200
"""Tests that one child of the recording runs."""
_NEAR = 100
"""Tests that are tried because they noticed a change nearby."""
_FILES_ANEW = 8
"""Test files that are read again for a change that an import must see."""
_OF_ALL = "tests/test_values.py"
"""Tests of what modules make when they are imported; like those of a table they run none of its lines."""


class Mutation:
    """`modules` are paths from the project's folder; `picked` chooses among their mutants.

    `memory` keeps which test runs which line, for the next run; `before` is the result of an earlier run:
    what noticed a mutant then is tried first, and then what noticed others of its function and its file, then
    and now.
    """

    def __init__(
        self,
        modules: Sequence[str],
        picked: Callable[[list[Mutant]], list[Mutant]],
        *,
        budget_s: float,
        jobs: int,
        out: Path,
        memory: Path,
        before: Sequence[Mapping[str, Any]],
    ) -> None:
        self._modules = modules
        self._picked = picked
        self._budget_s = budget_s
        self._jobs = jobs
        self._out = out
        self._memory = memory
        self._noticed = [dict(row) for row in before if row["by"]]
        self._functions: dict[tuple[str, str, int], list[FunctionType]] = {}

    def pytest_configure(self) -> None:
        # Shrinking a counterexample costs more than finding it, and nobody reads it.
        settings.register_profile(
            "mutation",
            phases=[Phase.explicit, Phase.generate],
            database=None,
            deadline=None,
            derandomize=True,
        )
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        tests = {item.nodeid: item for item in session.items}
        gc.unfreeze()  # the tests' own setting hides what is frozen, the functions too
        gc.collect()
        self._functions = _functions({str(ROOT / path) for path in self._modules})
        gc.freeze()  # the children share what they do not touch
        seen = self._remembered(tests)
        work = self._picked([each for path in self._modules for each in mutants(path)])
        _say(f"{len(seen)} tests pass; {len(work)} mutants")
        done = self._forked([self._trial(each, tests, seen) for each in work])
        killed = 0
        with self._out.open("w") as results:
            for count, (number, said) in enumerate(done, 1):
                verdict = json.loads(said or '{"by": "time"}')
                killed += verdict["by"] is not None
                row = asdict(work[number]) | verdict
                self._noticed += [row] * bool(row["by"])
                results.write(json.dumps(row) + "\n")
                results.flush()
                if count % 50 == 0 or count == len(work):
                    _say(f"{count} of {len(work)}: {killed} killed")
        return True

    def _remembered(self, tests: dict[str, pytest.Item]) -> list["_Seen"]:
        """Return, of every test that passes, what it runs and how long; only what is new is run for that."""
        memory = json.loads(self._memory.read_text()) if self._memory.exists() else {"texts": {}, "seen": {}}
        texts = {path: (ROOT / path).read_text() for path in self._modules}
        moved = {path: _moved(memory["texts"].get(path, ""), text) for path, text in texts.items()}
        files = {nodeid.partition("::")[0] for nodeid in tests}
        marks = {file: sha256((ROOT / file).read_bytes()).hexdigest()[:16] for file in files}
        seen = {}
        for nodeid, (mark, seconds, lines) in memory["seen"].items():
            if (
                nodeid in tests
                and marks[nodeid.partition("::")[0]] == mark
                and texts.keys() <= memory["texts"].keys()
            ):
                kept = [(path, moved[path].get(line, 0)) for path, line in lines if path in moved]
                seen[nodeid] = _Seen(nodeid, seconds, frozenset(kept))
        fresh = [item for nodeid, item in tests.items() if nodeid not in seen]
        _say(f"{len(tests)} tests, {len(fresh)} of them unknown")
        shares = [fresh[at : at + _SHARE] for at in range(0, len(fresh), _SHARE)]
        watched = {str(ROOT / path) for path in self._modules}
        for _, said in self._forked(
            [_child(lambda share=share: _record(share, watched), 3600) for share in shares]
        ):
            for nodeid, (seconds, lines) in json.loads(said or "{}").items():
                seen[nodeid] = _Seen(nodeid, seconds, frozenset(map(tuple, lines)))
        kept = {
            name: (marks[name.partition("::")[0]], each.seconds, sorted(each.lines))
            for name, each in seen.items()
        }
        self._memory.write_text(json.dumps({"texts": texts, "seen": kept}))
        return list(seen.values())

    def _trial(self, mutant: Mutant, tests: dict[str, pytest.Item], seen: list["_Seen"]) -> "_Job":
        def run() -> str:
            lines = {(mutant.path, line) for line in range(mutant.first_line, mutant.last_line + 1)}
            reached = [each for each in seen if mutant.function and lines & each.lines]
            swapped = bool(reached) and _exchanged(mutant, self._functions)
            if not swapped:
                lines = _mentions(mutant.names, self._modules)
                about = f"/test_{Path(mutant.path).stem}.py::"
                reached = [
                    each
                    for each in seen
                    if lines & each.lines or about in each.nodeid or each.nodeid.startswith(_OF_ALL)
                ]
                reached = reached or [
                    each for each in seen if any(path == mutant.path for path, _ in each.lines)
                ]
            chosen = list(
                _affordable(reached, mutant.path, self._budget_s, files=1000 if swapped else _FILES_ANEW)
            )
            reaching = {each.nodeid for each in reached}
            near = sorted(
                (row for row in self._noticed if row["path"] == mutant.path and row["by"] in reaching),
                key=lambda row: (row["name"] != mutant.name, row["function"] != mutant.function),
            )
            first = list(dict.fromkeys(row["by"] for row in near))[:_NEAR]
            chosen = list(dict.fromkeys([*first, *chosen]))
            by = _first_failure([tests[nodeid] for nodeid in chosen]) if swapped else _anew(mutant, chosen)
            return json.dumps({"by": by, "tests": len(chosen), "of": len(reached)})

        return _child(run, self._budget_s)

    def _forked(self, jobs: list["_Job"]) -> Iterator[tuple[int, str]]:
        """Run the jobs in children, some at a time; yield number and answer of each, "" if it died."""
        running: dict[int, tuple[int, Path]] = {}
        waiting = list(enumerate(jobs))[::-1]
        while waiting or running:
            while waiting and len(running) < self._jobs:
                number, job = waiting.pop()
                folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
                running[job(folder)] = number, folder
            pid, _ = os.waitpid(-1, 0)
            number, folder = running.pop(pid)
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            answer = folder / "answer"
            said = answer.read_text() if answer.exists() else ""
            shutil.rmtree(folder, ignore_errors=True)
            yield number, said


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.__stderr__, flush=True)


def _moved(old: str, new: str) -> dict[int, int]:
    """Return where each line of an older text is now; a line that is gone is not in it."""
    same = SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).get_matching_blocks()
    return {a + at + 1: b + at + 1 for a, b, size in same for at in range(size)}


def _functions(files: set[str]) -> dict[tuple[str, str, int], list[FunctionType]]:
    found = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename in files:
            code = each.__code__
            found[code.co_filename, code.co_qualname, code.co_firstlineno].append(each)
    return found


@dataclass(frozen=True)
class _Seen:
    nodeid: str
    seconds: float
    lines: frozenset[tuple[str, int]]


_Job = Callable[[Path], int]


def _child(run: Callable[[], str], cpu_s: float) -> _Job:
    """Return what forks, runs it with a limit of CPU time, and leaves its answer in a folder."""

    def fork(folder: Path) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()
            quiet = os.open(os.devnull, os.O_RDWR)
            for handle in (0, 1, 2):
                os.dup2(quiet, handle)
            os.environ["PYTEST_DEBUG_TEMPROOT"] = os.environ["TMPDIR"] = str(folder)
            tempfile.tempdir = str(folder)
            limit = int(cpu_s * 2 + 20)
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
            signal.alarm(limit * 6)
            said = run()
            (folder / "draft").write_text(said)
            (folder / "draft").rename(folder / "answer")
        finally:
            os._exit(0)

    return fork


def _record(items: list[pytest.Item], watched: set[str]) -> str:
    found: dict[str, tuple[float, list[tuple[str, int]]]] = {}
    short = {path: str(Path(path).relative_to(ROOT)) for path in watched}
    lines: set[tuple[str, int]] = set()

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add((short[frame.f_code.co_filename], frame.f_lineno))
        return line

    def call(frame: FrameType, *_: Any) -> Any:
        return line if frame.f_code.co_filename in watched else None

    for item, following in zip(items, [*items[1:], None], strict=True):
        lines.clear()
        threading.settrace(call)
        sys.settrace(call)
        began = time.process_time()
        reports = runtestprotocol(item, log=False, nextitem=following)
        sys.settrace(None)
        threading.settrace(None)
        if all(report.passed for report in reports):
            found[item.nodeid] = time.process_time() - began, sorted(lines)
    return json.dumps(found)


def _affordable(reached: list[_Seen], path: str, budget_s: float, files: int) -> Iterator[str]:
    """Yield tests as long as the time allows: those of the module's own file, then one of each in turn."""
    turns: dict[str, int] = Counter()
    queue = []
    for each in sorted(reached, key=lambda each: each.seconds):
        file = each.nodeid.partition("::")[0]
        own = f"test_{Path(path).stem}" in file or file == _OF_ALL
        queue.append((not own, turns[file], each.seconds, each.nodeid, file))
        turns[file] += 1
    used: set[str] = set()
    for *_, seconds, nodeid, file in sorted(queue):
        budget_s -= seconds
        if budget_s < 0:
            return
        if file in used or len(used) < files:
            used.add(file)
            yield nodeid


def _first_failure(items: list[pytest.Item]) -> str | None:
    for item, following in zip(items, [*items[1:], None], strict=True):
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return item.nodeid
    return None


def _exchanged(mutant: Mutant, functions: dict[tuple[str, str, int], list[FunctionType]]) -> bool:
    """Put the changed code into the functions that exist; False if it does not fit them."""
    file = str(ROOT / mutant.path)
    made = _code(compile(mutated(mutant), file, "exec"), mutant)
    old = functions.get((file, mutant.function or "", mutant.function_line), [])
    if made is None or not old or any(each.__code__.co_freevars != made.co_freevars for each in old):
        return False
    for each in old:
        each.__code__ = made
    return True


def _code(within: CodeType, mutant: Mutant) -> CodeType | None:
    for each in within.co_consts:
        if isinstance(each, CodeType):
            if each.co_qualname == mutant.function and each.co_firstlineno == mutant.function_line:
                return each
            if found := _code(each, mutant):
                return found
    return None


def _mentions(names: tuple[str, ...], modules: Sequence[str]) -> set[tuple[str, int]]:
    """Return the lines that use a name, wherever it was imported to."""
    return {
        (path, number)
        for path in modules
        for number, text in enumerate((ROOT / path).read_text().splitlines(), 1)
        if any(name in text for name in names)
    }


class _Changed(SourceFileLoader, importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        name = mutant.path.removesuffix(".py").replace("/", ".")
        super().__init__(name, str(ROOT / mutant.path))
        self._code = compile(mutated(mutant), self.path, "exec")

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        return (
            importlib.util.spec_from_file_location(fullname, self.path, loader=self)
            if fullname == self.name
            else None
        )


class _Chosen:
    def __init__(self, nodeids: list[str]) -> None:
        self._places = {nodeid: at for at, nodeid in enumerate(nodeids)}
        self.failed: str | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (each for each in items if each.nodeid in self._places),
            key=lambda each: self._places[each.nodeid],
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = report.nodeid


def _anew(mutant: Mutant, nodeids: list[str]) -> str | None:
    """Import the program and the tests again, with the change, and run these tests; return what failed."""
    if not nodeids:
        return None
    for name in [name for name in sys.modules if name.partition(".")[0] in {"capcli", "tests"}]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Changed(mutant))
    chosen = _Chosen(nodeids)
    files = list(dict.fromkeys(nodeid.partition("::")[0] for nodeid in nodeids))
    code = pytest.main([*OPTIONS, "-x", *files], plugins=[chosen])
    return chosen.failed or (None if code == 0 else f"exit code {int(code)}")
