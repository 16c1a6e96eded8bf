"""What an engine is: a small interface, and what every engine gives the worker. Knows no engine in particular."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kit.bounded import MOST_OUT, MOST_OUT_FILES, MOST_SCRATCH, MOST_SCRATCH_FILES
from kit.process import Exit
from kit.toolchains.toolchain import Packages

GIB = 1 << 30
WORKER = "kit.worker"


@dataclass(frozen=True)
class Limits:
    """What a job may use. memory is in bytes and holds in containers only; seconds is wall time."""

    memory: int = 8 * GIB
    seconds: float = 3600.0


@dataclass(frozen=True)
class JobFolder:
    """A job on disk: `inputs` is read only for the worker, `out` is the one place that it may write."""

    inputs: Path
    out: Path
    log: Path


def too_large(out: Path) -> bool:
    """Say whether a job has left more in its folder than one may: bytes, or files."""
    return _holds_more(out, MOST_OUT, MOST_OUT_FILES)


def fills_up(scratch: Path) -> bool:
    """Say whether a job has more in its temporary folder than one may."""
    return _holds_more(scratch, MOST_SCRATCH, MOST_SCRATCH_FILES)


def _holds_more(top: Path, most: int, most_files: int) -> bool:
    files = size = 0
    for folder, folders, names in os.walk(top):
        files += len(folders) + len(names)
        for name in names:
            with suppress(OSError):
                size += Path(folder, name).lstat().st_size
        if files > most_files or size > most:
            return True
    return False


class Engine(Protocol):
    """Runs jobs on locked packages."""

    @property
    def name(self) -> str:
        """Return its name on the command line."""

    @property
    def isolated(self) -> bool:
        """Say whether it is a sandbox: whether code that comes with a model may run."""

    def prepare(self, packages: Packages, notify: Callable[[str], None]) -> None:
        """Make the packages ready, once. Raises EngineError."""

    def run(
        self, packages: Packages, job: JobFolder, limits: Limits, on_line: Callable[[str], None], module: str = WORKER
    ) -> Exit:
        """Run one job to its end; give each line of its stdout to on_line.

        module: of the job's own code, run as `python -m MODULE IN OUT`.
        """


def worker_env(pythonpath: str) -> dict[str, str]:
    """Return a job's whole environment: nothing of the user's, so that nothing of it can change a byte."""
    return {
        "CUDA_VISIBLE_DEVICES": "-1",
        "DROPKIT_JOB": "1",
        # libm's double functions have variants with fused multiply-add, for the CPUs that have it, and other last bits.
        # The second pair are the names before glibc 2.33.
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-FMA_Usable,-FMA4_Usable",
        "HOME": "/tmp",  # noqa: S108 - Keras writes a settings file there
        "KERAS_BACKEND": "tensorflow",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": pythonpath,
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "1",
        # Off: its kernels choose by CPU type, and calibration would follow.
        "TF_ENABLE_ONEDNN_OPTS": "0",
        # One thread: float kernels cut their sums by the number of threads, and so by the number of cores.
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TZ": "UTC",
    }
