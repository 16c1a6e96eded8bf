"""qemu's user-mode emulator and a small arm64 Debian in the cache: locked packages, unpacked without root.

The Debian is the base of the arm64 images (kit.container), file by file. One program runs in it at a time: its system
calls go to this machine's kernel, and what its Debian lacks is looked for in this machine's folders.
Source of the options: https://www.qemu.org/docs/master/user/main.html.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.container.debian_layer import write_debian_layer
from kit.errors import EngineError, RecipeError
from kit.files import cache_dir, refuse_odd_path, sha256_bytes
from kit.packages.cached_folder import Content, Notify, ensure, stamp_faults, unpack_layer
from kit.packages.debian_mirror import Deb, fetch_debs, lock_debs, read_debs
from kit.packages.debian_package import package_members
from kit.toolchains.space import ARM64_BYTES
from kit.toolchains.toolchain import TOOLCHAINS

PART = "arm64"  # of the cache
PYTHON = "3.11"  # the Debian's
LOCK = Path(__file__).with_name("debian-amd64.lock")  # of the emulator, which runs on this machine
BASE_LOCK = TOOLCHAINS / "base" / "debian-arm64.lock"
# By qemu's names, each with what it stands for; "max" of qemu 10 has features that no phone has, and is wrong on some.
CPUS = {
    "cortex-a53": "a small core of 2012, without dot products",
    "cortex-a76": "a large core of 2018, with dot products",
    "neoverse-n2": "a core of 2020 with SVE2, bfloat16 and matrix products",
}
DEFAULT_CPU = "cortex-a76"
_QEMU = "qemu-aarch64"
EMPTY = ("dev", "out", "proc", "sys", "tmp")  # folders of the base to mount on: here they would hide the real ones
# Of this machine's environment: libraries for another processor; and byte-code is kept beside the modules in the cache,
# for to compile them under emulation takes longer than all else.
_LEAKING = ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True)
class Machine:
    """An emulator with a Debian for it."""

    folder: Path
    version: str  # of qemu: "10.0.2"

    @property
    def name(self) -> str:
        """Return what it is called: "qemu 10.0.2"."""
        return f"qemu {self.version}"

    @property
    def emulator(self) -> Path:
        """Return the program that this machine starts."""
        return self.folder / _QEMU

    def words(self, cpu: str, arguments: Sequence[str | Path], site: Path | None = None) -> list[str]:
        """Return the emulator's arguments that run its Python on a CPU.

        site: a folder of packages that it imports; without one $PYTHONPATH says, as ever.
        """
        root = self.folder / "root"
        without = [word for name in _LEAKING for word in ("-U", name)]
        packages = ["-E", f"PYTHONPATH={site}"] if site else []
        # -S: the packages of this machine's own Python would be found where the Debian has no such folder.
        python = [str(root / "usr" / "bin" / f"python{PYTHON}"), "-S"]
        return ["-cpu", cpu, "-L", str(root), *without, *packages, *python, *map(str, arguments)]


def find_machine(notify: Notify) -> Machine:
    """Return the pinned emulator and Debian, fetched and unpacked where the cache lacks them.

    Raises EngineError where none is pinned for this machine, and where a package cannot be had.
    """
    refuse_other_machines()
    refuse_odd_path(cache_dir(), "\n:,", "DROPKIT_CACHE")  # qemu takes a variable's value apart at commas
    folder, version = _place()
    machine = Machine(folder, version)
    whole = Content("an emulated arm64 machine", ARM64_BYTES, lambda staging: _fill(machine, staging, notify))
    ensure(folder, whole, notify)
    return machine


def is_here() -> bool:
    """Say whether the cache has it whole."""
    return not stamp_faults(_place()[0])


def download_bytes() -> int:
    """Return how much the packages are that are fetched where the cache has none."""
    return sum(deb.size for deb in _packages())


def refuse_other_machines() -> None:
    """Raise EngineError where no emulator is pinned for this machine."""
    if sys.platform == "linux" and platform.machine() == "aarch64":
        raise EngineError("this machine is arm64 itself", "leave out --arch: the bundle runs on arm64 as it is")
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise EngineError(
            f"the emulator of arm64 is pinned for Linux on x86_64, and this is {platform.system()} on "
            f"{platform.machine()}",
            "run it on such a machine, or leave out what asks for arm64",
        )


def refuse_unknown_cpu(cpu: str) -> None:
    """Raise RecipeError for a CPU that was not tried."""
    if cpu not in CPUS:
        raise RecipeError(f"--cpu {cpu!r} is not known", f"there is: {', '.join(CPUS)}")


def relock_machine() -> str:
    """Regenerate the lock of the emulator, and say how far the mirror's word was checked."""
    return f"{LOCK}: {lock_debs(LOCK.with_name('debian.in'), LOCK, 'amd64')}"


def _packages() -> tuple[Deb, ...]:
    return (*read_debs(LOCK), *read_debs(BASE_LOCK))


def _place() -> tuple[Path, str]:
    """Return the folder of the pinned packages, and the version of qemu among them."""
    packages = _packages()
    version = next(deb.version for deb in packages if deb.name == "qemu-user").rpartition(":")[2].partition("+")[0]
    identity = sha256_bytes("\n".join(deb.sha256 for deb in packages).encode())
    return cache_dir() / PART / f"qemu-{version}-{identity[:16]}", version


def _fill(machine: Machine, folder: Path, notify: Notify) -> None:
    """Put the emulator and the Debian into a folder."""
    emulator = fetch_debs(read_debs(LOCK), notify)
    base = fetch_debs(read_debs(BASE_LOCK), notify)
    notify(f"unpacking {machine.name} and an arm64 Debian for it (once)")
    _take_emulator(emulator, folder / _QEMU)
    unpack_layer(write_debian_layer(folder / "base.tar", base).path, folder / "root")
    for name in EMPTY:
        (folder / "root" / name).rmdir()


def _take_emulator(debs: Sequence[Path], target: Path) -> None:
    """Take the one program of a package, which has dozens. Raises EngineError where there is none."""
    wanted = (member for deb in debs for member in package_members(deb) if member.name == f"usr/bin/{_QEMU}")
    for member in wanted:
        target.write_bytes(member.read())
        target.chmod(0o755)
        return  # what is behind it would take seconds to decompress
    raise EngineError(f"{debs[0].name}: it has no {_QEMU}", "restore the lock from version control")
