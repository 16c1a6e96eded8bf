"""What is on this machine: toolchains present, engines that answer, room in the cache. Changes nothing."""

from __future__ import annotations

import platform
import shutil
import sys
from typing import Any

from kit.container.client import probe
from kit.engine.walls import probe as probe_walls
from kit.engine.walls import summary
from kit.files import cache_dir
from kit.toolchains.toolchain import LOCKS, runtimes, toolchains
from kit.toolchains.venv import venv_folder, venv_size

NEEDED = 4_000_000_000  # bytes: wheels, venv and image of one toolchain


def toolchain_rows() -> list[dict[str, Any]]:
    """Return one row for each pinned toolchain and runtime, with the sizes in bytes of what is here; 0 is not here."""
    images = _image_sizes()
    rows: list[dict[str, Any]] = []
    for t in toolchains().values():
        locks = [t.on(machine).lock for machine in LOCKS]
        rows.append(
            {
                "name": t.id,
                "keras": t.keras,
                "legacy_keras": t.legacy_keras or None,
                "python": t.python,
                "packages": len(t.lock.pins),
                "lock": t.lock.sha256[:12],
                "loads": dict(t.loads),
                "cannot": list(t.cannot),
                "venv_bytes": venv_size(venv_folder(t.id, t.lock, t.python)),
                "image_bytes": max(images.get(lock.sha256, 0) for lock in locks),
            }
        )
    for r in runtimes().values():
        lock = r.lock(pictures=True)
        rows.append(
            {
                "name": r.name,
                "packages": len(lock.pins),
                "lock": lock.sha256[:12],
                "venv_bytes": venv_size(venv_folder(f"{r.id}-{r.version}", lock, sys.executable)),
            }
        )
    return rows


def print_toolchains(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("name", "keras", "tf-keras", "lock", "venv", "image"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        words = [row.get(key) or "-" for key in ("keras", "legacy_keras")]
        sizes = [f"{row[key] / 1e6:,.0f} MB" if row.get(key) else "-" for key in ("venv_bytes", "image_bytes")]
        table.add_row(row["name"], *words, row["lock"], *sizes)
    Console(soft_wrap=True).print(table)


def _image_sizes() -> dict[str, int]:
    """Return the size in bytes of each toolchain's image in the engine, by the digest of its lock. Builds none."""
    from docker.errors import DockerException

    client = probe()
    if isinstance(client, str):
        return {}
    try:
        found = client.images.list(filters={"label": "dropkit.lock"})
        found.sort(key=lambda image: int(image.labels.get("dropkit.layout", 0)))  # of one lock, the newest layout
        return {image.labels["dropkit.lock"]: int(image.attrs["Size"]) for image in found}
    except DockerException:
        return {}
    finally:
        client.close()


def health() -> list[dict[str, Any]]:
    """Return what this machine has and lacks: rows of {what, found, ok}."""
    found = probe()
    docker = found if isinstance(found, str) else f"version {found.version().get('Version')}"
    cache = cache_dir()
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    machine = platform.machine()
    walls = probe_walls()
    return [
        {"what": "docker engine", "found": docker, "ok": not isinstance(found, str)},
        {
            "what": "local engine",
            "found": f"{platform.system()} on {machine}",
            "ok": platform.system() == "Linux" and machine in {"x86_64", "aarch64"},
        },
        {"what": "local walls", "found": summary(walls), "ok": all(walls.values())},
        {"what": "python", "found": platform.python_version(), "ok": True},
        {"what": "cache", "found": f"{cache} ({free / 1e9:.0f} GB free)", "ok": free > NEEDED},
    ]
