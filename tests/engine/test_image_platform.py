"""An image for another architecture than the engine's: one digest, and the byte-code of its own Python."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_image_pins import VERSION, World, images, make_world, remove
from worlds import ROOT, run_kit

from kit.arm64.machine import DEFAULT_CPU, Machine
from kit.container.base_image import ARCHITECTURES, read_saved
from kit.container.bytecode_layer import PYC
from kit.container.client import machine
from kit.container.image_digest import read_pin

if TYPE_CHECKING:
    import docker

pytestmark = pytest.mark.container


@pytest.fixture(scope="module")
def other(docker_client: docker.DockerClient) -> str:
    """Give the architecture that the engine has not."""
    return next(name for here, name in ARCHITECTURES.items() if here != machine(docker_client))


@pytest.fixture(scope="module")
def world(docker_client: docker.DockerClient, other: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give a world whose toolchain's image is pinned for the other architecture alone."""
    made = make_world(tmp_path_factory.mktemp("world"))
    remove(docker_client)
    done = made.image("--platform", f"linux/{other}", "--pin")
    assert done.returncode == 0, done.stderr
    yield made
    remove(docker_client)


@pytest.fixture(scope="module")
def exported(world: World, other: str, docker_client: docker.DockerClient) -> Path:
    """Give the file of that image, assembled once more: the engine and the cache have forgotten the first one."""
    remove(docker_client)
    world.empty_cache()
    done = world.image("--platform", f"linux/{other}", "--export", str(world.root / "image.tar"))
    assert done.returncode == 0, done.stderr
    assert "compiling" in done.stderr
    return world.root / "image.tar"


def test_it_has_the_pinned_digest_a_second_time_and_the_engine_keeps_it(
    world: World, other: str, exported: Path, docker_client: docker.DockerClient
) -> None:
    _, pin = read_pin(world.toolchain, other, "debian") or pytest.fail("no pin")
    config, layers = read_saved(exported, other)
    assert [layer.diff_id for layer in layers] == list(pin.diff_ids)
    assert docker_client.images.get(pin.id).attrs["Architecture"] == other
    assert f'"architecture":"{other}"' in config.decode()


def test_its_file_is_loaded_for_its_own_platform_alone(
    world: World, other: str, exported: Path, docker_client: docker.DockerClient
) -> None:
    here = ARCHITECTURES[machine(docker_client)]
    remove(docker_client)
    refused = world.image("--import", str(exported))
    assert refused.returncode == 5
    assert f"it is the image of tensorflow-{VERSION} for {other}, and one for {here} is needed" in refused.stderr
    assert images(docker_client) == []
    loaded = world.image("--platform", f"linux/{other}", "--import", str(exported))
    assert loaded.returncode == 0, loaded.stderr
    assert len(images(docker_client)) == 1
    # The next step of the refusal, once there is a pin for this platform, too.
    assert f"export that one: `kit image {VERSION} --platform linux/{here} --export FILE`" in refused.stderr
    assert world.image("--pin").returncode == 0
    right = world.root / "right.tar"
    assert world.image("--platform", f"linux/{here}", "--export", str(right)).returncode == 0
    remove(docker_client)
    loaded = world.image("--import", str(right))
    assert loaded.returncode == 0, loaded.stderr


def test_a_platform_that_is_not_known_is_refused(world: World) -> None:
    refused = world.image("--platform", "linux/arm")
    assert refused.returncode == 2
    assert "image: --platform 'linux/arm' is not known" in refused.stderr
    assert "there is: linux/amd64, linux/arm64" in refused.stderr


def test_a_version_that_is_not_known_is_refused_with_all_that_there_is() -> None:
    refused = run_kit("image", "quantizerr")
    assert refused.returncode == 2
    assert "TensorFlow quantizerr is not pinned" in refused.stderr
    assert "2.21.0; and quantizer, auto, all" in refused.stderr


@pytest.mark.slow
def test_byte_code_for_arm64_is_what_its_own_python_compiles(
    exported: Path, other: str, arm64_machine: Machine, tmp_path: Path
) -> None:
    """A quarter of it, as an engine on arm64 compiles it: by the base's own Python, every instruction emulated."""
    if other != "arm64":
        pytest.skip("this engine is on arm64, which compiles its own byte-code")
    _, layers = read_saved(exported, "arm64")
    wheels = tmp_path / "wheels.tar"
    with exported.open("rb") as file:
        file.seek(layers[1].offset)
        wheels.write_bytes(file.read(layers[1].size))
    root = arm64_machine.folder / "root"
    script = str(ROOT / "kit" / "container" / "bytecode_script.py")
    python = ["-0", "/usr/bin/python3.11", "-cpu", DEFAULT_CPU, "-L", str(root), str(root / "usr/bin/python3.11"), "-S"]
    environment = {"PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": f"/{PYC}", "PYTHONUTF8": "1", "PATH": os.defpath}
    argv = [str(arm64_machine.emulator), *python, script, str(wheels), str(tmp_path), "0", "4"]
    subprocess.run(argv, env=environment, check=True)
    with exported.open("rb") as file:
        file.seek(layers[2].offset)
        with tarfile.open(fileobj=file, mode="r:") as ours, tarfile.open(tmp_path / "0.tar") as its_own:
            made = {member.name: content(its_own, member) for member in its_own}
            assert len(made) > 100
            assert made == {name: content(ours, ours.getmember(name)) for name in made}


def content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()
