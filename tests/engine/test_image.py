"""A toolchain's image: built from pins, the same every time, shut in when it runs, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit.container.base_image import ARCHITECTURES, RegistrySource
from kit.container.client import OWNER_LABEL, connect, machine, owner, sweep
from kit.container.image import Image, ensure_image
from kit.container.image_load import load_image, passing_image, run_to_end
from kit.container.layers import Layer, file_entry, image_config, write_layer
from kit.container.sandbox import hardened
from kit.errors import EngineError
from kit.files import cache_dir
from kit.toolchains.toolchain import find_toolchain

if TYPE_CHECKING:
    import docker

pytestmark = pytest.mark.container

CONVERT = """
import hashlib, time
begin = time.perf_counter()
import tensorflow as tf
import keras, numpy as np
rng = np.random.default_rng(7)
layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
model = keras.Sequential(layers)
model.export("/tmp/saved", verbose=False)
converter = tf.lite.TFLiteConverter.from_saved_model("/tmp/saved")
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([rng.normal(size=(1, 8, 8, 1)).astype("f4")] for _ in range(8))
converter.inference_input_type = converter.inference_output_type = tf.int8
data = converter.convert()
interpreter = tf.lite.Interpreter(model_content=data)
interpreter.allocate_tensors()
interpreter.invoke()
assert interpreter.get_input_details()[0]["dtype"] == np.int8
open("/out/model.tflite", "wb").write(data)
"""

LOOK_AROUND = """
import json, os, socket, sys, importlib.util
import ssl, ctypes, bz2, lzma, uuid, hashlib, zlib, pyexpat, decimal, distutils.util, numpy
def can_write(path):
    try:
        open(path + "/x", "w").close()
        return True
    except OSError:
        return False
