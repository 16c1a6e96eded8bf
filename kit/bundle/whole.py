"""Whether a bundle is as its build left it, by digests alone: knows nothing of what bundle.json says beyond the files.

Light on purpose: a build of an unchanged recipe ends here, before the types of bundle.json are even loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from kit.bounded import MOST_JSON, read_bounded
from kit.files import tree_digests

MANIFEST = "bundle.json"


def record_path(bundle: Path) -> Path:
    """Return where the record of a bundle's build is."""
    return bundle.parent / f"{bundle.name}.build.json"


def is_recorded(folder: Path, key: str) -> bool:
    """Say whether a bundle of that key is there whose build recorded these very bytes of bundle.json, and it is whole.

    False says nothing: the record may be lost, or of another build.
    """
    try:
        content = read_bounded(folder / MANIFEST, MOST_JSON)
        record = json.loads(read_bounded(record_path(folder), MOST_JSON))
        if record["manifest"] != hashlib.sha256(content).hexdigest():
            return False
        manifest = json.loads(content)
        return bool(manifest["key"] == key) and not differences(folder, manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def differences(folder: Path, listed: Mapping[str, str]) -> list[str]:
    """Return a line for each file that is not as listed, SHA-256 by path: changed, missing, or none of the bundle's."""
    if strange := sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if not _is_plain(each)):
        return [f"neither file nor folder: {name}" for name in strange]
    there = {name: sha for name, sha in tree_digests(folder).items() if name != MANIFEST}
    lines = [f"changed: {name}" for name in sorted(listed) if name in there and there[name] != listed[name]]
    lines += [f"missing: {name}" for name in sorted(set(listed) - set(there))]
    lines += [f"not of the bundle: {name}" for name in sorted(set(there) - set(listed))]
    return lines


def _is_plain(path: Path) -> bool:
    """Say whether it is a file or a folder itself: what a link points at is not the bundle's."""
    return not path.is_symlink() and (path.is_file() or path.is_dir())
