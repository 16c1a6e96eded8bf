"""Import packages, then wait for one line on stdin: the words of a script to become, as a JSON list.

Usage: waiting_script.py PACKAGE... A script that runs in the runtime's venv: never imported. It ends where stdin does.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the script as Python itself would have."""
    for package in sys.argv[1:]:
        with contextlib.suppress(ImportError):  # the script says so, in its own words
            importlib.import_module(package)
    if line := sys.stdin.readline():
        sys.argv = json.loads(line)
        sys.path[0] = str(Path(sys.argv[0]).parent)
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
