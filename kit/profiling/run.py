"""Profile a bundle, or a model file alone: a process times it on LiteRT, another one compares it with a float file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kit.bundle.layout import TENSORS, only_bundle
from kit.bundle.manifest import read_intact
from kit.bundle.tensor_table import layers_by_operator, read_named, read_table
from kit.emulation.bare import bare_bundle
from kit.emulation.output_check import InputError
from kit.emulation.run import crashed, lock_of, with_own_harness
from kit.emulation.scripts import Scripts, last_line
from kit.errors import CheckError, EngineError, RecipeError
from kit.exploration.node_data import errors_by_operator, recorded_errors
from kit.files import temporary_folder
from kit.profiling.events import Step
from kit.profiling.operators import Profiled, profiled_operators
from kit.profiling.report import Profile
from kit.quantizer.run import run_bundle_comparison
from kit.shared.quantization import FilePair, LayerError, NamedFile
from kit.shared.values import from_json
from kit.tflite.model import TfliteFile
from kit.toolchains.toolchain import Runtime, find_runtime
from kit.toolchains.venv import runtime_venv

PROFILER = "litert:2.3.0"  # the first runtime whose wheel has a profiler
SAMPLES = 32  # on which every tensor is compared with the float file's
SECONDS = 1.0  # of calls
_MOST = 0.8  # of a call: with less in its operators there is something to say
_SCRIPT = Path(__file__).with_name("profile_script.py")
_CONSTANTS = {"int8", "uint8", "int4", "int2", "int16", "float16"}  # of a file that is not the float32 one

Notify = Callable[[str], None]
Errors = Mapping[tuple[int, int], LayerError]


@dataclass(frozen=True)
class ProfileRequest:
    """What is asked for. against: the float32 bundle or .tflite; signature: a key, "" for the main one."""

    files: tuple[str, ...] = ()
    signature: str = ""
    threads: int = 1
    against: Path | None = None


@dataclass(frozen=True)
class _Timed:
    """What the script says of a run. call: microseconds of one, without the profiler; samples: how many inputs."""

    signature: str
    samples: int
    threads: int
    calls: int
    call: float
    steps: tuple[Step, ...]
    whole: bool
    errors: tuple[InputError, ...]


@dataclass(frozen=True)
class _Subject:
    """What is profiled: the folder with the kit's own harness; the model as it lies, and what is known of it."""

    folder: Path
    path: Path
    id: str
    version: str
    app: str  # the runtime that the app links, "" where no bundle says it
    scheme: str  # "" where no bundle says it
    keeps: bool  # variables


def run_profile(bundle: Path, asked: ProfileRequest, notify: Notify) -> Profile:
    """Return where a call of a bundle spends its time and makes its error.

    Raises RecipeError for files, a signature or a float file that do not fit, CheckError where a file of the bundle is
    not as it was built or LiteRT does not run it, EngineError where LiteRT crashed.
    """
    runtime = find_runtime(PROFILER)
    exact = _float_file(asked.against) if asked.against else None
    with _subject(bundle, runtime, notify) as subject, temporary_folder("dropkit-profile-") as out:
        file = read_named(subject.path)
        timed = _timed(subject, runtime, asked, out, notify)
        errors, source, notes = _errors(subject, file, exact, (timed, out), notify)
        layers = layers_by_operator(subject.path / TENSORS, file) if subject.path.is_dir() else {}
    rows = profiled_operators(file, layers, timed.steps, timed.call)
    return Profile(
        model=subject.id,
        version=subject.version,
        app=subject.app,
        package=f"ai-edge-litert {runtime.version}",
        signature=timed.signature,
        threads=timed.threads,
        calls=timed.calls,
        samples=timed.samples,
        milliseconds=timed.call / 1000,
        operators=tuple(_with_error(row, errors) for row in rows),
        against=source,
        notes=(*notes, *_warnings(timed, rows)),
        errors=timed.errors,
    )


@contextmanager
def _subject(bundle: Path, runtime: Runtime, notify: Notify) -> Iterator[_Subject]:
    """Give what is profiled, for a block. Raises as read_intact and bare_bundle do."""
    if bundle.is_file():
        with bare_bundle(bundle, runtime, notify) as folder:
            yield _Subject(folder, bundle, bundle.stem, "", "", "", keeps=False)
        return
    manifest = read_intact(bundle)
    scheme, keeps = manifest.model.scheme, manifest.signature.variables is not None
    with with_own_harness(bundle, manifest) as folder:
        yield _Subject(folder, bundle, manifest.id, manifest.version, manifest.runtime, scheme, keeps)


