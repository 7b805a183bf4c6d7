"""The broker's published examples, read from beside the checkout."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[3] / "shared" / "api" / "examples.json"
MISSING = f"the published examples are not at {FILE}"
PREFIX = "/api/v1"


@dataclass(frozen=True)
class Example:
    """One published response and the request that it answers."""

    request: str
    response: str
    method: str
    path: str  # a template, without the prefix
    asks: tuple[str, ...]  # names of the headers that the request needs
    path_params: dict[str, str]
    query: dict[str, str]
    body: Any
    status: int
    tokens: dict[str, bool] = field(default_factory=dict)
    answer: Any = None

    @property
    def name(self) -> str:
        return f"{self.request} / {self.response}"

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


def required() -> bool:
    return os.environ.get("CI") == "true"


def document() -> dict[str, Any]:
    """An empty one where there is none."""
    if not FILE.exists():
        return {"rest": [], "newer_shapes": [], "meta": {"counts": {}, "field_renames": {}}}
    return json.loads(FILE.read_text())


def responses(published: dict[str, Any]) -> list[Example]:
    return [
        Example(
            request=request["name"],
            response=response["name"],
            method=request["method"],
            path=request["path"].removeprefix(PREFIX),
            asks=tuple(request["auth_headers"]),
            path_params=response["request"]["path_params"],
            query=response["request"]["query"],
            body=response["request"]["body"],
            status=response["status"],
            tokens=response["headers"],
            answer=renamed(response["body"], published),
        )
        for request in published["rest"]
        for response in request["responses"]
    ]


def requests(published: dict[str, Any]) -> list[Example]:
    """The requests as they stand in the collection, every optional field of the query filled in."""
    return [
        Example(
            request=request["name"],
            response="as it stands",
            method=request["method"],
            path=request["path"].removeprefix(PREFIX),
            asks=tuple(request["auth_headers"]),
            path_params=request["responses"][0]["request"]["path_params"],
            query=request["query"],
            body=request["request_body"],
            status=200,
        )
        for request in published["rest"]
    ]


def newer(published: dict[str, Any]) -> list[dict[str, Any]]:
    return published["newer_shapes"]


def renamed(value: Any, published: dict[str, Any]) -> Any:
    """With the names that fields have now (API page 8)."""
    names = {
        old.rpartition(".")[2]: new.rpartition(".")[2]
        for old, new in published["meta"]["field_renames"].items()
    }
    if isinstance(value, dict):
        return {names.get(name, name): renamed(item, published) for name, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, published) for item in value]
    return value
