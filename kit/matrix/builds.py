"""The builds of a matrix: one recipe by several toolchains and schemes, side by side. Compares nothing.

A build is the kit's own `build` in a process of its own, so a crash, a refusal or a failure of one is a value here and
nothing more. What was built or refused before, of the same content, is not run again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from kit.build.cache_key import build_key
from kit.bundle.layout import Bundle
from kit.bundle.manifest import has_outputs, is_intact, read_manifest, read_record
from kit.bundle.manifest_entries import Manifest, Measures, OutputEntry
from kit.errors import INTERRUPTED, KINDS, RecipeError
from kit.files import json_bytes, writable, write_whole
from kit.matrix.parallel import Ended, run_all
from kit.process import Exit
from kit.recipe.load import load_recipe
from kit.recipe.quantize import Quantize, check_scheme
from kit.recipe.schema import Recipe
from kit.shared.values import from_json
from kit.tflite.model import OperatorCode, TfliteFile
from kit.tflite.reader import read_tflite
from kit.toolchains.toolchain import Toolchain, find_toolchain, toolchains

BUILD_MEMORY = 3_000_000_000  # bytes that a conversion of a usual model takes
REFUSAL = "refusal.json"
_BROKEN = 5  # the code of a build whose process was ended from outside


@dataclass(frozen=True)
class BuildOptions:
    """How each variant is built. memory is as `build` takes it: "8g"; timeout in seconds."""

    engine: str = "auto"
    memory: str = "8g"
    timeout: int = 3600


@dataclass(frozen=True)
class Variant:
    """One build of a matrix: a toolchain, and a scheme; "" is the recipe's own."""

    toolchain: Toolchain
    scheme: str = ""

    @property
    def name(self) -> str:
        """Return what tables call it: "2.19.1", "2.19.1 int8"."""
        return f"{self.toolchain.tensorflow} {self.scheme}".strip()


@dataclass(frozen=True)
class MatrixRequest:
    """What to build: a recipe, the toolchains, and how. jobs: how many builds run at a time.

    schemes: each with each toolchain; none is the recipe's own.
    """

    recipe: Recipe
    toolchains: tuple[Toolchain, ...]
    folder: Path
    options: BuildOptions = BuildOptions()
    jobs: int = 1
    schemes: tuple[str, ...] = ()

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Return every build, by toolchain and then by scheme."""
        return tuple(Variant(each, scheme) for each in self.toolchains for scheme in self.schemes or ("",))

    def place(self, name: str) -> Path:
        """Return the folder of a variant, by its name."""
        return self.folder / name.replace(" ", "-")

    def bundle(self, name: str) -> Path:
        """Return where a build's bundle is, by its variant's name."""
        return self.place(name) / self.recipe.model.id

    def predictions(self, name: str) -> Path:
        """Return where a build's outputs of the evaluation samples are."""
        return self.place(name) / f"{self.recipe.model.id}.predictions.npz"


@dataclass(frozen=True)
class Failure:
    """Why a build has no bundle: the first line of its message, the rest of it, the next step, the exit code."""

    code: int
    cause: str
    hint: str = ""
    detail: str = ""


@dataclass(frozen=True)
class _Made:
    """What was made and measured before a check refused it."""

    bytes: int
    measures: Measures


@dataclass(frozen=True)
class _Refusal:
    """refusal.json: why a variant was not built, and what for."""

    key: str
    options: BuildOptions
    failure: Failure
    seconds: float
    made: _Made | None = None


@dataclass(frozen=True)
class VersionBuild:
    """How one variant fared. What was not made or measured is None or empty. seconds are of the build itself."""

    tensorflow: str
    keras: str
    python: str
    unchanged: bool  # nothing was run: it is as an earlier run left it
    failure: Failure | None
    seconds: float | None
    engine: str | None = None
    architecture: str | None = None
    bundle: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    content: str | None = None  # content_digest of the file
    min_runtime: str | None = None
    operators: tuple[OperatorCode, ...] = ()
    samples: int | None = None
    measured_on: str | None = None
    outputs: tuple[OutputEntry, ...] = ()
    scheme: str = ""  # that was asked for; "" is the recipe's own
    found: str = ""  # what scheme auto chose

    @property
    def name(self) -> str:
        """Return what tables call it, as Variant has it."""
        return f"{self.tensorflow} {self.scheme}".strip()


def parse_versions(text: str) -> tuple[Toolchain, ...]:
    """Return the toolchains of "2.15.1,2.19.1" or "all", oldest first. Raises RecipeError for one not pinned."""
    known = toolchains()
    names = {name.strip() for name in text.split(",") if name.strip()}
    if not names:
        raise RecipeError("--tensorflow names no version", f"give all, or some of: {','.join(known)}")
    if "all" in names:
        return tuple(known.values())
    for name in sorted(names - set(known)):
        if name == "auto":
            raise RecipeError("--tensorflow auto is one version, and a matrix is of several", "give all, or versions")
        find_toolchain(name)
    return tuple(toolchain for version, toolchain in known.items() if version in names)


