"""A file of weights alone as a Source: the model's structure comes from its JSON, or from the model's own code."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from kit.shared.job import InputSpec, Job, JobError, ModelPart
from kit.trust.keras_config import uncompiled
from kit.worker.failures.causes import described, next_step
from kit.worker.loaders.asks import refuse_config, refuse_weights
from kit.worker.loaders.dequantized import with_float_weights
from kit.worker.loaders.keras_choice import keras_of
from kit.worker.loaders.keras_model import call_once, describe, with_precision
from kit.worker.loaders.lambdas import Renamed
from kit.worker.loaders.load_errors import cannot
from kit.worker.loaders.tfmot_strip import stripped
from kit.worker.source.custom_objects import Custom
from kit.worker.source.model import Source

_LEGACY = (
    "layer_names"  # the attribute by which Keras 2's files of weights are distinguished from the newer .weights.h5
)
_CORRECT = "correct [model] code"


def load(
    path: Path,
    part: ModelPart,
    structure: str | None,
    custom: Custom,
    job: Job,
) -> Source:
    """Build the model and load its weights. structure is its JSON, None where the code has build_model().

    job.inputs is what the recipe says of this model's own. Raises JobError (kind "model") where either does not work,
    or the weights are not this model's.
    """
    keras, requests, allow_code = keras_of(legacy=part.legacy_keras), job.inputs, job.allow_code
    if not job.trusted:
        refuse_weights(path)
    if structure is not None:
        renamed = Renamed(structure, custom.objects, legacy=part.legacy_keras, allow_code=allow_code)
        if not job.trusted:
            refuse_config(keras, renamed.text, renamed.objects)
        with renamed.proved():
            model = _from_json(keras, renamed, allow_code=allow_code)
            source = _weighted(keras, model, path, requests)
            model, note = with_float_weights(keras, model, renamed.text, renamed.objects)
            if note:
                source = replace(describe(model, source.loader, requests), notes=(note,))
            renamed.try_out(source)
        return with_precision(replace(source, notes=(*renamed.notes, *source.notes)), renamed)
    if custom.build_model is not None:
        return _weighted(keras, _from_code(keras, custom), path, requests)
    raise JobError(
        "model",
        f"{part.name or part.file} holds weights only, and nothing says the model's structure",
        "give it: [model] structure = 'model.json', as model.to_json() writes it, or build_model() in [model] code",
    )


def _weighted(keras: Any, model: Any, path: Path, requests: Sequence[InputSpec]) -> Source:
    loader = f"{keras.__name__} {keras.__version__}"
    source = describe(model, loader, requests)
    if not getattr(model, "inputs", None):  # a subclassed model has its weights only once it has been called
        call_once(source)
        source = describe(model, loader, requests)
    _load_weights(model, path)
    plain, notes = stripped(keras, model)
    if plain is not model:
        source = describe(plain, loader, requests)
    return replace(source, notes=(*source.notes, *notes))


def _from_json(keras: Any, renamed: Renamed, *, allow_code: bool) -> Any:
    try:
        text = json.dumps(uncompiled(json.loads(renamed.text)))
        with _unsafe(keras, allow_code), keras.utils.custom_object_scope(renamed.objects):
            return keras.models.model_from_json(text, custom_objects=renamed.objects)
    except JobError:
        raise
    except Exception as error:
        raise cannot(keras, "build the model of [model] structure", error, renamed) from error


def _from_code(keras: Any, custom: Custom) -> Any:
    assert custom.build_model is not None
    try:
        model = custom.build_model()
    except Exception as error:
        hint = (
            "STFTSpectrogram(..., window=None): its weights hold the window"
            if "scipy" in str(error)
            else next_step(error, _CORRECT)
        )
        raise JobError("model", f"build_model() fails: {described(error)}", hint) from error
    if not isinstance(model, keras.Model):
        raise JobError(
            "model",
            f"build_model() returns {type(model).__module__}.{type(model).__name__}, "
            f"which is no model of {keras.__name__} {keras.__version__}, the Keras of the weights",
            "import keras in the code (it is the right one for the file), and return a keras.Model",
        )
    return model


def _load_weights(model: Any, path: Path) -> None:
    with h5py.File(path, "r") as file:
        legacy = _LEGACY in file.attrs
        held = None if legacy else _numbers(file)
    # By its suffix Keras tells the two formats, and a user may have named the file as they liked.
    suffix = ".h5" if legacy else ".weights.h5"
    try:
        with tempfile.TemporaryDirectory() as scratch:
            named = Path(scratch) / f"model{suffix}"
            shutil.copyfile(path, named)
            model.load_weights(str(named))
    except Exception as error:
        raise JobError(
            "model",
            f"the weights are not this model's: {described(error)}",
            "give the structure that they were saved with",
        ) from error
    wanted = sum(_size(weight.shape) for weight in model.weights)
    if held is not None and held > wanted:  # Keras looks for what the model needs, and never at the rest
        raise JobError(
            "model",
            f"the weights are not this model's: the file holds {held:,} numbers, and the model takes {wanted:,}",
            "give the structure that they were saved with",
        )


def _size(shape: Sequence[int]) -> int:
    """Return how many numbers a shape holds."""
    size = 1
    for n in shape:
        size *= int(n)
    return size


def _numbers(file: Any) -> int:
    """Count the weights in a .weights.h5: without the optimizer's state, metrics and the state of random layers."""
    aside = ("optimizer", "compile_metrics", "metrics", "seed_generator", "random_generator", "_metrics")
    found = 0

    def count(name: str, item: Any) -> None:
        nonlocal found
        if isinstance(item, h5py.Dataset) and not any(each in aside for each in name.split("/")):
            found += _size(item.shape)

    file.visititems(count)
    return found


@contextmanager
def _unsafe(keras: Any, allow_code: bool) -> Any:
    """Let model_from_json revive code where it may: it has no argument for that."""
    scope = _safe_scope(keras)
    if scope is None:
        yield
        return
    with scope(safe_mode=not allow_code):
        yield


def _safe_scope(keras: Any) -> Any:
    for package in ("keras.src.saving.serialization_lib", "tf_keras.src.saving.serialization_lib"):
        if package.split(".")[0] == keras.__name__.split(".")[0]:
            try:
                module = __import__(package, fromlist=["SafeModeScope"])
            except ModuleNotFoundError:
                return None
            return getattr(module, "SafeModeScope", None)
    return None
