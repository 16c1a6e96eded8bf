"""Packages, locks, bases and mirrors that are refused on the way to an image, and what the next step makes of them."""

from __future__ import annotations

import hashlib
import lzma
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest
from test_container_archive import a_mirror_with, locked, make_deb, make_wheel, member
from test_image_pins import copied

from kit.container.base_image import DATA, Base, read_image, sources
from kit.container.bytecode_layer import PYC
from kit.container.bytecode_layer import _entry as bytecode_entry
from kit.container.client import machine
from kit.container.debian_layer import write_debian_layer
from kit.container.image import Image, ensure_pinned, pin_image
from kit.container.image_digest import ImagePin, Origin, check_image, check_origin, read_pin, write_pin
from kit.container.image_load import load_image, run_to_end
from kit.container.image_transfer import _saved
from kit.container.layers import Entry, Layer, file_entry, image_archive, image_config, write_layer
from kit.container.wheel_layer import write_wheel_layer
from kit.engine.run import choose_engine
from kit.errors import EngineError
from kit.packages import debian_mirror
from kit.packages.debian_mirror import fetch_debs, read_debs
from kit.toolchains.toolchain import find_toolchain

GOOD = {"thing/a.py": b"good"}
PYTHON = "usr/bin/python3.11"


def refused(act: Callable[[], object], says: str) -> str:
    """Return the next step of what `act` must be refused for."""
    with pytest.raises(EngineError, match=says) as error:
        act()
    return error.value.hint


# ---------------------------------------------------------------- wheels


DELETE = "delete it and run it again"
WHEELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no zip file": (lambda path: path.write_bytes(b"none"), DELETE),
    "a zip file without its RECORD": (
        lambda path: path.write_bytes(make_wheel(path, GOOD).read_bytes().replace(b"/RECORD", b"/SECORD")),
        DELETE,
    ),
    "a file that RECORD does not list": (
        lambda path: zipfile.ZipFile(make_wheel(path, GOOD), "a").writestr("thing/more.py", b""),
        DELETE,
    ),
    "another content than RECORD states": (
        lambda path: make_wheel(path, {"thing/a.py": b"evil"}, record=GOOD),
        "delete the file from the cache and run it again",
    ),
    "a path upwards": (
        lambda path: make_wheel(path, {"../../x": b""}),
        "the package is not what it should be: delete it from the cache and run it again",
    ),
}


@pytest.mark.parametrize("name", WHEELS)
def test_a_wheel_is_taken_when_it_was_deleted_and_is_there_again(tmp_path: Path, name: str) -> None:
    """kit.toolchains.wheels fetches what is missing: test_a_damaged_entry_is_made_again_with_a_line has that."""
    (spoil, step), wheel = WHEELS[name], tmp_path / "t.whl"
    spoil(wheel)
    assert refused(lambda: write_wheel_layer(tmp_path / "l.tar", [wheel]), r"t\.whl") == step
    wheel.unlink()
    assert write_wheel_layer(tmp_path / "l.tar", [make_wheel(wheel, GOOD)]).size


# ---------------------------------------------------------------- Debian packages

DEBS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no package": (lambda path: path.write_bytes(b"none"), DELETE),
    "a package cut short": (
        lambda path: path.write_bytes(make_deb(path, [member("./usr/bin/x")]).read_bytes()[:300]),
        DELETE,
    ),
    "a device": (lambda path: make_deb(path, [member("./dev/sda", tarfile.BLKTYPE)]), "delete it from the cache"),
    "a file below a link": (
        lambda path: make_deb(path, [member("./opt/x", tarfile.SYMTYPE, "/etc"), member("./opt/x/passwd")]),
        "delete the file from the cache and run it again",
    ),
}


@pytest.mark.parametrize("name", DEBS)
def test_a_package_that_was_deleted_is_fetched_again_and_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    spoil, step = DEBS[name]
    content = make_deb(tmp_path / "whole.deb", [member("./usr/bin/x")]).read_bytes()
    a_mirror_with(tmp_path, content, monkeypatch)
    (path,) = fetch_debs([locked(content)], print)
    spoil(path)
    assert refused(lambda: write_debian_layer(tmp_path / "l.tar", [path]), r"\.deb") == step
    path.unlink()
    assert write_debian_layer(tmp_path / "l.tar", fetch_debs([locked(content)], print)).size


