"""Checks that everything which names a release agrees, and prints the release's notes.

`ready.py v0.1.0 OWNER/NAME`: the tag, and the repository on GitHub. Exits 1 with every line that must be
written first.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(tag: str, repository: str) -> int:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    source = (ROOT / "capcli/__init__.py").read_text("utf-8")
    version = re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)[0]
    notes = re.search(rf"^### {re.escape(version)}\b.*?\n(.+?)(?=^##|\Z)", readme, re.MULTILINE | re.DOTALL)
    wrong = [
        *([] if tag == f"v{version}" else [f"The tag is {tag}, but capcli/__init__.py says {version}."]),
        *([] if notes else [f'README.md: the changelog has no "### {version}".']),
        *_addresses(repository, version, readme),
    ]
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    if not wrong and notes:
        sys.stdout.write(notes[1].strip() + "\n")
    return 1 if wrong else 0


def _addresses(repository: str, version: str, readme: str) -> list[str]:
    """List what must be written for a repository before anything is published from it."""
    address, name = f"https://github.com/{repository}", f"io.github.{repository}"
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    server = json.loads((ROOT / ".github/packaging/server.json").read_text("utf-8"))
    wrong = []
    if urls.get("Repository") != address:
        wrong.append(f'pyproject.toml, [project.urls]: write Repository = "{address}".')
    if server["name"] != name:
        wrong.append(f'.github/packaging/server.json: write "name": "{name}".')
    if {server["version"], *(package["version"] for package in server["packages"])} != {version}:
        wrong.append(f'.github/packaging/server.json: write "version": "{version}" in both places.')
    if f"<!-- mcp-name: {name} -->" not in readme:
        wrong.append(
            f"README.md: write <!-- mcp-name: {name} -->, by which the MCP registry knows the owner."
        )
    return wrong


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
