"""A network that breaks off, sends wrong bytes or hangs: a clear error, and the next run is whole.

benchmarks.faults has the server and counts; these are one try of each kind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import ROOT

from benchmarks.faults.broken_server import FAULTS, Server, serve
from benchmarks.faults.networks import HEAD, downloads, try_fault
from kit.toolchains import download
from kit.toolchains.download import complaint, run_download

KINDS = {
    "Debian packages": FAULTS,
    "wheels of a toolchain (pip)": ("cut", "trickle"),
    "wheels of a runtime (pip)": ("wrong bytes", "500"),
    "the Kotlin compiler (npm)": ("login page", "cut"),
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as server:
        yield server


def cases() -> list[object]:
    """Return each kind with each fault; what is like another kind's is left to `inv test --all`."""
    return [
        pytest.param(name, fault, marks=() if fault in soon else pytest.mark.slow)
        for name, soon in KINDS.items()
        for fault in FAULTS
    ]


@pytest.mark.parametrize(("name", "fault"), cases())
def test_a_download_that_breaks_is_reported_and_the_next_one_is_whole(server: Server, name: str, fault: str) -> None:
    (kind,) = [kind for kind in downloads(server) if kind.name == name]
    row = try_fault(server, kind, fault, tries=2 if kind.indexes else 1)
    assert (row.wrong, row.left, row.unclear) == (0, 0, 0)
    assert len(row.row()) == len(HEAD)


@pytest.mark.container
@pytest.mark.usefixtures("docker_client")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_base_that_breaks_on_its_way_is_reported_and_the_next_pull_is_whole(server: Server, fault: str) -> None:
    kind = downloads(server)[-1]
    assert "registry" in kind.name
    row = try_fault(server, kind, fault, tries=1)
    assert (row.wrong, row.left, row.unclear) == (0, 0, 0)


INSTALL = """
from pathlib import Path
import sys
from kit.toolchains.lockfile import read_lock
from kit.toolchains.venv import locked_venv
locked_venv("probe", "a probe", read_lock(Path(sys.argv[1])), print)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's signal at a parent's death")
def test_an_installer_that_waits_for_the_network_ends_with_a_run_that_is_killed(server: Server, tmp_path: Path) -> None:
    server.put("/simple/thing/", b"<!DOCTYPE html>" + b" " * 100_000, "text/html")
    server.fault = "stall"
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"thing==1.0 --hash=sha256:{'0' * 64}\n", "utf-8")
    env = {**os.environ, "DROPKIT_CACHE": str(tmp_path / "cache"), "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    env["PIP_INDEX_URL"] = f"{server.address}/simple"
    with subprocess.Popen([sys.executable, "-c", INSTALL, str(lock)], cwd=ROOT, env=env) as run:
        ends = time.monotonic() + 60
        while not server.held and time.monotonic() < ends:
            time.sleep(0.05)
        assert server.held
        run.kill()
    assert not server.is_held(), "pip still waits for the server"


def test_a_program_that_computes_is_not_taken_for_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "STALL", 1.0)
    busy = "import time\nend = time.monotonic() + 3\nwhile time.monotonic() < end: pass"
    assert run_download([sys.executable, "-c", busy], os.environ).returncode == 0
    idle = run_download([sys.executable, "-c", "import time; time.sleep(60)"], os.environ)
    assert idle.returncode < 0
    assert idle.stderr.endswith("hardly anything came for 1 s: given up")


def test_what_a_program_says_of_its_failure_has_no_traceback_and_no_file_that_is_gone() -> None:
    traceback = 'ERROR: Exception:\nTraceback (most recent call last):\n  File "a.py"\nhttp.Error: cut\n'
    assert complaint(f"WARNING: retrying\n{traceback}") == "\n  http.Error: cut"
    npm = "npm error code E404\nnpm error 404 Not Found - GET http://a/b\nnpm error 404\nnpm error A complete log of"
    assert complaint(npm) == "\n  npm error code E404\n  npm error 404 Not Found - GET http://a/b"
    assert complaint("") == "\n  it says nothing"
