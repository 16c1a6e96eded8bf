"""An image's digest is a pin: it is held against what is built, and travels in a file that nobody can change."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from test_container_archive import make_wheel
from worlds import ROOT

from kit.container import strip_elf
from kit.container.base_image import ARCHITECTURES, DebianSource
from kit.container.client import OWNER_LABEL
from kit.container.image import Wanted
from kit.container.image_digest import NAME, ImagePin, Origin, check_image, read_pin, write_pin
from kit.container.image_transfer import import_image
from kit.container.layers import file_entry, header, image_archive, image_config, write_layer
from kit.container.wheel_layer import SITE, write_wheel_layer
from kit.errors import EngineError, RecipeError
from kit.files import cache_dir, sha256_file
from kit.packages.debian_mirror import read_debs
from kit.toolchains.toolchain import LOCKS, Packages, Toolchain, find_toolchain, quantizer, toolchains
from kit.toolchains.wheels import fetch_wheels

if TYPE_CHECKING:
    import docker

# A toolchain with one small package: real, and built in seconds. Other test runs may use the same engine.
VERSION = f"0.0.{os.getpid()}"
PACKAGE = "six"
ORIGIN = Origin("1" * 64, "2" * 64, "2-aa")
A, B, C, D = (f"sha256:{digit * 64}" for digit in "abcd")
PIN = ImagePin(A, B, C, D, "/usr/bin/python3.11")


def wanted(packages: Packages, platform: str = "x86_64") -> Wanted:
    return Wanted(packages, platform, (DebianSource(platform),))


def copied(toolchain: Toolchain, folder: Path) -> Toolchain:
    """Return a toolchain whose files are a copy in folder."""
    shutil.copytree(toolchain.folder, folder)
    return dataclasses.replace(toolchain, folder=folder)


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


# ---------------------------------------------------------------- pins as data


@pytest.mark.parametrize("packages", [*toolchains().values(), quantizer()], ids=lambda packages: packages.asked_as)
@pytest.mark.parametrize(("machine", "platform"), [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64")])
def test_every_image_is_pinned_with_the_locks_as_they_are(packages: Packages, machine: str, platform: str) -> None:
    found = wanted(packages.on(machine), machine).pin(DebianSource(machine))
    assert found, f"run `inv image {packages.asked_as} --platform {platform} --pin`"


def test_the_pythons_that_compile_for_each_other_are_of_one_version() -> None:
    """An image's byte-code comes from the engine's own architecture, where the image is for another one."""
    versions = {
        {deb.name: deb.version for deb in read_debs(DebianSource(machine).lock)}["python3.11-minimal"]
        for machine in ARCHITECTURES
    }
    assert len(versions) == 1


def test_a_lock_that_changed_without_its_image_being_pinned_again_is_refused(tmp_path: Path) -> None:
    toolchain = copied(find_toolchain("2.19.1"), tmp_path / "t")
    assert wanted(toolchain).pin(DebianSource("x86_64"))
    lock = toolchain.folder / "requirements.lock"
    lock.write_text(lock.read_text("utf-8") + "\n", "utf-8")
    changed = dataclasses.replace(toolchain)
    with pytest.raises(EngineError, match=r"the toolchain's lock is not the one that it was pinned with") as caught:
        wanted(changed).pin(DebianSource("x86_64"))
    assert "--pin" in caught.value.hint


def test_a_lock_of_an_older_kit_in_a_bundle_is_just_not_pinned(tmp_path: Path) -> None:
    old = copied(find_toolchain("2.19.1"), tmp_path / "bundle")
    (old.folder / NAME).unlink()
    assert wanted(old).pin(DebianSource("x86_64")), "the same lock, at another place"
    lock = old.folder / "requirements.lock"
    lock.write_text(lock.read_text("utf-8") + "\n", "utf-8")
    assert wanted(dataclasses.replace(old)).pin(DebianSource("x86_64")) is None


def test_a_pin_is_read_as_it_was_written_and_keeps_the_other_machine_s(tmp_path: Path) -> None:
    other = dataclasses.replace(PIN, id=f"sha256:{'9' * 64}")
    write_pin(tmp_path, "arm64", "debian", ORIGIN, other)
    path = write_pin(tmp_path, "amd64", "debian", ORIGIN, PIN)
    before = path.read_bytes()
    assert read_pin(tmp_path, "amd64", "debian") == (ORIGIN, PIN)
    assert read_pin(tmp_path, "arm64", "debian") == (ORIGIN, other)
    assert read_pin(tmp_path, "amd64", "alpine") is None
    write_pin(tmp_path, "amd64", "debian", ORIGIN, PIN)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'wheels = "{PIN.wheels}"', 'wheels = "sha256:latest"'),
        (f'wheels = "{PIN.wheels}"\n', ""),
        (f'wheels = "{PIN.wheels}"', "wheels = 7"),
        (f'lock = "{ORIGIN.lock}"\n', ""),
        ("[amd64.debian]", "[amd64.debian"),
        ("[amd64.debian]", "[[amd64.debian]]"),
        ('"/usr/bin/python3.11"', '"python; rm -r /"'),
    ],
)
def test_a_pin_without_a_digest_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = write_pin(tmp_path, "amd64", "debian", ORIGIN, PIN)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(EngineError, match=r"image\.toml"):
        read_pin(tmp_path, "amd64", "debian")


def test_an_image_that_differs_is_refused_by_the_names_of_its_layers() -> None:
    check_image("t", PIN, PIN.id, PIN.diff_ids)
    other = f"sha256:{'0' * 64}"
    with pytest.raises(EngineError, match=r"byte-code: pinned sha256:d+, found sha256:0+\n") as caught:
        check_image("t", PIN, other, (PIN.base, PIN.wheels, other))
    assert "this CPU" in caught.value.hint
    with pytest.raises(EngineError, match=r"(?s)base: pinned sha256:b.*wheels: pinned sha256:c"):
        check_image("t", PIN, other, (other, other, PIN.bytecode))
    with pytest.raises(EngineError, match=r"settings: pinned sha256:a+, found sha256:0+\n"):
        check_image("t", PIN, other, PIN.diff_ids)


# ---------------------------------------------------------------- layers: shorter, and refused where tampered


def extension() -> Path:
    """Return a compiled module of this Python's standard library, as a file."""
    found = importlib.util.find_spec("_json")
    if found is None or not (found.origin or "").endswith(".so"):
        pytest.skip("this Python has its modules built in")
    return Path(str(found.origin))


