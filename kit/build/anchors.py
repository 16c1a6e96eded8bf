"""The anchors of a detector: a user's .npy or .npz file, and the asset that an app reads. Knows no head."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bounded import open_regular, open_zip
from kit.errors import RecipeError
from kit.recipe.schema import Recipe

if TYPE_CHECKING:
    import numpy as np

_HINT = "save float numbers [N, 4], the centre and the size of each anchor, 0..1 over the model's input"
MOST = 1 << 28  # bytes, unpacked


@dataclass(frozen=True)
class Anchors:
    """The anchors of one output. file: the asset's name; content: float32 [N, 4], little-endian, row by row."""

    file: str
    content: bytes

    @property
    def count(self) -> int:
        """Return N."""
        return len(self.content) // 16


def anchors_of(recipe: Recipe) -> dict[str, Anchors]:
    """Return the anchors by output name, as the recipe's files have them. Raises RecipeError."""
    named = [(output.name, output.anchors) for output in recipe.outputs if output.anchors]
    return {
        name: Anchors(f"anchors{'' if i == 0 else f'_{i + 1}'}.bin", read_anchors(recipe.file(path)))
        for i, (name, path) in enumerate(named)
    }


def read_anchors(path: Path) -> bytes:
    """Return the anchors of an .npy or .npz file, float32 [N, 4] row by row. Raises RecipeError."""
    import numpy as np

    try:
        values = _array(path)
        if values.ndim != 2 or values.shape[1] != 4 or not len(values) or values.dtype.kind not in "fiu":
            raise ValueError(f"it holds {values.dtype} {list(values.shape)}")
        narrow = values.astype("<f4")
        if not np.isfinite(narrow).all():
            raise ValueError("a number in it is not finite")
    # Broken bytes make zipfile, its decoders and numpy raise BadZipFile, zlib.error, OSError, MemoryError and more.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RecipeError(f"{path}: anchors cannot be read: {reason}", _HINT) from error
    return narrow.tobytes()


def _array(path: Path) -> np.ndarray:
    """Return the array of an .npy, or the one of an .npz, of any shape and dtype. Raises what numpy and zipfile do."""
    import numpy as np

    with open_regular(path) as file:
        if file.read(2) == b"PK":
            with open_zip(path) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
        else:
            unpacked = file.seek(0, os.SEEK_END)
        if unpacked > MOST:
            raise ValueError(f"it holds {unpacked:,} bytes, and {MOST:,} are read")
        file.seek(0)
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        if len(loaded.files) != 1:
            raise ValueError(f"it has the arrays {', '.join(loaded.files) or 'none'}, and one is needed")
        return np.asarray(loaded[loaded.files[0]])
