"""The worker on an emulated arm64 CPU: what an engine is, for the rows of inv bench --reproducibility and for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kit.arm64.machine import DEFAULT_CPU, PYTHON, find_machine, refuse_other_machines
from kit.arm64.site import MACHINE, arm64_site
from kit.engine.base import JobFolder, Limits, worker_env
from kit.engine.local import local_argv
from kit.errors import EngineError
from kit.process import Command, Exit, run
from kit.toolchains.space import TOOLCHAIN_BYTES
from kit.toolchains.toolchain import Toolchain

CPUS = ("cortex-a76", "neoverse-n2")  # with and without SVE


@dataclass(frozen=True)
class Arm64:
    """Runs worker jobs in a toolchain's aarch64 lock, with the environment that every engine gives: no walls."""

    cpu: str = DEFAULT_CPU
    name: str = "arm64"
    isolated: bool = False

    def prepare(self, toolchain: Toolchain, notify: Callable[[str], None]) -> None:
        """Fetch and unpack the emulator and the toolchain's wheels, once. Raises EngineError."""
        find_machine(notify)
        toolchain_site(toolchain, notify)

    def run(self, toolchain: Toolchain, job: JobFolder, limits: Limits, on_line: Callable[[str], None]) -> Exit:
        """Run one job."""
        machine, site = find_machine(on_line), toolchain_site(toolchain, on_line)
        with TemporaryDirectory() as home:
            env = {**worker_env(f"{job.inputs / 'code'}:{site}"), "HOME": home, "TMPDIR": home}
            words = machine.words(self.cpu, local_argv(Path(), job)[1:])
            command = Command([str(machine.emulator), *words], env, Path(home))
            return run(command, log=job.log, on_line=on_line, timeout=limits.seconds)


def toolchain_site(toolchain: Toolchain, notify: Callable[[str], None]) -> Path:
    """Return the folder of a toolchain's wheels for arm64. Raises EngineError where they cannot be had."""
    if toolchain.python != PYTHON:
        raise EngineError(
            f"{toolchain.id} runs on Python {toolchain.python}, and the emulated Debian has {PYTHON}",
            "take another toolchain",
        )
    return arm64_site(toolchain.id, toolchain.on(MACHINE).lock, TOOLCHAIN_BYTES, notify)


def missing() -> str:
    """Return why this machine emulates no arm64, "" where it does."""
    try:
        refuse_other_machines()
    except EngineError as error:
        return error.message
    return ""
