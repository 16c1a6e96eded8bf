"""verify: yes on what the pins give, and the first check that fails on anything else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from worlds import DIGITS, run_kit

from kit.files import sha256_file

LOCAL = ("--engine", "local")
TFLITE = "src/main/assets/digits/model.tflite"


@pytest.fixture
def bundle(digits_bundle: Path, tmp_path: Path) -> Path:
    """Give a copy of the bundle, with its model beside it and nothing else around."""
    shutil.copytree(digits_bundle, tmp_path / "digits")
    shutil.copyfile(DIGITS / "digits.keras", tmp_path / "digits.keras")
    return tmp_path / "digits"


def flip(file: Path, at: int) -> None:
    """Change one byte of a file."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(bytes(content))


def check_refused(bundle: Path, *words: str) -> str:
    """Verify, and check that it is refused with 6 and these words; return what was printed."""
    done = run_kit("verify", str(bundle), *LOCAL, cwd=bundle.parent)
    assert done.returncode == 6, done.stdout + done.stderr
    for word in (*words, "next:"):
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_a_fresh_bundle_is_built_again_to_the_same_bytes_from_itself_and_its_model_alone(bundle: Path) -> None:
    done = run_kit("verify", str(bundle), *LOCAL, "--json", cwd=bundle.parent)
    assert done.returncode == 0, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert all(check["holds"] for check in checks.values())
    assert sha256_file(bundle / TFLITE) in checks["bytes"]["lines"][0]
    assert "structure" not in checks, "the same bytes need no second look"


def test_another_model_is_not_the_one(bundle: Path) -> None:
    flip(bundle.parent / "digits.keras", 5000)
    check_refused(bundle, "source", "another model")


def test_a_changed_lock_is_named(bundle: Path) -> None:
    flip(bundle / "provenance" / "requirements.lock", 20)
    check_refused(bundle, "files", "changed: provenance/requirements.lock")


def test_a_changed_tflite_is_named(bundle: Path) -> None:
    flip(bundle / TFLITE, 20_000)
    check_refused(bundle, "files", f"changed: {TFLITE}")


def test_a_changed_file_is_named_without_the_model_at_hand(bundle: Path) -> None:
    (bundle.parent / "digits.keras").unlink()
    done = run_kit("verify", str(bundle), *LOCAL, cwd=bundle.parent)
    assert (done.returncode, "digits.keras is not at hand" in done.stderr) == (2, True)
    flip(bundle / TFLITE, 20_000)
    printed = check_refused(bundle, "files", f"changed: {TFLITE}")
    assert printed.splitlines() == [f"files      FAILS  changed: {TFLITE}"]


def test_a_missing_and_a_foreign_file_are_named(bundle: Path) -> None:
    (bundle / "emulate" / "golden.npz").unlink()
    (bundle / "extra.txt").write_text("")
    printed = check_refused(bundle, "missing: emulate/golden.npz")
    assert "not of the bundle: extra.txt" in printed


def test_a_tflite_that_was_exchanged_with_its_digest_is_found_by_building_again(bundle: Path) -> None:
    """The manifest is made to fit the changed file: only a second build can tell."""
    content = bytearray((bundle / TFLITE).read_bytes())
    content[20_000] ^= 0x40  # in the weights
    (bundle / TFLITE).write_bytes(bytes(content))
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    manifest["files"][TFLITE] = sha256_file(bundle / TFLITE)
    (bundle / "bundle.json").write_text(json.dumps(manifest), "utf-8")
    printed = check_refused(bundle, "bytes", "1 of them differ")
    assert "structure" in printed
    assert "numbers" in printed


@pytest.mark.slow
def test_where_the_bytes_may_be_others_on_another_cpu_the_numbers_decide(bundle: Path) -> None:
    content = bytearray((bundle / TFLITE).read_bytes())
    content[20_000] ^= 0x40
    (bundle / TFLITE).write_bytes(bytes(content))
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    manifest["files"][TFLITE] = sha256_file(bundle / TFLITE)
    manifest["toolchain"]["any_cpu"] = False
    (bundle / "bundle.json").write_text(json.dumps(manifest), "utf-8")
    with np.load(bundle / "emulate" / "golden.npz") as arrays:
        assert not [name for name in arrays if name.startswith("float/")]
    printed = check_refused(bundle, "numbers: of the bundle's own file: digit: golden outputs differ by ")
    assert "bytes      FAILS" in printed
    assert "the same bytes are not promised on every CPU: bundle.json says so (toolchain.any_cpu)" in printed
    assert "structure  holds" in printed


def test_a_folder_that_is_no_bundle_and_a_model_that_is_nowhere(bundle: Path, tmp_path: Path) -> None:
    done = run_kit("verify", str(tmp_path), *LOCAL)
    assert (done.returncode, "no bundle" in done.stderr) == (2, True)
    (bundle.parent / "digits.keras").unlink()
    done = run_kit("verify", str(bundle), *LOCAL, cwd=bundle.parent)
    assert (done.returncode, "--model" in done.stderr) == (2, True)


@pytest.mark.container
@pytest.mark.usefixtures("docker_client")
def test_a_bundle_of_the_local_engine_is_verified_in_a_container(bundle: Path) -> None:
    done = run_kit("verify", str(bundle), "--engine", "docker", cwd=bundle.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bytes      holds" in done.stdout


@pytest.mark.slow
def test_each_next_step_of_verify_is_followed(bundle: Path, digits_bundle: Path, tmp_path: Path) -> None:
    (bundle / "emulate" / "golden.npz").unlink()
    (bundle / "extra.txt").write_text("")
    check_refused(
        bundle, "next: restore the bundle and move other files out of it, or build it again into another fold"
    )
    (bundle / "extra.txt").unlink()
    shutil.copyfile(digits_bundle / "emulate" / "golden.npz", bundle / "emulate" / "golden.npz")
    flip(bundle.parent / "digits.keras", 5000)
    check_refused(bundle, "next: name the model that the bundle was made of: --model PATH, once for each of several")
    done = run_kit("verify", str(bundle), *LOCAL, "--model", str(DIGITS / "digits.keras"), cwd=bundle.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copyfile(DIGITS / "digits.keras", bundle.parent / "digits.keras")
    content = bytearray((bundle / TFLITE).read_bytes())
    content[20_000] ^= 0x40
    (bundle / TFLITE).write_bytes(bytes(content))
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    manifest["files"][TFLITE] = sha256_file(bundle / TFLITE)
    (bundle / "bundle.json").write_text(json.dumps(manifest), "utf-8")
    check_refused(bundle, "next: build it anew and look at what changed: kit diff A B")
    built = run_kit("build", str(DIGITS), *LOCAL, "--out", str(tmp_path / "anew"))
    assert built.returncode == 0, built.stderr
    done = run_kit("diff", str(bundle), str(tmp_path / "anew" / "digits"))
    assert done.returncode == 6, done.stdout + done.stderr
    assert done.stdout
