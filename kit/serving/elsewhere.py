"""A file on another processor, by `emulate --accelerator gpu` and `--arch arm64`: slow, and so asked for apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.arm64.machine import DEFAULT_CPU


@dataclass(frozen=True)
class Place:
    """Another processor. key: in a request; title: of its button; note: how slow it is, and what it fetches."""

    key: str
    title: str
    note: str


PLACES = (
    Place("gpu", "On a GPU (estimate)", "about ten seconds to some minutes; fetches 55 MB of a driver once"),
    Place("arm64", f"On arm64, {DEFAULT_CPU}", "30 to 800 times slower than here; fetches about 110 MB once"),
)


def lines_elsewhere(key: str, bundle: Path, path: Path, signature: str, notify: Callable[[str], None]) -> list[str]:
    """Return what `emulate` prints of a file on another processor. key: of one of PLACES.

    Raises what kit.emulation.gpu and kit.emulation.arm64 raise.
    """
    return list(_gpu(bundle, path, signature, notify) if key == "gpu" else _arm64(bundle, path, signature, notify))


def _gpu(bundle: Path, path: Path, signature: str, notify: Callable[[str], None]) -> Iterator[str]:
    from kit.emulation.gpu import run_gpu
    from kit.emulation.gpu_report import lines_of

    report = run_gpu(bundle, [str(path)], notify, signature=signature)
    yield from lines_of(report)
    yield from (f"{error.error}; {error.hint}" for error in report.errors)


def _arm64(bundle: Path, path: Path, signature: str, notify: Callable[[str], None]) -> Iterator[str]:
    from kit.emulation.arm64 import ArmRequest, run_arm64
    from kit.emulation.arm64_report import lines_of

    def tell_nobody(*_: int) -> None:
        """Show no bar: the page says that it is slow."""

    report = run_arm64(bundle, ArmRequest(DEFAULT_CPU, "", signature, (str(path),)), notify, tell_nobody)
    yield from lines_of(report)
    yield from (f"{error.error}; {error.hint}" for error in report.errors)
