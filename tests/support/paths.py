"""Where child processes find this tree, and whatever else is on the import path of this one."""

import json
import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMPORT_PATH = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))

TOOLS = Path(__file__).parents[1] / "mcp" / "snapshots" / "tools.json"
"""What every tool looks like from outside, as it was last agreed."""


def tool_count() -> int:
    """Return how many tools the server has."""
    return len(json.loads(TOOLS.read_text(encoding="utf-8")))
