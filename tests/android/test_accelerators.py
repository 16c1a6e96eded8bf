"""Accelerators that are verified before they are used: the generated class on a JVM with the real LiteRT library.

No NPU is here. But LiteRT counts one where the chip is known and a folder for its libraries is named, and then runs the
model on the CPU in silence: so everything but the hardware is real. The GPU is Mesa's software driver.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from phone import App, compile_app, install, on_gpu

from kit.bundle.golden_bin import golden_bytes, read_golden
from kit.gpu.driver import Driver
from kit.shared.seeded import seeded

pytestmark = pytest.mark.usefixtures("android_tools")


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory, digits_bundle: Path) -> Path:
    """Give the digits' class and the program, compiled once."""
    return compile_app(digits_bundle, tmp_path_factory.mktemp("accelerators"))


@pytest.fixture
def app(tmp_path: Path, classes: Path, digits_bundle: Path) -> App:
    """Give the digits' app on a phone with an NPU."""
    return install(digits_bundle, classes, tmp_path)


def change_expected(app: App, names: Sequence[str], by: int) -> None:
    """Move the expected values of outputs by as many steps."""
    path = app.assets / "digits/expected.bin"
    sections = read_golden(path.read_bytes())
    for name in names:
        sections[name] = sections[name] + np.array(by, sections[name].dtype)
    path.write_bytes(golden_bytes(sections))


def test_a_sound_accelerator_is_tried_once_and_its_verdict_is_kept(app: App) -> None:
    assert app.attempts() == {"NPU": "runs"}
    key, verdict = app.verdict("npu-default").read_text().split("\n")
    assert verdict == "passed"
    app.verdict("npu-default").write_text(f"{key}\nplanted")
    kept = app.attempts()
    assert kept["NPU"] == "planted (found at an earlier start)" and kept["CPU"] == "runs"
    assert replace(app, system="another").attempts() == {"NPU": "runs"}  # an update of the OS: tried again
    assert app.verdict("npu-default").read_text().split("\n")[0] != key


def test_an_accelerator_whose_outputs_are_wrong_is_passed_over_and_named(app: App) -> None:
    change_expected(app, ["serving_default/expected/digit"], by=40)
    first = app.attempts()
    assert "its outputs are wrong: 'digit' is up to " in first["NPU"] and first["CPU"] == "runs"
    assert app.attempts()["NPU"] == f"{first['NPU']} (found at an earlier start)"


def test_an_accelerator_that_ended_the_app_is_passed_over_at_the_next_start(app: App) -> None:
    assert app.java("crash").returncode == 9
    later = app.attempts()
    assert later["NPU"].startswith("the app ended while it was tried") and later["CPU"] == "runs"


def test_what_is_not_there_is_named_as_absent_or_not_supported_and_not_tried(app: App) -> None:
    found = replace(app, chip="unknown").attempts()
    assert found["NPU"].startswith("not supported: LiteRT knows no NPU")
    assert found["GPU"] == "there is none on this device, or no library for it in the app"
    assert found["CPU"] == "runs" and not app.verdict("npu-default").parent.exists()


def test_a_folder_without_a_library_for_the_npu_is_named_as_not_supported(app: App) -> None:
    # LiteRT itself counts an NPU there, and runs the model on the CPU.
    (app.libraries / "libLiteRtDispatch_Qualcomm.so").rename(app.libraries / "libother.so")
    found = app.attempts()
    assert found["NPU"].startswith("not supported: no library for it (libLiteRtDispatch*.so)")
    assert found["CPU"] == "runs"


def test_a_gpu_whose_outputs_are_right_is_used_and_its_programs_are_kept(app: App, gpu_driver: Driver) -> None:
    app = on_gpu(app, gpu_driver)
    for precision in ("FP32", "DEFAULT"):
        assert app.attempts(precision)["GPU"] == "runs"
        assert app.verdict(f"gpu-{precision.lower()}").read_text("utf-8").endswith("\npassed")
    kept = [path for path in app.verdict("gpu").rglob("*") if path.is_file()]
    assert kept and all(path.stat().st_size > 1000 for path in kept)


def test_without_its_driver_a_gpu_that_litert_counts_is_passed_over(app: App, gpu_driver: Driver) -> None:
    app = on_gpu(app, gpu_driver)
    none = {"VK_ICD_FILENAMES": str(app.cache / "none.json"), "VK_DRIVER_FILES": str(app.cache / "none.json")}
    found = replace(app, environment={**app.environment, **none}).attempts()
    assert found["GPU"] == "Failed to compile model" and found["CPU"] == "runs"
    assert not app.verdict("gpu-default").exists()  # it may be there at the next start


def test_without_the_expected_outputs_no_accelerator_is_used(app: App) -> None:
    (app.assets / "digits/expected.bin").unlink()
    found = app.attempts()
    assert found["NPU"] == "it cannot be verified: digits/expected.bin is not among the app's assets"
    assert found["CPU"] == "runs"


def test_a_cache_folder_that_cannot_be_written_keeps_nothing_and_refuses_nothing(app: App) -> None:
    app.cache.write_text("no folder")
    assert app.attempts() == {"NPU": "runs"}


def test_kotlin_and_python_draw_the_same_bits(app: App, tmp_path: Path) -> None:
    limits = {
        "float32": (-4.0, 4.0), "int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int32": (3, 9_999),
        "int64": (-(2**53), 2**53), "bool": (0, 1),
    }  # fmt: skip
    cases = [(dtype, 1000, low, high, seed) for dtype, (low, high) in limits.items() for seed in (0, 2**33 + 5)]
    cases += [("float32", 500, 0.0, 2.0**128, 1), ("float32", 500, -(2.0**-126), 2.0**-126, 2), ("int32", 9, 7, 7, 3)]
    out = tmp_path / "drawn"
    done = app.java("seeded", str(out), *(",".join(map(str, case)) for case in cases))
    assert done.returncode == 0, done.stderr
    ours = b"".join(seeded(*case).astype(np.dtype(case[0]).newbyteorder("<")).tobytes() for case in cases)
    assert hashlib.sha256(out.read_bytes()).hexdigest() == hashlib.sha256(ours).hexdigest()
