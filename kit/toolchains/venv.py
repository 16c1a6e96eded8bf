"""Virtual environments made from a lock, under the user's cache folder. Knows uv and pip; runs nothing in them."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock

from kit.errors import EngineError
from kit.files import cache_dir, refuse_odd_path
from kit.lifetime.locks import keep_shared
from kit.toolchains.download import complaint, run_download
from kit.toolchains.lockfile import Lock, uv, uv_env
from kit.toolchains.space import RUNTIME_BYTES, TOOLCHAIN_BYTES, full_error, need_space
from kit.toolchains.stamp import damage, sentence, write_stamp
from kit.toolchains.toolchain import Packages, Runtime
from kit.toolchains.wheels import CHECK_INDEX, fetch_wheels

Notify = Callable[[str], None]
_checked: set[Path] = set()  # by this process: once is enough


@dataclass(frozen=True)
class _Install:
    """How a venv is filled, by its Python and a folder for temporary files; bytes: what it takes on disk, about."""

    fill: Callable[[Path, Path], None]
    bytes: int
    notify: Notify


def packages_venv(packages: Packages, notify: Notify) -> Path:
    """Return the Python of a venv for jobs of an engine, made where it is missing."""
    if packages.universal:
        return locked_venv(packages.id, packages.id, packages.lock, notify, python=packages.python)
    return toolchain_venv(packages, notify)


def toolchain_venv(toolchain: Packages, notify: Notify) -> Path:
    """Return the Python of a venv that holds exactly the toolchain's locked wheels, made where it is missing."""

    def fill(python: Path, scratch: Path) -> None:
        wheels = fetch_wheels(toolchain.lock, toolchain.python, platform.machine(), notify)
        notify(f"installing {toolchain.id} for the local engine (once)")
        argv = [
            uv(),
            "pip",
            "install",
            "--quiet",
            "--python",
            str(python),
            "--no-index",
            "--no-deps",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--compile-bytecode",
            "--link-mode",
            "hardlink",
            *(word for wheel in sorted({wheel.parent for wheel in wheels}) for word in ("--find-links", str(wheel))),
            "--requirement",
            str(toolchain.lock.path),
        ]
        # uv unpacks into its cache and links from there: a cache of our own can go afterwards.
        _run(argv, {**uv_env(), "UV_CACHE_DIR": str(scratch / "uv")}, toolchain.id)

    return _ensure(toolchain.id, toolchain.lock, toolchain.python, _Install(fill, TOOLCHAIN_BYTES, notify))


def runtime_venv(runtime: Runtime, lock: Lock, notify: Notify) -> Path:
    """Return the Python of a venv with the locked interpreter, on the Python that runs dropkit."""
    return locked_venv(f"{runtime.id}-{runtime.version}", f"the runtime {runtime.name}", lock, notify)


def locked_venv(name: str, what: str, lock: Lock, notify: Notify, *, python: str = sys.executable) -> Path:
    """Return the Python of a venv with a lock's wheels and nothing else.

    python: a path or a version such as "3.11"; the one that runs dropkit where none is said.
    """

    def fill(executable: Path, _scratch: Path) -> None:
        notify(f"installing {what} (once)")
        argv = [
            str(executable),
            str(_pip_runner()),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--requirement",
            str(lock.path),
        ]
        _run(argv, {**os.environ, "PIP_NO_INPUT": "1"}, what)

    return _ensure(name, lock, python, _Install(fill, RUNTIME_BYTES, notify))


def _pip_runner() -> Path:
    """Return the script that runs dropkit's own pip on another Python.

    It is what `pip --python` starts, too, as a child of its own; and a child would outlive its parent's kill.
    """
    found = find_spec("pip")
    assert found is not None and found.origin is not None
    return Path(found.origin).with_name("__pip-runner__.py")


def venv_folder(name: str, lock: Lock, python: str) -> Path:
    """Return where the venv of a lock is, or would be."""
    tag = python if python[0].isdigit() else "{}.{}".format(*sys.version_info[:2])
    return cache_dir() / "venvs" / f"{name}-{lock.sha256[:16]}-py{tag}"


def venv_size(folder: Path) -> int:
    """Return the bytes that a venv takes, 0 where it is not whole."""
    try:
        noted = (folder / ".complete").read_text("utf-8")
    except OSError:
        return 0
    return int(noted) if noted.strip() else _count_bytes(folder)


def _count_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _ensure(name: str, lock: Lock, python: str, install: _Install) -> Path:
    refuse_odd_path(cache_dir(), "\n", "DROPKIT_CACHE")
    folder = venv_folder(name, lock, python)
    executable = folder / "bin" / "python"
    # Kept before it is looked at: `clean` could remove it between the two.
    if keep_shared(folder) and (folder in _checked or not _faults(folder)):
        _checked.add(folder)
        return executable
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            if faults := _faults(folder):  # another process may have made it meanwhile
                if folder.exists():
                    install.notify(sentence(name, faults))
                need_space(folder.parent, install.bytes, name)
                shutil.rmtree(folder, ignore_errors=True)
                _make(name, folder, python, install.fill)
            keep_shared(folder)
    except OSError as error:
        raise EngineError(
            f"{folder.parent}: cannot be written: {error.strerror}",
            "set DROPKIT_CACHE to a folder with space",
        ) from error
    _checked.add(folder)
    return executable


def _faults(folder: Path) -> list[str]:
    """Return what is wrong with a venv: what is missing or not as it was installed."""
    for name in (".complete", "bin/python"):
        if not (folder / name).exists():
            return [name]
    return damage(folder)


def _make(name: str, folder: Path, python: str, fill: Callable[[Path, Path], None]) -> None:
    scratch = folder.with_name(folder.name + ".scratch")
    try:
        made = _failure([uv(), "venv", "--quiet", "--no-project", "--python", python, str(folder)], uv_env(), name)
        if made:
            raise EngineError(
                f"there is no Python {python} for {name}:{made}",
                f"check the network, or put Python {python} on the PATH",
            )
        fill(folder / "bin" / "python", scratch)
        write_stamp(folder)
        # Last of all. Its size, counted while it is in the page cache: later that takes seconds for each.
        (folder / ".complete").write_text(f"{_count_bytes(folder)}\n", "utf-8")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(argv: Sequence[str], env: Mapping[str, str], what: str) -> None:
    if failed := _failure(argv, env, what):
        raise EngineError(f"{what} cannot be installed:{failed}", CHECK_INDEX)


def _failure(argv: Sequence[str], env: Mapping[str, str], what: str) -> str:
    """Run an installer; return its last lines where it failed, else "". Raises EngineError where the disk is full."""
    done = run_download(argv, env)
    if not done.returncode:
        return ""
    if full := full_error(what, done.stderr):
        raise full
    return complaint(done.stderr)
