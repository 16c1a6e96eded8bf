"""The wheels of a lock for arm64, unpacked into one folder, as an image for arm64 has them. Runs nothing of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kit.arm64.machine import PART, PYTHON
from kit.container.wheel_layer import SITE, write_wheel_layer
from kit.files import cache_dir, temporary_folder
from kit.packages.cached_folder import Content, Notify, ensure, unpack_layer
from kit.toolchains.lockfile import Lock, lock_for
from kit.toolchains.wheels import fetch_wheels

MACHINE = "aarch64"  # as wheels name it
_ENVIRONMENT = {
    "implementation_name": "cpython",
    "implementation_version": f"{PYTHON}.2",
    "os_name": "posix",
    "platform_machine": MACHINE,
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": f"{PYTHON}.2",
    "python_version": PYTHON,
    "sys_platform": "linux",
}


def arm64_site(name: str, lock: Lock, bytes_: int, notify: Notify) -> Path:
    """Return the folder of a lock's packages for arm64, fetched and unpacked where the cache lacks it.

    name: in the cache and in messages, "litert-2.3.0"; bytes_: what it takes on disk, about. Raises EngineError where
    a wheel cannot be had.
    """
    folder = site_folder(name, lock)

    def fill(staging: Path) -> None:
        wheels = _wheels(name, lock, notify)
        notify(f"unpacking {len(wheels)} packages of {name} for arm64 (once)")
        unpack_layer(write_wheel_layer(staging / "wheels.tar", wheels).path, staging)

    ensure(folder, Content(f"{name} for arm64", bytes_, fill), notify)
    return folder / SITE


def site_folder(name: str, lock: Lock) -> Path:
    """Return where a lock's packages for arm64 are, or would be."""
    return cache_dir() / PART / f"{name}-{lock.sha256[:16]}"


def _wheels(name: str, lock: Lock, notify: Notify) -> tuple[Path, ...]:
    """Return the wheels that a lock has for arm64 and this Python: pip would choose by the Python that runs it."""
    chosen = lock_for(lock, _ENVIRONMENT)
    with temporary_folder("dropkit-lock-") as scratch:
        path = scratch / f"{name}-arm64.lock"
        path.write_text(chosen.text, "utf-8")
        return fetch_wheels(replace(chosen, path=path), PYTHON, MACHINE, notify)
