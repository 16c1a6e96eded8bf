"""The emulated arm64 machine in the cache: whole or not at all, from locked packages, and gone with `clean`."""

from __future__ import annotations

import platform
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_container_archive import make_deb, make_wheel, member
from worlds import run_kit

from kit.arm64 import machine
from kit.arm64.machine import PYTHON, find_machine, is_here
from kit.arm64.site import MACHINE, arm64_site
from kit.doctor import checkup
from kit.errors import EngineError
from kit.files import sha256_file
from kit.packages.debian_mirror import Deb, read_debs
from kit.toolchains.lockfile import Lock, lock_for
from kit.toolchains.toolchain import runtimes
from kit.toolchains.wheels import linux_environment

QEMU = [member("./usr/bin/qemu-aarch64", mode=0o755), member("./usr/bin/qemu-arm", mode=0o755)]
METADATA = b"Metadata-Version: 2.1\nName: thing\nVersion: 1\n"
WHEEL = b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
BASE = [member("./usr/bin/python3.11", mode=0o755), member("./lib/aarch64-linux-gnu/libc.so.6")]


def quiet(_line: str) -> None:
    """Take what a test need not see."""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a mirror with an emulator and a Debian of the test's own, both locked, and an empty cache."""
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DROPKIT_DEBIAN_MIRROR", (tmp_path / "mirror").as_uri())
    lock_package(tmp_path, monkeypatch, "LOCK", "qemu-user", QEMU)
    lock_package(tmp_path, monkeypatch, "BASE_LOCK", "python3.11-minimal", BASE)
    return tmp_path / "mirror"


def lock_package(
    folder: Path, monkeypatch: pytest.MonkeyPatch, lock: str, name: str, members: Sequence[tarfile.TarInfo]
) -> None:
    """Put a package on the mirror, and lock it in the place of those of the kit."""
    pool = folder / "mirror/pool/main/x"
    pool.mkdir(parents=True, exist_ok=True)
    made = pool / f"{name}_10.0.2+ds-2_amd64.deb"
    make_deb(made, list(members))
    deb = Deb(name, "1:10.0.2+ds-2", "amd64", f"pool/main/x/{made.name}", made.stat().st_size, sha256_file(made))
    (folder / f"{lock}.lock").write_text(f"{deb}\n", "utf-8")
    monkeypatch.setattr(machine, lock, folder / f"{lock}.lock")


def parts(tmp_path: Path) -> list[str]:
    """Return what the cache has of it."""
    return [path.name for path in (tmp_path / "cache/arm64").iterdir() if path.suffix != ".lock"]


