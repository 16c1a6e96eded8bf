"""Which Keras `keras`, `tf.keras` and `tf_keras` are in this process: decided before TensorFlow is imported.

TensorFlow reads TF_USE_LEGACY_KERAS while it is imported and never again, and whoever imported `keras` first has
settled it for all. Standard library only, so that this comes first.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit.shared.job import Job

_KERAS, _LEGACY = "keras", "tf_keras"


def choose_keras(job: Job) -> None:
    """Let every spelling of Keras be the one that wrote the job's files, however the model's own code imports it.

    Beside files of Keras 3, or without any of Keras, `keras` stays the toolchain's own, and `tf_keras` is Keras 2.
    """
    if importlib.util.find_spec(_LEGACY) is None:  # up to TensorFlow 2.15 `keras` is Keras 2, and there is no other
        sys.meta_path.insert(0, _Alias(_LEGACY, _KERAS))
        return
    keras = [part for part in job.parts if part.format != "SavedModel"]
    if keras and all(part.legacy_keras for part in keras):
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
        sys.meta_path.insert(0, _Alias(_KERAS, _LEGACY))


def keras_of(*, legacy: bool) -> Any:
    """Return Keras 3, or for a legacy file Keras 2: tf_keras beside Keras 3, and `keras` itself before that."""
    if legacy:
        with suppress(ModuleNotFoundError):
            return importlib.import_module(_LEGACY)
    return importlib.import_module(_KERAS)


class _Alias(MetaPathFinder, Loader):
    """Imports `name` and all below it as the modules of another package: the same objects, not a second copy."""

    def __init__(self, name: str, real: str) -> None:
        self._name, self._real = name, real

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname == self._name or fullname.startswith(f"{self._name}."):
            return ModuleSpec(fullname, self)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._real + spec.name.removeprefix(self._name))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # It has run already. Python has put the alias's spec into it, and relative imports in it go by its own.
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state
