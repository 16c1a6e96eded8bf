"""What is on this machine: toolchains present, engines that answer, room in the cache. Changes nothing."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from kit.container.client import probe
from kit.files import cache_dir
from kit.toolchain import runtimes, toolchains
from kit.venv import venv_folder

NEEDED = 4_000_000_000  # bytes: wheels, venv and image of one toolchain


def toolchain_rows() -> list[dict[str, Any]]:
    """Return one row for each pinned toolchain and runtime."""
    rows: list[dict[str, Any]] = []
    for t in toolchains().values():
        folder = venv_folder(t.id, t.lock, t.python)
        rows.append(
            {
                "name": t.id,
                "keras": t.keras,
                "python": t.python,
                "packages": len(t.lock.pins),
                "lock": t.lock.sha256[:12],
                "venv_bytes": _size(folder),
            }
        )
    for r in runtimes().values():
        lock = r.lock(pictures=True)
        rows.append(
            {
                "name": r.name,
                "keras": None,
                "python": None,
                "packages": len(lock.pins),
                "lock": lock.sha256[:12],
                "venv_bytes": _size(venv_folder(f"{r.id}-{r.version}", lock, sys.executable)),
            }
        )
    return rows


def print_toolchains(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("name", "keras", "python", "packages", "lock", "local venv"):
        table.add_column(heading)
    for row in rows:
        size = f"{row['venv_bytes'] / 1e6:,.0f} MB" if row["venv_bytes"] else "-"
        table.add_row(row["name"], row["keras"] or "-", row["python"] or "-", str(row["packages"]), row["lock"], size)
    Console(soft_wrap=True).print(table)


def health() -> list[dict[str, Any]]:
    """Return what this machine has and lacks: rows of {what, found, ok}."""
    found = probe()
    docker = found if isinstance(found, str) else f"version {found.version().get('Version')}"
    cache = cache_dir()
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    machine = platform.machine()
    return [
        {"what": "docker engine", "found": docker, "ok": not isinstance(found, str)},
        {
            "what": "local engine",
            "found": f"{platform.system()} on {machine}",
            "ok": platform.system() == "Linux" and machine in {"x86_64", "aarch64"},
        },
        {"what": "python", "found": platform.python_version(), "ok": True},
        {"what": "cache", "found": f"{cache} ({free / 1e9:.0f} GB free)", "ok": free > NEEDED},
    ]


def _size(folder: Path) -> int:
    if not (folder / ".complete").exists():
        return 0
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
