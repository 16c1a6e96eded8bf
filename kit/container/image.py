"""A toolchain as an image: base, wheels and byte-code. Knows layers and the engine, not what runs on them."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from kit.container import debian, wheel_layer
from kit.container.archive import image_config, image_id
from kit.container.base import ARCHITECTURES, Base, Source, obtain_first, sources
from kit.container.bytecode_layer import PYC, write_bytecode_layer
from kit.container.client import machine, sweep
from kit.container.load import layers_of, load_image
from kit.container.options import USER
from kit.files import cache_dir, json_text, write_whole
from kit.wheels import fetch_wheels

if TYPE_CHECKING:
    import docker

    from kit.toolchain import Toolchain

# Raise it with every change to the bytes of a layer or of the configuration: then images are built anew.
LAYOUT = 1


@dataclass(frozen=True)
class Image:
    """A toolchain's image in the engine."""

    id: str  # "sha256:...": the digest of its configuration, the same wherever the same pins are built
    reference: str  # what this engine calls it: give this to client.containers.create
    base: str  # what it stands on, in words
    python: str  # its Python, as a path in the image
    diff_ids: tuple[str, ...]  # the digest of each layer's tar, lowest first
    size: int  # bytes


@dataclass(frozen=True)
class _Wanted:
    """What an image is to be made of."""

    toolchain: Toolchain
    machine: str
    choices: tuple[Source, ...]

    def record(self, source: Source) -> Path:
        """Return the file that remembers the image on this base."""
        parts = [
            LAYOUT, self.toolchain.lock.sha256, self.toolchain.python, self.machine, source.identity,
            list(wheel_layer.TRIM), list(debian.TRIM),
        ]  # fmt: skip
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return cache_dir() / "images" / f"{self.toolchain.id}-{key[:16]}.json"


def ensure_image(client: docker.DockerClient, toolchain: Toolchain, notify: Callable[[str], None]) -> Image:
    """Return the toolchain's image, building it where this engine lacks it. notify gets lines of progress.

    The base follows $DROPKIT_BASE (see kit.container.base). Raises EngineError where a part cannot be had;
    then, and after an interrupt, nothing is left in the engine or the cache but what was downloaded.
    """
    platform = machine(client)
    wanted = _Wanted(toolchain.on(platform), platform, sources(platform))
    found = _find(client, wanted)
    if found:
        return found
    folder = cache_dir() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, notify):
        # Another process may have built it while this one waited.
        found = _find(client, wanted)
        if found:
            return found
        sweep(client)
        for stray in folder.glob(".partial-*"):  # of a build that was killed: the lock has one holder
            shutil.rmtree(stray, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as staging:
            source, image = _build(client, wanted, Path(staging), notify)
        write_whole(wanted.record(source), json_text(asdict(image)).encode())
    return image


@contextmanager
def _alone(folder: Path, notify: Callable[[str], None]) -> Iterator[None]:
    """Let one process at a time build; the others say that they wait."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        notify("waiting for another dropkit that builds an image")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _find(client: docker.DockerClient, wanted: _Wanted) -> Image | None:
    """Return the image that an earlier build recorded, if the engine still has it with the same layers."""
    for source in wanted.choices:
        with suppress(OSError, ValueError, TypeError, KeyError):
            value = json.loads(wanted.record(source).read_text("utf-8"))
            image = Image(**value | {"diff_ids": tuple(value["diff_ids"])})
            if layers_of(client, image.reference) == image.diff_ids:
                return image
    return None


def _build(
    client: docker.DockerClient, wanted: _Wanted, staging: Path, notify: Callable[[str], None]
) -> tuple[Source, Image]:
    toolchain, architecture = wanted.toolchain, ARCHITECTURES[wanted.machine]
    notify(f"building the image of {toolchain.id} (once)")
    wheels = fetch_wheels(toolchain.lock, toolchain.python, wanted.machine, notify)
    source, base = obtain_first(client, wanted.choices, staging, notify)
    python = base.find(f"python{toolchain.python}")
    notify(f"putting {len(wheels)} packages on {source.description}")
    packages = wheel_layer.write_wheel_layer(staging / "wheels.tar", wheels)
    notify("compiling the packages' byte-code")
    layers = (*base.layers, packages, write_bytecode_layer(client, architecture, base, python, packages))
    config = image_config(architecture, layers, _settings(base, toolchain, source))
    notify(f"loading {sum(layer.size for layer in layers) / 1e6:.0f} MB into the engine")
    tag = f"dropkit/tensorflow:{toolchain.tensorflow}-{image_id(config)[7:19]}"
    reference, size = load_image(client, config, layers, tag)
    diff_ids = tuple(layer.diff_id for layer in layers)
    return source, Image(image_id(config), reference, source.description, python, diff_ids, size)


def _settings(base: Base, toolchain: Toolchain, source: Source) -> dict[str, Any]:
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
            "dropkit.lock": toolchain.lock.sha256,
            "dropkit.toolchain": toolchain.id,
        },
        "User": USER,
        "WorkingDir": "/tmp",  # noqa: S108
    }