def test_a_library_loses_what_no_loader_reads_and_works(tmp_path: Path) -> None:
    name = f"_json{sysconfig.get_config_var('EXT_SUFFIX')}"
    # Where a linker has cut it already, there is at least a symbol table's worth behind the last segment now.
    whole = extension().read_bytes() + bytes(1000)
    wheel = make_wheel(tmp_path / "j.whl", {name: whole})
    layer = write_wheel_layer(tmp_path / "l.tar", [wheel])
    with tarfile.open(layer.path) as tar:
        file = tar.extractfile(f"{SITE}/{name}")
        assert file is not None
        (tmp_path / name).write_bytes(file.read())
    assert (tmp_path / name).stat().st_size <= len(whole) - 1000
    code = """import _json; print(_json.__file__, _json.scanstring('ab"', 0))"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{tmp_path / name} ('ab', 3)\n", done.stderr


def test_a_library_that_was_changed_is_refused_also_where_the_change_is_cut_off(tmp_path: Path) -> None:
    whole = extension().read_bytes() + bytes(1000)
    wheel = make_wheel(tmp_path / "j.whl", {"x.so": whole[:-1] + b"x"}, record={"x.so": whole})
    with pytest.raises(EngineError, match=r"refused: x\.so has not the content"):
        write_wheel_layer(tmp_path / "l.tar", [wheel])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x7fELF", b"\x7fELF\x02\x01\x01" + bytes(57), b"\x7fELF\x02\x01\x01" + b"\xff" * 5000, b"INPUT(libc.so.6)"],
)
def test_what_is_no_library_is_left_as_it_is(data: bytes) -> None:
    assert strip_elf.cut(data[: strip_elf.HEAD], len(data)) is None


def test_a_wheel_with_one_byte_changed_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain = little(tmp_path / "t")
    monkeypatch.setenv("DROPKIT_CACHE", str(little_cache(toolchain, tmp_path / "cache")))
    (wheel,) = fetch_wheels(toolchain.lock, "3.11", "x86_64", print)
    whole, lines = wheel.read_bytes(), list[str]()
    flip(wheel, 1000)
    (again,) = fetch_wheels(toolchain.lock, "3.11", "x86_64", lines.append)
    assert again.read_bytes() == whole
    assert any(wheel.name in line for line in lines), lines


# ---------------------------------------------------------------- archives from strangers


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a tar of these members, as the standard library writes it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def member(name: str, **changes: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(info, key, value)
    return info


def sized(size: int) -> bytes:
    """Return a header with any size, its checksum right."""
    block = bytearray(header(f"{'a' * 64}.tar", 0))
    block[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


HOSTILE = {
    "nothing": b"",
    "zeros": bytes(1 << 16),
    "not a tar": os.urandom(1 << 14),
    "a gzip": b"\x1f\x8b" + bytes(1 << 10),
    "a path upwards": archive((member("../../etc/passwd"), b"root")),
    "an absolute path": archive((member("/etc/passwd"), b"root")),
    "a symbolic link": archive((member("manifest.json", type=tarfile.SYMTYPE, linkname="/etc/passwd"), b"")),
    "a hard link": archive((member("manifest.json", type=tarfile.LNKTYPE, linkname="/etc/passwd"), b"")),
    "a device": archive((member("manifest.json", type=tarfile.CHRTYPE, devmajor=1, devminor=3), b"")),
    "a long name": archive((member("x" * 300), b"")),
    "an extended header": archive((member("x", pax_headers={"size": "1" * 4000}), b"")),
    "a size beyond the end": header("manifest.json", 1 << 30) + b"[]",
    "a size of terabytes": sized(1 << 50) + bytes(1024),
    "a size below nothing": sized(-512) + bytes(1024),
    "no end": header("manifest.json", 2) + b"[]" + bytes(510),
    "more after the end": header("manifest.json", 2) + b"[]" + bytes(510 + 1024) + b"more",
    "something in the padding": header("manifest.json", 2) + b"[]" + b"x" * 510 + bytes(1024),
    "too many files": header("x", 0) * 1000 + bytes(1024),
}


EVERY = list(toolchains().values())


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_that_no_export_wrote_is_refused_before_an_engine_is_asked(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(HOSTILE[name])
    no_engine = cast("docker.DockerClient", None)
    with pytest.raises(EngineError, match="refused, and nothing was loaded"):
        import_image(no_engine, EVERY, EVERY, path, print)


def test_what_is_not_there_or_no_file_is_said_so(tmp_path: Path) -> None:
    no_engine = cast("docker.DockerClient", None)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing.tar", tmp_path, tmp_path / "pipe"):
        with pytest.raises(RecipeError, match=path.name) as error:
            import_image(no_engine, EVERY, EVERY, path, print)
        assert error.value.hint == "name a file that `kit image V --export FILE` wrote"


# ---------------------------------------------------------------- the whole way, with a small toolchain


def little(folder: Path) -> Toolchain:
    """Write a toolchain of one package into folder."""
    newest = find_toolchain("2.19.1")
    text = newest.lock.text.replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith(f"{PACKAGE}=="))
    folder.mkdir(parents=True)
    for name in LOCKS.values():
        (folder / name).write_text(line + "\n", "utf-8")
    kept = (newest.folder / "toolchain.toml").read_text("utf-8")
    (folder / "toolchain.toml").write_text(kept.replace(f'"{newest.tensorflow}"', f'"{VERSION}"', 1), "utf-8")
    return dataclasses.replace(newest, tensorflow=VERSION, folder=folder)


def little_cache(toolchain: Toolchain, cache: Path) -> Path:
    """Make a cache that has only downloads: Debian's packages, and a copy of the toolchain's wheel."""
    newest = find_toolchain("2.19.1")
    wheels = fetch_wheels(newest.lock, newest.python, "x86_64", print)
    wheel = next(path for path in wheels if path.name.startswith(f"{PACKAGE}-"))
    for machine in LOCKS:
        folder = cache / "wheels" / f"{toolchain.lock.sha256[:16]}-{toolchain.python}-{machine}"
        folder.mkdir(parents=True)
        shutil.copy(wheel, folder)
        (folder / ".complete").touch()
    (cache_dir() / "debs").mkdir(parents=True, exist_ok=True)
    (cache / "debs").symlink_to(cache_dir() / "debs")
    return cache


@dataclasses.dataclass(frozen=True)
class World:
    """A copy of the kit that pins one small toolchain, and a cache of its own."""

    root: Path

    @property
    def toolchain(self) -> Path:
        return self.root / "kit" / "toolchains" / f"tensorflow-{VERSION}"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def records(self) -> list[str]:
        return sorted(path.name for path in (self.cache / "images").glob("*") if path.name != ".lock")

    def start(self, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        environment = {**os.environ, "DROPKIT_CACHE": str(self.cache), "DROPKIT_BASE": "debian"}
        argv = [*prefix, sys.executable, "-m", "kit", *arguments]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(argv, cwd=self.root, env=environment, **pipes)

    def run(self, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, prefix=prefix)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def image(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("image", VERSION, *arguments)

    def empty_cache(self) -> None:
        """Forget all but the downloads."""
        shutil.rmtree(self.cache / "images", ignore_errors=True)


def make_world(root: Path) -> World:
    ignored = shutil.ignore_patterns("__pycache__", "tensorflow-*")
    shutil.copytree(ROOT / "kit", root / "kit", ignore=ignored)
    world = World(root)
    little_cache(little(world.toolchain), world.cache)
    return world


def remove(client: docker.DockerClient) -> None:
    """Take the small toolchain's images out of the engine."""
    for image in client.images.list(name="dropkit/tensorflow"):
        for tag in image.tags:
            if f":{VERSION}-" in tag:
                client.images.remove(tag, force=True)


