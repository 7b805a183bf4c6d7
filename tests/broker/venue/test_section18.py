"""The table of what was seen on the venue: complete, and every test in it is there."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from .test_answers import CASES

ROOT = Path(__file__).parents[3]
FACTS = tomllib.loads(Path(__file__).with_name("section18.toml").read_text())["fact"]


def test_every_fact_has_a_test_or_a_reason_for_none() -> None:
    assert {fact["number"] for fact in FACTS} == set(range(1, 31))
    for fact in FACTS:
        assert ("test" in fact) is not ("why" in fact), fact


@pytest.mark.parametrize("named", sorted({fact["test"] for fact in FACTS if "test" in fact}))
def test_every_test_of_the_table_is_there(named: str) -> None:
    file, name, case = re.fullmatch(r"([^:]+)::(\w+)(?:\[(\w+)\])?", named).groups()  # type: ignore[union-attr]

    tree = ast.parse((ROOT / file).read_text())

    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert case is None or case in CASES
