"""Where child processes find this tree, and whatever else is on the import path of this one."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMPORT_PATH = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