def test_a_mirror_with_other_content_is_exchanged_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = a_mirror_with(tmp_path, b"evil!!!", monkeypatch)
    hint = refused(lambda: fetch_debs([locked(b"package")], print), "cannot be had")
    assert hint == "check the network and proxy, or set DROPKIT_DEBIAN_MIRROR to another mirror's address"
    other = tmp_path / "other"
    (tmp_path / "mirror").rename(other)
    (other / there.relative_to(tmp_path / "mirror")).write_bytes(b"package")
    monkeypatch.setenv("DROPKIT_DEBIAN_MIRROR", other.as_uri())
    assert fetch_debs([locked(b"package")], print)


def test_a_machine_without_a_mirror_takes_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_mirror_with(tmp_path, b"package", monkeypatch)
    monkeypatch.delenv("DROPKIT_DEBIAN_MIRROR")
    monkeypatch.setattr(debian_mirror, "APT", tmp_path)
    hint = refused(lambda: fetch_debs([locked(b"package")], print), "names no Debian mirror")
    assert hint.startswith("set DROPKIT_DEBIAN_MIRROR to any Debian mirror's address (it ends before /pool")
    monkeypatch.setenv("DROPKIT_DEBIAN_MIRROR", (tmp_path / "mirror").as_uri())
    assert fetch_debs([locked(b"package")], print)


def write_mirror(folder: Path, *, good: bool = True, package: str = "zlib1g") -> str:
    """Write a mirror whose index is the one that its Release file states, or not; return its address."""
    index = lzma.compress(
        f"Package: {package}\nVersion: 1\nArchitecture: amd64\nFilename: pool/main/z/z.deb\nSize: 1\n"
        f"SHA256: {'0' * 64}\n".encode()
    )
    place = folder / "dists/bookworm/main/binary-amd64/Packages.xz"
    place.parent.mkdir(parents=True)
    place.write_bytes(index)
    digest = hashlib.sha256(index if good else b"").hexdigest()
    (folder / "dists/bookworm/InRelease").write_text(f" {digest} {len(index)} main/binary-amd64/Packages.xz\n")
    return folder.as_uri()


