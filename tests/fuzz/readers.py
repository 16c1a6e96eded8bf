"""Every reader of foreign bytes, with what it is documented to raise. Used by the tests and by the fuzzer.

A reader gets the content of a file. What it may do with it: return a value, or refuse it with one of its errors.
"""

from __future__ import annotations

import json
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kit.android.install.state import read_state
from kit.bounded import MOST_UNPACKED, open_zip, printable
from kit.build.anchors import read_anchors
from kit.build.samples import read_arrays
from kit.bundle.golden_bin import read_golden
from kit.bundle.manifest import read_manifest, read_record
from kit.bundle.signature import read_signature
from kit.errors import KitError
from kit.recipe.labels import read_labels
from kit.recipe.load import load_recipe
from kit.shared.audio import Sound, pack_sounds, to_mono, unpack_sounds
from kit.shared.job import load_result
from kit.shared.text import TextForm, read_vocabulary, tokenize, write_vocabulary
from kit.shared.wav import read_wav
from kit.source_model.hdf5 import read_hdf5
from kit.source_model.model_file import ModelFile, read_model_file
from kit.source_model.text_layer import read_text_layer
from kit.tflite.metadata.decode import read_metadata
from kit.tflite.reader import read_tflite
from kit.trust.keras_config import asks_of_config
from kit.trust.saved_model import asks_of_saved_model

SEEDS = Path(__file__).parent / "seeds"
FOUND = Path(__file__).parent / "found"  # by reader, what the fuzzer once found
SECONDS = 5  # of CPU time, the most that an input may take
Call = Callable[[bytes], object]


@dataclass(frozen=True)
class Reader:
    """A reader: what reads, the folder of its seeds, and the errors that it is documented to raise."""

    read: Call
    seeds: str
    raises: tuple[type[BaseException], ...] = (KitError,)
    pure: bool = True  # it starts no process for each content
    longest: int = 1 << 15  # bytes of a content that the fuzzer tries

    def contents(self) -> list[bytes]:
        """Return its seeds."""
        return [path.read_bytes() for path in sorted((SEEDS / self.seeds).iterdir())]

    def try_on(self, content: bytes) -> None:
        """Read a content. Raises what is not documented, and AssertionError for a refusal without a next step."""
        try:
            self.read(content)
        except self.raises as error:
            assert not isinstance(error, KitError) or error.hint, f"no next step: {error}"


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a folder, in memory where the system has such a place."""
    place = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    return tempfile.TemporaryDirectory(prefix="dropkit-fuzz-", dir=place)


def from_file(name: str, read: Callable[[Path], object], folder_of: bool = False, beside: Sequence[str] = ()) -> Call:
    """Return a call that writes its content as a file of that name and reads the file, or the folder that it lies in.

    beside: empty files in the folder.
    """
    folder = scratch()
    for other in beside:
        (Path(folder.name) / other).touch()

    def call(content: bytes) -> object:
        path = Path(folder.name) / name  # the folder is removed with this function
        path.write_bytes(content)
        return read(path.parent if folder_of else path)

    return call


def config(content: bytes) -> None:
    """Read a model's description: what its JSON asks for."""
    with suppress(ValueError, RecursionError):  # no JSON: model_file has an error for it
        asks_of_config(json.loads(content))


def unpacked(path: Path) -> None:
    """Open a zip file; what it says of its size keeps to the limit."""
    with open_zip(path) as archive:
        assert sum(member.file_size for member in archive.infolist()) <= MOST_UNPACKED


def golden(content: bytes) -> None:
    """Read golden.bin, with the checksum that its content has: a fuzzer does not find it."""
    body = content[12:]
    read_golden(content[:8] + struct.pack("<I", zlib.crc32(body)) + body)


