"""Which toolchain converts the model files, and why: the one that was asked for, or the newest that loads them.

Knows who wrote each file and what each toolchain loads, both as data; runs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit.errors import ModelError
from kit.source_model.model_file import SAVED_MODEL, ModelFile
from kit.toolchains.toolchain import Toolchain, find_toolchain, newer, newest_toolchain, toolchains

ASKED = "asked for"


@dataclass(frozen=True)
class Choice:
    """A toolchain and the reason for it, as half a sentence: "the newest that loads a .h5 of Keras 2.0.5"."""

    toolchain: Toolchain
    reason: str


def choose_toolchain(request: str, sources: Sequence[ModelFile]) -> Choice:
    """Return the toolchain of a TensorFlow version, or for "auto" the newest that loads every one of the files.

    Raises RecipeError for a version that is not pinned, ModelError where it cannot load a file: that names
    the ones that can.
    """
    able = [t for t in toolchains().values() if all(_loads(t, source) for source in sources)]
    what = " and ".join(dict.fromkeys(source.what for source in sources))
    if request == "auto":
        if not able:
            path = next((s.path for s in sources if not any(_loads(t, s) for t in toolchains().values())), None)
            where, which = (path, "loads") if path else (sources[0].path, "loads all of:")
            raise ModelError(f"{where}: no pinned TensorFlow {which} {what}", _SAVE_ELSEWHERE)
        return Choice(able[-1], f"the newest that loads {what}{_doubt(sources)}")
    asked = find_toolchain(request)
    if asked not in able:
        source = next(source for source in sources if not _loads(asked, source))
        raise ModelError(
            f"{source.path}: it is {source.what}, which TensorFlow {request} ({_kerases(asked)}) cannot load",
            _remedy(able),
        )
    return Choice(asked, f"{ASKED}{_doubt(sources)}")


_SAVE_ELSEWHERE = "load it with the Keras that wrote it, and save it as .h5: model.save('name.h5')"


def _loads(toolchain: Toolchain, source: ModelFile) -> bool:
    return toolchain.can_load(source.suffix, source.keras)


def _doubt(sources: Sequence[ModelFile]) -> str:
    newest = newest_toolchain()
    for source in sources:
        pinned = newest.legacy_keras if source.legacy else newest.keras
        # A SavedModel does not need the Keras that wrote it.
        if source.suffix != SAVED_MODEL and source.keras and newer(source.keras, pinned):
            return f"; it is newer than the pinned Keras {pinned}, and may not load"
    return ""


def _kerases(toolchain: Toolchain) -> str:
    legacy = f" and tf-keras {toolchain.legacy_keras}" if toolchain.legacy_keras else ""
    return f"Keras {toolchain.keras}{legacy}"


def _remedy(able: list[Toolchain]) -> str:
    if not able:
        return _SAVE_ELSEWHERE
    versions = ", ".join(t.tensorflow for t in reversed(able))
    return f'set [toolchain] tensorflow = "{able[-1].tensorflow}" or "auto"; it loads in {versions}'
