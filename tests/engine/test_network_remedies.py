"""Indexes and registries that do not respond, or with something else; and what the next step makes of them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from test_container_archive import make_wheel

from kit.android.proof import tools
from kit.errors import EngineError
from kit.toolchains.lockfile import Lock, compile_lock, read_lock
from kit.toolchains.venv import locked_venv
from kit.toolchains.wheels import fetch_wheels

NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens
METADATA = b"Metadata-Version: 2.1\nName: thing\nVersion: 1\n"
FILES = {
    "thing/__init__.py": b"",
    "thing-1.dist-info/METADATA": METADATA,
    "thing-1.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
WHEEL = "thing-1-py3-none-any.whl"
Pages = dict[str, tuple[str, bytes]]  # by path: type and content


@pytest.fixture
def serve() -> Iterator[Callable[[Pages], str]]:
    """Give what serves pages on a port of this machine, and returns their address."""
    servers: list[ThreadingHTTPServer] = []

    def start(pages: Pages) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, content = pages.get(self.path.rstrip("/"), ("", b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kit and its installers keep what they fetch in the test's own folder."""
    for name in ("DROPKIT_CACHE", "UV_CACHE_DIR", "npm_config_cache"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def index(folder: Path, files: dict[str, bytes]) -> Pages:
    """Return the pages of a package index with one wheel of these files."""
    wheel = make_wheel(folder / WHEEL, files).read_bytes()
    entry = {
        "filename": WHEEL,
        "url": f"/{WHEEL}",
        "hashes": {"sha256": hashlib.sha256(wheel).hexdigest()},
        "upload-time": "2024-01-01T00:00:00Z",
        "size": len(wheel),
    }
    page = {"meta": {"api-version": "1.1"}, "name": "thing", "versions": ["1"], "files": [entry]}
    return {
        "/simple/thing": ("application/vnd.pypi.simple.v1+json", json.dumps(page).encode()),
        f"/{WHEEL}": ("application/octet-stream", wheel),
    }


def lock_of(folder: Path, pages: Pages) -> Lock:
    """Write the lock of that index's wheel."""
    folder.mkdir(exist_ok=True)
    digest = hashlib.sha256(pages[f"/{WHEEL}"][1]).hexdigest()
    (folder / "requirements.lock").write_text(f"thing==1 \\\n    --hash=sha256:{digest}\n", "utf-8")
    return read_lock(folder / "requirements.lock")


def quiet(_line: str) -> None:
    """Take what a test need not see."""


def refused(act: Callable[[], object], says: str) -> str:
    """Return the next step of what `act` must be refused for."""
    with pytest.raises(EngineError, match=says) as error:
        act()
    return error.value.hint


INSTALLERS: dict[str, tuple[Callable[[Lock], object], str]] = {
    "wheels": (lambda lock: fetch_wheels(lock, "3.11", "x86_64", quiet), "the locked packages cannot be downloaded"),
    "a venv": (lambda lock: locked_venv("thing-1", "the thing", lock, quiet), "the thing cannot be installed"),
}


@pytest.mark.parametrize("kind", INSTALLERS)
def test_an_index_that_is_away_or_another_is_exchanged_in_pips_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Callable[[Pages], str], kind: str
) -> None:
    (install, says), pages = INSTALLERS[kind], index(tmp_path, FILES)
    lock = lock_of(tmp_path / "lock", pages)
    other = serve(index(tmp_path, FILES | {"thing/__init__.py": b"evil = True\n"}))
    for address in (NOWHERE, f"{other}/simple"):
        monkeypatch.setenv("PIP_INDEX_URL", address)
        hint = refused(lambda: install(lock), says)
        assert hint == "check the network and pip's index settings (`python -m pip config list`), then run it again"
    monkeypatch.setenv("PIP_INDEX_URL", f"{serve(pages)}/simple")
    assert install(lock)


def test_a_lock_is_made_from_the_index_that_uv_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Callable[[Pages], str]
) -> None:
    source, target = tmp_path / "requirements.in", tmp_path / "requirements.lock"
    source.write_text("thing\n", "utf-8")
    monkeypatch.setenv("UV_DEFAULT_INDEX", NOWHERE)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    hint = refused(lambda: compile_lock(source, target, [], "2025-01-01"), "cannot be resolved")
    assert hint == "check the network, and the index that $UV_DEFAULT_INDEX names: uv reads no settings of pip"
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{serve(index(tmp_path, FILES))}/simple")
    compile_lock(source, target, [], "2025-01-01")
    assert [pin.name for pin in read_lock(target).pins] == ["thing"]


def test_a_python_that_cannot_be_fetched_is_put_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Callable[[Pages], str]
) -> None:
    from kit.toolchains import venv

    version = "{}.{}".format(*sys.version_info[:2])
    lock = lock_of(tmp_path / "lock", index(tmp_path, FILES))
    install = venv._Install(lambda _python, _scratch: None, 0, quiet)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "pythons"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", NOWHERE)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    hint = refused(lambda: venv._ensure("thing", lock, version, install), f"there is no Python {version} for thing")
    assert hint == f"check the network, or put Python {version} on the PATH"
    (tmp_path / f"python{version}").symlink_to(Path(sys.base_prefix) / "bin" / f"python{version}")
    assert venv._ensure("thing", lock, version, install).exists()


def registry(content: bytes, address: str = "") -> Pages:
    """Return the pages of npm's registry with one Kotlin compiler."""
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"
    version = {
        "name": "kotlin-compiler",
        "version": tools.KOTLIN,
        "dist": {"tarball": f"{address}/k.tgz", "integrity": integrity},
    }
    package = {"name": "kotlin-compiler", "dist-tags": {"latest": tools.KOTLIN}, "versions": {tools.KOTLIN: version}}
    return {
        "/kotlin-compiler": ("application/json", json.dumps(package).encode()),
        "/k.tgz": ("application/octet-stream", content),
    }


def tgz(text: bytes) -> bytes:
    """Return a package of npm with one jar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in (
            ("package/lib/kotlin-compiler.jar", text),
            ("package/package.json", json.dumps({"name": "kotlin-compiler", "version": tools.KOTLIN}).encode()),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def test_a_registry_that_is_away_or_another_is_exchanged_in_npms_settings(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[[Pages], str], android_tools: None
) -> None:
    """With a package of one file for the compiler, and its digest for the pinned one."""
    content = tgz(b"right")
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    monkeypatch.setattr(tools, "KOTLIN_SHA512", digest)
    monkeypatch.setattr(tools, "KOTLIN_BYTES", 0)
    monkeypatch.setenv("npm_config_fetch_retries", "0")

    def serving(packed: bytes) -> str:
        pages: Pages = {}
        address = serve(pages)
        pages.update(registry(packed, address))
        return address

    step = "check the network and npm's registry settings: `npm config get registry`"
    monkeypatch.setenv("npm_config_registry", NOWHERE)
    assert refused(lambda: tools.kotlin(quiet), "npm cannot fetch kotlin-compiler") == step
    monkeypatch.setenv("npm_config_registry", serving(tgz(b"evil")))
    assert refused(lambda: tools.kotlin(quiet), "is not the pinned one") == step
    monkeypatch.setenv("npm_config_registry", serving(content))
    assert tools.kotlin(quiet).compiler[0].read_bytes() == b"right"
