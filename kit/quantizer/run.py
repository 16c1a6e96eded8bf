"""Run the quantizer on a job's float32 file, and compare files with it. Knows its process and its pinned packages."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kit.emulation.run import Files
from kit.emulation.scripts import Scripts, last_line
from kit.files import temporary_folder
from kit.shared.quantization import FilePair, Quantized, QuantizerJob, dump, load
from kit.toolchains.lockfile import Lock
from kit.toolchains.toolchain import QUANTIZER_PYTHON, quantizer
from kit.toolchains.venv import locked_venv

_SCRIPT = Path(__file__).with_name("quantize_file.py")
_COMPARE = Path(__file__).with_name("compare_files.py")
_COMPARE_BUNDLES = Path(__file__).with_name("compare_bundles.py")


@dataclass(frozen=True)
class QuantizedFile:
    """What came of one request: the place of a .tflite, None for none, and what is said of it."""

    path: Path | None
    said: Quantized


def quantizer_lock() -> Lock:
    """Return the kit's own lock of the quantizer's packages."""
    return quantizer().lock(images=False)


def quantizer_python(lock: Lock, notify: Callable[[str], None]) -> Path:
    """Return the Python of the quantizer's venv, which is made where it is missing."""
    name = quantizer().folder.name
    return locked_venv(name, name, lock, notify, python=QUANTIZER_PYTHON)


def run_quantizer(
    job: Files, order: QuantizerJob, lock: Lock, folder: Path, notify: Callable[[str], None]
) -> tuple[QuantizedFile, ...]:
    """Return what comes of each request, in their order. One that the quantizer dies on costs that one alone.

    folder: an empty one for the files. What is measured of the float32 file once lies beside it, for later orders.
    """
    python = quantizer_python(lock, notify)
    text = folder / "order.json"
    text.write_text(dump(order), "utf-8")
    while missing := [i for i in range(len(order.requests)) if not (folder / f"{i}.json").exists()]:
        done = Scripts().run(python, [_SCRIPT, job.inputs, job.out, text, folder])
        if not (folder / f"{missing[0]}.json").exists():
            (folder / f"{missing[0]}.json").write_text(dump(Quantized(_death(done.returncode, done.stderr))), "utf-8")
    return tuple(_read(folder, i) for i in range(len(order.requests)))


def run_comparison(
    job: Files, product: Path, order: QuantizerJob, lock: Lock, notify: Callable[[str], None]
) -> Quantized:
    """Return the error of each layer of a finished file, or why there is none.

    job: to float32; product: the folder of what another job wrote; order: one without requests.
    """
    python = quantizer_python(lock, notify)
    with temporary_folder("dropkit-compare-") as folder:
        text, result = folder / "order.json", folder / "result.json"
        text.write_text(dump(order), "utf-8")
        done = Scripts().run(python, [_COMPARE, job.inputs, job.out, product, text, result])
        if done.returncode:
            return Quantized(_death(done.returncode, done.stderr))
        return load(Quantized, result.read_text("utf-8"))


def run_bundle_comparison(pair: FilePair, notify: Callable[[str], None]) -> Quantized:
    """Return the error of each layer of a product against the float32 file of the same model, or why there is none."""
    python = quantizer_python(quantizer_lock(), notify)
    with temporary_folder("dropkit-compare-") as folder:
        text, result = folder / "order.json", folder / "result.json"
        text.write_text(dump(pair), "utf-8")
        done = Scripts().run(python, [_COMPARE_BUNDLES, text, result])
        if not result.is_file():
            return Quantized(_death(done.returncode, done.stderr))
        return load(Quantized, result.read_text("utf-8"))


def _read(folder: Path, number: int) -> QuantizedFile:
    file = folder / f"{number}.tflite"
    said = load(Quantized, (folder / f"{number}.json").read_text("utf-8"))
    return QuantizedFile(file if file.exists() and not said.error else None, said)


def _death(code: int, words: str) -> str:
    """Return how the script ended, in words."""
    if code < 0:
        return f"it ended with {signal.Signals(-code).name}"
    return last_line(words) or f"it ended with exit code {code}"
