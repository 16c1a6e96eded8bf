"""bundle.json: read it, and tell whether a bundle is whole. What goes into it, kit/build/write_bundle.py knows.

Beside a bundle lies the record of its build, <id>.build.json: what is not the same on every machine (engine, times).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.bounded import MOST_JSON, read_bounded
from kit.bundle.layout import MANIFEST
from kit.bundle.manifest_check import faults_of
from kit.bundle.manifest_entries import FORMAT, Manifest
from kit.errors import CheckError, KitError, RecipeError
from kit.files import Product, sha256_file, tree_digests
from kit.shared.values import from_json


def read_manifest(folder: Path) -> Manifest:
    """Return a bundle's manifest. Raises RecipeError where it is none that a build of this format writes."""
    try:
        raw = json.loads(read_bounded(folder / MANIFEST, MOST_JSON))
        known = raw["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecipeError(
            f"{folder}: no bundle: {MANIFEST} is missing or unreadable", "name a folder that `build` wrote"
        ) from error
    if not known:
        raise RecipeError(
            f"{folder}: its format is {raw['format']!r}, and this dropkit knows {FORMAT}",
            "build it again",
        )
    if lines := faults_of(raw):
        more = f", and {len(lines) - 3} more" if len(lines) > 3 else ""
        raise RecipeError(
            f"{folder}: {MANIFEST} is none that a build writes: {'; '.join(lines[:3])}{more}", "build it again"
        )
    try:
        return Manifest.from_json(raw)
    except (TypeError, KeyError, AttributeError) as error:
        raise RecipeError(f"{folder}: {MANIFEST} is none that a build writes: {error}", "build it again") from error


def faults(folder: Path, manifest: Manifest) -> list[str]:
    """Return a line for each file that is not as the manifest has it: changed, missing, or none of the bundle's."""
    if strange := sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if not _is_plain(each)):
        return [f"neither file nor folder: {name}" for name in strange]
    there = {name: sha for name, sha in tree_digests(folder).items() if name != MANIFEST}
    listed = manifest.files
    lines = [f"changed: {name}" for name in sorted(listed) if name in there and there[name] != listed[name]]
    lines += [f"missing: {name}" for name in sorted(set(listed) - set(there))]
    lines += [f"not of the bundle: {name}" for name in sorted(set(there) - set(listed))]
    return lines


BUNDLE = Product("bundle", MANIFEST)


def _is_plain(path: Path) -> bool:
    """Say whether it is a file or a folder itself: what a link points at is not the bundle's."""
    return not path.is_symlink() and (path.is_file() or path.is_dir())


def read_intact(folder: Path) -> Manifest:
    """Return a bundle's manifest. Raises CheckError where a file is not as it was built."""
    manifest = read_manifest(folder)
    if lines := faults(folder, manifest):
        more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
        raise CheckError(f"{folder} is not as it was built: {', '.join(lines[:3])}{more}", _remedy(lines))
    return manifest


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """Read a bundle in the block, which no build may exchange meanwhile: what was read would be of two bundles.

    Raises CheckError where one did, whatever the block made of it.
    """
    before = _bytes(folder)
    try:
        yield
    except (KitError, OSError):
        _refuse_exchanged(folder, before)
        raise
    _refuse_exchanged(folder, before)


def _refuse_exchanged(folder: Path, before: bytes | None) -> None:
    # A build of the same recipe writes the same bytes: then it does not matter which were read.
    if before is not None and _bytes(folder) != before:
        raise CheckError(f"{folder}: another build, or `clean`, changed this bundle while it was read", "run it again")


def _bytes(folder: Path) -> bytes | None:
    try:
        return read_bounded(folder / MANIFEST, MOST_JSON)
    except (OSError, ValueError):
        return None


def _remedy(lines: list[str]) -> str:
    own = all(line.startswith("not of the bundle") for line in lines)
    return "move those files to another folder" if own else "build it again"


def is_intact(folder: Path, key: str) -> bool:
    """Say whether a bundle of that key is there and every file in it is as it was written."""
    try:
        manifest = read_manifest(folder)
    except RecipeError:
        return False
    return manifest.key == key and not faults(folder, manifest)


def record_path(bundle: Path) -> Path:
    """Return where the record of a bundle's build is."""
    return bundle.parent / f"{bundle.name}.build.json"


@dataclass(frozen=True)
class BuildRecord:
    """<id>.build.json: what of a build is not the same on every machine. seconds are of the build itself."""

    engine: str | None = None
    started: int | None = None
    seconds: float | None = None
    models: tuple[str, ...] = ()  # where the model files were
    key: str = ""
    predictions: str | None = None  # SHA-256 of the outputs that were kept


def read_record(bundle: Path) -> BuildRecord:
    """Return the record of a bundle's build, empty where there is none that can be read."""
    try:
        return from_json(BuildRecord, json.loads(read_bounded(record_path(bundle), MOST_JSON)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return BuildRecord()


def has_outputs(bundle: Path, key: str, predictions: Path) -> bool:
    """Say whether predictions is what the build of that key kept beside its bundle, as it was written."""
    record = read_record(bundle)
    return record.key == key and predictions.is_file() and record.predictions == sha256_file(predictions)
