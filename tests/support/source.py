"""Source files as trees, each parsed once for all rules that read it."""

import ast
from functools import cache
from pathlib import Path


@cache
def parsed(path: Path) -> ast.Module:
    """Return the tree of a file. Nobody changes it."""
    return ast.parse(path.read_text(encoding="utf-8"))
