"""The engine is found as the docker command finds it, and a missing one is explained; every container is shut in."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit.container.client import connect, probe
from kit.container.sandbox import hardened
from kit.engine import inventory
from kit.engine.run import choose_engine
from kit.errors import EngineError


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-config"))


def use_context(folder: Path, name: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write what `docker context create` and `docker context use` write."""
    meta = folder / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"currentContext": name}))
    endpoint = {"Host": host, "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def test_no_socket_is_reported_as_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert probe() == f"no container engine is here (no socket at {tmp_path}/none.sock)"


def test_a_socket_that_its_engine_left_is_distinguished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{tmp_path}/stale.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/stale.sock")
    assert probe() == f"no container engine runs (nothing responds at {tmp_path}/stale.sock)"


def test_an_engine_that_hangs_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(f"{tmp_path}/hung.sock")
        hung.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/hung.sock")
        begin = time.perf_counter()
        assert probe(1) == f"the engine at {tmp_path}/hung.sock does not respond within 1 s"
        assert time.perf_counter() - begin < 5


def test_a_socket_of_another_group_is_reported_as_a_permission(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user, whom the socket refuses")
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(f"{tmp_path}/closed.sock")
        closed.listen()
        Path(tmp_path, "closed.sock").chmod(0o660)
        # The folders above are root's own: let the other user through to the socket.
        for folder in [tmp_path, *tmp_path.parents][:3]:
            folder.chmod(0o755)
        script = (
            "import os, docker, kit.container.client as c, docker.context\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "print(c.probe())"
        )
        environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/closed.sock", "HOME": "/nonexistent"}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
    assert done.stdout.startswith(f"no permission to use the engine at {tmp_path}/closed.sock")


def test_a_dead_host_and_an_unknown_context_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("DOCKER_HOST", address)
    assert probe() == f"no container engine runs (nothing responds at {address})"
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", "nope")
    assert probe() == "the docker context 'nope' does not exist"


def test_the_current_context_is_taken_and_the_environment_beats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_context(tmp_path, "other", f"unix://{tmp_path}/context.sock", monkeypatch)
    assert "context.sock" in str(probe())
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/environment.sock")
    assert "environment.sock" in str(probe())


def test_connect_raises_the_reason_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineError, match="start the container engine, or build with --engine local") as caught:
        connect()
    assert caught.value.code == 5
    assert choose_engine("local", print).name == "local"


def test_doctor_says_what_a_mac_user_starts_and_how_much_memory_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (here,) = inventory._docker_health()
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    (mac,) = inventory._docker_health()
    assert not here.ok and not mac.ok
    assert "--engine local" in here.remedy, "which a Mac has not"
    assert mac.remedy.startswith("start Docker Desktop, or `colima start --cpu 4 --memory 8`")
    # colima's own default, what is advised, and an engine that does not say.
    small, enough, unknown = (inventory.memory_row(size) for size in (2 << 30, 8 << 30, 0))
    assert (small.ok, enough.ok, unknown.ok) == (False, True, True)
    assert "2.1 GB" in small.found
    assert "colima start --memory 8" in small.remedy


def test_the_options_of_a_container_shut_it_in(tmp_path: Path) -> None:
    options = hardened(memory=1 << 30, read_only={"/in/a": tmp_path}, out=tmp_path / "o", cpus=1.5)
    assert options["network_mode"] == "none"
    assert options["read_only"] is True
    assert options["user"] == "4321:4321"
    assert options["cap_drop"] == ["ALL"]
    assert options["security_opt"] == ["no-new-privileges"]
    assert options["mem_limit"] == options["memswap_limit"] == 1 << 30
    assert options["nano_cpus"] == 1_500_000_000
    assert options["pids_limit"] == 256
    assert options["environment"] == {}
    assert [(m["Target"], m["ReadOnly"]) for m in options["mounts"]] == [("/in/a", True), ("/out", False)]
