"""The wheels of a lock, downloaded once and shared by both engines. Knows hashes and file names, not contents."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from kit.errors import EngineError
from kit.files import cache_dir, sha256_file, temporary_folder
from kit.lifetime.locks import keep_shared
from kit.toolchains.download import complaint, run_download
from kit.toolchains.lockfile import Lock, lock_for
from kit.toolchains.space import WHEELS_BYTES, full_error, need_space
from kit.toolchains.stamp import sentence

# Wheels for any Linux at least as new as Debian 12, whose glibc is 2.36.
GLIBC = (2, 36)


CHECK_INDEX = "check the network and pip's index settings (`python -m pip config list`), then run it again"


def fetch_wheels(lock: Lock, python: str, machine: str, notify: Callable[[str], None]) -> tuple[Path, ...]:
    """Return one wheel per pin, in the lock's order, downloading what the cache lacks.

    python is "3.11"; machine "x86_64" or "aarch64". The download uses the user's own pip settings (index,
    proxy, certificates); each file's SHA-256 is checked against the lock on every call. Raises EngineError
    where a wheel cannot be had or is not the locked one. Of a lock with markers it takes those of Linux.
    """
    lock = lock_for(lock, linux_environment(python, machine))
    folder = cache_dir() / "wheels" / f"{lock.sha256[:16]}-{python}-{machine}"
    if keep_shared(folder) and (folder / ".complete").exists() and (found := _find(lock, folder)):
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            folder.mkdir(exist_ok=True)
            keep_shared(folder)
            return _find(lock, folder) or _fetch(lock, python, machine, folder, notify)
    except OSError as error:
        raise EngineError(
            f"{folder}: cannot be written: {error.strerror}", "set DROPKIT_CACHE to a folder with space"
        ) from error


def linux_environment(python: str, machine: str) -> dict[str, str]:
    """Return what a lock's markers ask about: pip would take the Python that runs it."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.2",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.2",
        "python_version": python,
        "sys_platform": "linux",
    }


def _fetch(lock: Lock, python: str, machine: str, folder: Path, notify: Callable[[str], None]) -> tuple[Path, ...]:
    """Download what is missing, and what is there but is not what the lock has."""
    allowed = {sha256 for pin in lock.pins for sha256 in pin.sha256}
    broken = [wheel for wheel in sorted(folder.glob("*.whl")) if sha256_file(wheel) not in allowed]
    for wheel in broken:
        wheel.unlink()
    if broken or (folder / ".complete").exists():
        names = [wheel.name for wheel in broken] or ["missing files"]
        notify(sentence(f"the downloaded packages of {lock.path.parent.name}", names))
    notify(f"downloading {len(lock.pins)} locked packages (once)")
    need_space(folder, WHEELS_BYTES, "downloading them")
    _download(lock, python, machine, folder)
    (folder / ".complete").touch()
    found = _find(lock, folder)
    if found is None:
        (folder / ".complete").unlink(missing_ok=True)
        raise EngineError(
            f"{folder}: what was downloaded has not the SHA-256 that the lock allows",
            CHECK_INDEX,
        )
    return found


def _download(lock: Lock, python: str, machine: str, folder: Path) -> None:
    platforms = [f"manylinux_{GLIBC[0]}_{minor}_{machine}" for minor in range(GLIBC[1], 4, -1)]
    platforms += [f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--implementation",
        "cp",
        "--python-version",
        python,
        *(word for platform in platforms for word in ("--platform", platform)),
        "--dest",
        str(folder),
    ]
    with temporary_folder("dropkit-lock-") as scratch:
        chosen = scratch / lock.path.name  # of a lock for all machines, this one's part
        chosen.write_text(lock.text, "utf-8")
        _pip([*argv, "--requirement", str(chosen)], str(lock.path))


def _pip(argv: Sequence[str], what: str) -> None:
    done = run_download(argv, {**os.environ, "PIP_NO_INPUT": "1"})
    if done.returncode:
        if full := full_error("the locked packages", done.stderr):
            raise full
        raise EngineError(
            f"{what}: the locked packages cannot be downloaded:{complaint(done.stderr)}",
            CHECK_INDEX,
        )


def _find(lock: Lock, folder: Path) -> tuple[Path, ...] | None:
    """Return one wheel per pin in the lock's order, None where one is missing or not as the lock has it."""
    by_hash = {sha256_file(wheel): wheel for wheel in sorted(folder.glob("*.whl"))}
    found = [next((by_hash[sha256] for sha256 in pin.sha256 if sha256 in by_hash), None) for pin in lock.pins]
    wheels = tuple(wheel for wheel in found if wheel is not None)
    return wheels if len(wheels) == len(found) else None
