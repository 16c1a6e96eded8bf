"""bundle.json: read it, and tell whether a bundle is whole. What goes into it, kit/build/write_bundle.py knows.

Beside a bundle lies the record of its build, <id>.build.json: what is not the same on every machine (engine, times).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.bounded import MOST_JSON, read_bounded
from kit.bundle.manifest_check import faults_of
from kit.errors import CheckError, RecipeError
from kit.files import sha256_file, tree_digests

FORMAT = 2
MANIFEST = "bundle.json"
PROVENANCE = Path("provenance")
SAMPLES = PROVENANCE / "samples.npz"
PROVENANCE_CODE, PROVENANCE_STRUCTURE = PROVENANCE / "custom.py", PROVENANCE / "structure.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return a bundle's manifest. Raises RecipeError where it is none that a build of this format writes."""
    try:
        manifest = json.loads(read_bounded(folder / MANIFEST, MOST_JSON))
        known = manifest["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecipeError(
            f"{folder}: no bundle: {MANIFEST} is missing or unreadable", "name a folder that `build` wrote"
        ) from error
    if not known:
        raise RecipeError(
            f"{folder}: its format is {manifest['format']!r}, and this dropkit knows {FORMAT}",
            "build it again",
        )
    if lines := faults_of(manifest):
        more = f", and {len(lines) - 3} more" if len(lines) > 3 else ""
        raise RecipeError(
            f"{folder}: {MANIFEST} is none that a build writes: {'; '.join(lines[:3])}{more}", "build it again"
        )
    return dict(manifest)


def faults(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return a line for each file that is not as the manifest has it: changed, missing, or none of the bundle's."""
    if strange := sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if not _is_plain(each)):
        return [f"neither file nor folder: {name}" for name in strange]
    there = {name: sha for name, sha in tree_digests(folder).items() if name != MANIFEST}
    listed = manifest.get("files") or {}
    lines = [f"changed: {name}" for name in sorted(listed) if name in there and there[name] != listed[name]]
    lines += [f"missing: {name}" for name in sorted(set(listed) - set(there))]
    lines += [f"not of the bundle: {name}" for name in sorted(set(there) - set(listed))]
    return lines


def _is_plain(path: Path) -> bool:
    """Say whether it is a file or a folder itself: what a link points at is not the bundle's."""
    return not path.is_symlink() and (path.is_file() or path.is_dir())


def read_intact(folder: Path) -> dict[str, Any]:
    """Return a bundle's manifest. Raises CheckError where a file is not as it was built."""
    manifest = read_manifest(folder)
    if lines := faults(folder, manifest):
        more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
        raise CheckError(f"{folder} is not as it was built: {', '.join(lines[:3])}{more}", "build it again")
    return manifest


def is_intact(folder: Path, key: str) -> bool:
    """Say whether a bundle of that key is there and every file in it is as it was written."""
    try:
        manifest = read_manifest(folder)
    except RecipeError:
        return False
    return manifest.get("key") == key and not faults(folder, manifest)


def record_path(bundle: Path) -> Path:
    """Return where the record of a bundle's build is."""
    return bundle.parent / f"{bundle.name}.build.json"


def read_record(bundle: Path) -> dict[str, Any]:
    """Return the record of a bundle's build, empty where there is none that can be read."""
    try:
        return dict(json.loads(read_bounded(record_path(bundle), MOST_JSON)))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def has_answers(bundle: Path, key: str, answers: Path) -> bool:
    """Say whether answers is what the build of that key kept beside its bundle, as it was written."""
    record = read_record(bundle)
    return record.get("key") == key and answers.is_file() and record.get("answers") == sha256_file(answers)
