"""Seven clients and where each keeps its list of MCP servers, on each platform."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct


class Assistant(Struct, frozen=True):
    """An AI client. `key` is the table of servers in its config, `program` matches its running program.

    A `folder` in the home or a command `starts` shows that the client is installed. `program` is None if it
    cannot be identified, or if the client writes its config all the time. `expands`: it replaces `${…}`.
    """

    name: str
    title: str
    key: str
    program: str | None
    toml: bool = False
    expands: bool = True
    folder: str | None = None
    starts: str | None = None


ASSISTANTS = (
    Assistant(
        "claude-desktop", "Claude Desktop", "mcpServers", r"/Claude\.app/|(^|/)claude-desktop$", expands=False
    ),
    Assistant("claude-code", "Claude Code", "mcpServers", None, folder=".claude", starts="claude"),
    Assistant(
        "cursor", "Cursor", "mcpServers", r"/Cursor\.app/|(^|/)cursor$", folder=".cursor", starts="cursor"
    ),
    Assistant(
        "windsurf",
        "Windsurf",
        "mcpServers",
        r"/Windsurf\.app/|(^|/)windsurf$",
        folder=".codeium",
        starts="windsurf",
    ),
    Assistant(
        "codex",
        "Codex",
        "mcp_servers",
        r"(^|/)codex$",
        toml=True,
        expands=False,
        folder=".codex",
        starts="codex",
    ),
    Assistant("vscode", "VS Code", "servers", r"/Visual Studio Code\.app/|(^|/)code$", starts="code"),
    Assistant("gemini-cli", "Gemini CLI", "mcpServers", None, folder=".gemini", starts="gemini"),
)


# Variables that move a client's config folder.
_MOVED: Mapping[str, str] = MappingProxyType({"claude-code": "CLAUDE_CONFIG_DIR", "codex": "CODEX_HOME"})
# Where a client reads skills, below the user's home; Claude Desktop has no folder for them.
_SKILLS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "claude-code": (".claude", "skills"),
        "cursor": (".cursor", "skills"),
        "windsurf": (".codeium", "windsurf", "skills"),
        "codex": (".agents", "skills"),
        "vscode": (".copilot", "skills"),
        "gemini-cli": (".gemini", "skills"),
    }
)


def skill_file(assistant: Assistant, environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """Return where the client reads the skill of capcli; None if it has no folder for skills."""
    home = environ.get("USERPROFILE" if platform == "win32" else "HOME")
    within = _SKILLS.get(assistant.name)
    if not home or within is None:
        return None
    moved = environ.get("CLAUDE_CONFIG_DIR", "").strip() if assistant.name == "claude-code" else ""
    folder = Path(moved) / within[-1] if moved else Path(home).joinpath(*within)
    return folder / "capcli" / "SKILL.md"


def config_file(
    assistant: Assistant, environ: Mapping[str, str], platform: str = sys.platform
) -> Path | None:
    """Return where the client keeps its config for this user; None where no home folder is known."""
    home = environ.get("USERPROFILE" if platform == "win32" else "HOME")
    if not home:
        return None
    within = {
        "claude-code": (".claude.json",),
        "cursor": (".cursor", "mcp.json"),
        "windsurf": (".codeium", "windsurf", "mcp_config.json"),
        "codex": (".codex", "config.toml"),
        "gemini-cli": (".gemini", "settings.json"),
    }.get(assistant.name)
    moved = _MOVED.get(assistant.name)
    if moved and within and environ.get(moved, "").strip():
        return Path(environ[moved].strip()) / within[-1]
    if within:
        return Path(home).joinpath(*within)
    if assistant.name == "claude-desktop" and platform == "win32":
        packaged = _packaged(Path(home), environ)
        if packaged is not None:
            return packaged / "claude_desktop_config.json"
    in_programs = {
        "claude-desktop": ("Claude", "claude_desktop_config.json"),
        "vscode": ("Code", "User", "mcp.json"),
    }[assistant.name]
    if platform == "darwin":
        programs = Path(home) / "Library" / "Application Support"
    elif platform == "win32":
        programs = Path(environ.get("APPDATA") or Path(home) / "AppData" / "Roaming")
    else:
        programs = Path(environ.get("XDG_CONFIG_HOME") or Path(home) / ".config")
    return programs.joinpath(*in_programs)


def client_folder(
    assistant: Assistant, environ: Mapping[str, str], platform: str = sys.platform
) -> Path | None:
    """Return the folder that a client creates on its first start; None without a home folder."""
    file = config_file(assistant, environ, platform)
    home = environ.get("USERPROFILE" if platform == "win32" else "HOME")
    if file is None or home is None:
        return None
    if assistant.folder is not None and not environ.get(_MOVED.get(assistant.name, ""), "").strip():
        return Path(home) / assistant.folder
    return file.parent.parent if assistant.name == "vscode" else file.parent


def own_command() -> tuple[str, ...]:
    """Return the command of this installation: its script, else its interpreter, with full path."""
    script = Path(sys.executable).with_name("capcli.exe" if sys.platform == "win32" else "capcli")
    return (str(script),) if script.exists() else (sys.executable, "-m", "capcli")


def _packaged(home: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the folder of a Claude Desktop that Windows installed as a package (MSIX): it reads no other."""
    packages = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Packages"
    try:
        names = sorted(name for name in os.listdir(packages) if name.startswith("Claude_"))  # noqa: PTH208
    except OSError:
        return None
    found = [packages / name / "LocalCache" / "Roaming" / "Claude" for name in names]
    found = [each for each in found if each.is_dir()]
    with_config = [each for each in found if (each / "claude_desktop_config.json").exists()]
    return next(iter(with_config or found), None)
