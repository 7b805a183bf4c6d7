"""Seven clients and where each keeps its list of MCP servers, on each platform."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Assistant:
    """An AI client. `key` is the table of servers in its config, `program` matches its running program.

    `folder` in the user's home, or a command of this name, shows that the client is there.
    `program` is None where it cannot be told from others, or where the client itself writes its config all
    the time. `expands`: whether the client replaces `${…}` in the config, so that it is no placeholder there.
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
    if assistant.name == "codex" and environ.get("CODEX_HOME"):
        return Path(environ["CODEX_HOME"]) / "config.toml"
    if within:
        return Path(home).joinpath(*within)
    in_programs = {
        "claude-desktop": ("Claude", "claude_desktop_config.json"),
        "vscode": ("Code", "User", "mcp.json"),
    }[assistant.name]
    return _programs_folder(Path(home), environ, platform).joinpath(*in_programs)


def client_folder(
    assistant: Assistant, environ: Mapping[str, str], platform: str = sys.platform
) -> Path | None:
    """Return the folder that a client makes when it is first started; None where no home folder is known."""
    file = config_file(assistant, environ, platform)
    home = environ.get("USERPROFILE" if platform == "win32" else "HOME")
    if file is None or home is None:
        return None
    if assistant.folder is not None and assistant.name != "codex":
        return Path(home) / assistant.folder
    return file.parent.parent if assistant.name == "vscode" else file.parent


def own_command() -> tuple[str, ...]:
    """Return what starts this installation: its script, else its interpreter; both with their full path."""
    script = Path(sys.executable).with_name("capcli.exe" if sys.platform == "win32" else "capcli")
    return (str(script),) if script.exists() else (sys.executable, "-m", "capcli")


def _programs_folder(home: Path, environ: Mapping[str, str], platform: str) -> Path:
    """Return where desktop programs keep their settings."""
    if platform == "darwin":
        return home / "Library" / "Application Support"
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
