"""Every quirk of API page 15 and every default of API page 17 has a test, and the test is there."""

import ast
import re
from pathlib import Path

import pytest

from tests.contract import examples
from tests.contract.audit import DEFAULTS, FAULTS, QUIRKS, Reason

TESTS = Path(__file__).parents[1]
PAGE = examples.FILE.with_name("capital-com-api.md")
_ROW = re.compile(r"^\| ([^|]+?) \|", re.MULTILINE)


def test_every_test_of_the_audit_is_there():
    named = [QUIRKS, DEFAULTS, FAULTS]
    found = {name for table in named for row in table.values() if not isinstance(row, Reason) for name in row}
    files = {name.partition("::")[0] for name in found}
    assert found <= {f"{file}::{test}" for file in files for test in functions(TESTS / file)}


def test_the_audit_has_every_quirk_and_every_default_of_the_page():
    if not PAGE.exists():
        if examples.required():
            pytest.fail(f"CI=true, and the API page is not at {PAGE}")
        pytest.skip(f"the API page is not at {PAGE}")
    assert list(map(int, rows("15"))) == list(QUIRKS)
    assert rows("17") == list(DEFAULTS)
    listed = section("17").rpartition("hurt a real client): ")[2].strip().removesuffix(".")
    assert listed.split("; ") == list(FAULTS)


def functions(file: Path) -> set[str]:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def section(number: str) -> str:
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {number}. ")[2]
    return text.partition("\n## ")[0]


def rows(number: str) -> list[str]:
    """The first column of a section's table, without its head and its line."""
    return _ROW.findall(section(number))[1:]
