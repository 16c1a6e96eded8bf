"""What an image stands on: the official Python image by digest, or the locked Debian packages."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kit.container import debian_layer
from kit.container.layers import Layer
from kit.errors import EngineError
from kit.packages.debian_mirror import fetch_debs, lock_debs, read_debs
from kit.toolchains.download import Pace, stalled_words
from kit.toolchains.toolchain import TOOLCHAINS

if TYPE_CHECKING:
    import docker
    import requests

DATA = TOOLCHAINS / "base"
# From the names in wheels to those in images and in Debian.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# From the names that `docker --platform` has.
PLATFORMS = {f"linux/{architecture}": machine for machine, architecture in ARCHITECTURES.items()}
# How long an engine may be silent about a pull, in seconds: it tells its progress more often than that.
_PULL_SILENCE = 20


@dataclass(frozen=True)
class Base:
    """The lowest layers of an image, at hand, and what of their image's configuration is kept."""

    layers: tuple[Layer, ...]
    path: str  # $PATH

    def find(self, program: str) -> str:
        """Return the path of a program in these layers, by $PATH. Raises EngineError where there is none."""
        names = {name for layer in self.layers for name in _names(layer)}
        for folder in self.path.split(":"):
            if f"{folder}/{program}".lstrip("/") in names:
                return f"{folder}/{program}"
        raise EngineError(
            f"the image's base has no {program} on its path {self.path}", "take the pinned base: unset DROPKIT_BASE"
        )


class Source(Protocol):
    """Where a base comes from."""

    @property
    def identity(self) -> str:
        """What it is, by content: equal identities give equal layers."""

    @property
    def description(self) -> str:
        """What it is, in words."""

    @property
    def pin_name(self) -> str:
        """What image.toml calls it; "" where images on it are not pinned."""

    def obtain(self, client: docker.DockerClient, folder: Path, notify: Callable[[str], None]) -> Base:
        """Put its layers into folder. Raises EngineError where it cannot be had."""


@dataclass(frozen=True)
class DebianSource:
    """The locked packages of Debian 12."""

    machine: str  # "x86_64" or "aarch64"

    @property
    def lock(self) -> Path:
        """Return the lock for this machine."""
        return DATA / f"debian-{ARCHITECTURES[self.machine]}.lock"

    @property
    def identity(self) -> str:
        """Return the digest of all packages' digests."""
        return hashlib.sha256("\n".join(deb.sha256 for deb in read_debs(self.lock)).encode()).hexdigest()

    @property
    def description(self) -> str:
        """Say what it is."""
        return f"Debian 12 packages, {self.lock.name} {self.identity[:12]}"

    @property
    def pin_name(self) -> str:
        """Return its name in image.toml."""
        return "debian"

    def obtain(self, client: docker.DockerClient, folder: Path, notify: Callable[[str], None]) -> Base:  # noqa: ARG002
        """Fetch the packages and make one layer of them."""
        debs = fetch_debs(read_debs(self.lock), notify)
        return Base((debian_layer.write_debian_layer(folder / "debian.tar", debs),), debian_layer.PATH)


@dataclass(frozen=True)
class RegistrySource:
    """An image with Python in a registry, by digest."""

    name: str  # without a tag: "python", "registry.example/python"
    digest: str  # "sha256:..."
    machine: str
    tag: str = ""  # to read

    @property
    def reference(self) -> str:
        """Return what the engine pulls."""
        return f"{self.name}@{self.digest}"

    @property
    def identity(self) -> str:
        """Return the digest."""
        return self.digest

    @property
    def description(self) -> str:
        """Say what it is."""
        return f"{self.name}{self.tag and ':'}{self.tag} {self.digest[:19]}"

    @property
    def pin_name(self) -> str:
        """Return "": where the locks are made no registry responds, so it is not known what its images are."""
        return ""

    def obtain(self, client: docker.DockerClient, folder: Path, notify: Callable[[str], None]) -> Base:
        """Let the engine pull the image, and save its layers, byte for byte."""
        import docker

        had = _has(client, self.reference)
        try:
            if not had:
                notify(f"pulling the base {self.description}")
                _pull(client, self)
            saved = folder / "base.tar"
            with saved.open("wb") as file:
                for piece in client.images.get(self.reference).save():
                    file.write(piece)
            return read_image(saved, ARCHITECTURES[self.machine])
        except docker.errors.DockerException as error:
            raise EngineError(
                f"{self.reference}: the engine cannot save it: {error}",
                "set DROPKIT_BASE=debian: that base comes from Debian packages, and no registry is asked",
            ) from error
        finally:
            if not had:
                # Its layers stay below ours; the reference would be a stray.
                with suppress(docker.errors.DockerException):
                    client.images.remove(self.reference)


def sources(machine: str) -> tuple[Source, ...]:
    """Return the bases to try, best first.

    As $DROPKIT_BASE says: auto, registry, debian, or NAME@sha256:DIGEST for an image from another registry.
    """
    wanted = os.environ.get("DROPKIT_BASE") or "auto"
    pinned = tomllib.loads((DATA / "python.toml").read_text("utf-8"))
    registry = RegistrySource(pinned["name"], pinned["digest"], machine, pinned["tag"])
    named = re.fullmatch(r"([^@\s]+?)(?::[^/:@\s]+)?@(sha256:[0-9a-f]{64})", wanted)
    if named:
        return (RegistrySource(named[1], named[2], machine),)
    known: dict[str, tuple[Source, ...]] = {
        "auto": (registry, DebianSource(machine)),
        "registry": (registry,),
        "debian": (DebianSource(machine),),
    }
    if wanted not in known:
        raise EngineError(
            f"DROPKIT_BASE is {wanted!r}, which names no base",
            "set it to auto, registry, debian or an image by digest (NAME@sha256:...)",
        )
    return known[wanted]


