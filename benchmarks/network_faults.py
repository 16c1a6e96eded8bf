"""Let a server on this machine break every kind of download that the kit does, and count what came of it.

`count` tries each fault on each kind: an error must say what failed and what to do, nothing may be made from wrong
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
import select
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import mock

from kit.android.proof.tools import fetch_npm_package
from kit.container import base_image, debian_mirror
from kit.container.base_image import ARCHITECTURES, RegistrySource
from kit.container.client import machine, probe
from kit.container.debian_mirror import Deb, fetch_debs
from kit.container.layers import file_entry as entry
from kit.container.layers import image_config, write_layer
from kit.errors import EngineError
from kit.lifetime.scratch import run_folder
from kit.toolchains import download
from kit.toolchains.lockfile import Lock
from kit.toolchains.venv import locked_venv
from kit.toolchains.wheels import fetch_wheels

if TYPE_CHECKING:
    import docker

FAULTS = ("cut", "wrong bytes", "stall", "trickle", "500", "404", "login page")
_STALL = 3.0  # seconds, in place of the kit's minutes
_PATIENT = 60.0  # seconds, for what goes on
_SIZE = 200_000  # bytes of a package: more than a buffer of any client
_LOGIN = b"<!DOCTYPE html><html><title>Log in</title><body>Welcome to the guest network</body></html>"
_HALF_WRITTEN = ("*.partial-*", ".partial-*", "*.scratch", ".fetched-*", "*.tgz", "pip-*", "dropkit-*")


@dataclass(frozen=True)
class Row:
    """What became of one kind of download under one fault."""

    download: str
    fault: str
    tries: int
    wrong: int  # results that hold wrong bytes
    left: int  # half-written entries, or a result that is missing, after the next run with the healthy server
    unclear: int  # faults that were met by something else than an error with a next step
    longest: float  # seconds to the error


@dataclass
class Server:
    """What a server gives: content by path. While fault is set, paths that end with `ends` are broken."""

    address: str = ""
    content: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # path: type and content
    fault: str = ""
    ends: tuple[str, ...] = ("",)
    asked: int = 0  # requests that met the fault
    held: int = 0  # connections of clients that wait
    closing: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, content: bytes, kind: str = "application/octet-stream") -> str:
        """Serve content at a path; return its address."""
        self.content[path] = (kind, content)
        return f"{self.address}{path}"

    def is_held(self) -> bool:
        """Say whether a client still waits, after a second in which it may go."""
        end = time.monotonic() + 1
        while self.held and time.monotonic() < end:
            time.sleep(0.02)
        return self.held > 0


@contextmanager
def serve() -> Iterator[Server]:
    """Give a server on this machine."""
    server = Server()
    http = _Http(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_": server}))
    server.address = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        http.shutdown()
        thread.join()
        http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go."""


class _Handler(BaseHTTPRequestHandler):
    server_: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Respond as to GET, without the content."""
        self.do_GET()

    def do_GET(self) -> None:
        """Give what is there, or what the fault makes of it."""
        server, path = self.server_, self.path.partition("?")[0]
        kind, content = server.content.get(path, ("text/plain", b""))
        fault = server.fault if path.endswith(server.ends) else ""
        server.asked += bool(fault)
        with suppress(ConnectionError):
            if fault in {"500", "404"} or path not in server.content:
                self._send(int(fault) if fault in {"500", "404"} else 404, "text/plain", b"no\n")
            elif fault == "login page":
                self._send(200, "text/html", _LOGIN)
            elif fault == "wrong bytes":
                self._send(200, kind, _spoiled(content))
            else:
                self._send(200, kind, content, until=len(content) // 2 if fault else None)
                if fault in {"stall", "trickle"} and self.command == "GET":
                    self._hang(content[len(content) // 2 :] if fault == "trickle" else b"")
                self.close_connection |= bool(fault)

    def _send(self, status: int, kind: str, content: bytes, until: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(content).hexdigest()}")
        # As package indexes have it: a client may keep what it got for ever.
        self.send_header("Cache-Control", "public, max-age=365000000, immutable")
        self.send_header("ETag", '"1"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[:until])
            self.wfile.flush()

    def _hang(self, rest: bytes) -> None:
        """Send one byte after the other, slowly, or none, until the client goes."""
        self.server_.held += 1
        try:
            for number in range(1 << 20):
                gone, _, _ = select.select([self.connection], [], [], 0.05)
                if gone or self.server_.closing.is_set():
                    return
                self.wfile.write(rest[number : number + 1])
        finally:
            self.server_.held -= 1


def _spoiled(content: bytes) -> bytes:
    """Return content of the same length with other bytes in the middle."""
    middle = len(content) // 2
    part = content[middle : middle + 16]
    return content[:middle] + bytes(byte ^ 1 for byte in part) + content[middle + 16 :]


@dataclass(frozen=True)
class Download:
    """A kind of download: `obtain` does it into a cache folder and returns what it got, by content."""

    name: str
    obtain: Callable[[Path], object]
    files: tuple[str, ...]  # how the paths of its packages end
    indexes: tuple[str, ...] = ()  # and those of what lists them
    again: Callable[[], Download] | None = None  # the same with other content, for each try
    own_client: bool = True  # whether the client is a process of the kit's: an engine keeps its connections


def count(tries: int) -> Iterator[Row]:
    """Yield a row for each kind of download and each fault. The last kind is left out where no Docker engine runs."""
    with serve() as server:
        for kind in downloads(server):
            for fault in FAULTS:
                yield try_fault(server, kind, fault, tries)


def downloads(server: Server) -> list[Download]:
    """Return each kind of download, its content on the server."""
    kinds = [_wheels(server), _runtime(server), _debian(server), _npm(server)]
    return [*kinds, *_registry(server)]


def try_fault(server: Server, kind: Download, fault: str, tries: int) -> Row:
    """Let a download meet a fault, by turns in a package and in the index; then run it again without."""
    wrong = left = unclear = 0
    longest = 0.0
    for number in range(tries):
        kind = kind.again() if kind.again else kind
        ends = kind.indexes if number % 2 and kind.indexes else kind.files
        with _world() as cache:
            server.fault, server.ends, server.asked = fault, ends, 0
            begin = time.monotonic()
            outcome = _attempt(kind, cache)
            longest = max(longest, time.monotonic() - begin)
            while not server.asked and download.STALL < _PATIENT:  # a busy machine: it was given up before it asked
                download.STALL *= 2
                outcome = _attempt(kind, cache)
            assert server.asked, f"{kind.name}: {fault}: nothing was asked of {ends}"
            server.fault, download.STALL = "", _PATIENT
            healthy = _attempt(kind, cache)
            unclear += outcome != healthy and not _is_clear(outcome)
            wrong += not isinstance(outcome, Exception) and outcome != healthy
            left += isinstance(healthy, Exception) or any(_half_written(cache.parent))
            left += kind.own_client and server.is_held()
    return Row(kind.name, fault, tries, wrong, left, unclear, longest)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a Markdown table, one for each kind of download and fault."""
    yield "| download | fault | tries | made of wrong bytes | left half-written | error without a next step |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for row in rows:
        cells = (row.download, row.fault, row.tries, row.wrong, row.left, row.unclear)
        yield f"| {' | '.join(map(str, cells))} |"


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
