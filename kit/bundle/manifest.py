"""bundle.json: read it, and what else there is of a build. What goes into it, kit/build/write_bundle.py knows.

Beside a bundle lies the record of its build, <id>.build.json: what is not the same on every machine (engine, times).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.bounded import MOST_JSON, read_bounded
from kit.bundle.latency import Latency
from kit.bundle.manifest_check import faults_of
from kit.bundle.manifest_entries import FORMAT, Manifest
from kit.bundle.whole import MANIFEST, differences, record_path
from kit.errors import CheckError, KitError, RecipeError
from kit.files import Product, sha256_file
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
    return differences(folder, manifest.files)


BUNDLE = Product("bundle", MANIFEST)


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


@dataclass(frozen=True)
class BuildRecord:
    """<id>.build.json: what of a build is not the same on every machine. seconds are of the build itself."""

    engine: str | None = None
    machine: str | None = None  # the architecture that the worker ran on: "x86_64"
    started: int | None = None
    seconds: float | None = None
    models: tuple[str, ...] = ()  # where the model files were
    key: str = ""
    manifest: str | None = None  # SHA-256 of the bundle.json that it wrote
    predictions: str | None = None  # SHA-256 of the outputs that were kept
    latency: Latency | None = None  # of a file that a search chose, as this machine measured it


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
