"""What the kit remembers of an image in the engine: where it is damaged or the image is gone, one line says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit.cleaning import choose, find_entries, remove_entry
from kit.container import image
from kit.container.base_image import ARCHITECTURES, Base
from kit.container.client import machine
from kit.container.image import Image, Wanted
from kit.container.image_load import load_image
from kit.container.layers import Layer, file_entry, image_config, image_id, write_layer
from kit.errors import EngineError
from kit.lifetime import locks
from kit.lifetime.locks import release
from kit.toolchains.toolchain import find_toolchain

if TYPE_CHECKING:
    import docker

pytestmark = pytest.mark.container
TAG = "dropkit/test-record:1"


@dataclass(frozen=True)
class OwnBase:
    """A base that nothing pins: what stands on it is known by its record alone."""

    identity: str = "0" * 64
    description: str = "a base of the test's"
    pin_name: str = ""

    def obtain(self, *_: Any) -> Base:
        raise EngineError("not here", "take another base")


class World:
    """An engine with one small image, which stands for a toolchain's, and an empty cache."""

    def __init__(self, client: docker.DockerClient, folder: Path) -> None:
        self.client, self.folder, self.said, self.loaded = client, folder, list[str](), set[str]()
        self.wanted = Wanted(find_toolchain("2.19.1"), machine(client), (OwnBase(),))

    def load(self, content: bytes = b"one") -> Image:
        """Load an image under the tag; its content says which."""
        layer: Layer = write_layer(self.folder / "layer.tar", [file_entry("hello", content, "test")], "test")
        config = image_config(ARCHITECTURES[self.wanted.machine], [layer], {})
        reference, size = load_image(self.client, config, [layer], TAG)
        self.loaded.add(reference)
        return Image(image_id(config), reference, "test", "/usr/bin/python3", (layer.diff_id,), size)

    def ensure(self) -> Image:
        self.said.clear()
        return image._ensure(self.client, self.wanted, self.said.append)

    @property
    def record(self) -> Path:
        return self.wanted.record(OwnBase())


@pytest.fixture
def world(docker_client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    import docker

    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / "cache"))
    made = World(docker_client, tmp_path)
    monkeypatch.setattr(image, "_build", lambda *_: (OwnBase(), made.load()))
    made.ensure()
    yield made
    for reference in made.loaded:
        with suppress(docker.errors.ImageNotFound):
            docker_client.images.remove(reference, force=True)


def cut(world: World) -> None:
    world.record.write_bytes(world.record.read_bytes()[:40])


def other_json(world: World) -> None:
    world.record.write_text('["sha256:0"]', "utf-8")


def other_name(world: World) -> None:
    text = world.record.read_text("utf-8").replace('"reference": "', '"reference": " not a name:')
    world.record.write_text(text, "utf-8")


def no_text(world: World) -> None:
    world.record.write_bytes(b"\xff\xfe")


def remove_image(world: World) -> None:
    world.client.images.remove(TAG, force=True)


def move_tag(world: World) -> None:
    """As an engine with a store of its own ids: the record has the tag, and that is another image's."""
    text = world.record.read_text("utf-8")
    world.record.write_text(text.replace(world.load().reference, TAG), "utf-8")
    world.load(b"another")


@pytest.mark.parametrize("harm", [cut, other_json, other_name, no_text, remove_image, move_tag])
def test_an_image_or_its_record_that_is_lost_is_made_again_in_one_line(
    world: World, harm: Callable[[World], None]
) -> None:
    before = world.ensure()
    assert world.said == [], "it was there"
    harm(world)
    assert world.ensure().diff_ids == before.diff_ids
    assert len([line for line in world.said if line.startswith("made again")]) == 1
    assert world.ensure().diff_ids == before.diff_ids
    assert world.said == [], "the next run finds it"


def test_clean_lists_the_records_and_takes_them(world: World) -> None:
    cache = world.record.parent.parent
    (entry,) = choose(find_entries(world.folder / "dist", cache), ["images"])
    assert entry.bytes >= world.record.stat().st_size > 0
    assert " MB      0 d  images" in entry.line
    with image.alone(world.said.append):
        assert remove_entry(entry) == "left images: a run uses it"
    release(locks._kept.pop(entry.path))
    assert remove_entry(entry) == "removed images"
    assert world.ensure().diff_ids == world.ensure().diff_ids
    assert world.record.exists()
