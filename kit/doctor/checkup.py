"""Every row of `kit doctor`: what a command needs, whether it is here, the next step where not. Changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from kit.android.proof.tool_check import try_tools
from kit.android.proof.tools import KOTLIN, has_kotlin
from kit.arm64.machine import is_here, refuse_other_machines
from kit.engine.inventory import BUILDERS, RUNNERS, HealthRow, health
from kit.errors import EngineError, KitError
from kit.lifetime.scratch import temporary_base
from kit.matrix.builds import BUILD_MEMORY
from kit.matrix.parallel import available_memory
from kit.progress import Reporter
from kit.recipe.schema import Android
from kit.toolchains.lockfile import uv
from kit.toolchains.space import free_bytes
from kit.toolchains.toolchain import find_runtime, newest_toolchain, quantizer
from kit.toolchains.venv import venv_folder, venv_size

DEFAULT_RUNTIME = Android().runtime  # a recipe's, which names no other
_TEMPORARY = 2_000_000_000  # bytes that a build of a large model has in its temporary folder
_LATER = "not in the cache yet: the first command that needs it fetches it, and so does `kit doctor --fix`"
_CHECKOUT = Path(__file__).parent.parent.parent / "tests"
_TESTS = ("test", "bench")
# What only those who work on the kit need: a program or a folder that a variable names, and where it comes from.
_OF_TESTS = (
    ("qemu", "DROPKIT_QEMU", "qemu-x86_64", "apt-get install qemu-user, or name it in DROPKIT_QEMU"),
    (
        "gpu driver",
        "DROPKIT_VULKAN",
        "",
        "DROPKIT_VULKAN names a folder with a software Vulkan driver: CONTRIBUTING.md",
    ),
    ("chromium", "", "chromium", "apt-get install chromium"),
)


def checkup(reporter: Reporter) -> list[HealthRow]:
    """Return every row. reporter tells which are looked at, for some are programs that are run."""
    parts: tuple[tuple[str, Callable[[], Iterator[HealthRow] | list[HealthRow]]], ...] = (
        ("engines and runtimes", health),
        ("memory, disk and cache", lambda: [*_machine(), *_cached()]),
        ("the tools of `kit android`", _android),
        ("what the tests need", _of_tests),
    )
    rows: list[HealthRow] = []
    for done, (name, part) in enumerate(parts):
        reporter.stage(f"look at {name}")
        reporter.advance(done, len(parts))
        rows += part()
    return rows


def line(row: HealthRow) -> str:
    """Return a row as it is printed: "MISS  android npm: npm is not on this machine: apt-get ... [android]"."""
    needed = f" [{', '.join(row.needed_by)}]" if row.needed_by and not row.ok else ""
    remedy = f": {row.remedy}" if row.remedy and not row.ok else ""
    return f"{'ok  ' if row.ok else 'MISS'}  {row.what}: {row.found}{remedy}{needed}"


def _machine() -> Iterator[HealthRow]:
    free = available_memory()
    yield HealthRow(
        "memory",
        f"{free / 1e9:.1f} GB free",
        free > BUILD_MEMORY,
        f"end other programs: a build of a common model takes up to {BUILD_MEMORY / 1e9:.0f} GB",
        BUILDERS,
    )
    place = temporary_base()
    room = free_bytes(place)
    found = f"{place} ({room / 1e9:.0f} GB free)"
    yield HealthRow("temporary folder", found, room > _TEMPORARY, "set TMPDIR to a folder with more space", BUILDERS)
    try:
        yield HealthRow("uv", uv(), ok=True, needed_by=(*BUILDERS, "lock"))
    except (KitError, FileNotFoundError) as error:
        again = "install dropkit again: uv comes with it"
        yield HealthRow("uv", str(error), ok=False, remedy=again, needed_by=(*BUILDERS, "lock"))
    gpgv = shutil.which("gpgv")
    yield HealthRow(
        "gpgv",
        gpgv or "not on this machine: a Debian mirror's signature is not checked",
        gpgv is not None,
        "apt-get install gpgv debian-archive-keyring",
        ("lock",),
    )


def _cached() -> Iterator[HealthRow]:
    """Yield what the next build or proof would fetch first: what is not here yet is no fault."""
    toolchain = newest_toolchain()
    runtime = find_runtime(DEFAULT_RUNTIME)
    places = (
        (toolchain.id, venv_folder(toolchain.id, toolchain.lock, toolchain.python), BUILDERS),
        (runtime.name, venv_folder(runtime.folder.name, runtime.lock(images=True), sys.executable), RUNNERS),
        (quantizer().id, venv_folder(quantizer().id, quantizer().lock, quantizer().python), BUILDERS),
    )
    for name, folder, needed in places:
        size = venv_size(folder)
        yield HealthRow(name, f"in the cache, {size / 1e6:,.0f} MB" if size else _LATER, ok=True, needed_by=needed)
    there = "in the cache" if has_kotlin() else _LATER
    yield HealthRow(f"Kotlin compiler {KOTLIN}", there, ok=True, needed_by=("android",))
    yield HealthRow("emulated arm64", _arm64(), ok=True, needed_by=("emulate",))


def _arm64() -> str:
    """Say whether `emulate --arch arm64` has its emulator; where there is none for this machine, it is no fault."""
    try:
        refuse_other_machines()
    except EngineError as error:
        return f"not needed: {error.message}"
    return "in the cache" if is_here() else _LATER


def _android() -> Iterator[HealthRow]:
    for tool in try_tools():
        yield HealthRow(f"android {tool.name}", tool.found, tool.sound, tool.remedy, ("android",))


def _of_tests() -> Iterator[HealthRow]:
    """Yield what the tests skip without, in a checkout: an installed kit has none."""
    if not _CHECKOUT.is_dir():
        return
    for name, variable, program, remedy in _OF_TESTS:
        found = os.environ.get(variable or "-") or (shutil.which(program) if program else None)
        yield HealthRow(name, found or "not on this machine", bool(found), remedy, _TESTS)
