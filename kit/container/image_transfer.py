"""An image of locked packages as a file, for machines without network. Knows archives and pins, builds no layer.

The file is what kit.container.layers writes, byte for byte: an archive for `docker load`. It may come from
anyone. So nothing in it is parsed but its tar headers, each byte is held against the pins before an engine sees
any, and the engine gets an archive that is written anew.
"""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kit.container.base_image import ARCHITECTURES, read_saved, sha256_part
from kit.container.client import machine
from kit.container.image import Image, Wanted, alone, debian_image, ensure_pinned, image_tag, remember
from kit.container.image_digest import ImagePin
from kit.container.image_load import load_image
from kit.container.layers import MANIFEST, Layer, header, image_archive, image_id, manifest
from kit.errors import EngineError, OutputError, RecipeError
from kit.files import writable, writing_whole

if TYPE_CHECKING:
    import docker

    from kit.toolchains.toolchain import Packages

Notify = Callable[[str], None]
_BLOCK = tarfile.BLOCKSIZE
# Bounds on what a hostile file makes us do: far more than an image has, and than its settings need.
_MOST_MEMBERS = 64
_MOST_SETTINGS = 1 << 20


@dataclass(frozen=True)
class _Member:
    """A file in an archive."""

    name: str
    offset: int
    size: int


def export_image(
    client: docker.DockerClient, packages: Packages, target: Path, notify: Notify, platform: str = ""
) -> Image:
    """Write a pinned image to target, building it where the engine lacks it.

    platform: as ensure_pinned has it. The same bytes on every machine. Raises OutputError where target cannot be
    written: then there is no file there, or still the old one.
    """
    if target.is_dir():
        raise OutputError(f"{target}: cannot write: that is a folder", "name a file: --export FILE.tar")
    image = ensure_pinned(client, packages, notify, platform)
    architecture = ARCHITECTURES[platform or machine(client)]
    with alone(notify) as folder, _saved(client, image, folder) as saved:
        config, layers = read_saved(saved, architecture)
        if image_id(config) != image.id:
            raise EngineError(
                f"the engine gives {image.reference} back with other settings", "remove that image and run it again"
            )
        notify(f"writing {sum(layer.size for layer in layers) / 1e6:.0f} MB to {target}")
        with _for_export(target), writing_whole(target) as file:
            for piece in image_archive(config, layers, image_tag(packages, image.id)):
                file.write(piece)
    return image


def import_image(
    client: docker.DockerClient,
    asked: Collection[Packages],
    known: Collection[Packages],
    source: Path,
    notify: Notify,
    platform: str = "",
) -> tuple[Packages, Image]:
    """Load an exported image into the engine; return whose it is, and it. `build` then takes it without building.

    known: all that have pinned images; platform: as ensure_pinned has it. Raises EngineError where the file is not,
    byte for byte, the pinned image of what was asked for: then the engine has seen none of it. RecipeError where it
    cannot be read.
    """
    if source.exists() and not source.is_file():
        raise RecipeError(
            f"{source}: is no file", "name a file that `kit image V --export FILE` wrote"
        )  # opening a pipe would wait for ever
    try:
        with source.open("rb") as file:
            notify(f"checking {source} against the pins")
            members = _index(file, source)
            names = {member.name for member in members}
            platform = platform or machine(client)
            packages, wanted, pin = _whose(client, known, names, source, platform)
            if packages.id not in {each.id for each in asked}:
                raise EngineError(
                    f"{source}: refused, and nothing was loaded: it is the image of {packages.id}, and that of"
                    f" {', '.join(each.id for each in asked)} was asked for",
                    f"load it by its name: `kit image {packages.asked_as} --import FILE`, or export the other one",
                )
            config, layers = _checked(file, source, members, pin, image_tag(packages, pin.id))
    except OSError as error:
        raise RecipeError(
            f"{source}: cannot be read: {error.strerror or error}", "name a file that `kit image V --export FILE` wrote"
        ) from error
    with alone(notify):
        notify(f"loading {sum(layer.size for layer in layers) / 1e6:.0f} MB into the engine")
        reference, size = load_image(client, config, layers, image_tag(packages, pin.id))
        base = wanted.choices[0]
        image = Image(pin.id, reference, base.description, pin.python, pin.diff_ids, size)
        remember(wanted, base, image)
    return packages, image