def _timed(subject: _Subject, runtime: Runtime, asked: ProfileRequest, out: Path, notify: Notify) -> _Timed:
    """Return what the script says. out: a folder for it. Raises what kind of error the bundle is at fault with."""
    python = runtime_venv(runtime, lock_of(subject.folder, runtime), notify)
    words = [str(asked.threads), str(SECONDS), str(SAMPLES), str(out), asked.signature, *map(str, asked.files)]
    done = Scripts().run(python, [_SCRIPT, subject.folder, *words])
    if done.returncode < 0:
        raise crashed(subject.folder, runtime.name, done.returncode)
    try:
        raw = json.loads((out / "report.json").read_text("utf-8"))
        if "error" not in raw:
            return from_json(_Timed, raw)
    except (OSError, ValueError, TypeError, KeyError) as error:
        last = last_line(done.stderr)
        raise EngineError(f"{runtime.name} gave no profile: {last or 'without a word'}", "run `kit doctor`") from error
    kinds = {RecipeError.code: RecipeError, EngineError.code: EngineError}
    without = f"leave --profile out: the interpreter may run what LiteRT refuses: kit emulate {subject.path}"
    kind = kinds.get(raw["code"], CheckError)
    raise kind(f"{runtime.name} does not profile {subject.path}: {raw['error']}", str(raw["hint"]) or without)


def _float_file(path: Path) -> tuple[Path, TfliteFile]:
    """Return the path of the float32 model that is named, and the file. Raises RecipeError where it is none."""
    if path.is_dir():
        read_intact(path)
    file = read_named(path)
    held = {tensor.dtype for graph in file.subgraphs for tensor in graph.tensors if tensor.sha256 is not None}
    if found := sorted(held & _CONSTANTS):
        raise RecipeError(
            f"--against {path}: it keeps constants in {', '.join(found)}, and the float32 file of the model is needed",
            f"kit build RECIPE --scheme float32 --out float, then --against float/{path.name}",
        )
    return path, file


def _errors(
    subject: _Subject, file: TfliteFile, exact: tuple[Path, TfliteFile] | None, ran: tuple[_Timed, Path], notify: Notify
) -> tuple[Errors, str, Sequence[str]]:
    """Return the errors by operator, what they were measured against, and notes.

    file: with its names; ran: what the script said, and the folder with the inputs.
    """
    timed, out = ran
    if exact is None:
        return _recorded(subject, file)
    if subject.keeps:
        return {}, "", ["a model that keeps variables is not compared with its float file, layer by layer"]
    path, float_file = exact
    layers = tuple(sorted({layer for each in (subject.path, path) for layer in _layers(each)}))
    pair = FilePair(
        _named(path, float_file), _named(subject.path, file), str(out / "inputs.npz"), timed.signature, layers
    )
    notify(f"compare every tensor with those of {path}")
    said = run_bundle_comparison(pair, notify)
    if said.error:
        raise RecipeError(
            f"--against {path}: it cannot be compared with {subject.path}: {said.error}",
            "name the float32 bundle of the same model",
        )
    found, notes = errors_by_operator(said.errors, file)
    return found, f"{path}, on {timed.samples} samples", notes


def _recorded(subject: _Subject, file: TfliteFile) -> tuple[Errors, str, Sequence[str]]:
    """Return the errors that a search measured, where the bundle is of one."""
    if subject.scheme == "float32":
        return {}, "", ["the model is float32: it has no error of quantization"]
    record = subject.path.with_name(f"{subject.path.name}.search.json")
    if subject.path.is_dir() and record.is_file():
        errors, notes = recorded_errors(record, file)
        return errors, f"the float file, by {record.name}" if errors else "", notes
    how = f"kit build RECIPE --scheme float32 --out float, then --against float/{subject.id}"
    return {}, "", [f"errors are of layers beside the float32 file's, and a bundle has none. Build it: {how}"]


def _layers(path: Path) -> Iterator[str]:
    """Yield the layers that a bundle's tensors belong to."""
    table = path / TENSORS
    for row in read_table(table) if table.is_file() else ():
        yield from row.layers


def _named(path: Path, file: TfliteFile) -> NamedFile:
    """Return a bundle's file with its tensors' names, or a file alone. file: the same, with names."""
    if path.is_file():
        return NamedFile(str(path.resolve()))
    names = tuple(tensor.name for graph in file.subgraphs for tensor in graph.tensors)
    return NamedFile(str(only_bundle(path).model.resolve()), names)


def _with_error(row: Profiled, errors: Errors) -> Profiled:
    return replace(row, error=errors.get((row.subgraph, row.operator)))


def _warnings(timed: _Timed, rows: Sequence[Profiled]) -> Iterator[str]:
    """Yield what is to be known of the times."""
    if sum(row.microseconds for row in rows) < _MOST * timed.call:
        yield (
            "the rest of a call is LiteRT's own work around the operators; and XNNPACK's times are whole microseconds, "
            "so that an operator of less counts as none"
        )
    if not timed.whole:
        yield (
            "a call has more steps than LiteRT's profiler keeps: what later turns of a loop take is counted as the "
            "loop's own"
        )
    if any(step.outer for step in timed.steps):
        yield (
            "the profiler itself takes long at each turn of a loop: the loop's own time is what the other operators "
            "leave of a call without the profiler"
        )
