"""`emulate` on another processor, a GPU or arm64: reads its options, makes one call, prints. No command of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kit.commands.command import print_json
from kit.errors import RecipeError

if TYPE_CHECKING:
    from kit.emulation.arm64_report import ArmReport
    from kit.emulation.gpu_report import GpuReport

Report = TypeVar("Report", "ArmReport", "GpuReport")
_TAKEN = {"json", "signature", "golden"}  # of the options of `emulate`, by both


def emulate_gpu(
    bundle: Path, accelerator: str, given: Collection[str], signature: str, files: list[str], *, json: bool
) -> None:
    """Run a bundle on the GPU. given: the names of the other options that are given.

    Raises RecipeError for what does not go together, and what kit.emulation.gpu raises.
    """
    if accelerator != "gpu":
        raise RecipeError(f"--accelerator {accelerator!r} is not known", "write --accelerator gpu, or leave it out")
    refuse_beside("--accelerator gpu", given, _TAKEN)
    from kit.bundle.manifest import unchanged
    from kit.emulation.gpu import run_gpu
    from kit.emulation.gpu_report import judge, lines_of
    from kit.progress import Reporter

    reporter = Reporter()
    try:
        with unchanged(bundle):
            report = run_gpu(bundle, files, reporter.note, signature=signature)
    finally:
        reporter.close()
    _finish(report, lines_of(report), judge, json=json)


def emulate_arm64(
    bundle: Path, arch: str, cpu: str, given: Collection[str], runtime: str, signature: str, files: list[str],
    *, json: bool
) -> None:  # fmt: skip
    """Run a bundle on an emulated arm64 machine. given: the names of the other options that are given.

    Raises RecipeError for what does not go together, and what kit.emulation.arm64 raises.
    """
    if cpu and not arch:
        raise RecipeError(
            "--cpu names an emulated CPU, and --arch is not given", "add --arch arm64, or leave --cpu out"
        )
    if arch != "arm64":
        raise RecipeError(f"--arch {arch!r} is not known", "write --arch arm64, or leave it out")
    refuse_beside("--arch arm64", given, {*_TAKEN, "runtime"})
    from kit.arm64.machine import DEFAULT_CPU
    from kit.bundle.manifest import unchanged
    from kit.emulation.arm64 import ArmRequest, run_arm64
    from kit.emulation.arm64_report import judge, lines_of
    from kit.progress import Reporter

    reporter = Reporter()
    asked = ArmRequest(cpu or DEFAULT_CPU, runtime, signature, tuple(files))

    def advance(done: int, total: int) -> None:
        """Show how far the emulated machine is, from its start on."""
        if done == 0:
            reporter.stage(f"run on arm64, {asked.cpu}")
        reporter.advance(done, total)

    try:
        with unchanged(bundle):
            report = run_arm64(bundle, asked, reporter.note, advance)
    finally:
        reporter.close()
    _finish(report, lines_of(report), judge, json=json)


def refuse_beside(option: str, given: Collection[str], taken: Collection[str]) -> None:
    """Refuse options that are for an interpreter of this machine. taken: the names of those that are not."""
    if others := [name for name in given if name not in taken]:
        what = " and ".join(f"--{name}" for name in others)
        raise RecipeError(f"{what} does not go with {option}", f"leave {what} out")


def _finish(report: Report, lines: Iterable[str], judge: Callable[[Report], None], *, json: bool) -> None:
    """Print a report, and on stderr the files that cannot be used; end with what is wrong, or with 2 for such files."""
    print_json(report.to_json()) if json else sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stderr.writelines(f"emulate: {error.error}; {error.hint}\n" for error in report.errors)
    judge(report)
    if report.errors:
        raise SystemExit(2)
