"""A keyword spotter in the generated class: PCM in, and the outputs that the harness gives, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import audio_models
import numpy as np
import pytest
from android_world import proved, quiet, rerun_kotlin
from desk import Desk
from hostile_signature import image, signed, tensor
from source_models import written
from worlds import run_kit

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.runtime_api import Api
from kit.android.codegen.write_sources import render_bindings
from kit.android.proof.alternate_api import render_other
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath
from kit.android.proof.kotlin_sources import find_bindings
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest
from kit.shared.npz import save_npz

RECIPE = """
[model]
path = 'model.keras'
id = 'spotter'

[toolchain]
tensorflow = '2.19.1'

[quantize]
scheme = 'int8'
representative = 'train.npz'
IO

[[inputs]]
name = 'waveform'
kind = 'audio'
rate = 8000
hop = 1000

[[outputs]]
name = 'word'
kind = 'classes'
labels = 'labels.txt'

[checks]
data = 'test'
"""
# Prints the bits of what each clip gives: as PCM, as floats, and each window of a stream that gets it in small parts.
PROGRAM = """
import com.example.spotter.CLASS
import dropkit.desktop.DesktopContext
import java.io.DataInputStream
import java.io.File

fun bits(outputs: CLASS.Outputs): String = outputs.wordScores().joinToString(" ") { it.toBits().toString() }

fun main(args: Array<String>) {
    CLASS.create(DesktopContext("dropkit.assets")).use { model ->
        for (name in args) DataInputStream(File(name).inputStream().buffered()).use { clip ->
            val rate = clip.readInt()
            val channels = clip.readInt()
            val pcm = ShortArray(clip.readInt()) { clip.readShort() }
            val seen = model.classify(pcm, rate, channels)
            println("clip ${bits(seen)}")
            val floats = FloatArray(pcm.size) { pcm[it] / 32768f }
            check(model.classify(floats, rate, channels, seen) === seen)
            println("floats ${bits(seen)}")
            val stream = model.stream(rate, channels) { outputs, seconds ->
                println("window $seconds ${bits(outputs)}")
            }
            for (start in 0 until pcm.size step 700 * channels) {
                val part = pcm.copyOfRange(start, minOf(pcm.size, start + 700 * channels))
                stream.feed(part)
            }
        }
        println(model.selfTest())
    }
}
"""


def write_clip(path: Path, frames: np.ndarray, rate: int) -> None:
    """Write int16 [frames, channels] as .wav, for the harness, and as the program above reads it."""
    audio_models.write_wav(path.with_suffix(".wav"), frames, rate)
    head = np.array([rate, frames.shape[1], frames.size], ">i4").tobytes()
    path.write_bytes(head + frames.astype(">i2").tobytes())


def build(folder: Path, python: Path, io: str) -> Path:
    written(python, "spotter", folder, Path(audio_models.__file__))
    (folder / "recipe.toml").write_text(RECIPE.replace("IO", io), "utf-8")
    built = run_kit("build", str(folder / "recipe.toml"), "--engine", "local", "--out", str(folder / "dist"))
    assert built.returncode == 0, built.stderr
    return folder / "dist" / "spotter"


def bits(result: dict[str, object], labels: list[str]) -> str:
    """Return the bits of a result's scores, as the program prints them."""
    tops = result["outputs"]["word"]["top"]  # type: ignore[index]
    by_label = {top["label"]: top["score"] for top in tops}
    return " ".join(str(int(np.float32(by_label[label]).view(np.int32))) for label in labels)


def sound(name: str, **more: Any) -> dict[str, Any]:
    """Return an input of 400 samples."""
    return tensor(name, shape=(1, 400), kind="audio", audio={"rate": 8000, "window": 400, "hop": 100}) | more


