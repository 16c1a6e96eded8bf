"""What tests of pages share: Chromium, and what npm brings to look at a page with."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock
from screens import PAGES
from third_party import cache_folder


@pytest.fixture(scope="session")
def browser() -> str:
    """Give the path of Chromium. Skips with the reason where it, node or npm is missing."""
    missing = [name for name in ("chromium", "node", "npm") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install chromium npm")
    return str(shutil.which("chromium"))


@pytest.fixture(scope="session")
def tools(browser: str) -> Path:
    """Give a folder with the packages of tests/support/pages, which npm installs once as their lock says."""
    key = hashlib.sha256((PAGES / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"pages-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "node_modules" / ".package-lock.json").exists():
            shutil.copytree(PAGES, folder, dirs_exist_ok=True)
            argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    return folder