def test_it_is_unpacked_once_found_without_a_network_mended_and_removed_by_clean(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    assert not is_here() and checkup._arm64().startswith("not in the cache yet")
    made = find_machine(said.append)
    assert said == [
        "downloading 1 Debian packages, 0 MB (once)",
        "downloading 1 Debian packages, 0 MB (once)",
        "unpacking qemu 10.0.2 and an arm64 Debian for it (once)",
    ]
    root = made.folder / "root"
    assert made.emulator.stat().st_mode & 0o111 and not (made.folder / "qemu-arm").exists()
    assert (root / "lib/aarch64-linux-gnu/libc.so.6").read_bytes() == b"text"
    # Empty folders would stand in the way of this machine's own.
    assert not [name for name in ("dev", "proc", "sys", "tmp", "out") if (root / name).exists()]
    words = made.words("cortex-a53", ["x.py"], Path("/packages"))
    assert words[:4] == ["-cpu", "cortex-a53", "-L", str(root)] and words[-3:] == [
        str(root / "usr/bin/python3.11"),
        "-S",
        "x.py",
    ]
    monkeypatch.setenv("DROPKIT_DEBIAN_MIRROR", "file:///nonexistent")
    assert find_machine(said.append) == made and len(said) == 3
    assert is_here() and checkup._arm64() == "in the cache"
    made.emulator.write_bytes(b"cut")
    find_machine(said.append)
    assert said[3].startswith(f"made again, for its files in the cache were damaged: {made.folder.name} (qemu-aarch64")
    assert made.emulator.read_bytes() == b"text"
    # In a process of its own: this one says that it uses the machine.
    listed = run_kit("clean", "--remove", "arm64")
    assert f"left arm64/{made.folder.name}: a run uses it" in listed.stdout


def test_a_package_with_another_content_is_refused_and_nothing_of_it_is_left(mirror: Path, tmp_path: Path) -> None:
    (package,) = mirror.rglob("qemu-user*")
    content = package.read_bytes()
    package.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(EngineError, match="its SHA-256 is not the locked one"):
        find_machine(quiet)
    assert parts(tmp_path) == []
    package.write_bytes(content)
    find_machine(quiet)


def test_a_package_without_the_emulator_is_refused_until_the_lock_is_restored(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_package(tmp_path, monkeypatch, "LOCK", "qemu-user", QEMU[1:])
    with pytest.raises(EngineError, match="it has no qemu-aarch64") as caught:
        find_machine(quiet)
    assert caught.value.code == 5 and caught.value.hint == "restore the lock from version control"
    assert parts(tmp_path) == []
    lock_package(tmp_path, monkeypatch, "LOCK", "qemu-user", QEMU)
    find_machine(quiet)


@pytest.mark.parametrize(
    ("processor", "why", "step"),
    [
        ("aarch64", "this machine is arm64 itself", "leave out --arch: the bundle runs on arm64 as it is"),
        ("riscv64", "pinned for Linux on x86_64", "run it on such a machine, or leave out what asks for arm64"),
    ],
)
def test_a_machine_for_which_none_is_pinned_is_refused(
    mirror: Path, monkeypatch: pytest.MonkeyPatch, processor: str, why: str, step: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: processor)
    with pytest.raises(EngineError, match=why) as caught:
        find_machine(quiet)
    assert (caught.value.code, caught.value.hint) == (5, step)
    monkeypatch.undo()
    monkeypatch.setenv("DROPKIT_DEBIAN_MIRROR", mirror.as_uri())


def test_a_lock_names_an_emulator_that_runs_the_newest_runtime() -> None:
    (qemu,) = read_debs(machine.LOCK)
    assert qemu.name == "qemu-user" and "bpo12" in qemu.version  # Debian 12's own ends LiteRT with SIGSEGV
    assert {deb.architecture for deb in read_debs(machine.BASE_LOCK)} <= {"arm64", "all"}


def test_requirements_of_a_lock_are_those_for_arm64_and_its_python() -> None:
    for runtime in runtimes().values():
        whole = runtime.lock(images=True)
        chosen = lock_for(whole, linux_environment(PYTHON, MACHINE))
        names = [pin.name for pin in chosen.pins]
        assert len(names) == len(set(names)) and "numpy" in names and "colorama" not in names
        assert set(chosen.pins) <= set(whole.pins)
    marked = "a==1 ; python_full_version < '3.11' \\\n    --hash=sha256:" + "0" * 64
    assert lock_for(
        Lock(Path("x.lock"), f"{marked}\nb==2 --hash=sha256:{'1' * 64}\n"), linux_environment(PYTHON, MACHINE)
    ).text == (f"b==2 --hash=sha256:{'1' * 64}\n")


def test_wheels_are_unpacked_once_and_made_again_where_they_are_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / "cache"))
    files = {"thing/__init__.py": b"x = 1\n", "thing-1.dist-info/METADATA": METADATA, "thing-1.dist-info/WHEEL": WHEEL}
    wheel = make_wheel(tmp_path / "thing-1-py3-none-any.whl", files)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    lock = Lock(tmp_path / "x.lock", f"thing==1 --hash=sha256:{sha256_file(wheel)}\n")
    said: list[str] = []
    place = arm64_site("thing-1", lock, 1000, said.append)
    assert (place / "thing/__init__.py").read_bytes() == b"x = 1\n"
    assert said[-1] == "unpacking 1 packages of thing-1 for arm64 (once)"
    had = len(said)
    assert arm64_site("thing-1", lock, 1000, said.append) == place and len(said) == had
    (place / "thing/__init__.py").write_bytes(b"")
    arm64_site("thing-1", lock, 1000, said.append)
    assert (place / "thing/__init__.py").read_bytes() == b"x = 1\n" and said[had].startswith("made again")