@pytest.mark.slow
def test_sound_beside_other_inputs_and_by_any_name_compiles(tmp_path: Path, android_tools: None) -> None:
    """Two sounds have a rate each, also where the model calls them as the parameters are called."""
    several = [sound("rate"), sound("channels", dtype="uint8", scale=1 / 128, zero_point=128), tensor("more")]
    image_too = [sound("stream"), image("image", "uint8", "rgb", "stretch")]
    other = {"signature": "stream", "inputs": [tensor("rate")], "outputs": [tensor("y")]}
    cases = {"one": several, "two": image_too, "audio_stream": [sound("x", shape=[400], batched=False)]}
    sources: list[Path] = []
    for id_, inputs in cases.items():
        folder = tmp_path / id_
        folder.mkdir()
        save_npz(folder / "golden.npz", {"tolerance/y": np.array(0.0)})
        signature = signed({"inputs": inputs, "outputs": [tensor("y")], "others": [other]}, id_)
        render_bindings(folder, AppModel(signature, "litert:2.3.0", None, {}), "compiled-model", folder / "golden.npz")
        bindings = find_bindings(folder)
        sources += bindings.sources
        text = bindings.sources[0].read_text("utf-8")
        assert ("public fun stream(" in text) == (id_ == "audio_stream")
        assert text.count("AudioFeed(") == sum(entry["kind"] == "audio" for entry in inputs)
        assert "rate: FloatArray" in text  # another signature's own name stays
    strict = ["-Xexplicit-api=strict"]
    compile_kotlin(sources, desktop_classpath(quiet), tmp_path / "classes", quiet, options=strict)


@pytest.mark.usefixtures("android_tools")
@pytest.mark.parametrize(
    ("api", "io", "whole"),  # the steps that compile are the same for every bundle: test_android_proof has them in CI
    [
        ("compiled-model", "", False),
        pytest.param("compiled-model", "", True, marks=pytest.mark.slow),
        pytest.param("interpreter", "", True, marks=pytest.mark.slow),
        pytest.param("compiled-model", "io = 'int8'", True, marks=pytest.mark.slow),
        pytest.param("interpreter", "io = 'uint8'", True, marks=pytest.mark.slow),
    ],
)
def test_pcm_gets_the_outputs_that_the_harness_gives(
    tmp_path: Path,
    toolchain_python: Path,
    runtime_python: Path,
    api: Api,
    io: str,
    whole: bool,
) -> None:
    bundle = build(tmp_path, toolchain_python, io)
    proof = proved(bundle, api, whole=whole)
    assert {step.name: (step.verdict, step.detail) for step in proof.steps if step.verdict != "pass"} == {}
    kotlin = render_other(Bundle(bundle, "spotter"), read_manifest(bundle), api, tmp_path / "kotlin")
    bindings = find_bindings(bundle, kotlin)
    (tmp_path / "Program.kt").write_text(PROGRAM.replace("CLASS", bindings.model), "utf-8")
    sources = [*bindings.sources, tmp_path / "Program.kt"]
    compile_kotlin(sources, desktop_classpath(quiet), tmp_path / "classes", quiet)
    rng = np.random.default_rng(4)
    clips = [tmp_path / f"{number}.pcm" for number in range(4)]
    for clip, rate, channels, seconds in zip(
        clips, (8000, 8000, 44_100, 48_000), (1, 2, 1, 2), (1.1, 0.3, 0.8, 0.9), strict=True
    ):
        word = audio_models.spoken(rng, "left", int(rate * seconds), rate)
        write_clip(clip, np.stack([word, word[::-1]][:channels], axis=-1), rate)
    assets = {"dropkit.assets": ":".join(map(str, bindings.assets))}
    printed = rerun_kotlin(tmp_path, *map(str, clips), properties=assets).splitlines()
    labels = (tmp_path / "labels.txt").read_text("utf-8").split()
    place = 0
    for clip in clips:
        results = Desk(runtime_python, bundle, tmp_path).report(clip.with_suffix(".wav"), "--top", "9")["results"]
        assert printed[place : place + 2] == [f"clip {bits(results[0], labels)}", f"floats {bits(results[0], labels)}"]
        place += 2
        windows = [line for line in printed[place:] if line.startswith("window")]
        count = next(at for at, line in enumerate([*printed[place:], "end"]) if not line.startswith("window"))
        wanted = [f"window {result['seconds']} {bits(result, labels)}" for result in results]
        # What the filter looks ahead at the end of a file is still to come in a stream.
        assert windows[:count] == wanted[:count]
        assert len(wanted) - count <= 1 and (count or clip is clips[1])
        place += count
    rest = "\n".join(printed[place:])
    assert "waveform from audio: max difference 0.0 of 8 vectors (0.0 allowed): ok" in rest
