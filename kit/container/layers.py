"""Layers and images as tars whose bytes follow from their content alone. Knows no engine and no packages.

The archive is what `docker save` wrote before there were OCI layouts: every engine and podman load it.
Source: https://github.com/moby/docker-image-spec, v1.2; the tars are POSIX.1-2001 (pax).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kit.errors import EngineError
from kit.packages.names import safe_name

# The date of every file and image: SOURCE_DATE_EPOCH, 1980-01-01, the first that a zip can hold too.
EPOCH = 315532800
_CREATED = "1980-01-01T00:00:00Z"
_CHUNK = 1 << 20
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """One file, link or folder of a layer. `name` is relative to the root: "usr/bin/python3.11"."""

    name: str
    origin: str  # where it comes from, for messages
    mode: int = 0o644
    size: int = 0
    content: Callable[[], IO[bytes]] | None = None  # opens a file's content, of exactly size bytes
    link: str = ""  # the target of a symbolic link
    sha256: str = ""  # what a file's content must have, where that is known

    @property
    def type(self) -> bytes:
        """Return the entry's type as the tar format codes it."""
        if self.link:
            return tarfile.SYMTYPE
        return tarfile.REGTYPE if self.content else tarfile.DIRTYPE


@dataclass(frozen=True)
class Layer:
    """An uncompressed tar at an offset of a file, and what it is."""

    path: Path
    offset: int
    size: int
    sha256: str
    note: str  # a line for the image's history

    @property
    def diff_id(self) -> str:
        """Return the digest by which an image's configuration names it."""
        return f"sha256:{self.sha256}"


def file_entry(name: str, data: bytes, origin: str, mode: int = 0o644) -> Entry:
    """Return the entry of a file whose content is at hand."""
    return Entry(name, origin, mode, len(data), lambda: io.BytesIO(data))


def write_layer(target: Path, entries: Iterable[Entry], note: str) -> Layer:
    """Write entries to target as a layer: sorted, owned by root, of one date. Implied folders get mode 755.

    Raises EngineError for a name that would leave the root, for a name that comes twice, for a file below a
    link, and for content that has not its sha256. note is a line for the image's history.
    """
    listed = _with_parents(entries)
    with target.open("wb") as file:
        hashing = _Hashing(file)
        with tarfile.TarFile(fileobj=hashing, mode="w", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[arg-type]
            for name in sorted(listed):
                _add(tar, listed[name])
    return Layer(target, 0, hashing.size, hashing.sha256.hexdigest(), note)


def image_config(architecture: str, layers: Sequence[Layer], config: Mapping[str, Any]) -> bytes:
    """Return the configuration of an image on these layers, lowest first; its SHA-256 is the image's id.

    architecture is "amd64" or "arm64"; config has Env, Labels and so on, as `docker inspect` shows them.
    """
    value = {
        "architecture": architecture,
        "config": dict(config),
        "created": _CREATED,
        "history": [{"created": _CREATED, "created_by": layer.note} for layer in layers],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def image_id(config: bytes) -> str:
    """Return the id of the image with this configuration: "sha256:..."."""
    return f"sha256:{hashlib.sha256(config).hexdigest()}"


def image_archive(config: bytes, layers: Sequence[Layer], tag: str) -> Iterator[bytes]:
    """Yield the archive for `client.images.load`, piece by piece: nothing is copied to disk a second time."""
    # A base may hold one layer twice, mostly an empty one; the archive needs it once.
    for name, layer in {f"{layer.sha256}.tar": layer for layer in layers}.items():
        yield from _member(name, layer.size, _pieces(layer))
    yield from _member(f"{image_id(config)[7:]}.json", len(config), [config])
    text = manifest(config, layers, tag)
    yield from _member(MANIFEST, len(text), [text])
    yield bytes(2 * tarfile.BLOCKSIZE)


def manifest(config: bytes, layers: Sequence[Layer], tag: str) -> bytes:
    """Return the content of manifest.json: which files of an archive are an image's parts."""
    names = [f"{layer.sha256}.tar" for layer in layers]
    value = [{"Config": f"{image_id(config)[7:]}.json", "Layers": names, "RepoTags": [tag]}]
    return json.dumps(value, sort_keys=True).encode()


def damaged(name: str, origin: str) -> EngineError:
    """Return the error for a package's file whose content is not the one that the package lists."""
    return EngineError(
        f"{origin}: refused: {name} has not the content that its list of files states",
        "delete the file from the cache and run it again",
    )


def _with_parents(entries: Iterable[Entry]) -> dict[str, Entry]:
    listed: dict[str, Entry] = {}
    for entry in entries:
        name = safe_name(entry.name, entry.origin)
        if name in listed:
            raise EngineError(
                f"{entry.origin}: {name} also comes from {listed[name].origin}, with other content",
                "two pinned packages do not go together: `inv lock` makes a new lock",
            )
        listed[name] = entry
    for name in list(listed):
        parts = name.split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            found = listed.setdefault(parent, Entry(parent, listed[name].origin, 0o755))
            if found.type != tarfile.DIRTYPE:
                # The engine would follow such a link when it unpacks: out of the folder that was checked.
                raise EngineError(
                    f"{listed[name].origin}: {name} lies below {parent}, which is not a folder",
                    "delete the file from the cache and run it again",
                )
    return listed


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    info = _info(entry.name, entry.size)
    info.type, info.linkname, info.mode = entry.type, entry.link, 0o777 if entry.link else entry.mode
    if entry.content is None:
        tar.addfile(info)
        return
    with closing(entry.content()) as file:
        hashing = _Hashing(file)
        try:
            tar.addfile(info, hashing)
        except OSError as error:
            if "unexpected end of data" not in str(error):
                raise
            raise damaged(entry.name, entry.origin) from error
        if entry.sha256 and hashing.sha256.hexdigest() != entry.sha256:
            raise damaged(entry.name, entry.origin)


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, EPOCH, 0o644
    return info


def header(name: str, size: int) -> bytes:
    """Return what stands before a file in an image's archive: one block."""
    return _info(name, size).tobuf(tarfile.PAX_FORMAT)


def _member(name: str, size: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield header(name, size)
    yield from pieces
    yield bytes(-size % tarfile.BLOCKSIZE)


def _pieces(layer: Layer) -> Iterator[bytes]:
    with layer.path.open("rb") as file:
        file.seek(layer.offset)
        left = layer.size
        while left:
            piece = file.read(min(left, _CHUNK))
            if not piece:
                raise EngineError(f"{layer.path}: became shorter while it was read", "run it again")
            left -= len(piece)
            yield piece


class _Hashing:
    """A file that hashes what passes through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        return self._seen(self.file.read(size))

    def write(self, data: bytes) -> int:
        self._seen(data)
        return self.file.write(data)

    def tell(self) -> int:
        return self.size

    def _seen(self, data: bytes) -> bytes:
        self.sha256.update(data)
        self.size += len(data)
        return data
