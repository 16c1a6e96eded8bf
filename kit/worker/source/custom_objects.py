"""The model's own layers and functions: the recipe's [model] code, run here and nowhere else."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.shared.job import CODE, Job, JobError
from kit.worker.failures.causes import described, next_step

_MODULE = "custom"


@dataclass(frozen=True)
class Custom:
    """What the code gives: objects by the names that model files have for them, and a function that builds a model."""

    objects: Mapping[str, Any] = field(default_factory=dict)
    build_model: Callable[[], Any] | None = None


def load_custom(folder: Path, job: Job) -> Custom:
    """Run the job's custom.py where there is one. Raises JobError (kind "model"), with file and line of an error."""
    if not job.code:
        return Custom()
    if not job.allow_code:
        raise JobError("model", f"{CODE} may not run here", "build in a container, or set [model] allow_code = true")
    spec = importlib.util.spec_from_file_location(_MODULE, folder / CODE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module  # where pickles, and Keras itself, look for what is defined in it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise JobError("model", f"[model] code: {described(error)}", _hint(error)) from error
    objects, build = getattr(module, "CUSTOM_OBJECTS", None), getattr(module, "build_model", None)
    if build is not None and not callable(build):
        raise JobError(
            "model",
            f"[model] code: {CODE}: build_model is no function",
            "write it as a function: def build_model(): return model",
        )
    if objects is None and build is None:
        raise JobError(
            "model",
            f"[model] code: {CODE}: it defines no CUSTOM_OBJECTS",
            "give the model's own classes and functions by their names: CUSTOM_OBJECTS = {'MyLayer': MyLayer}",
        )
    if not isinstance(objects or {}, Mapping) or not all(isinstance(name, str) for name in objects or {}):
        raise JobError(
            "model",
            f"[model] code: {CODE}: CUSTOM_OBJECTS is not a dict of names",
            "write CUSTOM_OBJECTS = {'MyLayer': MyLayer}",
        )
    return Custom(dict(objects or {}), build)


def _hint(error: BaseException) -> str:
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if missing in {"", "keras", "tensorflow", "tf_keras"}:
        return next_step(error, f"correct {CODE}")
    return (
        f"{missing} is not in the toolchain, which has numpy, TensorFlow, Keras, h5py and the standard library: leave "
        "it out, or copy what is used of it into the code"
    )
