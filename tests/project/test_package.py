"""The wheel and the commands: what a user gets who installs the kit, or types the wrong thing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin
from worlds import DIGITS, ROOT, run_kit


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    argv = [find_uv_bin(), "build", "--wheel", "--quiet", "--out-dir", str(folder), str(ROOT)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_carries_templates_locks_and_schema(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    harness = {path.relative_to(ROOT).as_posix() for path in (ROOT / "templates/bundle/emulate").rglob("*.py")}
    assert "templates/bundle/emulate/harness/inputs.py" in harness
    assert {f"kit/{name}" for name in harness} <= names
    assert "kit/templates/bundle/emulate/constants.py.j2" in names
    assert "kit/toolchains/tensorflow-2.19.1/requirements.lock" in names
    assert {"kit/runtimes/litert-2.3.0/images.lock", "kit/arm64/debian-amd64.lock"} <= names
    assert "kit/recipe.schema.json" in names
    assert "kit/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "examples/"))]


def outside(python: Path | str, folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an installed kit in a folder without a checkout."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    argv = [str(python), "-m", "kit", *words]
    return subprocess.run(argv, cwd=folder, env=env | environment, capture_output=True, text=True, check=False)


def test_what_the_wheel_installs_writes_a_recipe_outside_of_a_checkout(tmp_path: Path, wheel: Path) -> None:
    """On the packages of this environment: test_the_wheel_builds_in_an_empty_venv has none of it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    shutil.copy(DIGITS / "digits.keras", tmp_path)
    place = {"PYTHONPATH": str(tmp_path / "installed")}
    done = outside(sys.executable, tmp_path, "--version", **place)
    assert wheel.name.startswith(f"{done.stdout.strip().replace(' ', '-')}-"), done.stderr
    done = outside(sys.executable, tmp_path, "init", "digits.keras", "--yes", **place)
    assert done.returncode == 0, done.stderr
    argv = [sys.executable, "-c", "import kit; print(kit.__file__)"]
    where = subprocess.run(argv, env=os.environ | place, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert where.stdout.startswith(str(tmp_path / "installed"))


@pytest.mark.slow
def test_the_wheel_builds_in_an_empty_venv(tmp_path: Path, wheel: Path) -> None:
    shutil.copy(DIGITS / "digits.keras", tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    for argv in (
        [sys.executable, "-m", "venv", str(tmp_path / "venv")],
        [str(python), "-m", "pip", "install", str(wheel)],
    ):
        subprocess.run([*argv], cwd=tmp_path, capture_output=True, check=True)
    assert (python.parent / "kit").is_file()
    for words in (
        ("init", "digits.keras", "--yes"),
        ("build", "recipe.toml", "--engine", "local"),
        ("emulate", "dist/digits"),
    ):
        done = outside(python, tmp_path, *words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)


def test_inv_and_kit_list_the_same_commands() -> None:
    kit = run_kit("--list", "--list-format=json")
    inv = subprocess.run(
        [sys.executable, "-m", "invoke", "--list", "--list-format=json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = [{task["name"] for task in json.loads(listing.stdout)["tasks"]} for listing in (kit, inv)]
    assert names[0] == names[1]
    assert {"build", "emulate", "verify", "doctor", "toolchains", "test"} <= names[0]


def test_an_unknown_flag_or_a_missing_recipe_is_a_usage_error() -> None:
    for arguments in (("build", "--nonsense"), ("build",), ("no-such-command",)):
        done = run_kit(*arguments)
        assert done.returncode == 2, arguments
        assert "next:" in done.stderr
        assert "Traceback" not in done.stderr


def test_doctor_says_what_this_machine_has_as_json() -> None:
    done = run_kit("doctor", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["what"]: row for row in json.loads(done.stdout)}
    assert rows["local engine"]["ok"]
    assert "free" in rows["cache"]["found"]


def test_a_command_for_a_checkout_runs_in_one(tmp_path: Path) -> None:
    """An installed dropkit is the package alone; a clone has what is beside it, docs among these."""
    shutil.copytree(ROOT / "kit", tmp_path / "kit", ignore=shutil.ignore_patterns("__pycache__"))
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for command in ("errors", "test"):
        done = run_kit(command, cwd=tmp_path, env=env)
        assert done.returncode == 2
        assert "this command is for a checkout of dropkit, and this is an installed one" in done.stderr
        assert "next: clone the repository, and run it there" in done.stderr
    (tmp_path / "docs").mkdir()
    shutil.copytree(ROOT / "templates", tmp_path / "templates", ignore=shutil.ignore_patterns("__pycache__"))
    assert run_kit("errors", cwd=tmp_path, env=env).returncode == 0
    assert (tmp_path / "docs" / "errors.md").read_text("utf-8") == (ROOT / "docs" / "errors.md").read_text("utf-8")


def test_toolchains_lists_every_pin_with_its_lock() -> None:
    done = run_kit("toolchains", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["tensorflow-2.19.1"]["keras"] == "3.15.1"
    assert "litert:2.3.0" in rows and "litert-quantizer-0.11.0" in rows


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["build", "--help"], ["--list"], ["toolchains"], ["inspect", str(DIGITS / "digits.keras")]],
)
def test_a_reader_that_goes_away_is_no_error(arguments: list[str]) -> None:
    argv = [sys.executable, "-m", "kit", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, printed = process.communicate()
    assert (process.returncode, printed) == (141, "")
