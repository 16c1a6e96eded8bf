"""emulate --benchmark: cold starts, calls and memory of a bundle; of several, the ratio of their calls in one run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from worlds import DIGITS, run_kit

from kit.emulation.benchmark import STARTS


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
    (bundle / "bundle.json").write_text(json.dumps(manifest), "utf-8")
    return bundle


def test_a_benchmark_has_starts_calls_and_memory_and_of_another_bundle_the_ratio(
    digits_bundle: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(digits_bundle, tmp_path / "a copy")
    found = report(str(digits_bundle), "--against", str(other), "--threads", "2")
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


def test_a_user_reads_what_was_measured_and_what_to_make_of_it(digits_bundle: Path) -> None:
    done = run_kit("emulate", str(digits_bundle), "--benchmark")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0].startswith("litert:2.3.0, 1 thread, on this machine")
    assert [line.split()[0] for line in said[2:5]] == ["calls", "harness", "cold"]
    assert "ratio" not in "".join(said[:-1]) and "peak memory" in said[-2]
    assert said[-1] == "a desktop's milliseconds are not a phone's: a ratio is a hint, a time is none"


def test_with_a_file_it_times_a_call_on_it_as_the_harness_does(digits_bundle: Path) -> None:
    found = report(str(digits_bundle), "--input", str(DIGITS / "seven.png"))
    assert found["benchmark"]["median_ms"] > 0 and found["results"][0]["input"].endswith("seven.png")


def test_bundles_of_two_runtimes_are_refused_until_one_is_named(digits_bundle: Path, older: Path) -> None:
    said = refused(2, str(digits_bundle), "--benchmark", "--against", str(older))
    assert f"{older} is for litert:1.4.0, and {digits_bundle} for litert:2.3.0" in said
    assert "next: name one for all: --runtime litert:2.3.0" in said
    found = report(str(digits_bundle), "--against", str(older), "--runtime", "litert:2.3.0")
    assert found["runtime"] == "litert:2.3.0"


def test_what_cannot_be_compared_is_refused_with_what_to_do(digits_bundle: Path, tmp_path: Path) -> None:
    bundle = str(digits_bundle)
    assert "next: add --benchmark" in refused(2, bundle, "--against", bundle)
    said = refused(2, bundle, "--benchmark", "--against", bundle, "--input", str(DIGITS / "seven.png"))
    assert "next: leave files out" in said
    assert "next: leave --golden out" in refused(2, bundle, "--benchmark", "--golden", "--against", bundle)
    assert str(tmp_path / "none") in refused(2, bundle, "--benchmark", "--against", str(tmp_path / "none"))
    spoilt = shutil.copytree(digits_bundle, tmp_path / "spoilt")
    (spoilt / "emulate" / "golden.npz").write_bytes(b"")
    assert "emulate/golden.npz" in refused(4, bundle, "--benchmark", "--against", str(spoilt))
