"""`kit explore`: a bundle's numbers at the operators that Model Explorer draws, and Model Explorer itself with them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from third_party import cache_folder
from worlds import run_kit

from kit.bundle.tensor_table import read_named, read_table
from kit.errors import OutputError
from kit.exploration.node_data import Explored, explored
from kit.files import json_text
from kit.search.record import Row
from kit.shared.quantization import PERFECT, LayerError

VERSION = "0.1.34"


def copied(digits_bundle: Path, folder: Path) -> Path:
    """Return a bundle of the test's own."""
    return Path(shutil.copytree(digits_bundle, folder / "dist" / "digits"))


def record(bundle: Path, *errors: LayerError, size: int = 0) -> Path:
    """Write the record of a search beside a bundle, with what it chose. size: of its file, where it is another."""
    found = [
        Row("float32", "", 99, 1.0, None, "keeps"),
        Row("int8", "", size or model(bundle).stat().st_size, 1.0, None, "chosen", errors=errors),
    ]
    place = bundle.with_name(f"{bundle.name}.search.json")
    place.write_text(json_text({"candidates": [asdict(row) for row in found]}), "utf-8")
    return place


def model(bundle: Path) -> Path:
    """Return a bundle's file."""
    return next(bundle.rglob("model.tflite"))


def tensor_of(bundle: Path, layer: str) -> str:
    """Return the name of the tensor that a layer gives."""
    return next(row.name for row in read_table(bundle / "provenance" / "tensors.json") if layer in row.layers)


def columns(found: Explored) -> dict[str, dict[str, Any]]:
    """Return what is written of each column, by its word, of the one subgraph."""
    return {column.word: json.loads(column.text())["main"] for column in found.columns}


def test_the_errors_of_a_search_are_at_the_operators_of_their_layers(tmp_path: Path, digits_bundle: Path) -> None:
    bundle = copied(digits_bundle, tmp_path)
    operators = read_named(bundle).subgraphs[0].operators
    errors = [
        LayerError(tensor_of(bundle, "conv2"), ("conv2",), "CONV_2D", 31.5, -1.0, 1.0, added=0.0125),
        LayerError(tensor_of(bundle, "digit"), ("digit",), "FULLY_CONNECTED", 999.0, -1.0, 1.0, added=0.25),
        LayerError("gone", ("gone",), "CONV_2D", 1.0, -1.0, 1.0, added=0.5),
    ]
    record(bundle, *errors)
    found = explored(bundle)
    shown = columns(found)
    assert list(shown) == ["added", "snr", "layer", "bytes"]
    added = {int(node): entry["value"] for node, entry in shown["added"]["results"].items()}
    assert {operators[node].name: value for node, value in added.items()} == {"CONV_2D": 1.25, "FULLY_CONNECTED": 25.0}
    layers = {int(node): entry["value"] for node, entry in shown["layer"]["results"].items()}
    assert ["conv2" in layers[node] or "digit" in layers[node] for node in added] == [True, True]
    assert sorted(entry["value"] for entry in shown["snr"]["results"].values()) == [31.5, PERFECT]
    assert [stop["stop"] for stop in shown["added"]["gradient"]] == [0, 1] and "gradient" not in shown["layer"]
    assert sum(entry["value"] for entry in shown["bytes"]["results"].values()) > 20_000
    assert found.notes == ("1 of 3 layers have no operator of their name in the file",)


