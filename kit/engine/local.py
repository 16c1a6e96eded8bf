"""The local engine: locked packages as a venv of this user. Same wheels as the container; walls, and no sandbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kit.engine.base import WORKER, JobFolder, Limits, fills_up, too_large, worker_env
from kit.engine.walls import walled_argv
from kit.files import refuse_odd_path, temporary_folder
from kit.lifetime.scratch import temporary_base
from kit.process import Command, Exit, run
from kit.toolchains.toolchain import Packages
from kit.toolchains.venv import packages_venv

_UNFIT = ":*?[\\"  # of PYTHONPATH, and of the patterns by which TensorFlow finds files
_SPARE = 4  # private memory that a process maps, to what it may use: TensorFlow maps much that it never touches


@dataclass(frozen=True)
class LocalEngine:
    """Runs jobs as processes of this user."""

    name: str = "local"
    isolated: bool = False

    def prepare(self, packages: Packages, notify: Callable[[str], None]) -> None:
        """Make the venv, once."""
        refuse_odd_path(temporary_base(), _UNFIT, "TMPDIR")
        packages_venv(packages, notify)

    def run(
        self, packages: Packages, job: JobFolder, limits: Limits, on_line: Callable[[str], None], module: str = WORKER
    ) -> Exit:
        """Run one job behind the walls that this kernel has; limits.memory is a coarse bound here."""
        python = packages_venv(packages, on_line)
        with temporary_folder("dropkit-home-") as home:
            env = {**worker_env(str(job.inputs / "code")), "HOME": str(home), "TMPDIR": str(home)}
            argv = walled_argv(
                python,
                local_argv(python, job, module),
                read=[*_homes(python), job.inputs],
                write=[job.out, home],
                memory=_SPARE * limits.memory,
            )
            return run(
                Command(argv, env, home),
                log=job.log,
                on_line=on_line,
                timeout=limits.seconds,
                watch=lambda: too_large(job.out) or fills_up(home),
            )


def _homes(python: Path) -> list[Path]:
    """Return the folders that a venv's Python is made of: its own, and those of the Python behind it."""
    return [python.parent.parent, python.resolve().parent.parent]


def local_argv(python: Path, job: JobFolder, module: str = WORKER) -> list[str]:
    """Return the command of one job. -s: packages of this user's site folder stay out of the toolchain."""
    return [str(python), "-s", "-m", module, str(job.inputs), str(job.out)]
