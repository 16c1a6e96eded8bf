"""Locked packages as an image: base, wheels and byte-code. Knows layers and the engine, not what runs on them."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from kit.container import debian_layer, wheel_layer
from kit.container.base_image import ARCHITECTURES, Base, DebianSource, Source, obtain_first, sources
from kit.container.bytecode_layer import PYC, Compiler, write_bytecode_layer
from kit.container.client import machine, sweep
from kit.container.image_digest import ImagePin, Origin, check_image, check_origin, read_pin, write_pin
from kit.container.image_load import layers_of, load_image
from kit.container.layers import image_config, image_id
from kit.container.sandbox import USER
from kit.errors import EngineError
from kit.files import cache_dir, json_text, write_whole
from kit.lifetime.locks import keep_shared
from kit.toolchains.wheels import fetch_wheels

if TYPE_CHECKING:
    import docker

    from kit.toolchains.toolchain import Packages

# Raise it with every change to the bytes of a layer or of the configuration: then images are built anew.
LAYOUT = 2
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Image:
    """The image of a toolchain, or of the quantizer, in the engine."""

    id: str  # "sha256:...": the digest of its configuration, the same wherever the same pins are built
    reference: str  # what this engine calls it: give this to client.containers.create
    base: str  # what it stands on, in words
    python: str  # its Python, as a path in the image
    diff_ids: tuple[str, ...]  # the digest of each layer's tar, lowest first
    size: int  # bytes


@dataclass(frozen=True)
class Wanted:
    """What an image is to be made of."""

    packages: Packages
    machine: str
    choices: tuple[Source, ...]
    pinned: bool = True  # hold it against the pin

    def record(self, source: Source) -> Path:
        """Return the file that remembers the image on this base."""
        parts = [self.packages.lock.sha256, self.packages.python, self.machine, source.identity, layout()]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return cache_dir() / "images" / f"{self.packages.id}-{key[:16]}.json"

    def origin(self, source: Source) -> Origin:
        """Return what the image on this base is made from, as a pin states it."""
        return Origin(self.packages.lock.sha256, source.identity, layout())

    def pin(self, source: Source) -> ImagePin | None:
        """Return the pin of the image on this base. Raises EngineError for one that was made from other locks."""
        if not self.pinned or not source.pin_name:
            return None
        now, kit_folder = self.origin(source), self.packages.kit_folder
        for folder in dict.fromkeys((self.packages.folder, kit_folder)):
            found = read_pin(folder, ARCHITECTURES[self.machine], source.pin_name)
            if found and folder == self.packages.folder:
                check_origin(folder, found[0], now)
            # A lock that stands elsewhere (in a bundle) may be the kit's own, or an older one that nothing pins.
            if found and found[0] == now:
                return found[1]
        return None


def layout() -> str:
    """Return what stands for the way in which layers are made."""
    trimmed = json.dumps([list(wheel_layer.TRIM), list(debian_layer.TRIM)])
    return f"{LAYOUT}-{hashlib.sha256(trimmed.encode()).hexdigest()[:16]}"


def image_tag(packages: Packages, identity: str) -> str:
    """Return an image's tag by its id: "dropkit/tensorflow:2.19.1-<12 digits>"."""
    name, _, version = packages.id.rpartition("-")
    return f"dropkit/{name}:{version}-{identity[7:19]}"


def ensure_image(client: docker.DockerClient, packages: Packages, notify: Callable[[str], None]) -> Image:
    """Return the image of these packages, building it where this engine lacks it. notify gets lines of progress.

    The base follows $DROPKIT_BASE (see kit.container.base_image). Raises EngineError where a part cannot be had, and
    where the image is not the pinned one; then, and after an interrupt, nothing is left in the engine or the
    cache but what was downloaded.
    """
    platform = machine(client)
    return _ensure(client, Wanted(packages.on(platform), platform, sources(platform)), notify)


def ensure_pinned(
    client: docker.DockerClient, packages: Packages, notify: Callable[[str], None], platform: str = ""
) -> Image:
    """Return the pinned image of these packages, whatever $DROPKIT_BASE says. Raises EngineError where none is pinned.

    platform: "x86_64" or "aarch64", "" is the engine's own; an engine of another keeps the image, and cannot run it.
    """
    wanted = debian_image(client, packages, platform)
    if wanted.pin(wanted.choices[0]) is None:
        raise EngineError(
            f"{packages.id}: no image is pinned for {ARCHITECTURES[wanted.machine]}",
            "`inv image V --pin` pins it (for maintainers)",
        )
    return _ensure(client, wanted, notify)


def pin_image(
    client: docker.DockerClient, packages: Packages, notify: Callable[[str], None], platform: str = ""
) -> tuple[Path, Image]:
    """Build the image on Debian, whatever its pin says, and pin it; return the pin's file and the image."""
    wanted = replace(debian_image(client, packages, platform), pinned=False)
    image = _ensure(client, wanted, notify)
    source = wanted.choices[0]
    base, wheels, bytecode = image.diff_ids
    pin = ImagePin(image.id, base, wheels, bytecode, image.python)
    path = write_pin(packages.folder, ARCHITECTURES[wanted.machine], source.pin_name, wanted.origin(source), pin)
    return path, image


