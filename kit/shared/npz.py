"""Write .npz files that are the same bytes for the same arrays. numpy's own writer leaves that to Python's zipfile,
whose headers changed between patch releases (zip64 extras, 3.11.4)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def save_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, sorted, stored and dated 1980; numpy.load reads it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(arrays[name], order="C"), version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")  # its date is 1980 unless it is given
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content.getvalue())
