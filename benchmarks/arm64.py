"""The worker on an emulated arm64 CPU: what an engine is, for the rows of inv bench --reproducibility and for tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kit.arm64.machine import DEFAULT_CPU, PYTHON, find_machine, refuse_other_machines
from kit.arm64.site import MACHINE, arm64_site
from kit.engine.base import WORKER, JobFolder, Limits, worker_env
from kit.engine.local import local_argv
from kit.errors import EngineError
from kit.process import Command, Exit, run
from kit.toolchains.space import TOOLCHAIN_BYTES
from kit.toolchains.toolchain import Packages
from kit.toolchains.venv import toolchain_venv

CPUS = ("cortex-a76", "neoverse-n2")  # with and without SVE


@dataclass(frozen=True)
class Arm64:
    """Runs worker jobs in a toolchain's aarch64 lock, with the environment that every engine gives: no walls."""

    cpu: str = DEFAULT_CPU
    name: str = "arm64"
    isolated: bool = False

    def prepare(self, packages: Packages, notify: Callable[[str], None]) -> None:
        """Fetch and unpack the emulator and the wheels, and compile TensorFlow's, once. Raises EngineError."""
        find_machine(notify)
        site = arm64_packages(packages, notify)
        if not packages.universal:
            compile_site(packages, site, notify)

    def run(
        self, packages: Packages, job: JobFolder, limits: Limits, on_line: Callable[[str], None], module: str = WORKER
    ) -> Exit:
        """Run one job."""
        machine, site = find_machine(on_line), arm64_packages(packages, on_line)
        with TemporaryDirectory() as home:
            env = {**worker_env(f"{job.inputs / 'code'}:{site}"), "HOME": home, "TMPDIR": home}
            words = machine.words(self.cpu, local_argv(Path(), job, module)[1:])
            command = Command([str(machine.emulator), *words], env, Path(home))
            return run(command, log=job.log, on_line=on_line, timeout=limits.seconds)


def arm64_packages(packages: Packages, notify: Callable[[str], None]) -> Path:
    """Return the folder of locked wheels for arm64. Raises EngineError where they cannot be had."""
    if packages.python != PYTHON:
        raise EngineError(
            f"{packages.id} runs on Python {packages.python}, and the emulated Debian has {PYTHON}",
            "take another toolchain",
        )
    return arm64_site(packages.id, packages.on(MACHINE).lock, TOOLCHAIN_BYTES, notify)


# Run by a toolchain's Python on this machine: compiles in a folder what TensorFlow imports here.
_COMPILE = """
import py_compile, sys, sysconfig
import tensorflow, keras
here, there = sysconfig.get_path("purelib"), sys.argv[1]
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
for name in sorted(file.removeprefix(here) for file in files if file.startswith(here) and file.endswith(".py")):
    try:
        py_compile.compile(there + name, doraise=True, invalidation_mode=mode)
    except OSError:
        pass  # what this machine's wheels have alone
"""


def compile_site(toolchain: Packages, site: Path, notify: Callable[[str], None]) -> None:
    """Compile here, once, what TensorFlow imports: 45 MB of Python, which takes minutes under emulation.

    Every CPython of one minor version reads the same byte-code.
    """
    done = site.parent / "compiled"
    if done.exists():
        return
    notify(f"compiling {toolchain.id} for arm64 (once)")
    python = toolchain_venv(toolchain.on("x86_64"), notify)
    env = {**worker_env(""), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([str(python), "-c", _COMPILE, str(site)], env=env, check=True, capture_output=True)
    done.touch()


def missing() -> str:
    """Return why this machine emulates no arm64, "" where it does."""
    try:
        refuse_other_machines()
    except EngineError as error:
        return error.message
    return ""