def debian_image(client: docker.DockerClient, packages: Packages, platform: str = "") -> Wanted:
    """Return what an image on Debian is made of: the one base that is at hand without a registry."""
    platform = platform or machine(client)
    return Wanted(packages.on(platform), platform, (DebianSource(platform),))


def remember(wanted: Wanted, source: Source, image: Image) -> None:
    """Keep what this engine calls an image, for the next process."""
    write_whole(wanted.record(source), json_text(asdict(image)).encode())


def _ensure(client: docker.DockerClient, wanted: Wanted, notify: Callable[[str], None]) -> Image:
    found = _find(client, wanted)
    if found:
        return found
    with alone(notify) as folder:
        # Another process may have built it while this one waited.
        found = _find(client, wanted)
        if found:
            return found
        if any(wanted.record(source).exists() for source in wanted.choices):
            notify(f"made again, for the engine has no longer what was recorded as the image of {wanted.packages.id}")
        sweep(client)
        with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder) as staging:
            source, image = _build(client, wanted, Path(staging), notify)
        remember(wanted, source, image)
    return image


@contextmanager
def alone(notify: Callable[[str], None]) -> Iterator[Path]:
    """Let one process at a time build; the others say that they wait. Give the folder to stage in."""
    folder = cache_dir() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    keep_shared(folder)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        notify("waiting for another dropkit that builds an image")
        lock.acquire()
    try:
        for stray in folder.glob(f"{_PARTIAL}*"):  # of a build that was killed: the lock has one holder
            shutil.rmtree(stray, ignore_errors=True)
        yield folder
    finally:
        lock.release()


def _find(client: docker.DockerClient, wanted: Wanted) -> Image | None:
    """Return the image that the engine has already: the pinned one, else the one that an earlier build recorded."""
    for source in wanted.choices:
        pin = wanted.pin(source)
        if pin and layers_of(client, pin.id) == pin.diff_ids:
            size = int(client.images.get(pin.id).attrs["Size"])
            return Image(pin.id, pin.id, source.description, pin.python, pin.diff_ids, size)
        with suppress(OSError, ValueError, TypeError, KeyError):
            value = json.loads(wanted.record(source).read_text("utf-8"))
            image = Image(**value | {"diff_ids": tuple(value["diff_ids"])})
            is_wanted = pin is None or (image.id, image.diff_ids) == (pin.id, pin.diff_ids)
            if is_wanted and layers_of(client, image.reference) == image.diff_ids:
                return image
    return None


def _build(
    client: docker.DockerClient, wanted: Wanted, staging: Path, notify: Callable[[str], None]
) -> tuple[Source, Image]:
    packages, architecture = wanted.packages, ARCHITECTURES[wanted.machine]
    notify(f"building the image of {packages.id} (once)")
    wheels = fetch_wheels(packages.lock, packages.python, wanted.machine, notify)
    source, base = obtain_first(client, wanted.choices, staging, notify)
    python = base.find(f"python{packages.python}")
    compiler = _compiler(client, wanted, base, staging, notify)
    notify(f"putting {len(wheels)} packages on {source.description}")
    site = wheel_layer.write_wheel_layer(staging / "wheels.tar", wheels)
    notify("compiling the packages' byte-code")
    layers = (*base.layers, site, write_bytecode_layer(client, compiler, site))
    config = image_config(architecture, layers, _settings(base, packages, source))
    identity, diff_ids = image_id(config), tuple(layer.diff_id for layer in layers)
    pin = wanted.pin(source)
    if pin:
        check_image(packages.id, pin, identity, diff_ids)
    elif wanted.pinned:
        notify(f"note: nothing pins the image of {packages.id} on {source.description}: its digest is not checked")
    notify(f"loading {sum(layer.size for layer in layers) / 1e6:.0f} MB into the engine")
    reference, size = load_image(client, config, layers, image_tag(packages, identity))
    return source, Image(identity, reference, source.description, python, diff_ids, size)


def _compiler(
    client: docker.DockerClient, wanted: Wanted, base: Base, staging: Path, notify: Callable[[str], None]
) -> Compiler:
    """Return the image's own Python, or the same version for the engine's architecture where that is another one."""
    here, name = machine(client), f"python{wanted.packages.python}"
    if here == wanted.machine:
        return Compiler(ARCHITECTURES[here], base, base.find(name))
    folder = staging / "compiler"
    folder.mkdir()
    own = DebianSource(here).obtain(client, folder, notify)
    return Compiler(ARCHITECTURES[here], own, own.find(name), base.layers[-1])


def _settings(base: Base, packages: Packages, source: Source) -> dict[str, Any]:
    """Return the configuration of an image's containers: of the base's own, only the path is kept."""
    environment = {
        "HOME": "/tmp",  # noqa: S108  the one place where a job may write besides its results
        "LOGNAME": "kit",
        "PATH": base.path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"/{wheel_layer.SITE}",
        "PYTHONPYCACHEPREFIX": f"/{PYC}",
        "PYTHONUTF8": "1",
    }
    return {
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
        "Labels": {
            "dropkit.base": source.description,
            "dropkit.layout": str(LAYOUT),
            "dropkit.lock": packages.lock.sha256,
            "dropkit.toolchain": packages.id,
        },
        "User": USER,
        "WorkingDir": "/tmp",  # noqa: S108
    }
