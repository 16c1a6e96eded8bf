"""The wheels of a lock for arm64, unpacked into one folder, as an image for arm64 has them. Runs nothing of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from kit.arm64.machine import PART, PYTHON, Notify, unpack_layer
from kit.container.wheel_layer import SITE, write_wheel_layer
from kit.errors import EngineError
from kit.files import cache_dir, replacing, temporary_folder
from kit.lifetime.locks import keep_shared
from kit.toolchains.lockfile import Lock, lock_for
from kit.toolchains.space import need_space
from kit.toolchains.stamp import damage, sentence, write_stamp
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
    site = folder / SITE
    # Kept before it is looked at: `clean` could remove it between the two.
    if keep_shared(folder) and not _faults(folder):
        return site
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if faults := _faults(folder):  # another process may have made it meanwhile
                if folder.exists():
                    notify(sentence(folder.name, faults))
                need_space(folder.parent, bytes_, f"{name} for arm64")
                wheels = _wheels(name, lock, notify)
                notify(f"unpacking {len(wheels)} packages of {name} for arm64 (once)")
                with replacing(folder) as staging:
                    unpack_layer(write_wheel_layer(staging / "wheels.tar", wheels).path, staging)
                    write_stamp(staging)
            keep_shared(folder)
    except OSError as error:
        raise EngineError(
            f"{folder.parent}: cannot be written: {error.strerror}", "set DROPKIT_CACHE to a folder with space"
        ) from error
    return site


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


def _faults(folder: Path) -> list[str]:
    """Return what is wrong with the unpacked packages: what is missing or not as it was unpacked."""
    return damage(folder) if (folder / ".stamp").exists() else [".stamp"]
