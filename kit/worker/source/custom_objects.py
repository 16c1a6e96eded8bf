"""The model's own layers and functions: the recipe's [model] code, run here and nowhere else."""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.shared.job import CODE, Job, JobError

_MODULE = "custom"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


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
        raise JobError("model", f"[model] code: {CODE}: build_model is no function", "def build_model(): return model")
    if objects is None and build is None:
        raise JobError(
            "model",
            f"[model] code: {CODE}: it defines no CUSTOM_OBJECTS",
            "give the model's own classes and functions by their names: CUSTOM_OBJECTS = {'MyLayer': MyLayer}",
        )
    if not isinstance(objects or {}, Mapping) or not all(isinstance(name, str) for name in objects or {}):
        raise JobError("model", f"[model] code: {CODE}: CUSTOM_OBJECTS is not a dict of names", "{'MyLayer': MyLayer}")
    return Custom(dict(objects or {}), build)


def _hint(error: BaseException) -> str:
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if missing in {"", "keras", "tensorflow", "tf_keras"}:
        return "correct the code"
    return (
        f"{missing} is not in the toolchain, which has numpy, TensorFlow, Keras, h5py and the standard library: leave "
        "it out, or copy what is used of it into the code"
    )


def described(error: BaseException) -> str:
    """Return the error in one line, after the file and line of custom.py that it comes from, where it comes from it."""
    where = ""
    if isinstance(error, SyntaxError) and Path(error.filename or "").name == CODE:
        where = f"{CODE}, line {error.lineno}: "
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).name == CODE and frame.filename != __file__:
            where = f"{CODE}, line {frame.lineno}: "  # the innermost counts
    said = error.msg if isinstance(error, SyntaxError) else _said(str(error))
    return f"{where}{type(error).__name__}: {said}"[:300].removesuffix(": ")


def _said(text: str) -> str:
    """Return the line of a message that says what is wrong: Keras puts configurations and stack traces before it."""
    lines = [_COLOUR.sub("", line).strip() for line in text.splitlines() if line.strip()]
    for line, after in itertools.pairwise(lines):
        if after.startswith("[[{{node"):  # TensorFlow's own words on what failed in a graph, then where
            return re.sub(r"^\(\d+\) \w+: +", "", line)
    for line, after in itertools.pairwise(lines):
        if line.startswith("Exception encountered when calling ") or line.endswith("Error encountered:"):
            return _said("\n".join(lines[lines.index(after) :]))
    for line in reversed(lines):  # each object inside another puts its own before it
        if line.startswith("Exception encountered: "):
            return line.removeprefix("Exception encountered: ")
    if lines and lines[0] == "in user code:":  # a stack trace as text
        lines = [line for line in lines[1:] if not line.startswith("File ") and " " in line] or lines
        return lines[-1]
    return lines[0] if lines else ""