def can_connect():
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=2)
        return True
    except OSError as error:
        return error.errno != 101
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
files = [m.__file__ for m in list(sys.modules.values()) if (getattr(m, "__file__", None) or "").endswith(".py")]
json.dump({
    "writable": [p for p in ("/", "/etc", "/in", "/opt/toolchain/site", "/tmp", "/out") if can_write(p)],
    "root_is_read_only": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
    "network": can_connect(),
    "ids": [os.getuid(), os.getgid()],
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no_new_privileges": status["NoNewPrivs"].strip(),
    "environment": sorted(os.environ),
    "without_bytecode": [f for f in files if not os.path.exists(importlib.util.cache_from_source(f))],
}, open("/out/seen.json", "w"))
"""

LEAVE_A_CONTAINER = """
import os, sys
from kit.container.client import OWNER_LABEL, connect, owner
print(connect().api.create_container(sys.argv[1], ["x"], labels={OWNER_LABEL: owner()})["Id"], flush=True)
os._exit(9)
"""


@pytest.fixture(scope="session")
def image(docker_client: docker.DockerClient) -> Image:
    return ensure_image(docker_client, find_toolchain("2.19.1"), print)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def small(docker_client: docker.DockerClient, tmp_path: Path) -> Iterator[str]:
    """Give an image with next to nothing in it."""
    layer = write_layer(tmp_path / "small.tar", [file_entry("hello", b"hello", "test")], "test")
    with passing_image(docker_client, ARCHITECTURES[machine(docker_client)], [layer]) as reference:
        yield reference


def run(client: docker.DockerClient, image: Image, script: str, out: Path, **options: Any) -> None:
    allowed = hardened(memory=2 << 30, read_only={}, out=out, labels={OWNER_LABEL: owner()}, **options)
    run_to_end(client, image.reference, [image.python, "-c", script], allowed)


def mine(client: docker.DockerClient) -> list[str]:
    """Return the containers that this process has in the engine."""
    return [c["Id"] for c in client.api.containers(all=True, filters={"label": f"{OWNER_LABEL}={owner()}"})]


def test_the_toolchain_converts_a_model_to_int8_shut_in(
    docker_client: docker.DockerClient, image: Image, out: Path
) -> None:
    run(docker_client, image, CONVERT, out)
    assert (out / "model.tflite").read_bytes()[4:8] == b"TFL3"
    assert mine(docker_client) == []


def test_a_container_sees_no_network_no_secret_and_can_write_nothing_but_its_results(
    docker_client: docker.DockerClient, image: Image, out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    (tmp_path / "config.json").write_text('{"proxies": {"default": {"httpProxy": "http://me:password@proxy"}}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with closing(connect()) as client:
        run(client, image, LOOK_AROUND, out)
    seen = json.loads((out / "seen.json").read_text())
    assert seen["writable"] == ["/tmp", "/out"]
    assert seen["root_is_read_only"] is True
    assert seen["network"] is False
    assert seen["ids"] == [4321, 4321]
    assert seen["capabilities"] == 0
    assert seen["no_new_privileges"] == "1"
    assert {name for name in seen["environment"] if "SECRET" in name or "proxy" in name.lower()} == set()
    assert seen["without_bytecode"] == []


def test_an_image_that_is_there_is_found_without_building(docker_client: docker.DockerClient, image: Image) -> None:
    lines: list[str] = []
    begin = time.perf_counter()
    assert ensure_image(docker_client, find_toolchain("2.19.1"), lines.append) == image
    assert lines == []
    assert time.perf_counter() - begin < 2


@pytest.mark.slow
def test_an_image_built_again_from_the_same_downloads_has_the_pinned_id(
    docker_client: docker.DockerClient, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("debs", "wheels"):
        (cache_dir() / name).mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(cache_dir() / name)
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path))
    docker_client.images.remove(image.id, force=True)
    lines: list[str] = []
    again = ensure_image(docker_client, find_toolchain("2.19.1"), lines.append)
    assert again.id == image.id
    assert any("building" in line for line in lines)
    assert not any("not checked" in line for line in lines)
    assert {path.name for path in (tmp_path / "images").iterdir() if path.suffix != ".json"} == {".lock"}


def test_a_step_that_fails_shows_its_log_and_leaves_no_container(
    docker_client: docker.DockerClient, image: Image, out: Path
) -> None:
    with pytest.raises(EngineError, match=r"(?s)status 7.*the reason"):
        run(docker_client, image, "import sys; print('the reason'); sys.exit(7)", out)
    assert mine(docker_client) == []


def test_an_interrupt_leaves_no_container(docker_client: docker.DockerClient, image: Image, out: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(2)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(docker_client, image, "import time; time.sleep(60)", out)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert mine(docker_client) == []


def test_what_a_killed_process_left_is_swept_and_what_lives_stays(
    docker_client: docker.DockerClient, small: str
) -> None:
    argv = [sys.executable, "-c", LEAVE_A_CONTAINER, small]
    left = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    ours = docker_client.api.create_container(small, ["x"], labels={OWNER_LABEL: owner()})["Id"]
    try:
        assert left in [c["Id"] for c in docker_client.api.containers(all=True)]
        sweep(docker_client)
        assert left not in [c["Id"] for c in docker_client.api.containers(all=True)]
        assert mine(docker_client) == [ours]
    finally:
        docker_client.api.remove_container(ours)


def test_a_passing_image_is_gone_after_its_block(docker_client: docker.DockerClient, tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "l.tar", [file_entry("hello", b"hello", "test")], "test")
    with passing_image(docker_client, "amd64", [layer]) as reference:
        assert docker_client.images.get(reference).attrs["RootFS"]["Layers"] == [layer.diff_id]
    assert not docker_client.images.list(filters={"label": f"{OWNER_LABEL}={owner()}"})


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run a real registry on this machine, give its address."""
    program = shutil.which("docker-registry") or shutil.which("registry")
    if program is None:
        pytest.skip("needs a registry program (Debian: docker-registry)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    storage = {"filesystem": {"rootdirectory": str(folder / "data")}}
    config = folder / "config.yml"
    config.write_text(json.dumps({"version": "0.1", "storage": storage, "http": {"addr": address}}))
    process = subprocess.Popen([program, "serve", str(config)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        host, port = address.split(":")
        for _ in range(100):
            with socket.socket() as asked:
                if asked.connect_ex((host, int(port))) == 0:
                    break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def push(client: docker.DockerClient, layers: Sequence[Layer], architecture: str, name: str) -> str:
    """Load an image, push it, forget it; return its digest."""
    config = image_config(architecture, layers, {"Env": ["PATH=/usr/local/bin:/usr/bin"]})
    load_image(client, config, layers, f"{name}:test")
    lines = list(client.images.push(name, tag="test", stream=True, decode=True))
    client.images.remove(f"{name}:test")
    if any("HTTPS client" in str(line.get("error")) for line in lines):
        pytest.skip("this engine insists on TLS, also for a registry on this machine")
    return next(str(line["aux"]["Digest"]) for line in lines if "aux" in line)


def test_a_base_from_a_registry_keeps_its_layers_byte_for_byte(
    docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    platform = machine(docker_client)
    lower = write_layer(tmp_path / "1.tar", [file_entry("usr/local/bin/python3.11", b"#!", "test", 0o755)], "test")
    upper = write_layer(tmp_path / "2.tar", [file_entry("etc/name", os.urandom(8), "test")], "test")
    with registry(tmp_path) as address:
        layers = [lower, upper, upper]
        digest = push(docker_client, layers, ARCHITECTURES[platform], f"{address}/python")
        source = RegistrySource(f"{address}/python", digest, platform)
        base = source.obtain(docker_client, tmp_path, print)
        assert [layer.sha256 for layer in base.layers] == [layer.sha256 for layer in layers]
        assert base.find("python3.11") == "/usr/local/bin/python3.11"
        with pytest.raises(EngineError, match="no registry gives"):
            RegistrySource(f"{address}/python", f"sha256:{'0' * 64}", platform).obtain(docker_client, tmp_path, print)
    assert not docker_client.images.list(name=f"{address}/python")


def test_a_registry_that_does_not_respond_is_reported_at_once(
    docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    begin = time.perf_counter()
    with pytest.raises(EngineError, match=r"no registry gives .*refused"):
        RegistrySource(f"{address}/python", f"sha256:{'0' * 64}", "x86_64").obtain(docker_client, tmp_path, print)
    assert time.perf_counter() - begin < 10
