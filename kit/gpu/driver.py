"""Mesa's software Vulkan driver (lavapipe) in the cache: locked packages, unpacked without root. Knows no model.

The driver's libraries stand in one folder, and programs find them through their environment: nothing of the system is
changed. Source of the names in it: https://docs.mesa3d.org/envvars.html and Vulkan's LoaderDriverInterface.md.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from kit.errors import EngineError
from kit.files import cache_dir, refuse_odd_path, sha256_file
from kit.lifetime.tied import tied
from kit.packages.cached_folder import Content, Notify, ensure
from kit.packages.debian_mirror import fetch_debs, lock_debs, read_debs
from kit.packages.debian_package import Member, package_members
from kit.toolchains.space import DRIVER_BYTES
from kit.toolchains.stamp import damage

PART = "gpu"  # of the cache
LOCK = Path(__file__).with_name("debian-amd64.lock")
_DRIVER = "libvulkan_lvp.so"
_ICD = "icd.json"  # by which Vulkan's loader finds the driver
_API = "1.4.305"  # of Vulkan: what this Mesa's own file states
# Drivers of real GPUs, and layers between a program and its driver.
_UNUSED = ("libvulkan_intel*", "libvulkan_radeon*", "libvulkan_virtio*", "libvulkan_gfxstream*", "libVkLayer_*")
_LOADS = "import ctypes, sys; [ctypes.CDLL(name) for name in sys.argv[1:]]"


@dataclass(frozen=True)
class Driver:
    """An unpacked driver."""

    folder: Path
    version: str  # of Mesa: "25.0.7"

    @property
    def name(self) -> str:
        """Return what it is called: "llvmpipe, Mesa 25.0.7"."""
        return f"llvmpipe, Mesa {self.version}"

    def environment(self, libraries: Sequence[Path] = ()) -> Mapping[str, str]:
        """Return what a process needs beside its own environment. libraries: folders that it searches, too."""
        return {
            "LD_LIBRARY_PATH": os.pathsep.join(map(str, [*libraries, self.folder / "lib"])),
            "VK_ICD_FILENAMES": str(self.folder / _ICD),
            "VK_DRIVER_FILES": str(self.folder / _ICD),  # its newer name: a user's own would come first
            "VK_LOADER_LAYERS_DISABLE": "*",
            "MESA_SHADER_CACHE_DIR": str(shader_cache()),
            "MESA_SHADER_CACHE_MAX_SIZE": "512M",
        }


def shader_cache() -> Path:
    """Return the folder in which the driver keeps the programs that it compiled."""
    return cache_dir() / PART / "shaders"


def find_driver(notify: Notify) -> Driver:
    """Return the pinned driver, fetched and unpacked where the cache lacks it.

    Raises EngineError where no package is pinned for this machine, where one cannot be had, and where the system lacks
    a library that the driver needs.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise EngineError(
            f"the software GPU is pinned for Linux on x86_64, and this is {platform.system()} on {platform.machine()}",
            "run it on such a machine, or leave out what asks for the GPU",
        )
    refuse_odd_path(cache_dir(), "\n:", "DROPKIT_CACHE")
    version = next(deb.version for deb in read_debs(LOCK) if deb.name == "mesa-vulkan-drivers").partition("-")[0]
    folder = cache_dir() / PART / f"lavapipe-{version}-{sha256_file(LOCK)[:16]}"
    driver = Driver(folder, version)
    whole = Content("the software GPU", DRIVER_BYTES, lambda staging: _fill(driver, staging, notify), _faults)
    ensure(folder, whole, notify)
    with suppress(OSError):  # a cache that is read-only: programs are compiled in each run
        shader_cache().mkdir(exist_ok=True)
    return driver


def relock_driver() -> str:
    """Regenerate the lock of the driver's packages, and say how far the mirror's word was checked."""
    return f"{LOCK}: {lock_debs(LOCK.with_name('debian.in'), LOCK, 'amd64')}"


def _fill(driver: Driver, folder: Path, notify: Notify) -> None:
    """Put the driver into a folder."""
    debs = fetch_debs(read_debs(LOCK), notify)
    notify(f"unpacking the software GPU ({driver.name}; once)")
    _unpack(debs, folder)
    _refuse_missing(folder / "lib")
    (folder / _ICD).write_text(_icd(driver.folder), "utf-8")


def _faults(folder: Path) -> list[str]:
    """Return what is wrong with an unpacked driver: what is missing or not as it was unpacked."""
    try:
        if (folder / _ICD).read_text("utf-8") != _icd(folder):  # the cache was moved
            return [_ICD]
    except OSError:
        return [_ICD]
    return damage(folder)


def _icd(folder: Path) -> str:
    """Return the file that names the driver to Vulkan's loader, by an absolute path."""
    driver = {"api_version": _API, "library_path": str(folder / "lib" / _DRIVER)}
    return json.dumps({"ICD": driver, "file_format_version": "1.0.0"}, indent=2, sort_keys=True) + "\n"


def _unpack(debs: Sequence[Path], folder: Path) -> None:
    """Put the packages' libraries into folder/lib, and their licences into folder/copyright."""
    for name in ("lib", "copyright"):
        (folder / name).mkdir()
    for deb in debs:
        for place, member in _wanted(deb):
            target = folder / place
            if member.link:
                target.symlink_to(member.link)
            else:
                target.write_bytes(member.read())


def _wanted(deb: Path) -> Iterator[tuple[str, Member]]:
    """Yield what is taken of a package, each with its place. Links stay within one folder: between two libraries."""
    for member in package_members(deb):
        name = member.name.removeprefix("usr/")
        base = name.rpartition("/")[2]
        if fnmatchcase(name, "lib/x86_64-linux-gnu/*.so*") and name.count("/") == 2:
            if not any(fnmatchcase(base, pattern) for pattern in _UNUSED) and "/" not in member.link:
                yield f"lib/{base}", member
        elif fnmatchcase(name, "share/doc/*/copyright") and not member.link:
            yield f"copyright/{name.split('/')[2]}", member


def _refuse_missing(libraries: Path) -> None:
    """Raise EngineError where the system has not what the driver's own libraries need, as libstdc++."""
    names = [str(libraries / name) for name in ("libvulkan.so.1", _DRIVER)]
    argv = tied([sys.executable, "-c", _LOADS, *names])
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        why = " ".join(done.stderr.strip().splitlines()[-1:]).removeprefix("OSError: ") or "without a word"
        raise EngineError(
            f"the software GPU does not load here: {why}",
            "install that library with the system's package manager: of libstdc++6, libgcc-s1, zlib1g or liblzma5",
        )
