"""What tests share: a real toolchain, a real engine, and one real bundle, each made once a session."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from android_world import require_tools
from filelock import FileLock
from third_party import cache_folder
from worlds import DIGITS, SUPPORT, run_kit
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from kit.arm64.machine import Machine, find_machine
from kit.container.client import probe
from kit.errors import EngineError
from kit.files import cache_dir
from kit.gpu.driver import Driver, find_driver
from kit.toolchains.lockfile import read_lock
from kit.toolchains.toolchain import find_runtime, find_toolchain
from kit.toolchains.venv import runtime_venv, toolchain_venv

if TYPE_CHECKING:
    import docker


# As on a user's machine: a `kit` that compiles all it imports anew takes twice its time, at each of a thousand starts.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell starts its background jobs with Ctrl-C ignored; what they start inherits it. Tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _quiet(_line: str) -> None:
    pass


@pytest.fixture(scope="session")
def gpu_driver() -> Driver:
    """Give the software Vulkan driver; skip where it cannot be had, and fail where DROPKIT_REQUIRE_GPU is set."""
    try:
        return find_driver(_quiet)
    except EngineError as error:
        if os.environ.get("DROPKIT_REQUIRE_GPU"):
            pytest.fail(f"the GPU tests must run here, and {error}")
        pytest.skip(f"needs the software GPU: {error.message}")


@pytest.fixture(scope="session")
def arm64_machine() -> Machine:
    """Give an emulated arm64; skip where it cannot be had, and fail where DROPKIT_REQUIRE_ARM64 is set."""
    try:
        return find_machine(_quiet)
    except EngineError as error:
        if os.environ.get("DROPKIT_REQUIRE_ARM64"):
            pytest.fail(f"the tests on arm64 must run here, and {error}")
        pytest.skip(f"needs an emulated arm64 machine: {error.message}")


@pytest.fixture(scope="session")
def toolchain_python() -> Path:
    """Give the Python of the newest toolchain's venv."""
    return toolchain_venv(find_toolchain("2.19.1"), _quiet)


@pytest.fixture(scope="session")
def digits_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the bundle that the digits example builds on the local engine."""
    out = tmp_path_factory.mktemp("dist")
    built = run_kit("build", str(DIGITS), "--engine", "local", "--out", str(out))
    assert built.returncode == 0, built.stderr
    return out / "digits"


@pytest.fixture(scope="session")
def named_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the bundle of the digits whose file keeps the names of inner tensors."""
    folder = tmp_path_factory.mktemp("named")
    recipe = folder / "recipe.toml"
    for source in (*DIGITS.glob("*.keras"), *DIGITS.glob("*.npz"), DIGITS / "labels.txt"):
        (folder / source.name).symlink_to(source)
    text = (DIGITS / "recipe.toml").read_text("utf-8").replace("[quantize]\n", "[quantize]\nkeep_names = true\n")
    recipe.write_text(text, "utf-8")
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(folder / "dist"))
    assert built.returncode == 0, built.stderr
    return folder / "dist" / "digits"


@pytest.fixture(scope="session")
def quantized_models(tmp_path_factory: pytest.TempPathFactory, toolchain_python: Path) -> Path:
    """Give a folder with the models of tests/support/quantized_models.py and their data."""
    folder = tmp_path_factory.mktemp("quantized")
    argv = [str(toolchain_python), str(SUPPORT / "quantized_models.py"), str(folder)]
    subprocess.run(argv, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def runtime_python(digits_bundle: Path) -> Path:
    """Give a Python with the bundle's emulate/requirements.txt and nothing else."""
    lock = read_lock(digits_bundle / "emulate" / "requirements.txt")
    return runtime_venv(find_runtime("litert:2.3.0"), lock, _quiet)


@pytest.fixture
def own_cache(tmp_path: Path, toolchain_python: Path, runtime_python: Path) -> Path:
    """Give a cache of the test's own, its files linked to those of the real one."""
    cache = tmp_path / "cache"
    for python in (toolchain_python, runtime_python):
        venv = python.parent.parent
        target = cache / "venvs" / venv.name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copytree(venv, target, symlinks=True, copy_function=os.link)
        except (OSError, shutil.Error):
            pytest.skip(f"{cache_dir()} is on another file system")
    return cache


@pytest.fixture(scope="session")
def android_tools() -> None:
    """Skip the test with the reason where a tool of the Android proof is missing, but never in CI."""
    require_tools()


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    """Give a client of the engine. Where none responds the test is skipped with the reason, but never in CI."""
    found = probe()
    if isinstance(found, str):
        if os.environ.get("DROPKIT_REQUIRE_CONTAINER"):
            pytest.fail(f"the container tests must run here, and {found}")
        pytest.skip(f"needs a Docker engine: {found}")
    yield found
    found.close()


@pytest.fixture(scope="session")
def browser() -> str:
    """Give the path of Chromium. Skips with the reason where it, node or npm is missing."""
    missing = [name for name in ("chromium", "node", "npm") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install chromium npm")
    return str(shutil.which("chromium"))


@pytest.fixture(scope="session")
def tools(browser: str) -> Path:
    """Give a folder with the packages of tests/support/pages, which npm installs once as their lock says."""
    pages = SUPPORT / "pages"
    key = hashlib.sha256((pages / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"pages-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "node_modules" / ".package-lock.json").exists():
            shutil.copytree(pages, folder, dirs_exist_ok=True)
            argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    return folder


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Keep a file's tests in one process, for they share what it made, and all files that use the engine in one.

    Two of the latter at once would see each other's containers.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "engine" if "mark.container" in (Path(__file__).parent.parent / file).read_text("utf-8") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile:
    """Say which tests go together where several processes share them."""
    return _ByFile(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many container tests really ran: a green run that skipped them proves less."""
    counts = dict.fromkeys(("passed", "failed", "error", "skipped"), 0)
    for outcome in counts:
        counts[outcome] = sum("container" in getattr(r, "keywords", {}) for r in terminalreporter.getreports(outcome))
    terminalreporter.write_line("container tests: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
