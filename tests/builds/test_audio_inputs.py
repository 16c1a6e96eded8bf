"""Inputs of kind audio: windows by recipe and model, data, what is refused with which next step, and a whole bundle."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import audio_models
import numpy as np
import pytest
from hostile_signature import signed, tensor
from source_models import written
from text_files import layer
from worlds import run_kit

from kit.build.audio_input import AudioInput, check_audio
from kit.build.plan import Plan, make_plan
from kit.build.samples import Samples, from_raw, representative
from kit.build.samples import test_data as checks_data
from kit.bundle.replay_report import ReplayReport
from kit.bundle.signature import BundleSignature
from kit.errors import KitError
from kit.recipe.load import load_recipe
from kit.shared.audio import AudioForm, Sound, unpack_sounds, window_of, windows_of
from kit.shared.wav import read_wav
from kit.tflite.metadata.decode import read_metadata

SOUND = "[[inputs]]\nname = 'waveform'\nkind = 'audio'\nrate = 8000\n"
NUMBERS = "[[inputs]]\nname = 'waveform'\n"
WORD = "[[outputs]]\nname = 'word'\nkind = 'classes'\nlabels = 'labels.txt'\n"
CHECKS = "[checks]\ndata = '{}'\n"


def write_model(folder: Path, shape: list[int | None], *names: str) -> None:
    """Write a .keras of inputs of that shape: enough for the host, which loads no model."""
    named = ("waveform", *names)
    inputs = [layer("InputLayer", name, batch_shape=[None, *shape], dtype="float32") for name in named]
    ends = [[name, 0, 0] for name in named]
    body = {"name": "m", "layers": inputs, "input_layers": ends, "output_layers": ends}
    with zipfile.ZipFile(folder / "m.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps({"module": "keras", "class_name": "Functional", "config": body}))


def planned(folder: Path, tables: str = SOUND) -> Plan:
    recipe = folder / "recipe.toml"
    recipe.write_text(f"[model]\npath = 'm.keras'\nid = 'm'\n{tables}", "utf-8")
    return make_plan(load_recipe(recipe), "")


def form(folder: Path, tables: str = SOUND) -> AudioInput:
    return planned(folder, tables).raw_inputs.audio["waveform"]


def data(folder: Path, name: str, tables: str = SOUND) -> Samples:
    """Return the samples of [checks] data."""
    plan = planned(folder, tables + CHECKS.format(name))
    with tempfile.TemporaryDirectory() as scratch:
        found = checks_data(plan.recipe, plan.sources[0], Path(scratch), plan.raw_inputs)
    assert found is not None
    return found


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize(
    ("shape", "more", "wanted"),
    [
        ([400], "", (400, 200, (400,))),
        ([400, 1], "hop = 160\n", (400, 160, (400, 1))),
        ([1, 400], "window = 400\nhop = 400\n", (400, 400, (1, 400))),
        ([None], "window = 300\n", (300, 150, (300,))),
        ([None, 1], "window = 300\n", (300, 150, (300, 1))),
        ([None, 1], "shape = [300, 1]\n", (300, 150, (300, 1))),
        ([1], "", (1, 1, (1,))),
    ],
)
def test_a_window_is_the_models_or_the_recipes(
    tmp_path: Path, shape: list[int | None], more: str, wanted: tuple[int, int, tuple[int, ...]]
) -> None:
    write_model(tmp_path, shape)
    found = form(tmp_path, SOUND + more)
    assert (found.window, found.hop, found.shape) == wanted


def test_the_signature_says_how_sound_becomes_windows() -> None:
    plain = tensor("waveform", shape=(1, 400, 1))
    old = {"signature": "s", "inputs": [plain], "outputs": [plain]}
    entry = BundleSignature.from_json(old).inputs[0]
    assert entry.audio is None and "audio" not in entry.to_json()
    new = entry.with_audio(AudioInput(8000, 100, (400, 1)).entry).to_json()
    assert (new["kind"], new["audio"]) == ("audio", {"rate": 8000, "window": 400, "hop": 100})
    assert BundleSignature.from_json(old | {"inputs": [new]}).inputs[0].to_json() == new


@dataclass(frozen=True)
class Case:
    """What is refused: a model's shape and the recipe's table. And what gets past it."""

    shape: tuple[int | None, ...]
    tables: str
    says: str
    next: str
    right: str


CASES = {
    "an open axis": Case(
        (None, 1), SOUND, "how many samples a call takes is open", "add window = 16000", SOUND + "window = 16000"
    ),
    "an open axis of the recipe": Case(
        (None,),
        SOUND + "shape = [-1]",
        "how many samples a call takes is open",
        "add window = 16000",
        SOUND + "window = 9",
    ),
    "a spectrogram": Case(
        (40, 98), SOUND, "cannot be [40, 98]: it is [window], [window, 1]", 'use kind = "tensor"', NUMBERS
    ),
    "two channels": Case((400, 2), SOUND, "cannot be [400, 2]", 'use kind = "tensor"', NUMBERS),
    "another window": Case(
        (400,), SOUND + "window = 300", "window = 300, and the model takes 400", "leave window out", SOUND
    ),
    "gaps": Case(
        (400,), SOUND + "hop = 401", "hop = 401 leaves out samples", "give a hop from 1 to 400", SOUND + "hop = 400"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_no_window_is_refused_and_taken_after_the_next_step(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    write_model(tmp_path, list(case.shape))
    with pytest.raises(KitError) as caught:
        planned(tmp_path, case.tables)
    assert case.says in caught.value.message
    assert case.next in caught.value.hint
    assert planned(tmp_path, case.right)


def test_a_file_that_takes_something_else_than_sound_is_refused() -> None:
    audio = AudioInput(8000, 200, (400, 1))
    with pytest.raises(KitError, match="the model takes whole ones") as caught:
        check_audio(audio, "waveform", (400, 1), real=False)
    assert caught.value.hint == 'use kind = "tensor": this model takes the samples as they are'
    with pytest.raises(KitError, match=r"the model takes \[800\], and the window has 400 samples") as caught:
        check_audio(audio, "waveform", (800,), real=True)
    assert caught.value.hint == "give shape = [800], and leave window out"
    check_audio(AudioInput(8000, 200, (800,)), "waveform", (800,), real=True)


# ---------------------------------------------------------------- data


def test_sound_comes_from_arrays_and_files(tmp_path: Path) -> None:
    """Of whole numbers or floats, of one channel or more, shorter and longer than a window, with labels by folder."""
    write_model(tmp_path, [4, 1])
    pcm = np.array([[16384, -32768, 0, 8192, 777], [1024, 0, 0, 0, 777]], np.int16)
    wanted = [[0.5, -1, 0, 0.25], [1 / 32, 0, 0, 0]]
    np.savez(tmp_path / "long.npz", waveform=pcm, y=[0, 1])
    np.savez(tmp_path / "short.npz", waveform=pcm[1:, :1])
    np.savez(tmp_path / "floats.npz", waveform=(pcm / 32768.0))
    np.savez(tmp_path / "channels.npz", waveform=np.stack([pcm, pcm], axis=-1))
    for place, row in (("a/1.wav", pcm[0]), ("b/2.WAV", pcm[1, :1])):
        audio_models.write_wav(tmp_path / "folder" / place, np.repeat(row[:, None], 2, axis=1), 8000)
    for name in ("long.npz", "floats.npz", "channels.npz", "folder"):
        found = data(tmp_path, name)
        assert found.inputs["waveform"].dtype == np.float32
        assert found.inputs["waveform"][..., 0].tolist() == wanted, name
        assert (None if found.y is None else found.y.tolist()) == ([0, 1] if name in {"long.npz", "folder"} else None)
        sounds = unpack_sounds(found.take([1]).said["waveform"])
        assert sounds[0].frames[0, 0] in (1024, np.float32(1 / 32))
        plan = planned(tmp_path)
        again = from_raw(plan.recipe, plan.raw_inputs, found.raw())
        assert again is not None and again.inputs["waveform"][..., 0].tolist() == wanted
    assert data(tmp_path, "short.npz").inputs["waveform"][..., 0].tolist() == wanted[1:]


def test_files_of_other_rates_are_resampled(tmp_path: Path) -> None:
    write_model(tmp_path, [400])
    rng = np.random.default_rng(1)
    pcm = rng.integers(-9999, 9999, (4410, 2)).astype(np.int16)
    audio_models.write_wav(tmp_path / "folder" / "1.wav", pcm, 44_100)
    found = data(tmp_path, "folder").inputs["waveform"]
    assert np.array_equal(found[0], window_of(Sound(pcm, 44_100), AudioForm(8000, 400, 200)))


def test_calibration_takes_a_choice_of_files(tmp_path: Path) -> None:
    write_model(tmp_path, [4])
    for number in range(20):
        audio_models.write_wav(tmp_path / "folder" / f"{number}.wav", np.full((4, 1), number, np.int16), 8000)
    plan = planned(tmp_path, f"{SOUND}[quantize]\nrepresentative = 'folder'\ncount = 5\n")
    found = representative(plan.recipe, plan.sources[0], tmp_path, plan.raw_inputs)
    assert found is not None and len(found) == len(found.said["waveform"]) == 5


PCM = "save PCM as int16, or floats from -1 to 1, one sound a row: [N, samples], or [N, samples, channels]"


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 9), np.int32),
        np.zeros(9, np.int16),
        np.zeros((1, 2, 3, 4), np.int16),
        np.array([[np.nan, 0]]),
        np.zeros((3, 2), np.uint8),
        np.zeros((3, 0), np.int16),
        np.zeros((1, 9, 65), np.int16),
    ],
)
def test_arrays_that_are_no_sounds_are_refused(tmp_path: Path, wrong: np.ndarray) -> None:
    write_model(tmp_path, [4])
    np.savez(tmp_path / "s.npz", waveform=wrong)
    with pytest.raises(KitError, match="'waveform' is no sound") as caught:
        data(tmp_path, "s.npz")
    assert caught.value.hint == PCM
    np.savez(tmp_path / "s.npz", waveform=np.zeros((2, 9), np.int16))
    assert len(data(tmp_path, "s.npz")) == 2


def test_files_that_are_no_sounds_are_refused_by_name(tmp_path: Path) -> None:
    write_model(tmp_path, [4])
    good, bad = tmp_path / "folder" / "good.wav", tmp_path / "folder" / "bad.wav"
    audio_models.write_wav(good, np.ones((9, 1), np.int16), 8000)
    content = good.read_bytes()
    odd = content.replace((8000).to_bytes(4, "little"), (44_101).to_bytes(4, "little"))
    for wrong, says in ((content[:-3], "it is cut off"), (b"", "it is empty"), (odd, "no filter is that fine")):
        bad.write_bytes(wrong)
        with pytest.raises(KitError) as caught:
            data(tmp_path, "folder")
        assert says in caught.value.message
        assert "bad.wav" in caught.value.message
        assert caught.value.hint == "convert it: ffmpeg -i IN -c:a pcm_s16le OUT.wav; or remove it"
    bad.unlink()
    assert len(data(tmp_path, "folder")) == 1


def test_a_place_without_sounds_says_what_belongs_there(tmp_path: Path) -> None:
    write_model(tmp_path, [4])
    (tmp_path / "empty").mkdir()
    with pytest.raises(KitError, match="no sounds in that folder") as caught:
        data(tmp_path, "empty")
    assert caught.value.hint == "put .wav files there"
    (tmp_path / "s.mp3").touch()
    with pytest.raises(KitError, match=r"'\.mp3' is not known") as caught:
        data(tmp_path, "s.mp3")
    assert caught.value.hint == "give a .npz file or a folder of .wav files"
    np.savez(tmp_path / "s.npz", waveform=np.ones((2, 4), np.int16))
    assert len(data(tmp_path, "s.npz")) == 2
    write_model(tmp_path, [4], "more")
    audio_models.write_wav(tmp_path / "folder" / "1.wav", np.ones((4, 1), np.int16), 8000)
    two = f"{SOUND}[[inputs]]\nname = 'more'\n"
    with pytest.raises(KitError, match=r"exactly one input, of kind 'audio'") as caught:
        data(tmp_path, "folder", two)
    assert caught.value.hint == "use .npz with one array for each input"
    np.savez(tmp_path / "s.npz", waveform=np.ones((2, 4), np.int16), more=np.ones((2, 4)))
    assert len(data(tmp_path, "s.npz", two)) == 2


def test_sounds_that_become_other_values_are_named() -> None:
    check = {"different": 3, "of": 9, "worst": 0.5, "pass": False}
    raw = {
        "verdict": "fail",
        "outputs": {},
        "pixels": {},
        "texts": {"t": check | {"pass": True}},
        "sounds": {"s": check},
    }
    faults = list(ReplayReport.from_json(raw).faults())
    assert faults == ["the sounds of input 's' become other values in 3 places"]


# ---------------------------------------------------------------- a bundle


def built(folder: Path, python: Path, tables: str) -> Path:
    """Train the keyword spotter, build it, and return the bundle."""
    written(python, "spotter", folder, Path(audio_models.__file__))
    head = "[model]\npath = 'model.keras'\nid = 'm'\n[toolchain]\ntensorflow = '2.19.1'\n"
    (folder / "recipe.toml").write_text(head + tables, "utf-8")
    done = run_kit("build", str(folder / "recipe.toml"), "--engine", "local", "--out", str(folder / "dist"))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist" / "m"


def emulated(runtime: Path, bundle: Path, *arguments: str, code: int = 0) -> str:
    argv = [str(runtime), str(bundle / "emulate" / "emulate.py"), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def results(runtime: Path, bundle: Path, file: Path) -> list[dict[str, Any]]:
    return list(json.loads(emulated(runtime, bundle, str(file), "--json", "--top", "9"))["results"])


def scores(found: list[dict[str, Any]]) -> np.ndarray:
    """Return float [results, classes]."""
    tops = [sorted(result["outputs"]["word"]["top"], key=lambda one: one["index"]) for result in found]
    return np.array([[one["score"] for one in top] for top in tops])


@pytest.mark.parametrize("io", ["float32", pytest.param("int8", marks=pytest.mark.slow)])
def test_a_trained_keyword_spotter_hears_the_words(
    tmp_path: Path, toolchain_python: Path, runtime_python: Path, io: str
) -> None:
    quantize = f"[quantize]\nscheme = 'int8'\nio = '{io}'\nrepresentative = 'train.npz'\ncount = 60\n"
    bundle = built(tmp_path, toolchain_python, f"{quantize}{SOUND}hop = 1000\n{WORD}{CHECKS.format('test')}")
    # What the harness makes of PCM is what Keras takes: the same words, as far as int8 goes.
    exact = np.load(tmp_path / "expected.npz")["word"]
    found = scores(results(runtime_python, bundle, tmp_path / "test.npz"))
    assert (found.argmax(-1) == exact.argmax(-1)).mean() > 0.95
    # Other rates and channels, in files.
    files = sorted((tmp_path / "test").rglob("*.wav"))
    heard = [results(runtime_python, bundle, file)[0] for file in files[::3]]
    best = [result["outputs"]["word"]["top"][0]["label"] for result in heard]
    assert best == [file.parent.name for file in files[::3]]
    # A longer file is one call for each hop, as kit.shared.audio has the windows.
    frames = np.concatenate([audio_models.spoken(np.random.default_rng(9), word, 3600) for word in ("yes", "stop")])
    audio_models.write_wav(tmp_path / "long.wav", frames[:, None], 8000)
    long = results(runtime_python, bundle, tmp_path / "long.wav")
    assert [(result["index"], result["seconds"]) for result in long] == [(i, i / 8) for i in range(4)]
    sound = Sound(*read_wav((tmp_path / "long.wav").read_bytes()))
    np.savez(tmp_path / "windows.npz", waveform=windows_of(sound, AudioForm(8000, 4000, 1000)))
    assert np.array_equal(scores(long), scores(results(runtime_python, bundle, tmp_path / "windows.npz")))
    words = emulated(runtime_python, bundle, str(tmp_path / "long.wav"), "--top", "1")
    assert "long.wav[3], from 0.375 s" in words
    # A file that is none, and the others all the same.
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    said = emulated(runtime_python, bundle, str(tmp_path / "bad.wav"), str(files[0]), code=2)
    assert "bad.wav: it is no .wav file" in said and files[0].name in said
    check_golden(bundle, runtime_python)
    note = read_metadata(bundle / "src/main/assets/m/model.tflite")
    assert note is not None
    waveform = note.subgraphs[0].inputs[0]
    assert (waveform.content, waveform.rate, note.min_parser_version) == ("audio", 8000, "1.3.0")
    verified = run_kit("verify", str(bundle), "--engine", "local")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    inspected = run_kit("inspect", str(bundle / "src/main/assets/m/model.tflite"))
    assert "audio 8000 samples a second" in inspected.stdout


def check_golden(bundle: Path, runtime: Path) -> None:
    """Replay the golden sounds, of several rates, and again with one of them changed."""
    golden = bundle / "emulate" / "golden.npz"
    arrays = dict(np.load(golden))
    sounds = unpack_sounds(arrays["audio/waveform"])
    assert len(sounds) == 8 and {sound.rate for sound in sounds} == {8000, 11_025, 16_000, 44_100}
    assert {sound.frames.shape[1] for sound in sounds} == {1, 2}
    assert "audio waveform: pre-processing gives the same input: ok" in emulated(runtime, bundle)
    kept = golden.read_bytes()
    spoiled = arrays["audio/waveform"].copy()
    spoiled[2, 13 + 2 * 500] ^= 0x40  # the upper half of a sample
    for rows, code, says in (
        (spoiled, 4, "pre-processing gives"),
        (arrays["audio/waveform"][:, :9], 2, "audio/waveform: 9 bytes are no packed sound"),
        (arrays["audio/waveform"][:5], 2, "vectors"),
    ):
        np.savez(golden, **(arrays | {"audio/waveform": rows}))
        assert says in emulated(runtime, bundle, code=code)
    golden.write_bytes(kept)


@pytest.mark.slow
def test_without_data_the_golden_sounds_are_random(
    tmp_path: Path, toolchain_python: Path, runtime_python: Path
) -> None:
    bundle = built(tmp_path, toolchain_python, f"{SOUND}{WORD}")
    arrays = np.load(bundle / "emulate" / "golden.npz")
    assert -1 <= arrays["input/waveform"].min() < -0.9 < 0.9 < arrays["input/waveform"].max() <= 1
    assert "audio waveform: pre-processing gives the same input: ok" in emulated(runtime_python, bundle)
    signature = json.loads((bundle / "src/main/assets/m/signature.json").read_text("utf-8"))
    assert signed(signature).inputs[0].audio is not None
    shutil.rmtree(bundle / "emulate" / "__pycache__", ignore_errors=True)
