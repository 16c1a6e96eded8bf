"""emulate --benchmark: cold starts, calls and memory of a bundle; of several, the ratio of their calls in one run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from worlds import DIGITS, run_kit

from kit.bundle.latency import Latency
from kit.emulation.benchmark import STARTS, Benchmark, ColdStart, Measured, lines
from kit.files import sha256_bytes
from kit.toolchains.toolchain import find_runtime


def report(*arguments: str) -> dict[str, Any]:
    """Return what --json prints."""
    done = run_kit("emulate", *arguments, "--benchmark", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refused(code: int, *arguments: str) -> str:
    """Return what a refused command says."""
    done = run_kit("emulate", *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    return done.stderr


@pytest.fixture
def older(digits_bundle: Path, tmp_path: Path) -> Path:
    """Give the digits bundle as one for an older runtime."""
    bundle = Path(shutil.copytree(digits_bundle, tmp_path / "older" / "digits"))
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    manifest["recipe"]["android"]["runtime"] = "litert:1.4.0"
    lock = find_runtime("litert:1.4.0").lock(images=True).text.encode()
    (bundle / "emulate" / "requirements.txt").write_bytes(lock)
    manifest["files"]["emulate/requirements.txt"] = sha256_bytes(lock)
    (bundle / "bundle.json").write_text(json.dumps(manifest), "utf-8")
    return bundle


def test_a_benchmark_has_starts_calls_and_memory_and_of_another_bundle_the_ratio(
    digits_bundle: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(digits_bundle, tmp_path / "a copy")
    pair = (str(digits_bundle), "--against", str(other))
    assert "next: add --benchmark" in refused(2, *pair)
    found = report(*pair, "--threads", "2")
    assert (found["runtime"], found["threads"]) == ("litert:2.3.0", 2)
    assert "not a phone's" in found["hint"]
    assert [each["path"] for each in found["bundles"]] == [str(digits_bundle), str(other)]
    for each in found["bundles"]:
        start = each["cold_start"]
        assert start["processes"] == STARTS
        assert start["low_ms"] <= start["total_ms"] <= start["high_ms"]
        parts = [start[f"{part}_ms"] for part in ("python", "load", "feed", "first")]
        assert min(parts) > 0 and max(parts) < start["high_ms"]
        assert 0 < each["median_ms"] <= each["p95_ms"] and each["calls_per_second"] > 0
        assert each["memory"] is None or 0 < each["memory"] < 200e6
        assert isinstance(each["harness_ms"], float)
    first, second = found["bundles"]
    assert first["latency"] is None
    ratio = second["latency"]
    assert ratio["of"] == str(digits_bundle) and 0 < ratio["low"] <= ratio["ratio"] <= ratio["high"]


def test_a_user_reads_what_was_measured_and_what_to_make_of_it() -> None:
    start = ColdStart(400.0, 390.0, 420.4, python_ms=380.0, load_ms=4.321, feed_ms=2.0, first_ms=0.25, processes=5)
    one = Measured("dist/a", "a", "1.0.0", start, 0.02715, 0.031, 35_383.2, 0.0114, 4_000_000)
    ratio = Latency("dist/a", 1.0, 0.988, 1.0234, 0.027, 30)
    two = replace(one, path="dist/b", memory=None, harness_ms=-0.001, latency=ratio)
    assert list(lines(Benchmark("litert:2.3.0", 1, (one, two)))) == [
        "litert:2.3.0, 1 thread, on this machine: calls one after another, bundles by turns",
        "dist/a: a 1.0.0",
        "  calls        median 0.02715 ms, p95 0.031 ms, 35,383 a second, without what a harness adds",
        "  harness      0.0114 ms more: copies, names and checks, in Python",
        "  cold start   400 ms (390 to 420, 5 processes), its file in the system's cache:",
        "               Python and imports 380, load 4.32, input 2.00, first call 0.25",
        "  peak memory  4.0 MB beyond Python and the runtime's import",
        "dist/b: a 1.0.0",
        "  ratio        1.00 (0.988 to 1.02, 95 % interval) of dist/a",
        "  calls        median 0.02715 ms, p95 0.031 ms, 35,383 a second, without what a harness adds",
        "  harness      too little to measure",
        "  cold start   400 ms (390 to 420, 5 processes), its file in the system's cache:",
        "               Python and imports 380, load 4.32, input 2.00, first call 0.25",
        "  peak memory  the system does not say",
        "a desktop's milliseconds are not a phone's: a ratio is a hint, a time is none",
    ]


def test_with_a_file_it_times_a_call_on_it_as_the_harness_does(digits_bundle: Path) -> None:
    seven = ("--input", str(DIGITS / "seven.png"))
    said = refused(2, str(digits_bundle), "--benchmark", "--against", str(digits_bundle), *seven)
    assert "--against goes with no files" in said and "next: leave files out" in said
    found = report(str(digits_bundle), *seven)
    assert found["benchmark"]["median_ms"] > 0 and found["results"][0]["input"].endswith("seven.png")


def test_bundles_of_two_runtimes_are_refused(digits_bundle: Path, older: Path) -> None:
    said = refused(2, str(digits_bundle), "--benchmark", "--against", str(older))
    assert f"{older} is for litert:1.4.0, and {digits_bundle} for litert:2.3.0" in said
    assert "next: name one for all: --runtime litert:2.3.0" in said


@pytest.mark.slow
def test_bundles_of_two_runtimes_are_compared_on_one_that_is_named(digits_bundle: Path, older: Path) -> None:
    said = refused(2, str(digits_bundle), "--benchmark", "--against", str(older))
    assert "next: name one for all: --runtime litert:2.3.0" in said
    found = report(str(digits_bundle), "--against", str(older), "--runtime", "litert:2.3.0")
    assert found["runtime"] == "litert:2.3.0"


def test_a_number_of_threads_that_no_machine_has_is_refused_and_one_that_it_has_is_taken(digits_bundle: Path) -> None:
    bundle = str(digits_bundle)
    for mode in (["--benchmark"], ["--runtime", "all"], ["--profile"], ["--serve"], ["--golden"]):
        said = refused(2, bundle, *mode, "--threads", "257")
        assert "--threads 257 is not a number from 1 to 256\n  next: give one, such as 4, or leave it out" in said
    assert run_kit("emulate", bundle, "--golden", "--threads", "4").returncode == 0


def test_what_cannot_be_compared_is_refused_with_what_to_do(digits_bundle: Path, tmp_path: Path) -> None:
    bundle = str(digits_bundle)
    said = refused(2, bundle, "--benchmark", "--threads=-1")
    assert "--threads -1 is not a number from 1 to 256" in said and "next: give one, such as 4" in said
    assert "next: leave --golden out" in refused(2, bundle, "--benchmark", "--golden", "--against", bundle)
    assert str(tmp_path / "none") in refused(2, bundle, "--benchmark", "--against", str(tmp_path / "none"))
    spoilt = shutil.copytree(digits_bundle, tmp_path / "spoilt")
    (spoilt / "emulate" / "golden.npz").write_bytes(b"")
    assert "emulate/golden.npz" in refused(4, bundle, "--benchmark", "--against", str(spoilt))
