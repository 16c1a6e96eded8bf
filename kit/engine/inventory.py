"""What is on this machine: toolchains present, engines that respond, room in the cache. Changes nothing."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.container.client import probe
from kit.engine.walls import probe as probe_walls
from kit.engine.walls import summary
from kit.files import cache_dir
from kit.lifetime.tied import tied
from kit.toolchains.space import MOVE, free_bytes
from kit.toolchains.toolchain import LOCKS, quantizer, runtimes, toolchains
from kit.toolchains.venv import venv_folder, venv_size

NEEDED = 4_000_000_000  # bytes: wheels, venv and image of one toolchain
JOB_MEMORY = 3_500_000_000  # bytes: what a conversion of a usual model takes, and the engine's own system
BUILDERS = ("build", "freeze", "verify", "matrix")
RUNNERS = ("build", "emulate", "verify", "matrix", "android")
_DOCKER = "start the container engine, or build with --engine local"
_ON_A_MAC = "start Docker Desktop, or `colima start --cpu 4 --memory 8` (docs/containers.md, On a Mac)"
_MORE_MEMORY = (
    "give its virtual machine 8 GB: Docker Desktop, Settings, Resources; or `colima stop`, `colima start --memory 8`"
)
_LOCAL = "build with --engine docker, or on Linux on x86_64 or aarch64"
_WALLS = "a newer kernel has them (docs/security.md); --engine docker has walls of its own"


@dataclass(frozen=True)
class RuntimeRow:
    """A pinned runtime, and the size of what is here of it: 0 is not here."""

    name: str
    packages: int
    lock: str  # the beginning of its SHA-256
    venv_bytes: int
    image_bytes: int  # a runtime has no image


@dataclass(frozen=True)
class ToolchainRow(RuntimeRow):
    """A pinned toolchain. loads: by format, which Keras' files; cannot: what else it cannot do."""

    keras: str
    legacy_keras: str | None
    python: str
    loads: Mapping[str, str]
    cannot: tuple[str, ...]


@dataclass(frozen=True)
class HealthRow:
    """Something that a command needs, and whether it is as needed."""

    what: str
    found: str
    ok: bool
    remedy: str = ""  # the next step where it is not
    needed_by: tuple[str, ...] = ()  # commands; () is every one


def toolchain_rows() -> list[RuntimeRow]:
    """Return one row for each pinned toolchain and runtime, and for LiteRT's quantizer."""
    images = _image_sizes()
    rows: list[RuntimeRow] = []
    for t in toolchains().values():
        locks = [t.on(machine).lock for machine in LOCKS]
        rows.append(
            ToolchainRow(
                name=t.id,
                keras=t.keras,
                legacy_keras=t.legacy_keras or None,
                python=t.python,
                packages=len(t.lock.pins),
                lock=t.lock.sha256[:12],
                loads=dict(t.loads),
                cannot=t.cannot,
                venv_bytes=venv_size(venv_folder(t.id, t.lock, t.python)),
                image_bytes=max(images.get(lock.sha256, 0) for lock in locks),
            )
        )
    for r in runtimes().values():
        lock = r.lock(images=True)
        size = venv_size(venv_folder(f"{r.id}-{r.version}", lock, sys.executable))
        rows.append(RuntimeRow(r.name, len(lock.pins), lock.sha256[:12], size, 0))
    made = quantizer()
    size, image = venv_size(venv_folder(made.id, made.lock, made.python)), images.get(made.lock.sha256, 0)
    rows.append(RuntimeRow(made.id, len(made.lock.pins), made.lock.sha256[:12], size, image))
    return rows


def print_toolchains(rows: Sequence[RuntimeRow]) -> None:
    """Print the rows as a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("name", "keras", "tf-keras", "lock", "venv", "image"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        keras, legacy = "-", "-"
        if isinstance(row, ToolchainRow):
            keras, legacy = row.keras, row.legacy_keras or "-"
        sizes = (row.venv_bytes, row.image_bytes)
        table.add_row(row.name, keras, legacy, row.lock, *(_megabytes(size) for size in sizes))
    Console(soft_wrap=True).print(table)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size else "-"


def _image_sizes() -> dict[str, int]:
    """Return the size in bytes of each image in the engine, by the digest of its lock. Builds none."""
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


def health() -> list[HealthRow]:
    """Return what this machine has and lacks."""
    cache = cache_dir()
    free = free_bytes(cache)
    machine = platform.machine()
    walls = probe_walls()
    linux = platform.system() == "Linux" and machine in {"x86_64", "aarch64"}
    return [
        *_docker_health(),
        HealthRow("local engine", f"{platform.system()} on {machine}", linux, _LOCAL, BUILDERS),
        HealthRow("local walls", summary(walls), walls.whole, _WALLS, BUILDERS),
        HealthRow("python", platform.python_version(), ok=True),
        HealthRow("cache", f"{cache} ({free / 1e9:.0f} GB free)", free > NEEDED, MOVE, (*BUILDERS, "android")),
        *_runtime_health(),
    ]


def _docker_health() -> Iterator[HealthRow]:
    """Yield the container engine, and its memory: on a Mac that is its virtual machine's, and often too little."""
    engine, users = probe(), (*BUILDERS, "image")
    remedy = _ON_A_MAC if platform.system() == "Darwin" else _DOCKER
    if isinstance(engine, str):
        yield HealthRow("docker engine", engine, ok=False, remedy=remedy, needed_by=users)
        return
    info = engine.info()
    found = f"version {info.get('ServerVersion')} on {info.get('Architecture')}, {info.get('NCPU')} CPUs"
    yield HealthRow("docker engine", found, ok=True, remedy=remedy, needed_by=users)
    yield memory_row(int(info.get("MemTotal") or 0))


def memory_row(total: int) -> HealthRow:
    """Return the row of an engine with this much memory, in bytes; 0 is not known."""
    found = f"{total / 1e9:.1f} GB" if total else "not known"
    return HealthRow("docker memory", found, not 0 < total < JOB_MEMORY, _MORE_MEMORY, BUILDERS)


def _runtime_health() -> Iterator[HealthRow]:
    """Yield a row for each pinned runtime that is installed: whether its interpreter can be imported."""
    for name, folder, fault in _tried_runtimes():
        again = f"remove it by `kit clean --remove {folder.name}`"
        yield HealthRow(
            f"runtime {name}", f"does not start ({fault})" if fault else "starts", not fault, again, RUNNERS
        )


def damaged_runtimes() -> list[Path]:
    """Return the venvs of pinned runtimes that are installed, and do not start."""
    return [folder for _, folder, fault in _tried_runtimes() if fault]


def _tried_runtimes() -> Iterator[tuple[str, Path, str]]:
    """Yield each installed runtime's name, its venv, and what is wrong with it, "" where it starts."""
    for runtime in runtimes().values():
        for more, lock in ((", with Pillow", runtime.lock(images=True)), ("", runtime.lock(images=False))):
            folder = venv_folder(f"{runtime.id}-{runtime.version}", lock, sys.executable)
            if not venv_size(folder):
                continue
            module = {"litert": "ai_edge_litert", "tflite": "tflite_runtime"}[runtime.id]
            argv = [str(folder / "bin" / "python"), "-c", f"import {module}.interpreter"]
            done = subprocess.run(tied(argv), capture_output=True, text=True, errors="replace", check=False)
            last = " ".join(done.stderr.strip().splitlines()[-1:])[-200:]
            yield f"{runtime.name}{more}", folder, (last or f"{done.returncode}") if done.returncode else ""
