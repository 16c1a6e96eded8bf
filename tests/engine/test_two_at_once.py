"""Two runs that meet: each ends well or with one clear sentence, what they share is whole, and nothing is left."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from projects import app, bundle
from test_network_faults import INSTALL
from worlds import DIGITS, ROOT, SUPPORT

from benchmarks.faults.broken_server import Server, serve
from benchmarks.faults.networks import downloads
from kit.android.install.state import read_state
from kit.bundle.manifest import BUNDLE, faults, read_manifest
from kit.files import replacing, tree_digests
from kit.lifetime.locks import claim
from kit.toolchains.lockfile import Lock
from kit.toolchains.stamp import damage
from kit.toolchains.venv import venv_folder

LOCAL = ("--engine", "local")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Give the temporary folder of the runs of a test."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def start(*argv: object, scratch: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a Python program that imports the kit and the tests' worlds."""
    env = {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": f"{ROOT}:{SUPPORT}", **environment}
    return subprocess.Popen(
        [sys.executable, *map(str, argv)], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def start_kit(*argv: object, scratch: Path, **environment: str) -> subprocess.Popen[str]:
    return start("-m", "kit", *argv, scratch=scratch, **environment)


def ended(runs: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Wait for runs; return the exit code and the stderr of each."""
    said = [run.communicate(timeout=900) for run in runs]
    return [(run.returncode, err) for run, (_, err) in zip(runs, said, strict=True)]


def wait_for(run: subprocess.Popen[str], line: str) -> None:
    """Wait until a run has said a line on its stderr."""
    assert run.stderr is not None
    for said in run.stderr:
        if line in said:
            return
    raise AssertionError(f"it never said {line!r}")


# ---------------------------------------------------------------- builds


@pytest.mark.parametrize("count", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_builds_of_one_recipe_at_once_all_end_well(tmp_path: Path, scratch: Path, count: int) -> None:
    out = tmp_path / "dist"
    runs = [start_kit("build", DIGITS, *LOCAL, "--out", out, scratch=scratch) for _ in range(count)]
    assert [code for code, _ in ended(runs)] == [0] * count
    assert faults(out / "digits", read_manifest(out / "digits")) == []
    assert sorted(path.name for path in out.iterdir()) == ["digits", "digits.build.json"]
    assert list(scratch.iterdir()) == []


def test_a_bundle_that_is_exchanged_while_verify_reads_it_is_no_difference(
    tmp_path: Path, scratch: Path, digits_bundle: Path
) -> None:
    place = tmp_path / "digits"
    shutil.copytree(digits_bundle, place)
    run = start_kit("verify", place, *LOCAL, "--model", DIGITS / "digits.keras", scratch=scratch)
    wait_for(run, "start TensorFlow (")
    with replacing(place, BUNDLE) as staging:
        shutil.copytree(digits_bundle, staging, dirs_exist_ok=True)
        (staging / "bundle.json").write_text((staging / "bundle.json").read_text("utf-8") + "\n", "utf-8")
    ((code, said),) = ended([run])
    assert (code, "changed this bundle while it was read\n  next: run it again" in said) == (4, True), said
    again = start_kit("verify", place, *LOCAL, "--model", DIGITS / "digits.keras", scratch=scratch)
    assert ended([again])[0][0] == 0


# ---------------------------------------------------------------- the cache


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as server:
        downloads(server)
        yield server


@pytest.mark.parametrize("count", [2, 8])
def test_first_installs_into_one_empty_cache(tmp_path: Path, scratch: Path, server: Server, count: int) -> None:
    """The package comes from a server here, so that nothing is downloaded; venv, pip and locks are the real ones."""
    (wheel,) = [data for path, (_, data) in server.content.items() if path.endswith("runtime-1.0-py3-none-any.whl")]
    text = f"dropkit-probe-runtime==1.0 --hash=sha256:{hashlib.sha256(wheel).hexdigest()}\n"
    lock = tmp_path / "requirements.lock"
    lock.write_text(text, "utf-8")
    index = {"PIP_INDEX_URL": f"{server.address}/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    cache = tmp_path / "cache"
    runs = [start("-c", INSTALL, lock, scratch=scratch, DROPKIT_CACHE=str(cache), **index) for _ in range(count)]
    assert [code for code, _ in ended(runs)] == [0] * count
    venv = cache / "venvs" / venv_folder("probe", Lock(lock, text), sys.executable).name
    assert damage(venv) == []
    assert sorted(path.name for path in venv.parent.iterdir()) == [venv.name, f"{venv.name}.lock"]


@pytest.mark.slow
def test_two_first_emulations_install_one_runtime(tmp_path: Path, scratch: Path, digits_bundle: Path) -> None:
    cache = tmp_path / "cache"
    runs = [start_kit("emulate", digits_bundle, scratch=scratch, DROPKIT_CACHE=str(cache)) for _ in range(2)]
    assert [code for code, _ in ended(runs)] == [0, 0]
    (venv,) = [path for path in (cache / "venvs").iterdir() if path.is_dir()]
    assert damage(venv) == []


def test_clean_leaves_what_a_build_uses_and_the_next_clean_takes_it(
    tmp_path: Path, scratch: Path, own_cache: Path
) -> None:
    own = {"DROPKIT_CACHE": str(own_cache)}
    build = start_kit("build", DIGITS, *LOCAL, "--out", tmp_path / "dist", scratch=scratch, **own)
    wait_for(build, "start TensorFlow (")
    clean = start_kit("clean", "--remove", "venvs", "--out", tmp_path / "dist", scratch=scratch, **own)
    out, _ = clean.communicate()
    assert "tensorflow-2.19.1" in out
    assert "a run uses it" in out
    assert ended([build])[0][0] == 0
    clean = start_kit("clean", "--remove", "venvs", "--out", tmp_path / "dist", scratch=scratch, **own)
    assert "left" not in clean.communicate()[0]
    assert [path for path in (own_cache / "venvs").iterdir() if path.is_dir()] == []


# ---------------------------------------------------------------- bundles that change while they are read

# Writes the bundle argv[1] again and again for argv[2] seconds, each time with other files in it.
WRITE = """
import sys, time
from pathlib import Path
from projects import seal
from kit.bundle.manifest import BUNDLE
from kit.files import replacing
target, end, number = Path(sys.argv[1]), time.monotonic() + float(sys.argv[2]), int(sys.argv[3])
while time.monotonic() < end:
    number += 1
    with replacing(target, BUNDLE) as staging:
        for name in ("model.tflite", *(f"labels_{number % 3}{label}.txt" for label in range(300))):
            path = staging / "src/main/assets/digits" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(number))
        (staging / "consumer-rules.pro").write_text(str(number))
        seal(staging, name="digits")
print(number)
"""
# Removes it as `clean` does, again and again.
CLEAN = """
import sys, time
from pathlib import Path
from kit.cleaning import find_entries, remove_entry
dist, end = Path(sys.argv[1]).parent, time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    for entry in find_entries(dist, dist / "none"):
        said = remove_entry(entry)
        assert said == "removed dist/digits", said
"""
# Exchanges two bundles again and again, by the step that a build takes at its end.
SWAP = """
import sys, time
from pathlib import Path
from kit.lifetime.exchange import exchange
target, end = Path(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    assert exchange(target, target.with_name("other"))
    time.sleep(0.4)  # longer than a drop reads
"""
# Drops it into the module argv[3], again and again; a bundle that was exchanged meanwhile is refused.
DROP = """
import sys, time
from pathlib import Path
from kit.android.install.app_module import drop
from kit.errors import CheckError
bundle, end, module, done = Path(sys.argv[1]), time.monotonic() + float(sys.argv[2]), Path(sys.argv[3]), 0
while time.monotonic() < end or not done:
    try:
        drop(bundle, module)
        done += 1
    except CheckError as error:
        assert "while it was read" in error.message, error
        continue
    numbers = {path.read_text() for path in (module / "src/main/assets/digits").iterdir()}
    numbers.add((module / "dropkit/digits.pro").read_text())
    assert len(numbers) == 1, numbers
"""


def test_clean_beside_builds_takes_whole_bundles_and_hinders_none(tmp_path: Path, scratch: Path) -> None:
    target = tmp_path / "dist" / "digits"
    runs = [start("-c", code, target, 3, 0, scratch=scratch) for code in (WRITE, CLEAN, WRITE)]
    assert [(code, err) for code, err in ended(runs)] == [(0, "")] * 3
    assert {path.name for path in target.parent.iterdir()} <= {"digits"}
    assert not target.exists() or faults(target, read_manifest(target)) == []


def test_a_drop_beside_builds_is_of_one_bundle(tmp_path: Path, scratch: Path) -> None:
    target, module = tmp_path / "dist" / "digits", app(tmp_path)
    for number, place in ((0, target.with_name("other")), (1000, target)):
        first = start("-c", WRITE, place, 0.1, number, scratch=scratch)
        assert ended([first])[0][0] == 0
    runs = [start("-c", SWAP, target, 4, scratch=scratch), start("-c", DROP, target, 3, module, scratch=scratch)]
    assert [(code, err) for code, err in ended(runs)] == [(0, "")] * 2


def test_drops_into_one_module_are_all_in_it(tmp_path: Path, scratch: Path) -> None:
    module, names = app(tmp_path), [f"model{number}" for number in range(6)]
    places = [bundle(tmp_path, name, f"com.example.{name}") for name in names]
    runs = [start_kit("drop", place, "--into", module, scratch=scratch) for place in places]
    assert [code for code, _ in ended(runs)] == [0] * len(names)
    state = read_state(module)
    assert state is not None
    assert sorted(state.bundles) == names
    assert {name: tree_digests(module)[name] for name in state.owned()} == state.owned()
    runs = [start_kit("drop", name, "--into", module, "--remove", scratch=scratch) for name in names]
    assert [code for code, _ in ended(runs)] == [0] * len(names)
    assert list(tree_digests(module)) == ["build.gradle.kts"]


def test_a_drop_waits_for_the_one_before_it(tmp_path: Path, scratch: Path) -> None:
    module, place = app(tmp_path), bundle(tmp_path)
    handle = claim(module)
    assert handle is not None
    run = start_kit("drop", place, "--into", module, scratch=scratch)
    time.sleep(3)
    assert run.poll() is None
    assert not (module / "dropkit.json").exists()
    os.close(handle)
    assert ended([run])[0][0] == 0
