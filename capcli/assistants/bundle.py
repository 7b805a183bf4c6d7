"""Writes the server as an MCP bundle (`.mcpb`): capcli's own code, and a form for its settings.

The manifest follows version 0.4 of its public format. No credential of this computer goes into it.
"""

import json
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from io import BytesIO
from pathlib import Path
from typing import Any

from msgspec import Struct

import capcli
from capcli.assistants.reading import OURS
from capcli.errors import OutputUnusable
from capcli.settings import BUNDLE_FIELDS
from capcli.system import put_in_place

_PYTHON = ">=3.11"
_ABOUT = (
    "Trade a Capital.com CFD account: market data, positions, previews, and orders that are sent once, "
    "after your confirmation."
)
_NOTICE = (
    "capcli is independent software, not a product of Capital.com. It carries out what you order and gives "
    "no advice; you are responsible for every order. Practise on paper or on a demo account first.\n\n"
    "Leave the credentials empty when `capcli login` has put them into this computer's keychain. Nothing "
    "can be traded on demo or live until trading is allowed below; live has its own checklist, in a "
    "terminal.\n\n"
    "Privacy: capcli runs on this computer and collects nothing. It talks to Capital.com alone, whose "
    "privacy policy applies there. What your assistant reads from it (balances, positions, orders) goes "
    "where that assistant sends its conversations."
)


class Bundle(Struct, frozen=True):
    """A bundle's content and what is in it."""

    content: bytes
    files: int


def name_of_bundle() -> str:
    """Return the default file name."""
    return f"{OURS}-{capcli.__version__}.mcpb"


def bundle(tools: Iterable[tuple[str, str]]) -> Bundle:
    """Return the bundle of this installation; `tools` are names and descriptions, for the client to show."""
    import zipfile

    stream, files = BytesIO(), tuple(_files(tools))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files:
            # The earliest time a zip can hold: the same code must give the same bundle.
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return Bundle(stream.getvalue(), len(files))


def write(file: Path, content: bytes) -> None:
    """Write a bundle in one step. Raises OutputUnusable, and then a file that was there is unchanged."""
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            is_ours = json.loads(archive.read("manifest.json")).get("name") == OURS
    except (OSError, ValueError, KeyError, AttributeError, zipfile.BadZipFile):
        is_ours = not file.exists()
    if not is_ours:
        raise OutputUnusable(
            f"{file} is there already and is not a capcli bundle. It was not changed.",
            next="capcli mcp bundle --output NAME.mcpb",
        )
    try:
        put_in_place(file, content, mode=0o644)
    except OSError as error:
        raise OutputUnusable(
            f"{file} cannot be written: {error.strerror or error}.", next="capcli mcp bundle --output FILE"
        ) from error


def _files(tools: Iterable[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    yield "manifest.json", json.dumps(_manifest(tools), indent=2).encode() + b"\n"
    try:
        every = requires(OURS) or []
    except PackageNotFoundError:
        raise OutputUnusable(
            "This capcli was not installed as a package, so it does not know the libraries it needs. No"
            " bundle was written.",
            next="capcli health",
        ) from None
    # For `uv`: the dependencies without extras; capcli's code is in the bundle.
    needs = "".join(f"  {json.dumps(need)},\n" for need in every if "extra ==" not in need)
    yield (
        "pyproject.toml",
        (
            f'[project]\nname = "{OURS}"\nversion = "{capcli.__version__}"\nrequires-python = "{_PYTHON}"\n'
            f"dependencies = [\n{needs}]\n\n[tool.uv]\npackage = false\n"
        ).encode(),
    )
    root = Path(capcli.__file__).parent
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.is_file() and "__pycache__" not in inside.parts and not inside.name.startswith("."):
            yield f"{OURS}/{inside.as_posix()}", path.read_bytes()


def _manifest(tools: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {
        "manifest_version": "0.4",
        "name": OURS,
        "display_name": "capcli: Capital.com trading",
        "version": capcli.__version__,
        "description": _ABOUT,
        "long_description": _NOTICE,
        "author": {"name": "the capcli authors"},
        "license": "MIT",
        "icon": f"{OURS}/assistants/icon.png",
        "documentation": "https://open-api.capital.com",
        "privacy_policies": ["https://capital.com/terms-and-policies"],
        "keywords": ["trading", "cfd", "capital.com"],
        "server": {
            "type": "uv",
            "entry_point": f"{OURS}/__main__.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", "python", "-m", OURS, "mcp", "serve"],
                "env": {each.variable: f"${{user_config.{each.key}}}" for each in BUNDLE_FIELDS},
            },
        },
        "tools": [{"name": name, "description": about} for name, about in tools],
        "prompts_generated": True,
        "compatibility": {"platforms": ["darwin", "win32", "linux"], "runtimes": {"python": _PYTHON}},
        "user_config": {each.key: each.form() for each in BUNDLE_FIELDS},
    }
