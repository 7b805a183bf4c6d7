"""The MCP server: tools over the use cases, for AI assistants. Never imports the command line or rich."""

import os


def _shield_fastmcp() -> None:
    # FastMCP reads FASTMCP_* and `.env` of the current directory when it is imported: either could turn the
    # stdio server into an open HTTP one.
    for name in [name for name in os.environ if name.upper().startswith("FASTMCP_")]:
        del os.environ[name]
    os.environ["FASTMCP_ENV_FILE"] = os.devnull
    os.environ["FASTMCP_LOG_ENABLED"] = "false"


_shield_fastmcp()
