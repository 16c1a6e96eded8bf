"""A page of `emulate --serve`, started as a user does, asked as a browser would, and interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from worlds import ROOT

FILE = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class Reply:
    """What came of a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A page that is served. address: as it was printed; process: of `kit`."""

    address: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(urlsplit(self.address).port or 0)

    def request(
        self, part: str = "", *, method: str = "GET", body: bytes = b"", path: str = "", headers: Mapping[str, str] = {}
    ) -> Reply:
        """Ask for a part of the page, or for another path, with further headers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request(method, path or f"{urlsplit(self.address).path}{part}", body, dict(headers))
        response = connection.getresponse()
        reply = Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        connection.close()
        return reply

    def run(self, name: str, content: bytes, more: str = "", part: str = "run") -> Reply:
        """Send a file as the page does. more: further words of the query."""
        return self.request(f"{part}?name={quote(name)}{more}", method="POST", body=content, headers=FILE)

    def interrupt(self) -> tuple[int, str, str]:
        """Press Ctrl-C; return the exit code, and what was printed behind the address."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@contextmanager
def served(*words: str | Path, cwd: Path = ROOT, env: Mapping[str, str] = {}) -> Iterator[Served]:
    """Give the page of `kit emulate WORDS --serve`, for a block. env: further variables."""
    argv = [sys.executable, "-m", "kit", "emulate", *map(str, words), "--serve"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(argv, cwd=cwd, env={**os.environ, **env}, stdout=pipe, stderr=pipe, text=True)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.stderr.read()
        yield Served(address, process)
    finally:
        process.kill()
        process.wait()
