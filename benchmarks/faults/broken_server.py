"""A server on this machine that breaks what it gives: cut short, spoiled, held back, or something else."""

from __future__ import annotations

import hashlib
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("cut", "wrong bytes", "stall", "trickle", "500", "404", "login page")
_LOGIN = b"<!DOCTYPE html><html><title>Log in</title><body>Welcome to the guest network</body></html>"


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
