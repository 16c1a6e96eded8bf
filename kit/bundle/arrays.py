"""Arrays that a job or a runtime wrote: .npz files of the kit's own making, which may still be damaged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kit.errors import ModelError

if TYPE_CHECKING:
    import numpy as np


def made_arrays(path: Path, without: str = " ") -> dict[str, np.ndarray]:
    """Return the arrays of an .npz that the worker or a runtime wrote, in their own shape and dtype.

    without: arrays whose names begin so are left out.

    Raises ModelError where it is none.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if not name.startswith(without)}
    # Broken bytes make zipfile, its decoders and numpy raise BadZipFile, zlib.error, OSError, MemoryError and more.
    except Exception as error:
        raise ModelError(f"{path.name} of the conversion cannot be read: {error}", "build it again") from error
