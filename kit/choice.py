"""Which toolchain converts a model file, and why: the one that was asked for, or the newest that loads it.

Knows who wrote the file and what each toolchain loads, both as data; runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from kit.errors import ModelError
from kit.modelfile import ModelFile
from kit.toolchain import Toolchain, find_toolchain, newer, newest_toolchain, toolchains

ASKED = "asked for"


@dataclass(frozen=True)
class Choice:
    """A toolchain and the reason for it, as half a sentence: "the newest that loads a .h5 of Keras 2.0.5"."""

    toolchain: Toolchain
    reason: str


def choose_toolchain(wish: str, source: ModelFile) -> Choice:
    """Return the toolchain of a TensorFlow version, or for "auto" the newest that loads the file.

    Raises RecipeError for a version that is not pinned, ModelError where it cannot load the file: that names
    the ones that can.
    """
    able = [t for t in toolchains().values() if t.can_load(source.suffix, source.keras)]
    what = f"a {source.suffix} file of Keras {source.keras}"
    if wish == "auto":
        if not able:
            raise ModelError(f"{source.path}: no pinned TensorFlow loads {what}", _SAVE_ELSEWHERE)
        return Choice(able[-1], f"the newest that loads {what}{_doubt(source)}")
    asked = find_toolchain(wish)
    if asked not in able:
        raise ModelError(
            f"{source.path}: it is {what}, which TensorFlow {wish} ({_kerases(asked)}) cannot load", _remedy(able)
        )
    return Choice(asked, f"{ASKED}{_doubt(source)}")


_SAVE_ELSEWHERE = "load it with the Keras that wrote it, and save it as .h5: model.save('name.h5')"


def _doubt(source: ModelFile) -> str:
    newest = newest_toolchain()
    pinned = newest.legacy_keras if source.legacy else newest.keras
    return f"; it is newer than the pinned Keras {pinned}, and may not load" if newer(source.keras, pinned) else ""


def _kerases(toolchain: Toolchain) -> str:
    legacy = f" and tf-keras {toolchain.legacy_keras}" if toolchain.legacy_keras else ""
    return f"Keras {toolchain.keras}{legacy}"


def _remedy(able: list[Toolchain]) -> str:
    if not able:
        return _SAVE_ELSEWHERE
    versions = ", ".join(t.tensorflow for t in reversed(able))
    return f'set [toolchain] tensorflow = "{able[-1].tensorflow}" or "auto"; it loads in {versions}'
