"""An in-memory client of the real server on the paper broker, in both protocol eras."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client, FastMCP
from fastmcp.tools import FunctionTool
from jsonschema import Draft202012Validator

from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from capcli.mcp.toolset import Tool
from tests.support.seat import Seat

ERAS = ("legacy", "2026-07-28")
SNAPSHOT = Path(__file__).parent / "snapshots" / "tools.json"
SCHEMAS = {tool["name"]: tool["outputSchema"] for tool in json.loads(SNAPSHOT.read_text(encoding="utf-8"))}


@dataclass
class Said:
    """What a client got for one call."""

    is_error: bool
    text: str
    data: dict[str, Any]

    @property
    def code(self) -> str | None:
        return self.data.get("error", {}).get("code")


class Assistant:
    """A client that calls tools by name and looks at everything that comes back."""

    def __init__(self, client: Client[Any]) -> None:
        self.client = client

    async def __call__(self, tool: str, **arguments: Any) -> Said:
        result = await self.client.call_tool(tool, arguments, raise_on_error=False)
        assert [block.type for block in result.content] == ["text"]
        self.check(tool, result.structured_content)
        return Said(result.is_error, result.content[0].text, result.structured_content or {})

    def check(self, tool: str, content: Any) -> None:
        """Refuse what a client that takes the output schema seriously would refuse, an error's too."""
        schema = SCHEMAS.get(tool)
        if schema is not None:
            Draft202012Validator(schema).validate(content)

    async def works(self, tool: str, **arguments: Any) -> dict[str, Any]:
        said = await self(tool, **arguments)
        assert not said.is_error, said.text
        assert "error" not in said.data, said.text
        return said.data


@pytest.fixture(autouse=True, scope="session")
def described_once() -> Iterator[None]:
    """Derive the schema of each tool once for all servers of a run: it depends on its method alone."""
    real, described = Tool.from_function, dict[Any, FunctionTool]()

    def from_function(call: Any, **options: Any) -> FunctionTool:
        method = call.__func__, options["description"]
        if method not in described:
            described[method] = real(call, **options)
            assert described[method].fn == call, "a tool that wraps its method belongs to one server"
        return described[method].model_copy(update={"fn": call})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tool, "from_function", from_function)
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# The newest protocol by default; the older one, over the same tools, with the slow tests.
@pytest.fixture(params=[pytest.param(ERAS[0], marks=pytest.mark.faults), ERAS[1]])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def runner(seat: Seat) -> ToolRunner:
    return ToolRunner(lambda: seat.app)


@pytest.fixture
def server(runner: ToolRunner) -> FastMCP[Any]:
    return build_server(runner)


@pytest.fixture
async def ask(server: FastMCP[Any], era: str) -> AsyncIterator[Assistant]:
    async with Client(server, mode=era) as client:
        yield Assistant(client)