def parse_schemes(text: str) -> tuple[str, ...]:
    """Return the schemes of "int8,dynamic,auto", in this order. Raises RecipeError for an unknown one."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        check_scheme(name)
    return names


def make_request(
    recipe: Path, versions: str, out: Path, options: BuildOptions, jobs: int, schemes: str = ""
) -> MatrixRequest:
    """Resolve a command line. Raises RecipeError before anything runs."""
    if options.engine not in {"auto", "docker", "local"}:
        raise RecipeError(f"--engine {options.engine!r} is unknown", "there is: auto, docker, local")
    chosen = parse_versions(versions)
    loaded = load_recipe(recipe)
    return MatrixRequest(loaded, chosen, out / f"{loaded.model.id}.matrix", options, jobs, parse_schemes(schemes))


def run_builds(request: MatrixRequest, notify: Callable[[str], None]) -> tuple[VersionBuild, ...]:
    """Build what is not there yet, side by side. notify gets one line for each build that is done.

    Raises KeyboardInterrupt when all builds have cleaned up after themselves.
    """
    builds: dict[str, VersionBuild] = {}
    waiting: dict[str, list[str]] = {}
    variants = {variant.name: variant for variant in request.variants}
    for name, variant in variants.items():
        known = _known(request, variant)
        if known is None:
            waiting[name] = _argv(request, variant)
        else:
            builds[name] = known
            notify(f"{name}  unchanged{_shown(known)}")

    def take(ended: Ended) -> None:
        builds[ended.name] = _finished(request, variants[ended.name], ended)
        notify(f"{ended.name}  {ended.seconds:.1f} s{_shown(builds[ended.name])}")

    try:
        if waiting:
            what = "builds" if request.schemes else "versions"
            notify(f"building {len(waiting)} of {len(variants)} {what}, {min(request.jobs, len(waiting))} at a time")
            run_all(waiting, request.jobs, take)
    finally:
        _sweep(request)
    return tuple(builds[name] for name in variants)


def _argv(request: MatrixRequest, variant: Variant) -> list[str]:
    """Return the command of a build."""
    name = variant.name
    return [
        *(sys.executable, "-m", "kit", "build", str(request.recipe.path), "--json"),
        *("--tensorflow", variant.toolchain.tensorflow, "--engine", request.options.engine),
        *(("--scheme", variant.scheme) if variant.scheme else ()),
        *("--memory", request.options.memory, "--timeout", str(request.options.timeout)),
        *("--out", str(request.place(name)), "--predictions", str(request.predictions(name))),
    ]


def _known(request: MatrixRequest, variant: Variant) -> VersionBuild | None:
    """Return the build as an earlier run left it, None where it has to run: `build`'s own test, in this process."""
    found = build_key(request.recipe.path, variant.toolchain.tensorflow, variant.scheme)
    key = found[1] if found else ""
    bundle = request.bundle(variant.name)
    if is_intact(bundle, key) and has_outputs(bundle, key, request.predictions(variant.name)):
        return finished_build(request, variant, unchanged=True)
    try:
        kept = from_json(_Refusal, json.loads((request.place(variant.name) / REFUSAL).read_text("utf-8")))
        if kept.key == key and kept.options == request.options:
            return _failed(variant, kept, unchanged=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no refusal is remembered, or none that can be read
    return None


def _finished(request: MatrixRequest, variant: Variant, ended: Ended) -> VersionBuild:
    refusal = request.place(variant.name) / REFUSAL
    if ended.status == 0:
        refusal.unlink(missing_ok=True)
        return finished_build(request, variant, unchanged=False)
    found = build_key(request.recipe.path, variant.toolchain.tensorflow, variant.scheme)
    refused = _Refusal(
        key=found[1] if found else "",
        options=request.options,
        failure=read_failure(ended),
        seconds=round(ended.seconds, 1),
        made=_made(ended.stdout),
    )
    if found and _lasting(refused.failure):
        with writable(refusal.parent):
            write_whole(refusal, json_bytes(asdict(refused)))
    return _failed(variant, refused, unchanged=False)


def _lasting(failure: Failure) -> bool:
    """Say whether the same would fail again. Not so where time, memory or another engine may help."""
    return failure.code in {3, 4} and "killed" not in failure.cause and "--engine" not in failure.hint


def finished_build(request: MatrixRequest, variant: Variant, *, unchanged: bool) -> VersionBuild:
    """Return the build of a bundle that is there."""
    toolchain, bundle = variant.toolchain, request.bundle(variant.name)
    manifest, record = read_manifest(bundle), read_record(bundle)
    measures = manifest.measures
    file = read_tflite(Bundle(bundle, manifest.id).model)
    return VersionBuild(
        tensorflow=toolchain.tensorflow,
        keras=manifest.toolchain.loader,
        python=toolchain.python,
        unchanged=unchanged,
        failure=None,
        seconds=record.seconds,
        engine=record.engine,
        architecture=record.machine,
        bundle=str(bundle),
        bytes=file.size,
        sha256=file.sha256,
        content=content_digest(file),
        min_runtime=file.min_runtime_version or None,
        operators=tuple(sorted(file.operator_codes, key=lambda code: (code.name, code.version))),
        samples=measures.samples if measures else None,
        measured_on=measures.on if measures else None,
        outputs=measures.outputs if measures else (),
        scheme=variant.scheme,
        found=_chosen(manifest) if variant.scheme == "auto" else "",
    )


def _chosen(manifest: Manifest) -> str:
    """Return what a search has chosen, in words: "int4, narrow in dynamic"."""
    quantize = Quantize.model_validate(json.loads(manifest.recipe.text)["quantize"])
    words = [quantize.scheme, *([f"by {quantize.quantizer}"] if quantize.quantizer == "tensorflow" else [])]
    words += [quantize.rounding] if quantize.rounding else []
    words += ["bias correction"] * quantize.bias_correction
    layers = [f"{layer.match} in {layer.scheme}" for layer in quantize.layers]
    return ", ".join([*words, *layers[:2], *([f"{len(layers) - 2} more layers"] if len(layers) > 2 else [])])


def _failed(variant: Variant, refused: _Refusal, *, unchanged: bool) -> VersionBuild:
    """Return the build of a failure. One that a check refused was made and measured."""
    toolchain, made = variant.toolchain, refused.made
    return VersionBuild(
        tensorflow=toolchain.tensorflow,
        keras=f"keras {toolchain.keras}",
        python=toolchain.python,
        unchanged=unchanged,
        failure=refused.failure,
        seconds=refused.seconds,
        bytes=made.bytes if made else None,
        samples=made.measures.samples if made else None,
        measured_on=made.measures.on if made else None,
        outputs=made.measures.outputs if made else (),
        scheme=variant.scheme,
    )


def content_digest(file: TfliteFile) -> str:
    """Return a SHA-256 in hex of what a file computes: operators, tensors, constants. Names and metadata are left out.

    Every TensorFlow writes its own version into the metadata, so files that differ in bytes may be the same model.
    """
    graphs = [
        (
            graph.inputs,
            graph.outputs,
            [(each.name, each.version, each.inputs, each.outputs, each.options) for each in graph.operators],
            [(t.shape, t.shape_signature, t.dtype, t.quantization, t.sha256, t.is_variable) for t in graph.tensors],
        )
        for graph in file.subgraphs
    ]
    return hashlib.sha256(repr(graphs).encode()).hexdigest()


def read_failure(ended: Ended) -> Failure:
    """Return what a build said on stderr: the message that its exit code announces comes last there."""
    if ended.status < 0:
        return Failure(_BROKEN, f"the build itself was ended: {Exit(ended.status).cause}", detail=ended.stderr[-2000:])
    lines = ended.stderr.splitlines()
    titles = [f"{kind.title}: " for kind in KINDS.values() if kind.code == ended.status]
    titles += ["bug: "] if ended.status == 1 else ["interrupted: "] if ended.status == INTERRUPTED else []
    starts = [(n, title) for n, line in enumerate(lines) for title in titles if line.startswith(title)]
    if not starts:
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return Failure(ended.status, f"exit status {ended.status}: {last.strip()}", detail=ended.stderr[-2000:])
    first, title = starts[-1]
    rest = lines[first + 1 :]
    hint = next((line.strip().removeprefix("next: ") for line in rest if line.startswith("  next: ")), "")
    detail = "\n".join(line for line in rest if not line.startswith("  next: "))
    return Failure(ended.status, lines[first].removeprefix(title), hint, detail)


def _shown(build: VersionBuild) -> str:
    if build.failure:
        return f"  FAILED ({build.failure.code}): {build.failure.cause}"
    return f"  {build.bytes:,} bytes, sha256 {str(build.sha256)[:12]}"


def _sweep(request: MatrixRequest) -> None:
    """Remove the folders that a failed or interrupted build left empty."""
    for folder in [*(request.place(variant.name) for variant in request.variants), request.folder]:
        with suppress(OSError):
            folder.rmdir()


def _made(printed: str) -> _Made | None:
    """Return what `build --json` printed of a file that a check refused, None where there is none."""
    with suppress(ValueError, KeyError, TypeError):
        raw = json.loads(printed)
        return _Made(raw["model"]["bytes"], from_json(Measures, raw["measures"]))
    return None
