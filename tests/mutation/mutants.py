"""Which small changes are tried. It reads source and makes trees; it runs nothing.

Left out is what changes only text: messages, docstrings, annotations, the next command of an error.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_OTHERS = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "ROUND_FLOOR": "ROUND_CEILING",
    "ROUND_CEILING": "ROUND_FLOOR",
    "ROUND_HALF_EVEN": "ROUND_FLOOR",
}
_UNWRAPPED = {
    "abs",
    "sorted",
    "reversed",
    "strip",
    "lower",
    "upper",
    "casefold",
    "removesuffix",
    "removeprefix",
}
_SQL = (
    (" AND ", " OR "),
    (" OR ", " AND "),
    (" >= ", " > "),
    (" <= ", " < "),
    (" > ", " <= "),
    (" < ", " >= "),
    (" = ", " <> "),
    (" IN (", " NOT IN ("),
    (" NOT IN (", " IN ("),
    ("IS NULL", "IS NOT NULL"),
    ("IS NOT NULL", "IS NULL"),
    (" DESC", ""),
    ("UNIQUE", ""),
    ("LIMIT 1", "LIMIT 2"),
)
_NO_CODE = {"annotation", "returns", "decorator_list", "bases", "type_params", "ctx"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module: `change` puts `new` where the tree of `path` has `old`."""

    path: str
    number: int
    first_line: int
    last_line: int
    function: str | None
    """The outermost function that holds it; None for what runs when the module is imported."""
    function_line: int
    names: tuple[str, ...]
    """What is assigned there when the module is imported."""
    said: str
    name: str
    """The same in the next version, as long as this place does not change."""


@dataclass(frozen=True)
class _Place:
    lines: tuple[int, int] = (1, 1)
    function: str | None = None
    function_line: int = 0
    scope: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Change:
    owner: ast.AST
    field: str
    index: int | None
    old: ast.AST
    new: ast.AST | None
    place: _Place

    def apply(self) -> None:
        if self.index is None:
            setattr(self.owner, self.field, self.new)
            return
        whole = getattr(self.owner, self.field)
        whole[self.index : self.index + 1] = [] if self.new is None else [self.new]
        if self.new is None and isinstance(self.owner, ast.Dict):
            del self.owner.values[self.index]

    def __str__(self) -> str:
        return f"{_text(self.old)}  ->  {'(gone)' if self.new is None else _text(self.new)}"


def mutants(path: str) -> list[Mutant]:
    """Return every mutant of a module, in a fixed order."""
    found, times = [], Counter[str]()
    for number, change in enumerate(_changes(_tree(path))):
        at, said = change.place, f"{change.place.scope}: {change}"
        name = f"{path} {said} {times[said]}"
        times[said] += 1
        found.append(Mutant(path, number, *at.lines, at.function, at.function_line, at.names, said, name))
    return found


def mutated(mutant: Mutant) -> ast.Module:
    """Return the module's tree with that one change."""
    tree = _tree(mutant.path)
    list(_changes(tree))[mutant.number].apply()
    return ast.fix_missing_locations(tree)


def _tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 110 else f"{text[:107]}..."


def _changes(tree: ast.Module) -> Iterator[_Change]:
    yield from _below(tree, _Place())


def _below(node: ast.AST, place: _Place) -> Iterator[_Change]:
    for field, value in ast.iter_fields(node):
        if field in _NO_CODE:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(child, ast.AST) or _only_text(node, field, child):
                continue
            here = _placed(child, _inside(node, field, place))
            if _is_member(node, field, child, importing=here.function is None):
                yield _Change(node, field, index, child, None, here)
            for new in _replacements(node, field, child):
                yield _Change(node, field, index, child, new, here)
            yield from _below(child, here)


def _inside(node: ast.AST, field: str, place: _Place) -> _Place:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and field == "body":
        scope = f"{place.scope}.{node.name}".lstrip(".")
        # The line that a code object names is the first decorator's.
        line = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        function, at = (place.function, place.function_line) if place.function else (scope, line)
        return _Place(place.lines, function, at, scope, place.names)
    if isinstance(node, ast.ClassDef):
        scope = f"{place.scope}.{node.name}".lstrip(".")
        return _Place(place.lines, place.function, place.function_line, scope, (node.name,))
    return place


def _placed(child: ast.AST, place: _Place) -> _Place:
    if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
        return place
    first = child.pattern.lineno if isinstance(child, ast.match_case) else child.lineno
    body = getattr(child, "body", None)
    last = max(first, body[0].lineno - 1) if body else getattr(child, "end_lineno", first)
    names = place.names
    if place.function is None:
        targets = getattr(child, "targets", None) or [getattr(child, "target", None)]
        names = tuple(each.id for each in targets if isinstance(each, ast.Name)) or names
        if isinstance(child, ast.FunctionDef):
            names = (child.name,)
    return _Place((first, last), place.function, place.function_line, place.scope, names)