def text_layers() -> Call:
    """Return a call that reads the layer "words" of a .keras file: JSON of its layer, a zero, its vocabulary.txt."""
    folder = scratch()

    def call(content: bytes) -> object:
        path = Path(folder.name) / "m.keras"
        layer, _, vocabulary = content.partition(b"\0")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", b'{"config": {"layers": [' + layer + b"]}}")
            archive.writestr("assets/layers/text_vectorization/vocabulary.txt", vocabulary)
        found = read_text_layer(ModelFile(path, ".keras", "3.15.1", {}, ()), None, "words")
        form = TextForm(found.vocabulary, found.standardize, found.split, found.unknown)
        assert read_vocabulary(write_vocabulary(form.vocabulary)) == form.vocabulary
        return tokenize("Good FILM, good!", form)

    return call


def vocabulary(content: bytes) -> None:
    """Read a vocabulary of a bundle; what it says is read the same once more."""
    tokens = read_vocabulary(content)
    assert read_vocabulary(write_vocabulary(tokens)) == tokens


def terminal(content: bytes) -> None:
    """Print a text: nothing that steers a terminal is left."""
    shown = printable(content.decode("utf-8", errors="replace"))
    assert "\x1b" not in shown and "\x9b" not in shown


def sound(content: bytes) -> None:
    """Read a .wav file as a sound: numbers that are finite."""
    assert np.isfinite(to_mono(Sound(*read_wav(content)).frames)).all()


def packed(content: bytes) -> None:
    """Read a packed sound, and pack it again."""
    (again,) = unpack_sounds(pack_sounds(unpack_sounds(np.frombuffer(content, np.uint8)[None])))
    assert again.frames.nbytes <= len(content)


# What the host takes for a job that left no result (kit/engine/run.py).
_BROKEN_JSON = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

READERS: dict[str, Reader] = {
    "tflite": Reader(read_tflite, "tflite", longest=4096),
    "metadata": Reader(read_metadata, "tflite", longest=4096),
    "keras": Reader(from_file("m.keras", read_model_file), "keras"),
    "whole": Reader(from_file("m.keras", read_model_file), "whole", pure=False),
    "config": Reader(config, "config"),
    "zip": Reader(
        from_file("m.zip", unpacked), "keras", (ValueError, OSError, zipfile.BadZipFile, NotImplementedError)
    ),
    "hdf5": Reader(from_file("m.h5", read_hdf5), "hdf5", (ValueError,), pure=False),
    "saved_model": Reader(from_file("saved_model.pb", read_model_file, folder_of=True), "saved_model", longest=2048),
    "operators": Reader(
        from_file("saved_model.pb", asks_of_saved_model, folder_of=True),
        "saved_model",
        (ValueError, IndexError),
        longest=2048,
    ),
    "npz": Reader(from_file("x.npz", lambda path: read_arrays(path, "data")), "npz"),
    "recipe": Reader(from_file("r.toml", load_recipe, beside=("tiny.keras", "labels.txt", "samples.npz")), "recipe"),
    "labels": Reader(from_file("labels.txt", read_labels), "labels"),
    "result": Reader(lambda content: load_result(content.decode("utf-8")), "result", _BROKEN_JSON),
    "manifest": Reader(from_file("bundle.json", read_manifest, folder_of=True), "manifest"),
    "signature": Reader(from_file("signature.json", read_signature), "signature"),
    "record": Reader(from_file("tiny.build.json", lambda path: read_record(path.parent / "tiny")), "record", ()),
    "state": Reader(from_file("dropkit.json", read_state, folder_of=True), "state"),
    "golden": Reader(golden, "golden", (ValueError,)),
    "anchors": Reader(from_file("anchors.npz", read_anchors), "anchors", longest=2048),
    "text_layer": Reader(text_layers(), "text_layer", longest=4096),
    "vocabulary": Reader(vocabulary, "vocabulary", (ValueError,)),
    "wav": Reader(sound, "wav", (ValueError,)),
    "sound": Reader(packed, "sound", (ValueError,)),
    "terminal": Reader(terminal, "labels", ()),
}