@contextmanager
def _saved(client: docker.DockerClient, image: Image, folder: Path) -> Iterator[Path]:
    """Have the archive that the engine makes of an image: in its own way, and with its own dates."""
    import docker

    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as staging:
        path = Path(staging) / "saved.tar"
        try:
            with writable(folder), path.open("wb") as file:
                for piece in client.images.get(image.reference).save():
                    file.write(piece)
        except docker.errors.DockerException as error:
            raise EngineError(
                f"the engine cannot save {image.reference}: {error}",
                "see `docker info`, and whether the disk has space for the image",
            ) from error
        yield path


@contextmanager
def _for_export(target: Path) -> Iterator[None]:
    try:
        with writable(target):
            yield
    except OutputError as error:
        raise OutputError(error.message, "name a file in another place: --export FILE.tar") from error


def _index(file: IO[bytes], source: Path) -> list[_Member]:
    """Return the archive's members. Raises EngineError for anything that an export does not write."""
    end = file.seek(0, 2)
    members: list[_Member] = []
    offset = 0
    while len(members) < _MOST_MEMBERS:
        file.seek(offset)
        block = file.read(_BLOCK)
        if not block.strip(b"\0"):
            if members and end == offset + 2 * _BLOCK and not file.read().strip(b"\0"):
                return members
            break
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
            # Links, devices, paths, owners, extended headers: whatever an export has not makes another block.
            if not 0 <= info.size <= end or header(info.name, info.size) != block:
                break
        except (tarfile.HeaderError, ValueError, OverflowError):
            break
        members.append(_Member(info.name, offset + _BLOCK, info.size))
        file.seek(offset + _BLOCK + info.size)
        if file.read(-info.size % _BLOCK).strip(b"\0"):
            break
        offset = file.tell()
    raise _refused(source, f"from byte {offset} on it is not what `inv image V --export` writes, or its end is missing")


def _whose(
    client: docker.DockerClient, known: Collection[Packages], names: set[str], source: Path, platform: str
) -> tuple[Packages, Wanted, ImagePin]:
    """Return the packages whose pinned image an archive says to hold, by the name of its settings' file."""
    for machine_ in (platform, *(other for other in ARCHITECTURES if other != platform)):
        for packages in known:
            wanted = debian_image(client, packages, machine_)
            pin = wanted.pin(wanted.choices[0])
            if pin is None or f"{pin.id[7:]}.json" not in names:
                continue
            if machine_ == platform:
                return packages, wanted, pin
            raise EngineError(
                f"{source}: refused, and nothing was loaded: it is the image of {packages.id} for"
                f" {ARCHITECTURES[machine_]}, and one for {ARCHITECTURES[platform]} is needed",
                f"export that one: `kit image {packages.asked_as} --platform linux/{ARCHITECTURES[platform]}"
                " --export FILE`",
            )
    found = ", ".join(sorted(f"sha256:{name[:-5]}" for name in names if name.endswith(".json") and len(name) == 69))
    raise _refused(
        source,
        f"the image in it ({found[:200] or 'none'}) is not a pinned one for {ARCHITECTURES[platform]}",
    )


def _checked(
    file: IO[bytes], source: Path, members: list[_Member], pin: ImagePin, tag: str
) -> tuple[bytes, tuple[Layer, ...]]:
    """Return the settings and layers in an archive. Raises EngineError where one byte of it is not as pinned."""
    names = [f"{diff_id[7:]}.tar" for diff_id in pin.diff_ids]
    if [member.name for member in members] != [*dict.fromkeys(names), f"{pin.id[7:]}.json", MANIFEST]:
        raise _refused(source, "it holds other files than the pinned image has")
    by_name = {member.name: member for member in members}
    settings, last = members[-2:]
    if max(settings.size, last.size) > _MOST_SETTINGS:
        raise _refused(source, "its settings are larger than any image's")
    for role, name in zip(("base", "wheels", "byte-code"), names, strict=True):
        member = by_name[name]
        if sha256_part(source, member.offset, member.size) != name[:-4]:
            raise _refused(source, f"its layer of {role} has not the pinned sha256:{name[:-4]}")
    file.seek(settings.offset)
    config = file.read(settings.size)
    if hashlib.sha256(config).hexdigest() != settings.name[:-5]:
        raise _refused(source, f"its settings have not the pinned {pin.id}")
    layers = tuple(Layer(source, by_name[n].offset, by_name[n].size, n[:-4], "") for n in names)
    file.seek(last.offset)
    if file.read(last.size) != manifest(config, layers, tag):
        raise _refused(source, f"its {MANIFEST} is not the pinned image's")
    return config, layers


def _refused(source: Path, why: str) -> EngineError:
    return EngineError(
        f"{source}: refused, and nothing was loaded: {why}",
        "copy it again, or export it again with the same version of the kit",
    )
