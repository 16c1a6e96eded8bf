"""The kit's own harness for a bundle: the Python that reads its data, rendered from what its manifest says of it."""

from __future__ import annotations

from pathlib import Path

from kit.bundle.manifest_entries import Manifest
from kit.render import render_text

PREPROCESS = Path(__file__).parent.parent / "shared" / "preprocess.py"
_HARNESS = "bundle/emulate/emulate.py.j2"


def own_harness(manifest: Manifest) -> dict[str, bytes]:
    """Return the files of Python in a bundle's emulate folder, by name, as this kit writes them."""
    values = {
        "bundle_id": manifest.id,
        "assets": f"../src/main/assets/{manifest.id}",
        "runtime": manifest.runtime,
        "kit_version": manifest.kit,
    }
    harness = render_text(_HARNESS, values).encode()
    return {"emulate.py": harness, "preprocess.py": PREPROCESS.read_bytes()}
