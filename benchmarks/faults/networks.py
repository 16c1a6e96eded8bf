"""Let a server on this machine break every kind of download that the kit does, and count what came of it.

Each fault is tried on each kind: an error must say what failed and what to do, nothing may be made from wrong
bytes, and the next run with the healthy server must succeed and leave nothing half-written. All packages are small and
made here; pip, npm, urllib and the Docker engine are the real ones.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest import mock

from benchmarks.faults.broken_server import Server, serve
from benchmarks.faults.kept import Row
from kit.android.proof.tools import fetch_npm_package
from kit.container import base_image
from kit.container.base_image import ARCHITECTURES, RegistrySource
from kit.container.client import machine, probe
from kit.container.layers import file_entry as entry
from kit.container.layers import image_config, write_layer
from kit.errors import EngineError
from kit.lifetime.scratch import run_folder
from kit.packages import debian_mirror
from kit.packages.debian_mirror import Deb, fetch_debs
from kit.toolchains import download
from kit.toolchains.lockfile import Lock
from kit.toolchains.venv import locked_venv
from kit.toolchains.wheels import fetch_wheels

if TYPE_CHECKING:
    import docker

_STALL = 3.0  # seconds, in place of the kit's minutes
_PATIENT = 60.0  # seconds, for what goes on
_SIZE = 200_000  # bytes of a package: more than a buffer of any client
_HALF_WRITTEN = ("*.partial-*", ".partial-*", "*.scratch", ".fetched-*", "*.tgz", "pip-*", "dropkit-*")


HEAD = ("download", "fault", "tries", "made of wrong bytes", "left half-written", "unclear messages")


@dataclass
class Broken:
    """What became of one kind of download under one fault."""

    download: str
    fault: str
    tries: int = 0
    wrong: int = 0  # results that hold wrong bytes
    left: int = 0  # half-written entries, or a result that is missing, after the next run with the healthy server
    unclear: int = 0  # faults that were met by something else than an error with a next step

    def row(self) -> Row:
        """Return it as the cells of a table."""
        return [self.download, self.fault, self.tries, self.wrong, self.left, self.unclear]


@dataclass(frozen=True)
class Download:
    """A kind of download: `obtain` does it into a cache folder and returns what it got, by content."""

    name: str
    obtain: Callable[[Path], object]
    files: tuple[str, ...]  # how the paths of its packages end
    indexes: tuple[str, ...] = ()  # and those of what lists them
    again: Callable[[], Download] | None = None  # the same with other content, for each try
    own_client: bool = True  # whether the client is a process of the kit's: an engine keeps its connections


def downloads(server: Server) -> list[Download]:
    """Return each kind of download, its content on the server."""
    kinds = [_wheels(server), _runtime(server), _debian(server), _npm(server)]
    return [*kinds, *_registry(server)]


def count_broken_downloads(name: str, fault: str, tries: int) -> list[Row]:
    """Return the counts of a kind of download and a fault, in the order of HEAD."""
    with serve() as server:
        (kind,) = (kind for kind in downloads(server) if kind.name == name)
        return [try_fault(server, kind, fault, tries).row()]


def try_fault(server: Server, kind: Download, fault: str, tries: int) -> Broken:
    """Let a download meet a fault, by turns in a package and in the index; then run it again without."""
    broken = Broken(kind.name, fault)
    for number in range(tries):
        kind = kind.again() if kind.again else kind
        ends = kind.indexes if number % 2 and kind.indexes else kind.files
        with _world() as cache:
            server.fault, server.ends, server.asked = fault, ends, 0
            outcome = _attempt(kind, cache)
            while not server.asked and download.STALL < _PATIENT:  # a busy machine: it was given up before it asked
                download.STALL *= 2
                outcome = _attempt(kind, cache)
            assert server.asked, f"{kind.name}: {fault}: nothing was asked of {ends}"
            server.fault, download.STALL = "", _PATIENT
            healthy = _attempt(kind, cache)
            broken.tries += 1
            broken.unclear += outcome != healthy and not _is_clear(outcome)
            broken.wrong += not isinstance(outcome, Exception) and outcome != healthy
            broken.left += isinstance(healthy, Exception) or any(_half_written(cache.parent))
            broken.left += kind.own_client and server.is_held()
    return broken


@contextmanager
def _world() -> Iterator[Path]:
    """Give an empty cache, and the environment of a user who has nothing else and waits for seconds, not minutes."""
    with TemporaryDirectory(prefix="network-") as root, ExitStack() as stack:
        folders = {name: Path(root) / name for name in ("cache", "pip", "home", "tmp")}
        for folder in folders.values():
            folder.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "npm_", "NPM_"))}
        environment = {
            "DROPKIT_CACHE": str(folders["cache"]),
            "HOME": str(folders["home"]),
            "NO_PROXY": "127.0.0.1",
            "PIP_CACHE_DIR": str(folders["pip"]),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_RETRIES": "1",
            "TMPDIR": str(folders["tmp"]),
            "npm_config_fetch_retries": "1",
            "npm_config_fetch_retry_mintimeout": "100",
        }
        stack.enter_context(mock.patch.dict(os.environ, kept | environment | _ADDRESSES, clear=True))
        stack.enter_context(mock.patch("tempfile.tempdir", None))
        stack.enter_context(mock.patch.object(download, "STALL", _STALL))
        stack.enter_context(mock.patch.object(debian_mirror, "_TIMEOUT", _STALL))
        stack.enter_context(mock.patch.object(base_image, "_PULL_SILENCE", _STALL))
        yield folders["cache"]


_ADDRESSES: dict[str, str] = {}  # of this server, by the variable that a user would set


def _attempt(kind: Download, cache: Path) -> object:
    from kit.toolchains import venv

    venv._checked.clear()  # as in a new process
    try:
        with run_folder():
            return kind.obtain(cache)
    except Exception as error:  # noqa: BLE001 - any other than the kit's own is what is counted
        return error


def _is_clear(outcome: object) -> bool:
    return isinstance(outcome, EngineError) and bool(outcome.hint) and "Traceback" not in outcome.message


def _half_written(root: Path) -> Iterator[Path]:
    for place in ("cache", "tmp"):
        for pattern in _HALF_WRITTEN:
            yield from (root / place).rglob(pattern)


def _silent(_line: str) -> None:
    pass


# ---------------------------------------------------------------- wheels: of a toolchain, of a runtime


def _wheels(server: Server) -> Download:
    lock = _package(server, "dropkit-probe-toolchain")

    def obtain(_cache: Path) -> object:
        return [path.read_bytes() for path in fetch_wheels(_written(lock), "3.11", "x86_64", _silent)]

    return Download("wheels of a toolchain (pip)", obtain, (".whl",), ("/simple/dropkit-probe-toolchain/",))


def _runtime(server: Server) -> Download:
    lock = _package(server, "dropkit-probe-runtime")

    def obtain(_cache: Path) -> object:
        python = locked_venv("probe", "the runtime probe", _written(lock), _silent)
        return [path.read_bytes() for path in sorted(python.parent.parent.rglob("dropkit_probe_runtime/*.bin"))]

    return Download("wheels of a runtime (pip)", obtain, (".whl",), ("/simple/dropkit-probe-runtime/",))


def _package(server: Server, name: str) -> str:
    """Serve a wheel and its index; return its lock."""
    module = name.replace("-", "_")
    content = hashlib.shake_256(name.encode()).digest(_SIZE)
    info = f"{module}-1.0.dist-info"
    files = {
        f"{module}/data.bin": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_url_safe(data)},{len(data)}\n" for path, data in files.items()]
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in {**files, f"{info}/RECORD": "".join([*record, f"{info}/RECORD,,\n"]).encode()}.items():
            archive.writestr(path, data)
    sha256 = hashlib.sha256(wheel.getvalue()).hexdigest()
    address = server.put(f"/files/{module}-1.0-py3-none-any.whl", wheel.getvalue())
    page = f'<!DOCTYPE html><html><body><a href="{address}#sha256={sha256}">{module}</a></body></html>'
    server.put(f"/simple/{name}/", page.encode(), "text/html")
    _ADDRESSES["PIP_INDEX_URL"] = f"{server.address}/simple"
    return f"{name}==1.0 --hash=sha256:{sha256}\n"


def _written(text: str) -> Lock:
    path = Path(os.environ["HOME"]) / "requirements.lock"
    path.write_text(text, "utf-8")
    return Lock(path, text)


def _url_safe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


# ---------------------------------------------------------------- Debian, npm, a registry


def _debian(server: Server) -> Download:
    content = hashlib.shake_256(b"deb").digest(_SIZE)
    path = "pool/main/p/probe/probe_1.0_amd64.deb"
    server.put(f"/debian/{path}", content)
    _ADDRESSES["DROPKIT_DEBIAN_MIRROR"] = f"{server.address}/debian"
    deb = Deb("probe", "1.0", "amd64", path, len(content), hashlib.sha256(content).hexdigest())
    return Download("Debian packages", lambda _: [path.read_bytes() for path in fetch_debs([deb], _silent)], (".deb",))


def _npm(server: Server) -> Download:
    name, packed = "dropkit-probe-npm", io.BytesIO()
    files = {"package.json": json.dumps({"name": name, "version": "1.0.0"}).encode()}
    files["lib/data.bin"] = hashlib.shake_256(b"npm").digest(_SIZE)
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    content = packed.getvalue()
    sha512 = base64.b64encode(hashlib.sha512(content).digest()).decode()
    address = server.put(f"/npm/{name}/-/{name}-1.0.0.tgz", content)
    about = {"name": name, "version": "1.0.0", "dist": {"tarball": address, "integrity": f"sha512-{sha512}"}}
    listed = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": about}}
    server.put(f"/npm/{name}", json.dumps(listed).encode(), "application/json")
    _ADDRESSES["npm_config_registry"] = f"{server.address}/npm/"

    def obtain(cache: Path) -> object:
        folder = cache / "kotlin" / "fetched"
        folder.parent.mkdir(exist_ok=True)
        fetch_npm_package(name, "1.0.0", sha512, folder)
        return (folder / "package" / "lib" / "data.bin").read_bytes()

    return Download("the Kotlin compiler (npm)", obtain, (".tgz",), (f"/npm/{name}",))


def _registry(server: Server) -> Iterator[Download]:
    """Yield the base of an image, pulled by the engine from the server; nothing where no engine runs."""
    client = probe()
    if not isinstance(client, str):
        yield _base(server, client)


def _base(server: Server, client: docker.DockerClient) -> Download:
    platform = machine(client)
    # Of other bytes each time: an engine lets a pull wait for an older one of the same layer, also where that hangs.
    content = {"usr/bin/python3.11": b"#!", "data": os.urandom(_SIZE)}
    with TemporaryDirectory() as folder:
        entries = [entry(path, data, "probe", 0o755) for path, data in content.items()]
        layer = write_layer(Path(folder) / "layer.tar", entries, "probe")
        packed = gzip.compress(layer.path.read_bytes(), mtime=0)
        config = image_config(ARCHITECTURES[platform], [layer], {"Env": ["PATH=/usr/bin"]})
    blob = _blob(server, packed, "application/vnd.docker.image.rootfs.diff.tar.gzip")
    described = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": _blob(server, config, "application/vnd.docker.container.image.v1+json"),
        "layers": [blob],
    }
    manifest = json.dumps(described).encode()
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    server.put("/v2/", b"{}", "application/json")
    server.put(f"/v2/python/manifests/{digest}", manifest, str(described["mediaType"]))
    source = RegistrySource(f"{server.address.removeprefix('http://')}/python", digest, platform)

    def obtain(cache: Path) -> object:
        return [layer.sha256 for layer in source.obtain(client, cache, _silent).layers]

    return Download(
        "an image's base (registry)",
        obtain,
        (str(blob["digest"]),),  # not the manifest: the engine keeps that by its digest
        again=lambda: _base(server, client),
        own_client=False,
    )


def _blob(server: Server, content: bytes, kind: str) -> Mapping[str, str | int]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    server.put(f"/v2/python/blobs/{digest}", content)
    return {"mediaType": kind, "size": len(content), "digest": digest}
