"""What a dead run leaves is swept by the next one, what a live run has is not, and processes end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from worlds import run_kit

from kit.lifetime.locks import claim, release
from kit.lifetime.scratch import (
    PREFIX,
    note_container,
    note_no_container,
    partial_folder,
    remove,
    run_folder,
    sweep_runs,
)
from kit.lifetime.tied import tied

# A run that makes temporary files and a half-written file in the folder argv[1], says so, and waits.
RUN = """
import sys, tempfile, time
from pathlib import Path
from kit.files import writing_whole
from kit.lifetime.scratch import run_folder
with run_folder(), tempfile.TemporaryDirectory(), writing_whole(Path(sys.argv[1]) / "model.tflite") as file:
    file.write(b"half")
    print("ready", flush=True)
    time.sleep(60)
"""


def start(scratch: Path, out: Path) -> subprocess.Popen[str]:
    """Start a run whose temporary folder is scratch; return it when it has made its files."""
    env = {**os.environ, "TMPDIR": str(scratch)}
    argv = [sys.executable, "-c", RUN, str(out)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def left(scratch: Path, out: Path) -> tuple[int, int]:
    """Return how many run folders and how many files beside their target are there."""
    return len(list(scratch.glob(f"{PREFIX}*"))), len(list(out.iterdir()))


def test_any_command_sweeps_what_a_dead_run_left_and_nothing_of_a_live_one(tmp_path: Path) -> None:
    scratch, out = tmp_path / "scratch", tmp_path / "out"
    scratch.mkdir()
    dead, live = start(scratch, out), start(scratch, out)
    try:
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        assert left(scratch, out) == (2, 2)
        done = run_kit("toolchains", "--json", env={**os.environ, "TMPDIR": str(scratch)})
        assert done.returncode == 0, done.stderr
        assert left(scratch, out) == (1, 1)
    finally:
        live.kill()
        live.wait()
    sweep_runs(scratch)
    assert left(scratch, out) == (0, 0)


def test_a_run_that_ends_leaves_no_folder_and_gives_the_variable_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with run_folder():
        assert os.environ["TMPDIR"].startswith(str(tmp_path / PREFIX))
    assert os.environ["TMPDIR"] == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_container_that_could_not_be_removed_is_left_to_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with run_folder():
        note_container()
        note_no_container()
    assert list(tmp_path.iterdir()) == []
    with run_folder():
        note_container()
        (Path(os.environ["TMPDIR"]) / "large").write_text("x")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["containers"]
    with run_folder() as left_one:
        assert left_one
    assert list(tmp_path.iterdir()) == []


def test_a_folder_beside_its_target_goes_also_where_its_removal_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, place = tmp_path / "tmp", tmp_path / "place"
    for folder in (temporary, place):
        folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)

    calls: list[Path] = []

    def interrupted(path: Path) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(path)

    with pytest.raises(KeyboardInterrupt), run_folder(), partial_folder(place / "target") as partial:
        (partial / "half").write_text("made")
        monkeypatch.setattr("kit.lifetime.scratch.remove", interrupted)
    assert list(place.iterdir()) == []
    assert list(temporary.iterdir()) == []


def test_a_lock_is_had_once_and_free_again(tmp_path: Path) -> None:
    first = claim(tmp_path)
    assert first is not None
    assert claim(tmp_path) is None
    release(first)
    again, shared = claim(tmp_path, shared=True), claim(tmp_path, shared=True)
    assert again is not None
    assert shared is not None


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's signal at a parent's death")
def test_a_tied_command_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    child = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
    code = f"import subprocess; from kit.lifetime.tied import tied; subprocess.run(tied({child!r}))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        ends = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() and time.monotonic() < ends:
            time.sleep(0.02)
        assert not Path(f"/proc/{pid}").exists()


def test_a_tied_command_keeps_its_status_and_its_streams() -> None:
    done = subprocess.run(tied(["sh", "-c", "echo out; exit 3"]), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "out\n")
    missing = subprocess.run(tied(["/none/such"]), capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stderr) == (127, "/none/such: No such file or directory\n")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a locale of ASCII, and names that are no text")
def test_odd_names_in_a_locale_of_ascii_are_said_and_not_stumbled_over(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in {"HOME", "PYTHONUTF8", "LANG"}}
    env |= {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    name = b"caf\xc3\xa9 'q\"\n\xff.keras"
    argv = [os.fsencode(sys.executable), b"-m", b"kit", b"inspect", os.path.join(os.fsencode(tmp_path), name)]  # noqa: PTH118
    done = subprocess.run(argv, env=env, capture_output=True, check=False)
    said = done.stderr.decode("utf-8")
    assert done.returncode in {2, 3}, said
    assert "café 'q\"" in said
    assert "bug" not in said
