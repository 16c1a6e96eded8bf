"""What shuts the local engine's worker in: with code allowed it reads no home, writes nowhere else, reaches no port.

Nor a socket that is a file (an engine's or an agent's would be a way out), nor what else this user has: processes,
keys, shared memory.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import DIGITS, run_kit, write_recipe

from kit.engine.walls import Walls, probe, summary, walled_argv

LIBC = ctypes.CDLL(None)
WALLS = probe()
needs_walls = pytest.mark.skipif(
    not (WALLS.landlock >= 6 and WALLS.network and WALLS.calls),
    reason=f"this kernel has not all walls: {summary(WALLS)}",
)

# Tries everything from inside, and says which of it worked.
TRIES = """
import ctypes, json, os, resource, signal, socket
from pathlib import Path
spec = json.loads({spec!r})
def works(act):
    try:
        act()
    except (OSError, PermissionError):
        return False
    return True
def libc(name, *arguments):
    call = getattr(ctypes.CDLL(None, use_errno=True), name)
    if call(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
def unix(address):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
def in_a_child(act):
    child = os.fork()
    if child == 0:
        os._exit(0 if works(act) else 1)
    if os.waitpid(child, 0)[1]:
        raise OSError
def connect():
    socket.create_connection(("127.0.0.1", spec["port"]), timeout=2).close()
worked = {{
    "read": works(lambda: Path(spec["secret"]).read_bytes()),
    "list": works(lambda: os.listdir(spec["home"])),
    "write": works(lambda: Path(spec["home"], "marker").write_text("x")),
    "delete": works(lambda: os.unlink(spec["secret"])),
    "link": works(lambda: os.symlink("x", Path(spec["home"], "marker2"))),
    "truncate": works(lambda: os.truncate(spec["secret"], 0)),
    "etc": works(lambda: Path("/etc/passwd").read_bytes()),
    "tmp": works(lambda: Path("/tmp/dropkit-marker").write_text("x")),
    "connect": works(connect),
    "signal": works(lambda: os.kill(spec["pid"], 0)),
    "socket": works(lambda: unix(spec["socket"])),
    "abstract": works(lambda: unix("\\0" + spec["abstract"])),
    "daemon": works(lambda: in_a_child(os.setsid)),
    "group": works(lambda: in_a_child(lambda: os.setpgid(0, 0))),
    "priority": works(lambda: os.setpriority(os.PRIO_PROCESS, spec["pid"], 19)),
    "limits": works(lambda: resource.prlimit(spec["pid"], resource.RLIMIT_CORE, (0, 0))),
    "cores": works(lambda: os.sched_setaffinity(spec["pid"], os.sched_getaffinity(spec["pid"]))),
    "trace": works(lambda: libc("ptrace", 16, spec["pid"], 0, 0)),
    "shared": works(lambda: libc("shmget", spec["shared"], 100, 0)),
    "namespace": works(lambda: in_a_child(lambda: libc("unshare", 0x10000000))),
    "ring": works(lambda: libc("syscall", 425, 8, ctypes.create_string_buffer(200))),
    "environ": works(lambda: Path(f"/proc/{{spec['pid']}}/environ").read_bytes()),
}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[dict[str, object]]:
    """Give a home with a secret, and a port that listens."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret").write_text("secret", "utf-8")
    abstract = f"dropkit-{uuid.uuid4().hex}"
    key = 0x0D000000 | os.getpid()
    segment = LIBC.shmget(key, 100, 0o1600)
    assert segment >= 0
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as file,
        socket.socket(socket.AF_UNIX) as nameless,
        tempfile.TemporaryDirectory() as short,  # a socket's path has at most 107 bytes
        subprocess.Popen(["sleep", "600"]) as other,
    ):
        for one, address in ((file, f"{short}/socket"), (nameless, f"\0{abstract}")):
            one.bind(address)
            one.listen()
        yield {
            "home": str(home),
            "secret": str(home / "secret"),
            "port": server.getsockname()[1],
            "pid": other.pid,
            "socket": f"{short}/socket",
            "abstract": abstract,
            "shared": key,
        }
        other.kill()
    LIBC.shmctl(segment, 0, None)


def test_the_tries_work_where_no_wall_stands(spec: dict[str, object], tmp_path: Path) -> None:
    Path("/tmp/dropkit-marker").unlink(missing_ok=True)
    code = TRIES.format(spec=json.dumps(spec)) + "print(json.dumps(worked))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    Path("/tmp/dropkit-marker").unlink(missing_ok=True)
    # The first two are gone when they are tried; whether the others work is this machine's setting.
    aside = {"link", "truncate", "namespace", "ring", "trace"}
    assert [name for name, value in json.loads(done.stdout).items() if not value and name not in aside] == []


@needs_walls
def test_behind_the_walls_none_of_it_works_but_what_a_job_needs(spec: dict[str, object], tmp_path: Path) -> None:
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    out.mkdir()
    (inputs / "job").write_text("job", "utf-8")
    code = TRIES.format(spec=json.dumps(spec)) + (
        f"worked['job'] = Path({str(inputs / 'job')!r}).read_text() == 'job'\n"
        f"worked['into'] = works(lambda: Path({str(inputs / 'job')!r}).write_text('x'))\n"
        f"Path({str(out / 'said')!r}).write_text(json.dumps(worked))\n"
        "import resource\nworked['limit'] = resource.getrlimit(resource.RLIMIT_DATA)[0] == 1 << 30\n"
        f"Path({str(out / 'said')!r}).write_text(json.dumps(worked))\n"
    )
    homes = [Path(sys.prefix), Path(sys.base_prefix)]
    argv = walled_argv(
        Path(sys.executable), [sys.executable, "-c", code], read=[*homes, inputs], write=[out], memory=1 << 30
    )
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    worked = json.loads((out / "said").read_text("utf-8"))
    assert [name for name, value in worked.items() if value] == ["job", "limit"]
    assert Path(str(spec["secret"])).read_text("utf-8") == "secret"
    assert sorted(path.name for path in Path(str(spec["home"])).iterdir()) == ["secret"]


@needs_walls
@pytest.mark.slow
def test_a_models_code_in_the_local_worker_reaches_nothing_of_the_users(
    spec: dict[str, object], tmp_path: Path, toolchain_python: Path
) -> None:
    code = TRIES.format(spec=json.dumps(spec)) + "raise ValueError(sorted(name for name in worked if worked[name]))\n"
    (tmp_path / "code.py").write_text(code, "utf-8")
    model = f"'{DIGITS / 'digits.keras'}'"
    path = write_recipe(tmp_path, model_path=model, model_code="'code.py'", model_allow_code="true")
    done = run_kit("build", str(path), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert done.returncode == 3
    assert "ValueError: []" in done.stderr


def test_doctor_says_which_walls_hold() -> None:
    rows = {row["what"]: row for row in json.loads(run_kit("doctor", "--json").stdout)}
    assert rows["local walls"]["found"] == summary(WALLS)
    assert "may read and write what this user may" in summary(Walls(0, network=True, calls=True, limits=True))
    assert "may use the network" in summary(Walls(7, network=False, limits=True))
    assert "may use sockets" in summary(Walls(7, network=True, limits=True))