def test_locks_are_made_from_another_mirror_where_one_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without gpgv: what it says of a Release file, no test can sign."""
    monkeypatch.setattr(debian_mirror, "_KEYRING", tmp_path / "none")
    (tmp_path / "debian.in").write_text("zlib1g\n")
    lock = tmp_path / "debian.lock"

    def make(address: str) -> str:
        monkeypatch.setenv("DROPKIT_DEBIAN_MIRROR", address)
        return debian_mirror.lock_debs(tmp_path / "debian.in", lock, "amd64")

    step = "set DROPKIT_DEBIAN_MIRROR to another mirror's address"
    assert refused(lambda: make(write_mirror(tmp_path / "torn", good=False)), "not the one that its Release") == step
    assert refused(lambda: make(write_mirror(tmp_path / "lacks", package="other")), "has no package zlib1g") == step
    assert refused(lambda: make((tmp_path / "nowhere").as_uri()), "InRelease") == "check the network and proxy"
    assert make(write_mirror(tmp_path / "whole"))
    assert [deb.name for deb in read_debs(lock)] == ["zlib1g"]


# ---------------------------------------------------------------- locks and pins

ORIGIN = Origin(lock="1" * 64, base_lock="2" * 64, layout="3" * 64)
PIN = ImagePin(
    id=f"sha256:{'a' * 64}",
    base=f"sha256:{'b' * 64}",
    wheels=f"sha256:{'c' * 64}",
    bytecode=f"sha256:{'d' * 64}",
    python="/usr/bin/python3.11",
)


def test_a_lock_of_debian_packages_is_read_when_it_is_restored(tmp_path: Path) -> None:
    committed = (DATA / "debian-amd64.lock").read_text("utf-8")
    lock = tmp_path / "debian-amd64.lock"
    assert refused(lambda: read_debs(lock), "the lock cannot be read") == "install dropkit again"
    for damaged in ("", re.sub(r" [0-9a-f]{64}\n", "\n", committed)):
        lock.write_text(damaged, "utf-8")
        hint = refused(lambda: read_debs(lock), "not a package with its version, path, size and sha256")
        assert hint == "restore the file from version control, or regenerate it with `inv lock`"
    lock.write_text(committed, "utf-8")  # as an installation brings it, and version control has it
    assert read_debs(lock)


def test_an_image_s_pin_is_read_when_it_is_restored(tmp_path: Path) -> None:
    path = write_pin(tmp_path, "amd64", "debian", ORIGIN, PIN)
    committed = path.read_text("utf-8")
    path.write_text(committed.replace("sha256:", "md5:"), "utf-8")
    hint = refused(lambda: read_pin(tmp_path, "amd64", "debian"), "is not a sha256 digest")
    assert hint == "restore the file from version control, or run `inv image V --pin`"
    path.write_text(committed, "utf-8")
    assert read_pin(tmp_path, "amd64", "debian") == (ORIGIN, PIN)


def test_a_pin_of_another_lock_fits_when_the_lock_is_restored(tmp_path: Path) -> None:
    changed = Origin(lock="9" * 64, base_lock=ORIGIN.base_lock, layout=ORIGIN.layout)
    hint = refused(lambda: check_origin(tmp_path, ORIGIN, changed), "is not the one that it was pinned with")
    assert hint == "restore the file from version control; after a wanted change: `inv image V --pin`"
    check_origin(tmp_path, ORIGIN, ORIGIN)
    write_pin(tmp_path, "amd64", "debian", changed, PIN)  # what --pin does, at its end
    written = read_pin(tmp_path, "amd64", "debian")
    assert written
    check_origin(tmp_path, written[0], changed)


def test_an_image_that_is_not_the_pinned_one_leaves_the_local_engine() -> None:
    other = f"sha256:{'0' * 64}"
    layers = refused(lambda: check_image("t", PIN, other, (other, PIN.wheels, PIN.bytecode)), "base: pinned")
    assert "every download has its locked digest, so this kit makes other layers of them: is it changed?" in layers
    code = refused(lambda: check_image("t", PIN, other, (PIN.base, PIN.wheels, other)), "byte-code: pinned")
    assert "the packages are right, their byte-code is not: please report it, with this CPU; meanwhile" in code
    for hint in (layers, code):
        named = re.search(r"meanwhile: --engine (\w+),", hint)
        assert named and choose_engine(named[1], print).name == "local"


# ---------------------------------------------------------------- bases and layers


def saved(folder: Path, content: bytes = b"#!good", architecture: str = "amd64", spoil: bytes = b"") -> Path:
    """Write an image's archive as an engine saves it, one byte of its layer's content changed where `spoil` is."""
    layer = write_layer(folder / "l.tar", [file_entry(PYTHON, content, "test")], "note")
    config = image_config(architecture, [layer], {"Env": ["PATH=/usr/bin"]})
    raw = b"".join(image_archive(config, [layer], "kit/test:1"))
    (folder / "image.tar").write_bytes(raw.replace(content, spoil) if spoil else raw)
    return folder / "image.tar"


def test_a_base_of_the_user_s_is_left_for_the_pinned_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROPKIT_BASE", f"corp.example/py@sha256:{'1' * 64}")
    assert len(sources("x86_64")) == 1
    base = read_image(saved(tmp_path), "amd64")
    for act, says in (
        (lambda: base.find("python3.9"), "has no python3.9 on its path"),
        (lambda: read_image(saved(tmp_path, architecture="arm64"), "amd64"), "the base is for arm64"),
    ):
        assert refused(act, says) == "take the pinned base: unset DROPKIT_BASE"
    monkeypatch.delenv("DROPKIT_BASE")
    assert [type(source).__name__ for source in sources("x86_64")] == ["RegistrySource", "DebianSource"]
    assert base.find("python3.11") == f"/{PYTHON}"


def test_a_word_for_no_base_is_exchanged_for_each_of_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROPKIT_BASE", "python:3.11")
    hint = refused(lambda: sources("x86_64"), "names no base")
    assert hint == "set it to auto, registry, debian or an image by digest (NAME@sha256:...)"
    for word in ("auto", "registry", "debian", f"python@sha256:{'1' * 64}"):
        monkeypatch.setenv("DROPKIT_BASE", word)
        assert sources("x86_64")


def test_a_base_whose_layer_was_changed_is_taken_when_the_engine_has_it_anew(tmp_path: Path) -> None:
    hint = refused(lambda: read_image(saved(tmp_path, spoil=b"#!evil"), "amd64"), "has another content")
    assert hint == "remove that image and run it again"
    assert isinstance(read_image(saved(tmp_path), "amd64"), Base)


def test_a_layer_that_became_shorter_is_written_by_another_run(tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "l.tar", [file_entry(PYTHON, b"#!" * 9000, "test")], "note")
    whole, config = layer.path.read_bytes(), image_config("amd64", [layer], {})
    layer.path.write_bytes(whole[:-2000])
    assert refused(lambda: b"".join(image_archive(config, [layer], "kit/test:1")), "became shorter") == "run it again"
    layer.path.write_bytes(whole)
    assert b"".join(image_archive(config, [layer], "kit/test:1"))


def test_packages_that_share_a_path_do_not_after_another_lock(tmp_path: Path) -> None:
    """Where a lock comes from is an index; what it has to bring is two packages without a file in common."""
    entries = [file_entry("a", b"1", "one.whl"), file_entry("a", b"2", "two.whl")]
    hint = refused(lambda: write_layer(tmp_path / "l.tar", entries, "note"), "a also comes from one")
    assert hint == "two pinned packages do not go together: `inv lock` makes a new lock"
    assert write_layer(tmp_path / "l.tar", [entries[0], Entry("b", "two.whl", 0o755)], "note").size


# ---------------------------------------------------------------- engines


def engine(**changes: Any) -> docker.DockerClient:
    """Return what stands for an engine."""
    return cast("docker.DockerClient", SimpleNamespace(**changes))


def test_an_engine_on_another_machine_is_exchanged_for_one_on_a_known_one() -> None:
    hint = refused(lambda: machine(engine(info=lambda: {"Architecture": "riscv64"})), "TensorFlow has no wheels")
    assert hint == "use an engine on x86_64 or aarch64"
    for name in ("x86_64", "aarch64"):
        assert machine(engine(info=lambda name=name: {"Architecture": name})) == name


def test_an_image_that_is_in_the_way_of_a_tag_is_removed(tmp_path: Path) -> None:
    """An engine that loads an archive and still responds with another image has one under that tag."""
    layer = write_layer(tmp_path / "l.tar", [file_entry(PYTHON, b"#!", "test")], "note")
    config = image_config("amd64", [layer], {})

    def having(layers: list[str]) -> docker.DockerClient:
        found = SimpleNamespace(id="sha256:1", attrs={"RootFS": {"Layers": layers}, "Size": 1})
        return engine(images=SimpleNamespace(load=list, get=lambda _tag: found))

    def load(client: docker.DockerClient, layers: list[Layer]) -> object:
        return load_image(client, config, layers, "kit/test:1")

    hint = refused(lambda: load(having(["sha256:other"]), [layer]), "the engine has another image as kit/test:1")
    assert hint == "remove it: docker image rm kit/test:1"
    assert load(having([layer.diff_id]), [layer])


def test_an_engine_that_breaks_is_left_for_the_local_one() -> None:
    def fail(*_: object, **__: object) -> None:
        raise docker.errors.DockerException("broken pipe")

    broken = engine(containers=SimpleNamespace(create=fail), api=SimpleNamespace(remove_container=fail))
    hint = refused(lambda: run_to_end(broken, "image", ["true"], {}), "the engine cannot run a container")
    assert hint == "see `docker info`, or build with --engine local"
    assert choose_engine("local", print).name == "local"


def full(client: docker.DockerClient, *places: str) -> docker.DockerClient:
    """Let an engine refuse to load or to save for lack of space."""

    def fail(*_: object, **__: object) -> None:
        raise docker.errors.APIError("write /var/lib/docker/tmp: no space left on device")

    for place in places:
        setattr(client.images, place, fail)
    return client


def having(saved_to: Path, **more: Any) -> docker.DockerClient:
    """Return an engine with one image: saved, as `saved` writes it, and loaded under any tag."""
    (layer,) = read_image(saved_to, "amd64").layers
    image = SimpleNamespace(
        id="sha256:1", attrs={"RootFS": {"Layers": [layer.diff_id]}, "Size": 1}, save=lambda: [saved_to.read_bytes()]
    )
    images = SimpleNamespace(load=list, get=lambda _reference: image, remove=lambda _reference: None)
    return engine(images=images, **more)


def test_an_engine_without_space_takes_and_gives_an_image_when_its_disk_has_some(tmp_path: Path) -> None:
    archive = saved(tmp_path)
    layers = read_image(archive, "amd64").layers
    config = image_config("amd64", list(layers), {})
    image = Image("sha256:1", "kit/test:1", "base", "python3.11", (), 1)

    def load(client: docker.DockerClient) -> object:
        return load_image(client, config, layers, "kit/test:1")

    def save(client: docker.DockerClient) -> bytes:
        with _saved(client, image, tmp_path) as path:
            return path.read_bytes()

    hint = refused(lambda: load(full(having(archive), "load")), "the engine cannot load an image")
    assert hint == "give its disk more space: `docker system df` shows what is taken"
    assert load(having(archive))
    hint = refused(lambda: save(full(having(archive), "get")), r"the engine cannot save kit/test:1")
    assert hint == "see `docker info`, and whether the disk has space for the image"
    assert save(having(archive)) == archive.read_bytes()


def test_a_base_that_no_registry_gives_is_made_of_debian_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it is given: after a login, say. The packages of Debian: test_a_mirror_with_other_content has these."""
    archive, logged_in = saved(tmp_path), list[str]()

    def pull(*_: object, **__: object) -> list[dict[str, str]]:
        return [{}] if logged_in else [{"error": "unauthorized: incorrect username or password"}]

    def get(_reference: str) -> None:
        raise docker.errors.NotFound("no such image")

    def client() -> docker.DockerClient:
        found = having(archive, api=SimpleNamespace(pull=pull, post=None))
        if not logged_in:
            monkeypatch.setattr(found.images, "get", get)
        return found

    monkeypatch.setenv("DROPKIT_BASE", "registry")
    (registry,) = sources("x86_64")
    hint = refused(lambda: registry.obtain(client(), tmp_path, print), "no registry gives python.*unauthorized")
    assert hint == "check the network and `docker login`, or set DROPKIT_BASE=debian"
    logged_in.append("corp")
    assert isinstance(registry.obtain(client(), tmp_path, print), Base)
    broken = full(having(archive), "get")
    monkeypatch.setattr("kit.container.base_image._has", lambda _client, _reference: True)
    hint = refused(lambda: registry.obtain(broken, tmp_path, print), "the engine cannot save it")
    assert hint == "set DROPKIT_BASE=debian: that base comes from Debian packages, and no registry is asked"
    monkeypatch.setenv("DROPKIT_BASE", "debian")
    (debian,) = sources("x86_64")
    content = make_deb(tmp_path / "whole.deb", [member("./usr/bin/x")]).read_bytes()
    a_mirror_with(tmp_path, content, monkeypatch)
    monkeypatch.setattr("kit.container.base_image.read_debs", lambda _lock: [locked(content)])
    assert isinstance(debian.obtain(broken, tmp_path, print), Base)  # of which it asks nothing


