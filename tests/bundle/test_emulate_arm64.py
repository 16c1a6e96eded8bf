"""`emulate --arch arm64`: the harness on the runtime's real arm64 wheel, every instruction emulated by qemu."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from children import started
from invoke.context import Context
from worlds import DIGITS, run_kit

from kit.arm64.machine import CPUS, Machine
from kit.bundle.replay_report import PASS
from kit.bundle.whole import MANIFEST
from kit.commands.inspect import emulate
from kit.emulation.arm64 import ArmRequest, run_arm64
from kit.emulation.arm64_report import ArmReport, Bound, file_checks, judge
from kit.errors import CheckError, EngineError, RecipeError
from kit.files import sha256_file


def quiet(*_: object) -> None:
    """Take what a test need not see."""


def some_digits(folder: Path, count: int) -> Path:
    """Write an .npz with the first of the digits' test images."""
    with np.load(DIGITS / "test.npz") as data:
        np.savez(folder / "some.npz", image=data["image"][:count])
    return folder / "some.npz"


def test_an_int8_model_gives_the_same_bits_on_arm64_and_a_bad_file_is_one_line(
    digits_bundle: Path, tmp_path: Path, arm64_machine: Machine
) -> None:
    files = ("--input", str(some_digits(tmp_path, 3)), "--input", str(tmp_path / "none.npz"))
    done = run_kit("emulate", str(digits_bundle), "--arch", "arm64", *files, "--json")
    assert done.returncode == 2, done.stderr
    assert "times slower than here: about " in done.stderr and " for 15 calls" in done.stderr
    assert "none.npz: there is no such file; check the name" in done.stderr
    report = json.loads(done.stdout)
    assert (report["cpu"], report["emulator"]) == ("cortex-a76", arm64_machine.name)
    found = {check["inputs"]: check for check in report["checks"]}
    assert {name: (check["calls"], check["same"], check["passed"]) for name, check in found.items()} == {
        "golden vectors": (8, True, True),
        "edge vectors": (4, True, True),
        "your files": (3, True, True),
    }
    assert found["your files"]["off"] == 0 and found["your files"]["top1"] == [3, 3]


@pytest.mark.parametrize(
    ("options", "why", "step"),
    [
        ({"arch": "arm"}, "--arch 'arm' is not known", "write --arch arm64, or leave it out"),
        ({"arch": "", "cpu": "cortex-a76"}, "--arch is not given", "add --arch arm64, or leave --cpu out"),
        ({"cpu": "max"}, "--cpu 'max' is not known", f"there is: {', '.join(CPUS)}"),
        ({"runtime": "litert:1.0.1"}, "never published", "name a newer runtime: --runtime litert:1.1.2"),
        ({"threads": 2}, "--threads does not go with", "leave --threads out"),
        ({"accelerator": "gpu"}, "--accelerator does not go with", "leave --accelerator out"),
    ],
)
def test_what_arm64_does_not_do_is_refused_at_once(
    digits_bundle: Path, options: dict[str, Any], why: str, step: str
) -> None:
    with pytest.raises(RecipeError, match=why) as caught:
        emulate(Context(), str(digits_bundle), debug=True, **{"arch": "arm64", **options})
    assert (caught.value.code, caught.value.hint) == (2, step)


def checked(ours: list[list[float]], theirs: list[list[float]], bound: Bound) -> ArmReport:
    """Return the report of one output in some calls on arm64 and on this machine."""
    pairs = ([{"y": np.array(row, np.float32)} for row in rows] for rows in (ours, theirs))
    checks = tuple(file_checks({"y": bound}, "", *pairs))
    return ArmReport("m", "1", "litert:2.3.0", "x", "cortex-a76", "qemu", 2, 1.0, 0.1, 99.0, PASS, (), checks, ())


def test_outputs_are_compared_value_by_value_and_a_float_may_be_off_as_much_as_it_is_large() -> None:
    floats, steps = Bound("absolute", 1e-4, 1.0, classes=True), Bound("steps", 1.0, 100.0, classes=False)
    same = checked([[1, 2], [np.nan, 4]], [[1, 2], [np.nan, 4]], floats)
    assert same.checks[0].same and same.checks[0].sentence == "y: the same values as on x86-64"
    near = checked([[1, 2], [3, 100.005]], [[1, 2], [3, 100]], floats)
    assert near.checks[0].passed and "in 1 of 2 calls, top-1 as on x86-64 in 2 of 2" in near.checks[0].sentence
    judge(near)
    for report, words in (
        (checked([[2, 1]], [[1, 2]], floats), r"your files: y: max difference 1 \(0.0002 allowed\), .* 0 of 1"),
        (checked([[3, 1]], [[1, 2]], steps), r"y: max difference 2 steps \(1 allowed\), in 1 of 1 calls"),
        (checked([[np.nan, 1]], [[1, 1]], steps), "y: other or unlike many values"),
        (checked([[1]], [[1, 2]], steps), "y: other or unlike many values"),
    ):
        with pytest.raises(CheckError, match=words):
            judge(report)


@pytest.mark.slow
def test_outputs_that_are_off_the_golden_vectors_are_named_until_the_bundle_is_built_again(
    digits_bundle: Path, tmp_path: Path, arm64_machine: Machine
) -> None:
    """Labels shifted by one, as a wrong file would have them: arm64 is right, and golden.npz is not."""
    bundle = shutil.copytree(digits_bundle, tmp_path / "digits")
    golden = bundle / "emulate/golden.npz"
    with np.load(golden) as data:
        arrays = dict(data)
    arrays["output/digit"] = np.roll(arrays["output/digit"], 1, axis=-1)
    np.savez(golden, **arrays)
    manifest = json.loads((bundle / MANIFEST).read_text("utf-8"))
    manifest["files"]["emulate/golden.npz"] = sha256_file(golden)
    (bundle / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    done = run_kit("emulate", str(bundle), "--arch", "arm64")
    assert done.returncode == 4 and "golden vectors, 8 calls: digit: max difference" in done.stdout
    assert "digits: on arm64 (cortex-a76): output 'digit' differs by" in done.stderr
    assert "next: an app on a phone gives these outputs: try another runtime with --runtime" in done.stderr
    judge(run_arm64(digits_bundle, ArmRequest("cortex-a76"), quiet, quiet))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cpu", "runtime"),
    [("cortex-a53", ""), ("neoverse-n2", ""), ("cortex-a76", "tflite:2.14.0"), ("cortex-a76", "litert:1.1.2")],
)
def test_other_cpus_and_runtimes_hold_the_golden_vectors(
    digits_bundle: Path, arm64_machine: Machine, cpu: str, runtime: str
) -> None:
    report = run_arm64(digits_bundle, ArmRequest(cpu, runtime), quiet, quiet)
    found = [(check.inputs, check.passed, check.same) for check in report.checks]
    assert found == [("golden vectors", True, True), ("edge vectors", True, True)]


@pytest.mark.slow
def test_an_interpreter_that_crashes_on_arm64_is_named_with_its_signal(
    digits_bundle: Path, arm64_machine: Machine
) -> None:
    emulator = os.fsencode(arm64_machine.emulator)
    sender = threading.Thread(target=lambda: os.kill(started(lambda words: words[0] == emulator), signal.SIGSEGV))
    sender.start()
    with pytest.raises(EngineError, match=r"the interpreter of litert:2\.3\.0 ended with SIGSEGV on arm64"):
        run_arm64(digits_bundle, ArmRequest("cortex-a76"), quiet, quiet)
    sender.join()
