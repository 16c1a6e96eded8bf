"""Run the quantizer on a job's float32 file, and compare files with it: jobs of their own, where the worker runs.

Files of two bundles are compared on this machine, as a bundle's harness runs here.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.bounded import MOST_JSON, read_bounded
from kit.emulation.run import Files
from kit.emulation.scripts import Scripts, last_line
from kit.engine import Engine, JobFolder, Limits
from kit.engine.logs import keep_log
from kit.engine.run import lay_out, refuse_links
from kit.files import temporary_folder
from kit.process import Exit, tail
from kit.shared.job import CALIBRATION, EVALUATION, JOB, MODEL, RESULT
from kit.shared.quantization import (
    EXACT,
    KEPT,
    ORDER,
    PRODUCT,
    FilePair,
    Quantized,
    QuantizerJob,
    dump,
    load,
    made_name,
    said_name,
)
from kit.toolchains.toolchain import Quantizer, quantizer
from kit.toolchains.venv import packages_venv

_COMPARE_BUNDLES = Path(__file__).with_name("compare_bundles.py")
_CODE = ("shared", "quantizer")
_QUANTIZE, _COMPARE = "kit.quantizer.quantize_file", "kit.quantizer.compare_files"


@dataclass(frozen=True)
class QuantizerPlace:
    """Where the quantizer runs. limits: of one run, which makes all that an order asks for."""

    engine: Engine
    packages: Quantizer
    limits: Limits
    notify: Callable[[str], None]

    def prepare(self) -> None:
        """Make the quantizer ready, once. Raises EngineError."""
        self.engine.prepare(self.packages, self.notify)


@dataclass(frozen=True)
class QuantizedFile:
    """What came of one request: the place of a .tflite, None for none, and what is said of it.

    ended: how the process ended that died on it.
    """

    path: Path | None
    said: Quantized
    ended: Exit | None = None


def run_quantizer(place: QuantizerPlace, job: Files, order: QuantizerJob, folder: Path) -> tuple[QuantizedFile, ...]:
    """Return what comes of each request, in their order. One that the quantizer dies on costs that one alone.

    place: made ready; folder: an empty one for the files. What is measured of the float32 file once lies beside it, for
    later orders.
    """
    numbers = range(len(order.requests))
    died: dict[int, Exit] = {}
    with _laid_out({EXACT: job.out}, job.inputs, order) as there:
        _move(KEPT, folder.parent, there.out)
        while missing := [i for i in numbers if not (there.out / said_name(i)).exists()]:
            ended = place.engine.run(place.packages, there, place.limits, place.notify, _QUANTIZE)
            refuse_links(there.out)
            if not (there.out / said_name(missing[0])).exists():
                died[missing[0]] = ended
                said = dump(Quantized(_death(ended, there.log)))
                (there.out / said_name(missing[0])).write_text(said, "utf-8")
        _move(KEPT, there.out, folder.parent)
        _move([made_name(i) for i in numbers], there.out, folder)
        return tuple(_read(there.out, folder, i, died.get(i)) for i in numbers)


def run_comparison(place: QuantizerPlace, job: Files, product: Path, order: QuantizerJob) -> Quantized:
    """Return the error of each layer of a finished file, or why there is none.

    job: to float32; product: the folder of what another job wrote; order: one without requests.
    """
    with _laid_out({EXACT: job.out, PRODUCT: product}, job.inputs, order) as there:
        ended = place.engine.run(place.packages, there, place.limits, place.notify, _COMPARE)
        refuse_links(there.out)
        return _said(there.out / said_name(0)) or Quantized(_death(ended, there.log))


def run_bundle_comparison(pair: FilePair, notify: Callable[[str], None]) -> Quantized:
    """Return the error of each layer of a product against the float32 file of the same model, or why there is none."""
    python = packages_venv(quantizer(), notify)
    with temporary_folder("dropkit-compare-") as folder:
        text, result = folder / "order.json", folder / "result.json"
        text.write_text(dump(pair), "utf-8")
        done = Scripts().run(python, [_COMPARE_BUNDLES, text, result])
        if not result.is_file():
            return Quantized(_how(Exit(done.returncode), done.stderr))
        return load(Quantized, result.read_text("utf-8"))


@contextmanager
def _laid_out(made: Mapping[str, Path], inputs: Path, order: QuantizerJob) -> Iterator[JobFolder]:
    """Lay out a job: what other jobs made by its name there, the data that they had, the order and the code."""
    with temporary_folder("dropkit-quantize-") as root:
        folder = JobFolder(root / "in", root / "out", root / "quantizer.log")
        folder.inputs.mkdir()
        lay_out(folder, {}, {}, {ORDER: dump(order)}, _CODE)
        for name in (JOB, CALIBRATION, EVALUATION):
            if (inputs / name).exists():
                _place(inputs / name, folder.inputs / name)
        for name, source in made.items():
            (folder.inputs / name).mkdir()
            (folder.inputs / name).chmod(0o755)  # another user reads it in the container, whatever our umask
            for file in (MODEL, RESULT):
                _place((source / file).resolve(), folder.inputs / name / file)
        yield folder


def _place(source: Path, target: Path) -> None:
    """Have a file in a job, without a second copy where that can be; another user reads it in the container."""
    try:
        target.hardlink_to(source)
        target.chmod(0o644)
    except OSError:  # another file system, or another user's file
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o644)


def _move(names: Iterable[str], source: Path, target: Path) -> None:
    for name in names:
        if (source / name).exists():
            shutil.move(source / name, target / name)


def _read(out: Path, folder: Path, number: int, ended: Exit | None) -> QuantizedFile:
    file = folder / made_name(number)
    said = _said(out / said_name(number)) or Quantized("what it says of the file cannot be read")
    return QuantizedFile(file if file.exists() and not said.error else None, said, ended)


def _said(path: Path) -> Quantized | None:
    """Return what the quantizer wrote, None where it is not there or is none."""
    try:
        return load(Quantized, read_bounded(path, MOST_JSON).decode("utf-8"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _death(ended: Exit, log: Path) -> str:
    """Return how a run without a result ended, in words; its log is kept."""
    if not log.exists() or not log.stat().st_size:
        return _how(ended)
    return _how(ended, tail(keep_log(log, "quantizer"), 1))


def _how(ended: Exit, said: str = "") -> str:
    """Return how a process ended: by a limit or a signal, else by the last line that it said."""
    if ended.timed_out or ended.out_of_memory or ended.too_large:
        return ended.cause
    if ended.signal:
        return f"it ended with {ended.signal}"
    return last_line(said) or f"it ended with {ended.cause}"
