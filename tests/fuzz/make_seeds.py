"""Write the seeds: what a build of a tiny model reads and writes, for the fuzzer to start from.

    uv run python tests/fuzz/make_seeds.py

Everything is dropkit's own: a model with random weights, its bundle, and the stub with the bundle dropped into it.
Run it again when a format changes.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from kit.android.install.state import STATE
from kit.bundle.layout import Bundle
from kit.bundle.whole import record_path
from kit.shared.audio import Sound, pack_sounds
from kit.shared.text import write_vocabulary
from kit.source_model.hdf5 import read_hdf5
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from text_files import lookup, vectorizer  # noqa: E402

DIGITS = ROOT / "examples" / "digits"
SEEDS = Path(__file__).parent / "seeds"
MODEL = """
import sys, keras
keras.utils.set_random_seed(7)
image = keras.Input((8, 8, 1), name="image")
x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3, activation="relu")(image))
model = keras.Model(image, keras.layers.Dense(3, activation="softmax", name="digit")(x))
model.save("tiny.keras")
model.save("tiny.h5")
model.export("saved")
"""
RECIPE = """[model]
path = "tiny.keras"
id = "tiny"
[toolchain]
tensorflow = "2.19.1"
[[inputs]]
name = "image"
kind = "image"
color = "grayscale"
mean = [0]
std = [255]
[[outputs]]
name = "digit"
kind = "classes"
labels = "labels.txt"
[quantize]
scheme = "int8"
representative = "samples.npz"
"""


# `kit`, with the result of the worker's job kept beside the recipe.
KEPT = """
import pathlib, sys
import kit.engine.run as run
from kit.__main__ import main
read = run.load_result
def kept(text):
    pathlib.Path("result.json").write_text(text, "utf-8")
    return read(text)
run.load_result = kept
sys.argv = ["kit", *sys.argv[1:]]
main()
"""


def main() -> None:
    """Write every seed anew."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        shutil.rmtree(SEEDS, ignore_errors=True)
        for reader, source in sources(folder).items():
            write(reader, source.name, source.read_bytes().replace(name.encode(), b"/models"))
        for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            write("keras", f"description{compression}.keras", description(folder / "tiny.keras", compression))
        with zipfile.ZipFile(folder / "tiny.keras") as archive:
            write("config", "keras3.json", archive.read("config.json"))
        write("config", "keras2.json", read_hdf5(DIGITS / "digits_keras2.h5").texts["model_config"].encode())
        write("saved_model", "small.pb", small_graph())
        for file, content in anchors().items():
            write("anchors", file, content)
        for file, content in texts().items():
            write("text_layer", file, content)
        write("vocabulary", "vocabulary.txt", write_vocabulary(("", "[UNK]", "good", "film", "a\\b\r\n")))
        for file, content in sounds().items():
            write(file.partition("-")[0], file, content)


def write(reader: str, name: str, content: bytes) -> None:
    """Write a seed of a reader."""
    (SEEDS / reader).mkdir(parents=True, exist_ok=True)
    (SEEDS / reader / name).write_bytes(content)


def description(model: Path, compression: int) -> bytes:
    """Return a .keras file without its weights, which a process of its own reads."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(model) as archive, zipfile.ZipFile(buffer, "w", compression) as small:
        for name in ("metadata.json", "config.json"):
            small.writestr(zipfile.ZipInfo(name), archive.read(name))
    return buffer.getvalue()


def small_graph() -> bytes:
    """Return a SavedModel's protocol buffer of a few bytes: a graph with one constant."""
    node = b"\x0a\x01x\x12\x05Const\x2a\x0d\x0a\x05value\x12\x04\x42\x02\x08\x07"
    graph = b"\x0a" + bytes([len(node)]) + node
    meta = b"\x0a\x07\x2a\x052.0.0" + b"\x12" + bytes([len(graph)]) + graph
    return b"\x08\x01\x12" + bytes([len(meta)]) + meta


def anchors() -> dict[str, bytes]:
    """Return three anchors of a detector, as numpy writes them."""
    values = np.linspace(0.1, 0.9, 12, dtype=np.float32).reshape(3, 4)
    array, archive = io.BytesIO(), io.BytesIO()
    np.save(array, values)
    np.savez_compressed(archive, anchors=values)
    return {"anchors.npy": array.getvalue(), "anchors.npz": archive.getvalue()}


def texts() -> dict[str, bytes]:
    """Return layers that read text, as the reader wants them: JSON, a zero, vocabulary.txt."""
    layers = {
        "adapted": vectorizer(vocabulary=None),
        "given": vectorizer(split="character", standardize=None),
        "lookup": lookup(),
    }
    file = b"\n[UNK]\ngood\nfilm"
    return {f"{name}.txt": json.dumps(layer).encode() + b"\0" + file for name, layer in layers.items()}


def sounds() -> dict[str, bytes]:
    """Return .wav files of each width, and packed sounds, by names that begin with their reader's."""
    found = {}
    for kind, bits in ((1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)):
        width = 2 * bits // 8
        head = struct.pack("<HHIIHH", kind, 2, 8000, 8000 * width, width, bits)
        form = struct.pack("<HHIIHHHHIH", 0xFFFE, *struct.unpack("<HIIHH", head[2:]), 22, bits, 0, kind)
        form += bytes.fromhex("000000001000800000aa00389b71")
        chunks = ((b"LIST", b"odd\0"), (b"fmt ", form if bits == 24 else head), (b"data", bytes(5 * width)))
        body = b"WAVE" + b"".join(name + struct.pack("<I", len(part)) + part for name, part in chunks)
        found[f"wav-{kind}-{bits}.wav"] = b"RIFF" + struct.pack("<I", len(body)) + body
    for dtype in (np.int16, np.float32):
        rows = pack_sounds([Sound(np.ones((5, 2), dtype), 8000)])
        found[f"sound-{np.dtype(dtype).name}.bin"] = rows.tobytes()
    return found


def make(folder: Path) -> None:
    """Build the tiny model in a folder, and drop the bundle into an app."""
    python = toolchain_venv(find_toolchain("2.19.1"), print)
    subprocess.run([str(python), "-c", MODEL], cwd=folder, check=True)
    (folder / "tiny.toml").write_text(RECIPE, "utf-8")
    (folder / "labels.txt").write_text("zero\none\ntwo\n", "utf-8")
    pixels = np.random.default_rng(7).integers(0, 256, (20, 8, 8, 1)).astype(np.uint8)
    np.savez(folder / "samples.npz", image=pixels)
    shutil.copytree(ROOT / "android_stub", folder / "app")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for words in (["build", "tiny.toml", "--engine", "local"], ["drop", "dist/tiny", "--into", "app/app"]):
        subprocess.run([sys.executable, "-c", KEPT, *words], cwd=folder, env=env, check=True)


def sources(folder: Path) -> dict[str, Path]:
    """Return a file for each reader, of those that were made in a folder."""
    bundle = Bundle(folder / "dist" / "tiny", "tiny")
    return {
        "whole": folder / "tiny.keras",
        "hdf5": folder / "tiny.h5",
        "saved_model": folder / "saved" / "saved_model.pb",
        "npz": folder / "samples.npz",
        "recipe": folder / "tiny.toml",
        "labels": folder / "labels.txt",
        "result": folder / "result.json",
        "tflite": bundle.model,
        "manifest": bundle.manifest,
        "signature": bundle.signature,
        "golden": bundle.golden_bin,
        "record": record_path(bundle.folder),
        "state": folder / "app" / "app" / STATE,
    }


if __name__ == "__main__":
    main()
