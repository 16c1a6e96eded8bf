"""The docker engine against a real one: the same bytes as the local engine, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from models import keras3_model
from worlds import DIGITS, ROOT, run_kit, write_recipe

from kit.container.client import OWNER_LABEL
from kit.engine.base import JobFolder, Limits
from kit.engine.docker import DockerEngine
from kit.errors import EngineError
from kit.files import tree_digests
from kit.recipe.quantize import Scheme
from kit.toolchains.toolchain import find_toolchain

if TYPE_CHECKING:
    import docker

pytestmark = pytest.mark.container
DOCKER = ("--engine", "docker")


def leftovers(client: docker.DockerClient) -> list[str]:
    """Return the names of our containers that are still there, running or not."""
    return [c.name or "" for c in client.containers.list(all=True, filters={"label": OWNER_LABEL})]


@pytest.fixture(autouse=True)
def nothing_is_left(docker_client: docker.DockerClient) -> object:
    """Hold after every test: no container of ours is in the engine."""
    yield
    assert leftovers(docker_client) == []


def test_container_and_venv_give_the_same_bytes_of_every_file(digits_bundle: Path, tmp_path: Path) -> None:
    built = run_kit("build", str(DIGITS), *DOCKER, "--out", str(tmp_path))
    assert built.returncode == 0, built.stderr
    assert "engine: docker" in built.stdout
    assert tree_digests(tmp_path / "digits") == tree_digests(digits_bundle)
    assert json.loads((tmp_path / "digits.build.json").read_text("utf-8"))["engine"] == "docker"


def test_a_folder_that_the_engine_does_not_see_is_named_until_it_does(
    docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    """As on a Mac, where the engine's virtual machine shares some folders alone; here the folder is not made yet."""
    engine, toolchain = DockerEngine(docker_client), find_toolchain("2.19.1")
    engine.prepare(toolchain, print)
    job = JobFolder(tmp_path / "in", tmp_path / "out", tmp_path / "log")
    job.out.mkdir()
    with pytest.raises(EngineError, match="its virtual machine does not share that folder") as caught:
        engine.run(toolchain, job, Limits(), print)
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint.startswith("set TMPDIR to a folder that it shares")
    job.inputs.mkdir()
    assert engine.run(toolchain, job, Limits(), print).status == 1
    assert "No module named 'kit'" in job.log.read_text("utf-8"), "the container ran, on an empty job"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", get_args(Scheme))
def test_every_scheme_converts_in_the_trimmed_image_to_the_venv_s_bytes(tmp_path: Path, scheme: str) -> None:
    data = f"'{DIGITS / 'samples.npz'}'" if scheme == "int8" else ""
    changes = {"quantize_scheme": f"'{scheme}'", "quantize_io": "'float32'", "quantize_representative": data}
    recipe = write_recipe(tmp_path, **changes)
    found = []
    for engine in ("docker", "local"):
        built = run_kit("build", str(recipe), "--engine", engine, "--out", str(tmp_path / engine))
        assert built.returncode == 0, built.stderr
        found.append(tree_digests(tmp_path / engine / "digits"))
    assert found[0] == found[1]


def test_auto_takes_docker_where_an_engine_responds_and_says_so(tmp_path: Path) -> None:
    built = run_kit("build", str(write_recipe(tmp_path)), "--out", str(tmp_path / "out"))
    assert built.returncode == 0, built.stderr
    assert "engine: docker, because" in built.stderr


def test_a_lambda_layer_may_run_in_a_container(tmp_path: Path, toolchain_python: Path) -> None:
    keras3_model(toolchain_python, tmp_path / "l.keras", "lambda")
    recipe = write_recipe(tmp_path, model_path="'l.keras'", quantize_scheme="'float32'", quantize_io="")
    recipe.write_text(_model_and_quantize_only(recipe))
    built = run_kit("build", str(recipe), *DOCKER, "--out", str(tmp_path / "out"))
    assert built.returncode == 0, built.stderr


def test_a_job_that_is_killed_for_memory_says_so(tmp_path: Path, toolchain_python: Path) -> None:
    keras3_model(toolchain_python, tmp_path / "h.keras", "hungry")
    recipe = write_recipe(tmp_path, model_path="'h.keras'")
    recipe.write_text(_model_and_quantize_only(recipe))
    built = run_kit("build", str(recipe), *DOCKER, "--out", str(tmp_path / "out"), "--memory", "1g")
    assert built.returncode == 3, built.stdout + built.stderr
    assert "out of memory" in built.stderr
    assert "--memory" in built.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_crash_in_a_container_names_its_cause(tmp_path: Path, toolchain_python: Path) -> None:
    keras3_model(toolchain_python, tmp_path / "c.keras", "crash")
    recipe = write_recipe(tmp_path, model_path="'c.keras'")
    built = run_kit("build", str(recipe), *DOCKER, "--out", str(tmp_path / "out"))
    assert built.returncode == 3, built.stdout + built.stderr
    assert "SIGABRT" in built.stderr


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    built = run_kit("build", str(write_recipe(tmp_path)), *DOCKER, "--out", str(tmp_path / "out"), "--timeout", "1")
    assert built.returncode == 3, built.stdout + built.stderr
    assert "out of time" in built.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_removes_the_container(
    tmp_path: Path, docker_client: docker.DockerClient, number: signal.Signals
) -> None:
    process = _start(write_recipe(tmp_path), tmp_path / "out")
    _wait_for_container(docker_client, process)
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert leftovers(docker_client) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_a_killed_build_s_container_is_swept_by_the_next_one(
    tmp_path: Path, docker_client: docker.DockerClient
) -> None:
    process = _start(write_recipe(tmp_path), tmp_path / "out")
    _wait_for_container(docker_client, process)
    process.kill()
    process.communicate(timeout=60)
    assert len(leftovers(docker_client)) == 1, "kill -9 leaves no time to clean up"
    built = run_kit("build", str(write_recipe(tmp_path)), *DOCKER, "--out", str(tmp_path / "out"))
    assert built.returncode == 0, built.stderr


def test_the_job_sees_no_network_no_root_and_no_writable_disk(
    tmp_path: Path, docker_client: docker.DockerClient
) -> None:
    process = _start(write_recipe(tmp_path), tmp_path / "out")
    container = _wait_for_container(docker_client, process)
    details = docker_client.api.inspect_container(container)
    process.communicate(timeout=120)
    host, config = details["HostConfig"], details["Config"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PidsLimit"] == 256
    assert host["Memory"] == host["MemorySwap"] == 8 << 30
    assert config["User"] not in {"", "0", "root"}
    assert {m["Destination"]: m["RW"] for m in details["Mounts"]} == {"/in": False, "/out": True}
    assert not [name for name in config["Env"] if name.split("=")[0] in os.environ and "PROXY" in name.upper()]


def _model_and_quantize_only(recipe: Path) -> str:
    """Return the recipe without what only the digits model has: its inputs, outputs and checks."""
    return recipe.read_text().partition("[[inputs]]")[0].replace("io = 'uint8'", "")


def _start(recipe: Path, out: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "kit", "build", str(recipe), *DOCKER, "--out", str(out)]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def _wait_for_container(client: docker.DockerClient, process: subprocess.Popen[str]) -> str:
    """Return the id of the running container of our build, as soon as there is one."""
    for _ in range(600):
        running = client.api.containers(filters={"label": OWNER_LABEL, "status": "running"})
        if running:
            return str(running[0]["Id"])
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    raise AssertionError("no container appeared within 30 s")