def test_a_bundle_without_a_search_has_layers_and_bytes_and_says_why(tmp_path: Path, digits_bundle: Path) -> None:
    bundle = copied(digits_bundle, tmp_path)
    found = explored(bundle)
    assert [column.word for column in found.columns] == ["layer", "bytes"]
    assert "measured by scheme = 'auto' and tune = true" in found.notes[0]
    record(bundle, size=77)
    found = explored(bundle)
    assert [column.word for column in found.columns] == ["layer", "bytes"]
    assert found.notes == ("digits.search.json is of another build, whose file has 77 bytes: its errors are left out",)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"candidates": [{"verdict": "chosen", "bytes": 1, "errors": [{"a": 1}]}]}']
)
def test_a_record_that_is_none_is_refused_until_it_is_removed(tmp_path: Path, digits_bundle: Path, text: str) -> None:
    bundle = copied(digits_bundle, tmp_path)
    place = record(bundle)
    place.write_text(text, "utf-8")
    with pytest.raises(OutputError, match="no record of a search") as error:
        explored(bundle)
    assert error.value.hint == "remove it, or build the bundle again"
    place.unlink()
    assert explored(bundle).columns


@pytest.mark.skipif(find_spec("model_explorer") is not None, reason="Model Explorer is installed here")
def test_without_model_explorer_it_is_named_and_the_node_data_is_written(tmp_path: Path, digits_bundle: Path) -> None:
    done = run_kit("explore", str(digits_bundle))
    assert (done.returncode, done.stdout) == (5, "")
    assert "next: pip install ai-edge-model-explorer; or --out FOLDER" in done.stderr
    done = run_kit("explore", str(digits_bundle), "--out", str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    written = [Path(line) for line in done.stdout.splitlines()]
    assert [path.name for path in written] == ["digits.layer.json", "digits.bytes.json"]
    assert [json.loads(path.read_text("utf-8")).keys() for path in written] == [{"main"}] * 2


@pytest.fixture(scope="module")
def model_explorer() -> Path:
    """Give a folder with the package, fetched once into the cache of the tests."""
    folder = cache_folder() / f"model-explorer-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / ".complete").exists():
            argv = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)]
            subprocess.run([*argv, f"ai-edge-model-explorer=={VERSION}"], check=True, capture_output=True)
            (folder / ".complete").touch()
    return folder


def response(port: int, path: str, **body: str | bool | dict[str, str]) -> Any:
    """Return the response of the server on that port, as JSON; with a body, to a POST."""
    server = HTTPConnection("127.0.0.1", port, timeout=60)
    data = json.dumps(body) if body else None
    server.request("POST" if body else "GET", path, data, {"Content-Type": "application/json"})
    return json.loads(server.getresponse().read())


@pytest.mark.slow
def test_model_explorer_has_the_columns_at_its_own_nodes(
    tmp_path: Path, digits_bundle: Path, model_explorer: Path
) -> None:
    bundle = copied(digits_bundle, tmp_path)
    record(bundle, LayerError(tensor_of(bundle, "conv1"), ("conv1",), "CONV_2D", 30.0, -1.0, 1.0, added=0.01))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [
        sys.executable,
        "-m",
        "kit",
        "explore",
        str(bundle),
        "--no-browser",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    env = {**os.environ, "PYTHONPATH": str(model_explorer), "no_proxy": "127.0.0.1"}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            for _ in range(240):
                with socket.socket() as client:
                    if process.poll() is not None or client.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.5)
            assert process.poll() is None, process.communicate()
            texts = [response(port, f"/api/v1/load_node_data?node_data_index={n}")["content"] for n in range(4)]
            drawn = response(
                port,
                "/apipost/v1/send_command",
                cmdId="convert",
                extensionId="builtin_tflite_flatbuffer",
                modelPath=str(model(bundle)),
                settings={},
                deleteAfterConversion=False,
            )
        finally:
            process.send_signal(signal.SIGINT)
            printed, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Starting Model Explorer server" in printed
    assert texts == [column.text() for column in explored(bundle).columns]
    (collection,) = drawn["graphCollections"]
    nodes = {graph["id"]: {node["id"]: node["label"] for node in graph["nodes"]} for graph in collection["graphs"]}
    (added,) = json.loads(texts[0])["main"]["results"]
    assert nodes["main"][added] == "conv_2d"
    operators = read_named(bundle).subgraphs[0].operators
    for node in json.loads(texts[2])["main"]["results"]:
        assert nodes["main"][node].upper() == operators[int(node)].name
