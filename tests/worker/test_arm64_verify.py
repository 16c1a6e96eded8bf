"""A bundle verified on the other architecture: worker and interpreter on an emulated arm64 CPU, the kit on this one."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from worlds import DIGITS, run_kit

from benchmarks.arm64 import Arm64
from kit.arm64.machine import DEFAULT_CPU, Machine
from kit.arm64.site import arm64_site
from kit.build import pipeline
from kit.build.cache_key import build_key
from kit.build.plan import make_plan
from kit.build.verify import VerifyReport, verify
from kit.bundle.manifest import read_record
from kit.emulation import run
from kit.engine import Limits
from kit.files import tree_digests
from kit.progress import Reporter
from kit.recipe.load import load_recipe
from kit.toolchains.lockfile import Lock
from kit.toolchains.space import RUNTIME_BYTES
from kit.toolchains.toolchain import Runtime

pytestmark = pytest.mark.slow
TIME = Limits(seconds=3600)
MEASURED = {"bundle.json", "report.html", "provenance/float.npz"}  # what float kernels gave is in these


@pytest.fixture
def on_arm64(arm64_machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arm64:
    """Give an engine on arm64, and put the app's runtime on it, too."""

    def emulated(runtime: Runtime, lock: Lock, notify: object = None) -> Path:
        site = arm64_site(runtime.folder.name, lock, RUNTIME_BYTES, print)
        words = [str(arm64_machine.emulator), *arm64_machine.words(DEFAULT_CPU, [], site)]
        program = tmp_path / f"{runtime.folder.name}-arm64"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', "utf-8")
        program.chmod(0o755)
        return program

    for module in (run, pipeline):
        monkeypatch.setattr(module, "runtime_venv", emulated)
    return Arm64()


def check_holds(report: VerifyReport) -> None:
    lines = {check.name: check.lines for check in report.checks}
    assert all(check.holds and check.promised for check in report.checks), lines
    assert list(lines) == ["files", "source", "bytes", "numbers"]
    assert "built again the same" in lines["bytes"][0]


def test_a_bundle_of_x86_64_is_verified_on_arm64(digits_bundle: Path, on_arm64: Arm64) -> None:
    model = DIGITS / "digits.keras"
    check_holds(verify(digits_bundle, [model], on_arm64, TIME, Reporter(quiet=True)))


def test_a_bundle_of_arm64_is_the_same_but_for_measures_and_is_verified_on_x86_64(
    digits_bundle: Path, on_arm64: Arm64, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "choose_engine", lambda _name, _notify: on_arm64)
    path = DIGITS / "recipe.toml"
    found = build_key(path, "")
    plan = make_plan(load_recipe(path), found[1] if found else "")
    built = pipeline.build(plan, pipeline.Options(out=tmp_path / "dist", limits=TIME), Reporter(quiet=True))
    assert built.bundle is not None
    assert read_record(built.bundle).machine == "aarch64"
    here, there = tree_digests(digits_bundle), tree_digests(built.bundle)
    assert {name for name in here if here[name] != there.get(name)} <= MEASURED
    assert set(here) == set(there)
    done = run_kit("verify", str(built.bundle), "--engine", "local", "--model", str(DIGITS / "digits.keras"))
    assert done.returncode == 0, done.stdout + done.stderr
    for check in ("files", "source", "bytes", "numbers"):
        assert f"{check:10} holds" in done.stdout
