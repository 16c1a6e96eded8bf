"""The software Vulkan driver in the cache: whole or not at all, from locked packages, and gone with `clean`."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from test_container_archive import make_deb, member
from worlds import run_kit

from kit.errors import EngineError
from kit.files import cache_dir, sha256_file
from kit.gpu import driver
from kit.gpu.driver import Driver, find_driver
from kit.packages.debian_mirror import Deb, read_debs

NOWHERE = "file:///nonexistent"


@pytest.fixture
def own_debs(tmp_path: Path, gpu_driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a cache of the test's own that has the packages and nothing else, without a network."""
    cache = tmp_path / "cache"
    for deb in read_debs(driver.LOCK):
        name = f"{deb.sha256[:16]}-{deb.path.rpartition('/')[2]}"
        (cache / "debs").mkdir(parents=True, exist_ok=True)
        if not (cache_dir() / "debs" / name).exists():
            pytest.skip("needs the packages in the cache: `kit clean --remove gpu` and a run with the GPU fetch them")
        shutil.copyfile(cache_dir() / "debs" / name, cache / "debs" / name)
    monkeypatch.setenv("DROPKIT_CACHE", str(cache))
    monkeypatch.setenv("DROPKIT_DEBIAN_MIRROR", NOWHERE)
    return cache


def lock_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object]) -> Path:
    """Lock a driver of one package that write makes, on a mirror of the test's own; return an empty cache."""
    pool = tmp_path / "mirror/pool/main/m"
    pool.mkdir(parents=True)
    write(pool / "mesa_1-1_amd64.deb")
    package = pool / "mesa_1-1_amd64.deb"
    deb = Deb("mesa-vulkan-drivers", "1-1", "amd64", "pool/main/m/mesa_1-1_amd64.deb", package.stat().st_size,
              sha256_file(package))  # fmt: skip
    (tmp_path / "debian-amd64.lock").write_text(f"{deb}\n", "utf-8")
    monkeypatch.setattr(driver, "LOCK", tmp_path / "debian-amd64.lock")
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DROPKIT_DEBIAN_MIRROR", (tmp_path / "mirror").as_uri())
    return tmp_path / "cache"


def test_it_is_unpacked_from_the_cache_without_a_network_and_removed_by_clean(own_debs: Path) -> None:
    said: list[str] = []
    made = find_driver(said.append)
    assert said == ["unpacking the software GPU (llvmpipe, Mesa 25.0.7; once)"]
    assert str(made.folder / "lib/libvulkan_lvp.so") in (made.folder / "icd.json").read_text("utf-8")
    assert not list((made.folder / "lib").glob("*radeon*")) and (made.folder / "copyright/mesa-vulkan-drivers").exists()
    assert find_driver(said.append) == made and len(said) == 1
    # In a process of its own: this one says that it uses the driver.
    listed = run_kit("clean", "--remove", "gpu")
    assert f"left gpu/{made.folder.name}: a run uses it" in listed.stdout and "removed gpu/shaders" in listed.stdout


@pytest.mark.slow
def test_a_damaged_one_is_made_again_with_a_line(own_debs: Path) -> None:
    folder = find_driver(lambda _line: None).folder
    library = folder / "lib/libvulkan_lvp.so"
    size = library.stat().st_size
    library.write_bytes(b"cut")
    said: list[str] = []
    find_driver(said.append)
    assert said[0].startswith(
        f"made again, for its files in the cache were damaged: {folder.name} (lib/libvulkan_lvp.so"
    )
    assert library.stat().st_size == size


def test_a_driver_that_lacks_a_library_is_refused_and_nothing_of_it_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [member("./usr/lib/x86_64-linux-gnu/libvulkan_lvp.so"), member("./usr/lib/x86_64-linux-gnu/libvulkan.so.1")]
    cache = lock_of(tmp_path, monkeypatch, lambda path: make_deb(path, files))
    said: list[str] = []
    with pytest.raises(EngineError, match=r"does not load here: .*libvulkan\.so\.1") as caught:
        find_driver(said.append)
    assert caught.value.code == 5 and "install that library" in caught.value.hint
    assert said[0] == "downloading 1 Debian packages, 0 MB (once)"
    assert [path.name for path in (cache / "gpu").iterdir() if path.suffix != ".lock"] == []


def test_a_package_with_another_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = lock_of(tmp_path, monkeypatch, lambda path: make_deb(path, [member("./usr/bin/x")]))
    package = tmp_path / "mirror/pool/main/m/mesa_1-1_amd64.deb"
    content = package.read_bytes()
    package.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(EngineError, match="its SHA-256 is not the locked one"):
        find_driver(lambda _line: None)
    assert not [path for path in (cache / "gpu").iterdir() if path.suffix != ".lock"]


def test_a_machine_for_which_none_is_pinned_is_refused(gpu_driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(EngineError, match=r"pinned for Linux on x86_64, and this is .* on aarch64") as caught:
        find_driver(lambda _line: None)
    assert caught.value.code == 5
    assert caught.value.hint == "run it on such a machine, or leave out what asks for the GPU"
    monkeypatch.undo()
    assert find_driver(lambda _line: None) == gpu_driver


def test_a_lock_names_the_suite_of_a_package_that_is_not_of_the_release() -> None:
    debs = {deb.name: deb for deb in read_debs(driver.LOCK)}
    assert "bpo12" in debs["mesa-vulkan-drivers"].version and "bpo12" not in debs["libllvm15"].version
    assert sum(deb.size for deb in debs.values()) == pytest.approx(55e6, rel=0.02)