def test_a_toolchain_without_a_pin_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an image at hand for the one that is built: what --pin adds is the pin."""
    toolchain = copied(find_toolchain("2.19.1"), tmp_path / "toolchain")
    for file in toolchain.folder.glob("image*.toml"):
        file.unlink()
    monkeypatch.setattr("kit.toolchains.toolchain.TOOLCHAINS", tmp_path / "none")
    image = Image(PIN.id, "kit/test:1", "base", PIN.python, (PIN.base, PIN.wheels, PIN.bytecode), 1)
    monkeypatch.setattr("kit.container.image._ensure", lambda *_: image)
    client = engine(info=lambda: {"Architecture": "x86_64"})
    hint = refused(lambda: ensure_pinned(client, toolchain, print), "no image is pinned for amd64")
    assert hint == "`inv image V --pin` pins it (for maintainers)"
    pin_image(client, toolchain, print)
    assert ensure_pinned(client, toolchain, print) == image


def test_byte_code_out_of_its_place_is_compiled_again(tmp_path: Path) -> None:
    tar = cast("tarfile.TarFile", None)
    hint = refused(lambda: bytecode_entry(tar, member("etc/passwd")), "outside of its place")
    assert hint == "delete the image's cache and run it again"
    assert bytecode_entry(tar, member(f"{PYC}/a.pyc")).name == f"{PYC}/a.pyc"


def test_without_an_engine_the_local_one_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    hint = refused(lambda: choose_engine("docker", print), "no container engine is here")
    assert hint == "start a Docker engine, or build with --engine local"
    assert choose_engine("local", print).name == "local"
