"""The Python of a bundle's emulate folder: templates/bundle/emulate as it is, with a build's constants beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kit.bundle.manifest_entries import Manifest
from kit.render import render_tree

SHARED = Path(__file__).parent.parent / "shared"
COPIED = ("preprocess.py", "postprocess.py", "text.py", "audio.py", "wav.py")  # of it: what each bundle carries


def harness_files(id: str, runtime: str, kit: str) -> dict[str, bytes]:  # noqa: A002
    """Return the Python below a bundle's emulate folder, by relative path.

    runtime: what the app links, "litert:2.3.0"; kit: the version that made the bundle.
    """
    values = {"bundle_id": id, "assets": f"../src/main/assets/{id}", "runtime": runtime, "kit_version": kit}
    return render_tree("bundle/emulate", values) | {name: (SHARED / name).read_bytes() for name in COPIED}


def own_harness(manifest: Manifest) -> dict[str, bytes]:
    """Return the same files as this kit writes them for what a bundle's manifest says of it."""
    return harness_files(manifest.id, manifest.runtime, manifest.kit)


def write_harness(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by relative path below a bundle's emulate folder."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
