"""A small disk for a script: a tmpfs in a mount namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from worlds import ROOT


def in_small_disk(place: Path, script: str, *arguments: str, **environment: str) -> str:
    """Run a script where a disk of 64 kB is mounted at place; return what it says. Skips where none can be."""
    place.mkdir(exist_ok=True)
    mount = 'place=$1; shift; mount -t tmpfs -o size=64k tmpfs "$place" || exit 99; exec "$@"'
    argv = ["unshare", "-rm", "sh", "-c", mount, "sh", str(place), sys.executable, "-c", script, *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no mount namespace can be made here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout
