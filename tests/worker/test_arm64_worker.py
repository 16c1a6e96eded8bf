"""The worker on an emulated arm64 CPU, in its toolchain's aarch64 lock: the bytes that it makes on x86-64."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import reproducibility as circumstances
from benchmarks.arm64 import Arm64
from kit.arm64.machine import Machine


@pytest.mark.parametrize(
    "scheme", ["int8", pytest.param("float32", marks=pytest.mark.slow), pytest.param("dynamic", marks=pytest.mark.slow)]
)
def test_a_worker_on_arm64_makes_the_same_model_as_on_x86_64(
    scheme: str, tmp_path: Path, arm64_machine: Machine
) -> None:
    cases = circumstances.digits_cases(tmp_path / "cases", circumstances.VERSION)
    case = next(case for case in cases if case.scheme == scheme)
    here = circumstances.as_worker(circumstances.Under())(case, circumstances.fresh(tmp_path))
    there = circumstances.as_worker(Arm64())(case, circumstances.fresh(tmp_path))
    assert there.model == here.model
