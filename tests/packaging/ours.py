"""A copy of this tree, as a checkout has it, for what is built or changed in it."""

import json
import shutil
from pathlib import Path

from capcli import __version__

ROOT = Path(__file__).parents[2]
REPOSITORY = "me/capcli"
_NOT_OURS = (
    ".git",
    ".venv",
    "dist",
    "build",
    "__pycache__",
    ".*_cache",
    "*.egg-info",
    ".hypothesis",
    ".coverage",
)


def copied(tree: Path) -> None:
    """Copy what a checkout holds."""
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*_NOT_OURS))


def addressed(tree: Path, repository: str) -> None:
    """Write the addresses into a copy that the release asks its owner for."""
    project, server, readme = (
        tree / name for name in ("pyproject.toml", ".github/packaging/server.json", "README.md")
    )
    address = f'[project.urls]\nRepository = "https://github.com/{repository}"'
    project.write_text(project.read_text("utf-8").replace("[project.urls]", address), "utf-8")
    facts = json.loads(server.read_text("utf-8")) | {"name": f"io.github.{repository}"}
    server.write_text(json.dumps(facts), "utf-8")
    readme.write_text(f"{readme.read_text('utf-8')}\n<!-- mcp-name: io.github.{repository} -->\n", "utf-8")
    assert facts["version"] == __version__