def images(client: docker.DockerClient) -> list[str]:
    """Return the small toolchain's images in the engine, with a tag or without."""
    labelled = {"label": f"dropkit.toolchain=tensorflow-{VERSION}"}
    return [str(image.id) for image in client.images.list(all=True, filters=labelled)]


def left_by(client: docker.DockerClient, process: subprocess.Popen[str]) -> list[str]:
    """Return the containers and passing images of one process that are in the engine."""
    labelled = {"label": OWNER_LABEL}
    containers, passing = client.api.containers(all=True, filters=labelled), client.api.images(filters=labelled)
    whose = f"{socket.gethostname()}/{process.pid}/"
    return [str(each["Id"]) for each in [*containers, *passing] if each["Labels"][OWNER_LABEL].startswith(whose)]


@pytest.fixture(scope="module")
def pinned(docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give a world whose toolchain's image has been built and pinned once."""
    world = make_world(tmp_path_factory.mktemp("world"))
    remove(docker_client)
    made = world.image("--pin")
    assert made.returncode == 0, made.stderr
    yield world
    remove(docker_client)


@pytest.fixture
def world(pinned: World, tmp_path: Path, docker_client: docker.DockerClient) -> World:
    """Give a copy of that world, to spoil; the engine has no image of it, and the cache is empty."""
    shutil.copytree(pinned.root, tmp_path / "w", symlinks=True)
    copy = World(tmp_path / "w")
    copy.empty_cache()
    remove(docker_client)
    assert images(docker_client) == []
    return copy


@pytest.fixture(scope="module")
def exported(pinned: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the small toolchain's image as a file."""
    target = tmp_path_factory.mktemp("export") / "image.tar"
    done = pinned.image("--export", str(target))
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.container
def test_a_second_build_from_an_empty_cache_gives_the_pinned_digest(world: World) -> None:
    found = read_pin(world.toolchain, ARCHITECTURES["x86_64"], "debian")
    assert found
    built = world.image()
    assert built.returncode == 0, built.stderr
    assert found[1].id in built.stdout
    assert "compiling" in built.stderr
    assert "not checked" not in built.stderr


@pytest.mark.container
@pytest.mark.parametrize("layer", ["base", "wheels", "bytecode"])
def test_a_build_that_is_not_the_pinned_one_says_which_layer_and_leaves_nothing(
    world: World, docker_client: docker.DockerClient, layer: str
) -> None:
    origin, pin = read_pin(world.toolchain, "amd64", "debian") or pytest.fail("no pin")
    other = f"sha256:{hashlib.sha256(layer.encode()).hexdigest()}"
    changes = {layer: other, "id": other}
    write_pin(world.toolchain, "amd64", "debian", origin, dataclasses.replace(pin, **changes))
    built = world.image()
    assert built.returncode == 5, built.stderr
    role = {"bytecode": "byte-code"}.get(layer, layer)
    assert f"{role}: pinned {other}, found {getattr(pin, layer)}" in built.stderr
    assert built.stderr.count(": pinned ") == 1, "the other layers are right"
    assert images(docker_client) == []
    assert world.records == []


@pytest.mark.container
def test_an_image_without_a_pin_is_built_with_a_note(world: World) -> None:
    (world.toolchain / NAME).unlink()
    built = world.image()
    assert built.returncode == 0, built.stderr
    assert built.stderr.count("note: nothing pins the image") == 1
    assert "note" not in world.image().stderr


@pytest.mark.container
@pytest.mark.parametrize("pinned_too", [True, False])
def test_a_lock_with_one_hash_changed_is_refused(
    world: World, docker_client: docker.DockerClient, pinned_too: bool
) -> None:
    lock = world.toolchain / "requirements.lock"
    text = lock.read_text("utf-8")
    place = text.index("sha256:") + len("sha256:")
    old = sha256_file(lock)[:16]
    lock.write_text(text[:place] + ("1" if text[place] == "0" else "0") + text[place + 1 :], "utf-8")
    if not pinned_too:
        # The wheels are at hand, so that no network is needed to see that they are not what the lock says.
        (world.toolchain / NAME).unlink()
        wheels = world.cache / "wheels"
        shutil.copytree(wheels / f"{old}-3.11-x86_64", wheels / f"{sha256_file(lock)[:16]}-3.11-x86_64")
    built = world.image()
    assert built.returncode == 5, built.stderr
    mismatch = "the locked packages cannot be downloaded"  # pip: what the index has is not what the lock allows
    assert ("the toolchain's lock is not the one" if pinned_too else mismatch) in built.stderr
    assert pinned_too or "Expected sha256" in built.stderr
    assert images(docker_client) == []


@pytest.mark.container
def test_a_tampered_wheel_is_fetched_again_and_the_image_is_the_pinned_one(
    world: World, docker_client: docker.DockerClient
) -> None:
    (wheel,) = (world.cache / "wheels").glob(f"*-x86_64/{PACKAGE}-*.whl")
    whole = sha256_file(wheel)
    flip(wheel, wheel.stat().st_size // 2)
    built = world.image()
    assert built.returncode == 0, built.stderr
    assert (
        f"made again, for its files in the cache were damaged: the downloaded packages of {world.toolchain.name}"
        in (built.stderr)
    )
    assert sha256_file(wheel) == whole
    assert len(images(docker_client)) == 1


@pytest.mark.container
def test_two_builds_of_one_image_at_once_take_turns(world: World, docker_client: docker.DockerClient) -> None:
    processes = [world.start("image", VERSION) for _ in range(3)]
    ends = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    assert len({out for out, _ in ends}) == 1
    assert sum("compiling" in err for _, err in ends) == 1
    assert sum("waiting for another dropkit" in err for _, err in ends) == 2
    assert [left_by(docker_client, process) for process in processes] == [[], [], []]


@pytest.mark.container
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_a_build_that_is_cut_off_leaves_nothing_or_what_the_next_one_sweeps(
    world: World, docker_client: docker.DockerClient, number: signal.Signals
) -> None:
    process = world.start("image", VERSION)
    # The container of byte-code, and the image that it stands on.
    wait_for(lambda: len(left_by(docker_client, process)) == 2, process)
    process.send_signal(number)
    process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert len(left_by(docker_client, process)) == 2
        assert len(world.records) == 1
    else:
        assert process.returncode == 130
        assert left_by(docker_client, process) == []
        assert world.records == []
    again = world.image()
    assert again.returncode == 0, again.stderr
    assert left_by(docker_client, process) == []
    assert [name for name in world.records if not name.endswith(".json")] == []


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("it did not come to that within 60 s")


# ---------------------------------------------------------------- as a file


@pytest.mark.container
def test_an_export_is_the_same_bytes_twice(world: World, exported: Path, tmp_path: Path) -> None:
    done = world.image("--export", str(tmp_path / "again" / "image.tar"))
    assert done.returncode == 0, done.stderr
    assert sha256_file(tmp_path / "again" / "image.tar") == sha256_file(exported)
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["image.tar"]
    assert [name for name in world.records if not name.endswith(".json")] == []


@pytest.mark.container
@pytest.mark.parametrize("by", ["kit", "the engine"])
def test_an_exported_image_is_used_without_building(
    world: World, exported: Path, docker_client: docker.DockerClient, by: str
) -> None:
    shutil.rmtree(world.cache)  # no wheel, no Debian package: nothing to build from
    if by == "kit":
        done = world.image("--import", str(exported.parent))
        assert "name a file that `kit image V --export FILE` wrote" in done.stderr
        done = world.image("--import", str(exported))
        assert done.returncode == 0, done.stderr
        remove(docker_client)
        done = world.run("image", "quantizer", "--import", str(exported))
        assert done.returncode == 5
        assert f"it is the image of tensorflow-{VERSION}, and that of litert-quantizer-" in done.stderr
        assert f"load it by its name: `kit image {VERSION} --import FILE`, or export the other one" in done.stderr
        assert images(docker_client) == []
        done = world.image("--import", str(exported))
        assert done.returncode == 0, done.stderr
    else:
        with exported.open("rb") as file:
            docker_client.images.load(cast("bytes", file))
    found = world.image()
    assert found.returncode == 0, found.stderr
    assert found.stderr == ""
    assert (read_pin(world.toolchain, "amd64", "debian") or pytest.fail("no pin"))[1].id in found.stdout


def places(path: Path) -> dict[str, int]:
    """Return where the parts of an exported image lie: an offset in the middle of each."""
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    base, wheels, bytecode, settings, manifest = (item.offset_data + item.size // 2 for item in members)
    header_of_settings = members[3].offset + 157
    return {
        "its layer of base": base,
        "its layer of wheels": wheels,
        "its layer of byte-code": bytecode,
        "its settings have not the pinned": settings,
        "its manifest.json": manifest,
        "is not what `inv image V --export` writes": header_of_settings,
    }


@pytest.mark.container
def test_an_exported_image_with_one_bit_changed_is_refused_with_the_reason(
    world: World, exported: Path, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    for reason, offset in places(exported).items():
        changed = tmp_path / "changed.tar"
        shutil.copy(exported, changed)
        flip(changed, offset)
        done = world.image("--import", str(changed))
        assert done.returncode == 5, done.stderr
        assert reason in done.stderr
        assert "refused, and nothing was loaded" in done.stderr
        assert "copy it again, or export it again with the same version of the kit" in done.stderr
    assert images(docker_client) == []
    assert world.records == []
    shutil.copy(exported, changed)
    done = world.image("--import", str(changed))
    assert done.returncode == 0, done.stderr


@pytest.mark.container
@pytest.mark.parametrize("change", [{"type": tarfile.SYMTYPE}, {"mode": 0o777}, {"uname": "me"}, {"mtime": 7}])
def test_an_exported_image_with_another_header_is_refused(
    world: World, exported: Path, docker_client: docker.DockerClient, tmp_path: Path, change: dict[str, Any]
) -> None:
    changed = tmp_path / "changed.tar"
    shutil.copy(exported, changed)
    with tarfile.open(exported) as tar:
        info = tar.getmembers()[-1]
    offset = info.offset
    for key, value in change.items():
        setattr(info, key, value)
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = b"%011o\0" % info.size  # a link's size is written as none
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with changed.open("r+b") as file:
        file.seek(offset)
        file.write(block)
    done = world.image("--import", str(changed))
    assert done.returncode == 5, done.stderr
    assert "is not what `inv image V --export` writes" in done.stderr
    assert images(docker_client) == []


@pytest.mark.container
def test_a_part_of_an_exported_image_and_a_stranger_s_image_are_refused(
    world: World, exported: Path, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    part = tmp_path / "part.tar"
    part.write_bytes(exported.read_bytes()[:-4096])
    layer = write_layer(tmp_path / "l.tar", [file_entry("hello", b"hello", "test")], "test")
    stranger = tmp_path / "stranger.tar"
    stranger.write_bytes(b"".join(image_archive(image_config("amd64", [layer], {}), [layer], "dropkit/tensorflow:x")))
    for path, reason in {part: "its end is missing", stranger: "is not a pinned one"}.items():
        done = world.image("--import", str(path))
        assert done.returncode == 5, done.stderr
        assert reason in done.stderr
    assert images(docker_client) == []
    assert docker_client.images.list(name="dropkit/tensorflow:x") == []


IN_TMPFS = (
    'mount -t tmpfs -o "$1" tmpfs "$2" || exit 99; shift; there="$1"; shift; "$@"; '
    'code=$?; echo "left: [$(ls -A "$there")]"; exit $code'
)


@pytest.mark.container
@pytest.mark.parametrize(("options", "reason"), [("size=1m", "the disk is full"), ("ro", "read-only")])
def test_an_export_to_a_full_or_closed_disk_leaves_nothing(
    pinned: World, exported: Path, tmp_path: Path, options: str, reason: str
) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    prefix = ("unshare", "-rm", "sh", "-c", IN_TMPFS, "sh", options, str(place))
    done = pinned.run("image", VERSION, "--export", str(place / "i.tar"), prefix=prefix)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no mount namespace can be made here: {done.stderr.strip()}")
    assert done.returncode == 2, done.stderr
    assert reason in done.stderr
    assert "name a file in another place: --export FILE.tar" in done.stderr
    assert "left: []" in done.stdout
    assert "Traceback" not in done.stderr
    done = pinned.run("image", VERSION, "--export", str(tmp_path / "FILE.tar"))
    assert done.returncode == 0, done.stderr


@pytest.mark.container
def test_an_export_over_a_folder_is_refused(pinned: World, tmp_path: Path) -> None:
    done = pinned.image("--export", str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert "that is a folder" in done.stderr
    assert "name a file: --export FILE.tar" in done.stderr
    done = pinned.image("--export", str(tmp_path / "FILE.tar"))
    assert done.returncode == 0, done.stderr


@pytest.mark.container
def test_flags_that_do_not_go_together_are_refused_and_one_of_them_goes(pinned: World, tmp_path: Path) -> None:
    done = pinned.image("--pin", "--export", str(tmp_path / "x.tar"))
    assert done.returncode == 2
    assert "one at a time" in done.stderr
    assert "leave the others out: `kit image V --export FILE`" in done.stderr
    done = pinned.image("--export", str(tmp_path / "x.tar"))
    assert done.returncode == 0, done.stderr


def test_flags_that_do_not_go_together_are_refused() -> None:
    argv = [sys.executable, "-m", "kit", "image", "auto", "--pin", "--export", "x.tar"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "one at a time" in done.stderr
