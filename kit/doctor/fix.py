"""What `kit doctor --fix` does: fetch into the cache what the kit fetches itself, remove what is damaged there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kit.android.proof.tools import kotlin
from kit.arm64.machine import find_machine, refuse_other_machines
from kit.arm64.site import arm64_site
from kit.cleaning import choose, find_entries, remove_entry
from kit.doctor.checkup import DEFAULT_RUNTIME
from kit.engine.inventory import damaged_runtimes
from kit.errors import EngineError, KitError
from kit.files import cache_dir
from kit.progress import Reporter
from kit.toolchains.space import RUNTIME_BYTES
from kit.toolchains.toolchain import Runtime, find_runtime, newest_toolchain, quantizer
from kit.toolchains.venv import packages_venv, runtime_venv, toolchain_venv


def fix_all(reporter: Reporter) -> None:
    """Do all of it. What cannot be had is a line on stderr, and the rest goes on."""
    reporter.stage("try the runtimes in the cache")
    if damaged := damaged_runtimes():
        entries = find_entries(Path("-"), cache_dir())
        for entry in choose(entries, [folder.name for folder in damaged]):
            reporter.note(remove_entry(entry))
    runtime, notify = find_runtime(DEFAULT_RUNTIME), reporter.note
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        (runtime.name, lambda: runtime_venv(runtime, runtime.lock(images=True), notify)),
        ("the quantizer", lambda: packages_venv(quantizer(), notify)),
        ("the Kotlin compiler", lambda: kotlin(notify)),
        ("emulated arm64", lambda: _arm64(runtime, notify)),
        (newest_toolchain().id, lambda: toolchain_venv(newest_toolchain(), notify)),  # the largest comes last
    )
    for done, (name, fetch) in enumerate(steps):
        reporter.stage(f"look for {name}")
        reporter.advance(done, len(steps))
        try:
            fetch()
        except KitError as error:
            notify(f"not fetched: {name}: {error}")


def _arm64(runtime: Runtime, notify: Callable[[str], None]) -> None:
    """Fetch what `emulate --arch arm64` needs, where there is an emulator for this machine."""
    try:
        refuse_other_machines()
    except EngineError:
        return
    find_machine(notify)
    arm64_site(runtime.folder.name, runtime.lock(images=True), RUNTIME_BYTES, notify)