def relock_debian() -> Iterator[str]:
    """Regenerate the locks of Debian's packages, and say for each how far the mirror's word was checked."""
    for machine, architecture in ARCHITECTURES.items():
        lock = DebianSource(machine).lock
        yield f"{lock}: {lock_debs(DATA / 'debian.in', lock, architecture)}"


def obtain_first(
    client: docker.DockerClient, choices: Sequence[Source], folder: Path, notify: Callable[[str], None]
) -> tuple[Source, Base]:
    """Return the first base that can be had, saying why one before it cannot. Raises the last one's error."""
    for source in choices[:-1]:
        try:
            return source, source.obtain(client, folder, notify)
        except EngineError as error:
            notify(f"{error.message}; taking {choices[-1].description}")
    return choices[-1], choices[-1].obtain(client, folder, notify)


def read_image(archive: Path, architecture: str) -> Base:
    """Return the base that an image is, as the engine saved it. Raises what read_saved raises."""
    raw, layers = read_saved(archive, architecture)
    environment = dict(item.split("=", 1) for item in json.loads(raw)["config"].get("Env") or [])
    return Base(layers, environment.get("PATH", "/usr/local/bin:/usr/bin:/bin"))


def read_saved(archive: Path, architecture: str) -> tuple[bytes, tuple[Layer, ...]]:
    """Return the configuration and layers of an image that the engine saved, as places in its archive.

    Each layer's digest is checked. A compressed one (an engine with the containerd store saves those) is
    decompressed beside the archive. Raises EngineError for another architecture or content.
    """
    with tarfile.open(archive, mode="r:") as tar:
        manifest = json.loads(_read(tar, "manifest.json"))[0]
        raw = _read(tar, manifest["Config"])
        config = json.loads(raw)
        if config["architecture"] != architecture:
            raise EngineError(
                f"the base is for {config['architecture']}, the engine for {architecture}",
                "take the pinned base: unset DROPKIT_BASE",
            )
        pairs = zip(config["rootfs"]["diff_ids"], manifest["Layers"], strict=True)
        return raw, tuple(_layer(tar, archive, name, diff_id.removeprefix("sha256:")) for diff_id, name in pairs)


def _layer(tar: tarfile.TarFile, archive: Path, name: str, sha256: str) -> Layer:
    member = tar.getmember(name)
    while member.issym():  # engines before 25 save a repeated layer as a link
        member = tar.getmember(os.path.normpath(f"{member.name}/../{member.linkname}"))
    place, offset, size = archive, member.offset_data, member.size
    with tar.extractfile(member) or io.BytesIO() as file:
        if file.read(2) == b"\x1f\x8b":
            file.seek(0)
            place, offset = archive.with_name(f"{sha256}.tar"), 0
            with gzip.GzipFile(fileobj=file) as packed, place.open("wb") as plain:
                shutil.copyfileobj(packed, plain)
            size = place.stat().st_size
    if sha256_part(place, offset, size) != sha256:
        raise EngineError(f"the base's layer {sha256[:12]} has another content", "remove that image and run it again")
    return Layer(place, offset, size, sha256, "base")


def sha256_part(path: Path, offset: int, size: int) -> str:
    """Return the SHA-256 in hex of size bytes of a file, or of what there is of them."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(offset)
        while size:
            piece = file.read(min(size, 1 << 20))
            if not piece:
                break
            digest.update(piece)
            size -= len(piece)
    return digest.hexdigest()


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


def _names(layer: Layer) -> Iterator[str]:
    with layer.path.open("rb") as file:
        file.seek(layer.offset)
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                yield member.name.removeprefix("./")


def _has(client: docker.DockerClient, reference: str) -> bool:
    import docker

    try:
        client.images.get(reference)
    except docker.errors.NotFound:
        return False
    return True


def _pull(client: docker.DockerClient, source: RegistrySource) -> None:
    """Pull by digest, which the engine checks. Raises EngineError with one line on why it cannot."""
    import docker
    import requests
    import urllib3

    failed, pace, had = "", Pace(), dict[tuple[str, str], int]()
    with _impatient(client):
        try:
            for line in client.api.pull(source.name, tag=source.digest, stream=True, decode=True):
                failed = str(line.get("error") or failed)
                progress = line.get("progressDetail") or {}
                had[str(line.get("id")), str(line.get("status"))] = progress.get("current", 0)
                if pace.is_stalled(sum(had.values())):
                    failed = stalled_words()
                    break
        except (
            docker.errors.DockerException,
            requests.RequestException,
            urllib3.exceptions.HTTPError,
        ) as error:
            failed = str(getattr(error, "explanation", None) or error)
            if "timed out" in failed.lower():
                failed = f"the engine was silent for {_PULL_SILENCE:.0f} s"
    if failed:
        raise EngineError(
            f"no registry gives {source.description} ({_end(failed)})",
            "check the network and `docker login`, or set DROPKIT_BASE=debian",
        )


def _end(text: str) -> str:
    """Return the end of an engine's message, where the cause stands, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"...{line[-157:]}"


@contextmanager
def _impatient(client: docker.DockerClient) -> Iterator[None]:
    """Let the client's requests fail after a silence: docker-py lets a pull wait without end."""
    patient = client.api.post

    def post(*arguments: Any, **options: Any) -> requests.Response:
        return patient(*arguments, **options | {"timeout": _PULL_SILENCE})

    client.api.post = post  # type: ignore[method-assign]
    try:
        yield
    finally:
        client.api.post = patient  # type: ignore[method-assign]
