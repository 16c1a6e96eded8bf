"""The wheels of a lock for arm64, unpacked into one folder, as an image for arm64 has them. Runs nothing of them."""

from __future__ import annotations

from pathlib import Path

from kit.arm64.machine import PART, PYTHON
from kit.container.wheel_layer import SITE, write_wheel_layer
from kit.files import cache_dir
from kit.packages.cached_folder import Content, Notify, ensure, unpack_layer
from kit.toolchains.lockfile import Lock
from kit.toolchains.wheels import fetch_wheels

MACHINE = "aarch64"  # as wheels name it


def arm64_site(name: str, lock: Lock, bytes_: int, notify: Notify) -> Path:
    """Return the folder of a lock's packages for arm64, fetched and unpacked where the cache lacks it.

    name: in the cache and in messages, "litert-2.3.0"; bytes_: what it takes on disk, about. Raises EngineError where
    a wheel cannot be had.
    """
    folder = site_folder(name, lock)

    def fill(staging: Path) -> None:
        wheels = fetch_wheels(lock, PYTHON, MACHINE, notify)
        notify(f"unpacking {len(wheels)} packages of {name} for arm64 (once)")
        unpack_layer(write_wheel_layer(staging / "wheels.tar", wheels).path, staging)

    ensure(folder, Content(f"{name} for arm64", bytes_, fill), notify)
    return folder / SITE


def site_folder(name: str, lock: Lock) -> Path:
    """Return where a lock's packages for arm64 are, or would be."""
    return cache_dir() / PART / f"{name}-{lock.sha256[:16]}"
