"""No test asserts how long something took, and no default test sleeps: only benchmarks look at a clock."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.source import parsed

TESTS = ROOT / "tests"
CLOCKS = {"monotonic", "perf_counter", "monotonic_ns", "perf_counter_ns", "process_time"}
SLOW = {"faults", "soak", "bench", "imports"}
# Helpers that wait for another thread, looking again and again, and whatever only slow tests use.
MAY_SLEEP = {
    "support/owners.py",
    "support/pressing.py",
    "support/screen.py",
    "support/flood.py",
    "contract/scenarios.py",
}


def files(*names: str) -> Iterator[Path]:
    """Return the files in which any of the names stands."""
    for path in sorted(TESTS.rglob("*.py")):
        if "bench" not in path.relative_to(TESTS).parts:
            text = path.read_text(encoding="utf-8")
            if any(name in text for name in names):
                yield path


def real(tree: ast.Module, names: set[str]) -> set[str]:
    """Return how a module writes calls of the real `time`: `time.sleep`, or `sleep` where it was imported."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {f"{a.asname or a.name}.{n}" for a in node.names if a.name == "time" for n in names}
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found |= {a.asname or a.name for a in node.names if a.name in names}
    return found


def marks(node: ast.AST) -> set[str]:
    return {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)} & SLOW


def named(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def calls(node: ast.AST, of: set[str]) -> bool:
    return any(isinstance(part, ast.Call) and ast.unparse(part.func) in of for part in ast.walk(node))


def measured(function: ast.FunctionDef | ast.AsyncFunctionDef, clocks: set[str]) -> Iterator[ast.Assert]:
    """Find asserts on a real clock, or on a name that was worked out from one.

    A loop that waits for something may give up.
    """
    giving_up = {
        id(one) for loop in ast.walk(function) if isinstance(loop, ast.While) for one in ast.walk(loop)
    }
    arguments = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    clocks = {name for name in clocks if name.partition(".")[0] not in arguments}
    tainted: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and calls(node.value, clocks):
            tainted |= {name.id for to in node.targets for name in ast.walk(to) if isinstance(name, ast.Name)}
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and id(node) not in giving_up:
            names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
            if calls(node.test, clocks) or names & tainted:
                yield node


def test_nothing_asserts_a_duration() -> None:
    found = []
    for path in files(*CLOCKS):
        tree = parsed(path)
        clocks = real(tree, CLOCKS)
        for function in functions(tree) if clocks else ():
            if "bench" not in {mark for one in function.decorator_list for mark in marks(one)}:
                found += [f"{path.relative_to(TESTS)}:{one.lineno}" for one in measured(function, clocks)]
    assert found == []


def test_no_default_test_sleeps() -> None:
    found = []
    for path in files("sleep"):
        name = path.relative_to(TESTS).as_posix()
        if name.startswith("faults/") or name in MAY_SLEEP:
            continue
        tree = parsed(path)
        if any(
            marks(node) for node in tree.body if isinstance(node, ast.Assign) and named(node, "pytestmark")
        ):
            continue
        sleeps = real(tree, {"sleep"})
        for function in functions(tree) if sleeps else ():
            slow = {mark for one in function.decorator_list for mark in marks(one)}
            arguments = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
            ours = {sleep for sleep in sleeps if sleep.partition(".")[0] not in arguments}
            if not slow and calls(function, ours):
                found.append(f"{name}:{function.lineno} {function.name}")
    assert found == []


def test_a_measured_time_is_noticed() -> None:
    """What these two look for, they find."""
    text = (
        "import time\ndef test_it():\n    began = time.monotonic()\n    assert time.monotonic() - began < 5\n"
    )
    later = "from time import perf_counter\ndef test_it():\n    took = perf_counter()\n    assert took < 5\n"
    virtual = "import time\ndef test_it(time):\n    assert time.monotonic() < 5\n"
    for source, hits in ((text, 1), (later, 1), (virtual, 0)):
        tree = ast.parse(source)
        (function,) = functions(tree)
        assert len(list(measured(function, real(tree, CLOCKS)))) == hits