def _only_text(parent: ast.AST, field: str, child: ast.AST) -> bool:
    match child:
        case ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.keyword(arg="next"):
            return True
        case ast.Assign(value=ast.Subscript() | ast.BinOp(op=ast.BitOr())) if isinstance(parent, ast.Module):
            return True  # another name for a type
        case ast.Call(func=ast.Name(id="TypeVar" | "cast")):
            return True
        case ast.Expr(value=ast.Constant() | ast.Yield() | ast.YieldFrom()):
            return True
    return isinstance(parent, ast.AnnAssign) and field == "target"


def _replacements(parent: ast.AST, field: str, node: ast.AST) -> Iterator[ast.AST]:
    if field == "test" and isinstance(parent, ast.If | ast.IfExp | ast.While):
        yield ast.Constant(value=False)
        if not isinstance(parent, ast.While):
            yield ast.Constant(value=True)
    if field in {"ifs", "guard"}:
        yield ast.Constant(value=True)
    if isinstance(node, ast.Constant):
        yield from _constants(parent, field, node)
    yield from _operations(node)
    yield from _statements(node)
    yield from _names(node)


def _operations(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=right):
            for index, op in enumerate(ops):
                for other in _COMPARISONS[type(op)]:
                    yield ast.Compare(left, [*ops[:index], other(), *ops[index + 1 :]], right)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
            for index in range(len(values)):
                rest = values[:index] + values[index + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC and not _is_text(
            left, right
        ):
            yield ast.BinOp(left, _ARITHMETIC[type(op)](), right)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Raise() | ast.AugAssign() | ast.Delete() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Break() | ast.Continue():
            yield ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        case ast.ExceptHandler(type=ast.AST(), name=name, body=body):
            yield ast.ExceptHandler(ast.Tuple([], ast.Load()), name, body)


def _names(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Name(id=name) if name in _OTHERS:
            yield ast.Name(_OTHERS[name], ast.Load())
        case ast.Attribute(value=ast.Name(id=kind), attr=name) if name in _members().get(kind, ()):
            members = _members()[kind]
            other = members[(members.index(name) + 1) % len(members)]
            yield ast.Attribute(ast.Name(kind, ast.Load()), other, ast.Load())
        case ast.Call(func=ast.Name(id=name), args=[inner, *_]) if name in _UNWRAPPED:
            yield inner
        case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in _UNWRAPPED:
            yield inner
        case ast.Call(func=ast.Name(id="replace"), args=args, keywords=words):
            for index in range(len(words)):
                yield ast.Call(node.func, args, words[:index] + words[index + 1 :])


def _is_member(parent: ast.AST, field: str, node: ast.AST, *, importing: bool) -> bool:
    """Say whether the node is one of several in a collection that stays well-formed without it."""
    match parent:
        case ast.Set(elts=several) | ast.List(elts=several, ctx=ast.Load()) if field == "elts":
            return len(several) > 1 and not isinstance(node, ast.Starred)
        case ast.Tuple(elts=several) if field == "elts":
            return importing and len(several) > 1
        case ast.Dict() if field == "keys":
            return True
    return False


def _is_text(*nodes: ast.AST) -> bool:
    return any(
        isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
        for node in nodes
    )


def _constants(parent: ast.AST, field: str, node: ast.Constant) -> Iterator[ast.Constant]:
    match node.value:
        case bool():
            yield ast.Constant(value=not node.value)
        case int() | float():
            yield ast.Constant(value=node.value + 1)
            if node.value > 1:
                yield ast.Constant(value=node.value - 1)
        case str() as text if text.lstrip().startswith(
            ("SELECT", "UPDATE", "INSERT", "DELETE", "CREATE", "WHERE")
        ):
            for old, new in _SQL:
                for found in re.finditer(re.escape(old), text):
                    yield ast.Constant(value=text[: found.start()] + new + text[found.end() :])
        case str() as text if isinstance(parent, ast.Call) and getattr(parent.func, "id", "") == "Decimal":
            try:
                yield ast.Constant(value=str(Decimal(text) + 1))
            except InvalidOperation:
                return
        case str() as text if isinstance(parent, ast.Compare) or (
            isinstance(parent, ast.Subscript) and field == "slice"
        ):
            yield ast.Constant(value=f"{text}x")


@cache
def _members() -> dict[str, tuple[str, ...]]:
    """Return the members of every enum of the program."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted((ROOT / "capcli").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any("Enum" in ast.unparse(base) for base in node.bases):
                assigned = [each.targets[0] for each in node.body if isinstance(each, ast.Assign)]
                found[node.name] = tuple(each.id for each in assigned if isinstance(each, ast.Name))
    return {kind: members for kind, members in found.items() if len(members) > 1}
