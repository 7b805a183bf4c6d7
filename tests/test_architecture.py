"""Who may import whom, and what may load only where it is used. The house rules, read off the source."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from capcli.cli.pages import source
from tests.support.source import parsed

ROOT = Path(__file__).parents[1] / "capcli"
EVERYBODY = {"credential_names", "errors", "system"}
# What every use case works with, and the rooms of use cases.
USE_CASE = {"domain", "errors", "ports", "reply", "ids", "fanout", "refusals", "context"}
# Each room may import those before it.
ROOMS = ("marketdata", "reconcile", "safety", "trading", "account")
USE_CASES = {*USE_CASE, *ROOMS, "health"}
# A package, and the packages of ours it may import besides itself.
MAY_IMPORT = {
    "domain": set(),
    "problem": set(),
    "errors": {"problem"},
    "system": {"errors"},
    "credential_names": set(),
    "log": {"credential_names"},
    "notify": set(),
    "sqlite_file": {"errors"},
    "settings": {"domain", *EVERYBODY},
    "ports": {"domain"},
    "reply": {"errors"},
    "ids": {"domain", "errors"},
    "fanout": set(),
    "refusals": {"domain", "errors"},
    # Typing alone.
    "runtime": {"safety.announcements", "trading.send_gate"},
    # What an app is made of beside its adapters. Both know the app by its type alone.
    "use_cases": {*USE_CASES, "safeguards"},
    "safeguards": {"app", "settings", "system", *USE_CASES},
    "paper_control": {"domain", "errors", "ports", "paper", "settings", "system"},
    "hints": {"credential_names", "store.seen", "system"},
    "__main__": {"hints", "cli"},
    "__init__": set(),
    # Typing alone: the approvals and the send gate of a context.
    "context": {"domain", "errors", "ports", "safety.approval", "trading.send_gate"},
    **{room: {*USE_CASE, *ROOMS[:place]} for place, room in enumerate(ROOMS)},
    # The checklist looks once at everything that has to be done before live.
    "safety.going_live": {*USE_CASE, "safety", "marketdata", "account.accounts"},
    # The probes look at what the composition root wires; see ROOTS.
    "health": USE_CASE,
    "broker": {"ports", "domain", "errors"},
    "store": {"ports", "domain", "sqlite_file", *EVERYBODY},
    "credentials": {"ports", "domain", "settings", *EVERYBODY},
    # Credentials of a client's entry are only counted, never read.
    "assistants": {"settings", "credentials.environment", *EVERYBODY},
    "paper": {"domain", "sqlite_file", *EVERYBODY},
    # Result types are all that render knows of the services and of the paper broker.
    "render": {"domain", *USE_CASES, "errors", "settings", "paper.state"},
    "cli": {
        *USE_CASES,
        "render",
        "credential_names",
        "errors",
        "app",
        "runtime",
        "log",
        "domain",
        "settings",
        "system",
        # The guided login stores what was typed, and `mcp serve` hands over to the other face.
        "credentials.form",
        "credentials.source",
        "paper.state",
        "mcp.server",
        # Completion scripts name the faults and the checks.
        "paper.faults",
        "health.probes.probes",
        "mcp.tool_filter",
        "desk",
        # Written even where the settings cannot be read, so that there is no app.
        "health.report",
        "health.recording_check",
        "assistants.carrying",
        "assistants.locations",
        "assistants.skill",
        "assistants.installing",
        "assistants.bundle",
    },
    "desk": {*USE_CASES, "render", "errors", "app", "domain"},
    "mcp": {
        *USE_CASES,
        "render.envelope",
        "render.fields",
        "render.schema",
        "errors",
        "app",
        "runtime",
        "log",
        "domain",
        "settings",
        "system",
    },
}
PROBES = {
    f"health.{name}"
    for name in ("assistants", "machine", "probes", "recording", "recording_check", "report", "venue")
}
# The composition root and its two sides: what they wire is everything.
ROOTS = {"app", *PROBES}
# Paid by the user: these load inside the function that needs them, except in the adapters named here.
HEAVY = {
    "httpx",
    "pydantic",
    "rich",
    "keyring",
    "cryptography",
    "fastmcp",
    "mcp",
    "uvicorn",
    "sqlite3",
    "asyncio",
    "websockets",
    "textual",
}
ADAPTERS = {
    "httpx": {"broker", "paper"},
    "sqlite3": {"store", "paper", "sqlite_file"},
    "asyncio": {"paper", "mcp", "desk"},
    "fastmcp": {"mcp"},
    "mcp": {"mcp"},
    "pydantic": {"mcp"},
    "rich": {"render", "desk"},
    "textual": {"desk"},
}
NO_CLOCKS = {"datetime.now", "datetime.utcnow", "time.time", "date.today"}

FILES = sorted(ROOT.rglob("*.py"))


def package_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    dotted = ".".join(parts)
    return dotted if dotted in PROBES or dotted in MAY_IMPORT else parts[0]


def imports(tree: ast.AST, *, top_level: bool = False) -> list[str]:
    """List the modules a file imports; with `top_level` only what runs when the file is imported."""
    nodes = list(eager(tree)) if top_level else list(ast.walk(tree))
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif made := made_of(node):
            found.append(made)
    return found


def made_of(node: ast.AST) -> str | None:
    """Name what a row of the tables in app.py and use_cases.py loads on first use."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "use" and len(node.args) > 1:
        module, name = (ast.literal_eval(one) for one in node.args[:2])
        return f"capcli.{module}.{name}"
    return None


