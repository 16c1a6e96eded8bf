"""What a recipe comes to before anything runs: which toolchain, which model, which runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kit.build.anchors import Anchors, anchors_of
from kit.build.audio_input import audio_of
from kit.build.bundle_signature import Labels, labels_of
from kit.build.misfits import MOST_FILE, refuse_misfits, refuse_too_large
from kit.build.own_metrics import refuse_missing_functions
from kit.build.raw_inputs import RawInputs
from kit.build.text_input import texts_of
from kit.engine.own_metrics import MetricPlace
from kit.errors import RecipeError
from kit.recipe.schema import Recipe
from kit.source_model.model_file import NEW_WEIGHTS, WEIGHTS, ModelFile, read_model_file
from kit.toolchains.lockfile import Lock
from kit.toolchains.selection import choose_toolchain
from kit.toolchains.toolchain import Quantizer, Toolchain, find_runtime, quantizer
from kit.updates.keys import public_key

LARGE = 512 << 20  # bytes of weights in float32


@dataclass(frozen=True)
class Plan:
    """What a recipe comes to, before anything runs."""

    recipe: Recipe
    toolchain: Toolchain
    reason: str  # why that toolchain: half a sentence
    sources: tuple[ModelFile, ...]  # joined in this order; mostly one
    code: Path | None  # the model's own layers and functions
    structure: Path | None  # the JSON of the model, for a file of weights alone
    runtime_lock: Lock
    labels: Mapping[str, Labels]  # by output name
    key: str
    trust: str = "[model] allow_code = true"  # how the user says that the model's code may run
    anchors: Mapping[str, Anchors] = field(default_factory=dict)  # by output name
    raw_inputs: RawInputs = field(default_factory=RawInputs)
    quantizer: Quantizer = field(default_factory=quantizer)
    update_key: bytes | None = None  # the public key that the class checks updates with, DER
    unsure: Mapping[str, float] = field(default_factory=dict, hash=False)  # ranges that a verified build recorded
    metrics: MetricPlace | None = None  # where the user's own run, once there is an engine


def make_plan(recipe: Recipe, key: str) -> Plan:
    """Resolve a recipe's toolchain, model and runtime. key is the build's, from kit.build.cache_key."""
    update_key = _update_key(recipe)
    code, structure = (recipe.file(name) if name else None for name in (recipe.model.code, recipe.model.structure))
    sources = read_sources([recipe.file(name) for name in recipe.model.paths], code, structure)
    if not recipe.quantize.representative:
        _refuse_unmeasured(recipe, sources)
    choice = choose_toolchain(recipe.toolchain.tensorflow, sources)
    images = any(tensor.kind == "image" for tensor in recipe.inputs)
    runtime_lock = find_runtime(recipe.android.runtime).lock(images=images)
    labels = labels_of(recipe)
    refuse_misfits(recipe, sources, labels)
    refuse_missing_functions(recipe)
    refuse_too_large(recipe, sources)
    recipe = _within_memory(recipe, sources)
    made = Plan(recipe, choice.toolchain, choice.reason, sources, code, structure, runtime_lock, labels, key)
    return replace(
        made,
        anchors=anchors_of(recipe),
        raw_inputs=raw_inputs_of(recipe, sources, structure),
        update_key=update_key,
    )


def _update_key(recipe: Recipe) -> bytes | None:
    """Return the public key for models over the air, DER; None without one. Raises RecipeError where it is none."""
    return public_key(recipe.file(recipe.android.update_key)) if recipe.android.update_key else None


def raw_inputs_of(recipe: Recipe, sources: Sequence[ModelFile], structure: Path | None) -> RawInputs:
    """Return how texts and sounds become inputs. Raises RecipeError or ModelError where recipe and files do not say."""
    return RawInputs(texts_of(recipe, sources, structure), audio_of(recipe, sources))


def _within_memory(recipe: Recipe, sources: Sequence[ModelFile]) -> Recipe:
    """Return the recipe with LiteRT's quantizer for float16 of a large model, which TensorFlow makes of ten copies."""
    weights = sum(source.weights for source in sources)
    plain = recipe.quantize.scheme == "float16" and recipe.quantize.quantizer is None and not recipe.model.allow_flex
    if not plain or not LARGE < weights < MOST_FILE or recipe.model.streaming:
        return recipe
    return recipe.model_copy(update={"quantize": recipe.quantize.model_copy(update={"quantizer": "litert"})})


def _refuse_unmeasured(recipe: Recipe, sources: Sequence[ModelFile]) -> None:
    """Refuse int8 without data for a model that has no ranges of its own; the worker looks closer where it may."""
    if recipe.quantize.by_litert and recipe.quantize.measured:
        raise RecipeError(
            f"{recipe.path}: [quantize] needs representative data: what it asks for is measured on it",
            "give calibration data: representative = 'samples.npz', or a folder of images",
        )
    if recipe.quantize.scheme == "int8" and not any(source.trained_int8 for source in sources):
        raise RecipeError(
            f"{recipe.path}: [quantize] scheme 'int8' needs representative data: the model's ranges are measured on it",
            "give representative = 'samples.npz' or a folder of images; only a model of quantization-aware training "
            "has ranges of its own",
        )


def read_sources(paths: Sequence[Path], code: Path | None, structure: Path | None) -> tuple[ModelFile, ...]:
    """Read what each model file says of itself. Raises ModelError for none, RecipeError for a structure of no use."""
    sources = tuple(read_model_file(path, structure, built=code is not None) for path in paths)
    if structure is not None and not any(source.suffix in {WEIGHTS, NEW_WEIGHTS} for source in sources):
        raise RecipeError(
            f"[model] structure: {paths[0]} is {sources[0].what}, which holds its own", "leave structure out"
        )
    return sources