def eager(node: ast.AST):
    """Walk what runs at import time: not into functions, nor into `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or typing_only:
            continue
        yield child
        yield from eager(child)


def each(paths):
    """Hold a rule against every file, in one test: the message names the file."""

    def held(rule):
        def test():
            assert paths
            for path in paths:
                rule(path)

        test.__name__ = rule.__name__
        return test

    return held


@each(FILES)
def test_imports_follow_the_layout(path):
    package = package_of(path)
    if package in ROOTS:
        return
    allowed = MAY_IMPORT[package] | {package}
    for name in imports(parsed(path)):
        if name.startswith("capcli.") and name != "capcli.__version__":
            ours = name.removeprefix("capcli.")
            assert any(ours == one or ours.startswith(one + ".") for one in allowed), (
                f"{path.name} imports {name}"
            )


@each(FILES)
def test_heavy_libraries_load_only_where_they_are_used(path):
    package = package_of(path)
    for name in imports(parsed(path), top_level=True):
        library = name.split(".")[0]
        if library in HEAVY:
            assert package in ADAPTERS.get(library, set()), f"{path.name} imports {library} at import time"


@each([path for path in FILES if package_of(path) in {"domain", *USE_CASES}])
def test_no_clock_is_read_inside(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in NO_CLOCKS, f"{path.name}:{node.lineno}"


@each(FILES)
def test_no_module_level_state_and_no_float_money(path):
    tree = parsed(path)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)], path.name
    if package_of(path) in {"domain", *USE_CASES}:
        floats = [
            ast.unparse(n)
            for n in ast.walk(tree)
            if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "float"
        ]
        assert not floats, path.name


def test_every_module_imports_on_any_platform():
    for path in FILES:
        eagerly = {name.split(".")[0] for name in imports(parsed(path), top_level=True)}
        if path.name not in {"system.py", "terminal.py"}:
            assert not eagerly & {"fcntl", "termios", "pwd", "grp", "resource", "msvcrt", "winreg"}, path.name


def test_a_row_makes_what_its_type_says():
    rows = [
        (node, made)
        for file in ("app.py", "use_cases.py")
        for node in ast.walk(parsed(ROOT / file))
        if isinstance(node, ast.AnnAssign) and node.value and (made := made_of(node.value))
    ]
    assert len(rows) > 40
    for node, made in rows:
        module, _, name = made.rpartition(".")
        found = getattr(import_module(module), name)
        makes = found if isinstance(found, type) else found.__annotations__["return"]
        says = ast.unparse(node.annotation).strip("'")
        name = makes.__name__ if isinstance(makes, type) else re.sub(r"\w+\.(?=\w)", "", str(makes))
        assert says == name, made


def loaded(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk everything that runs at some time: all but what stands there for the type checker."""
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
            yield child
            yield from loaded(child)


def test_no_modules_import_each_other_in_a_circle():
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in FILES
    }
    graph = {}
    for name, path in names.items():
        graph[name] = set()
        for node in loaded(parsed(path)):
            if made := made_of(node):
                graph[name].add(made.removeprefix("capcli.").rpartition(".")[0])
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("capcli."):
                module = node.module.removeprefix("capcli.")
                graph[name] |= {
                    one if (one := f"{module}.{alias.name}") in names else module for alias in node.names
                }
        graph[name] -= {name}
    assert "app" in graph["cli.call"]
    assert list(circles(graph)) == []


LONGEST = 450
# Nothing but a table may be longer.
TABLES = {"errors"}


def test_a_file_is_short_unless_it_is_a_table():
    long = {path for path in FILES if len(path.read_text().splitlines()) > LONGEST}
    assert {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in long} <= TABLES


def circles(graph: dict[str, set[str]]) -> Iterator[str]:
    """Take away whatever imports nothing that is left; what remains goes round."""
    left = dict(graph)
    while left:
        free = [name for name, after in left.items() if not after & left.keys()]
        if not free:
            yield " -> ".join(sorted(left))
            return
        for name in free:
            del left[name]


def test_every_path_that_help_architecture_names_is_there():
    page = source("architecture")
    paths = re.findall(r"`((?:capcli|tests)[/\w.]*)`", page)
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT.parent / path).exists()] == []
    rooms = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    # A face or an adapter that is not named would be looked for in vain.
    assert rooms - {path.split("/")[1] for path in paths if path.startswith("capcli/")} <= {
        "assistants",
        "notify",
    }
