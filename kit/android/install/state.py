"""dropkit.json of an app's module: what dropped bundles brought, read and checked. A project may come from anyone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from kit.android.install.ai_pack import pack_name, settings_file
from kit.bounded import MOST_JSON, read_bounded
from kit.bundle.manifest_check import ID, RUNTIME, VERSION, Check, inside, or_none, pattern
from kit.errors import OutputError, RecipeError
from kit.shared.values import from_json

STATE = "dropkit.json"
FORMAT = 2  # 1 called `image` "picture"
_WORD = r"`?[A-Za-z_][A-Za-z0-9_]*`?"
_SHA = pattern(r"[0-9a-f]{64}")
_ENTRY: dict[str, Check] = {
    "version": pattern(VERSION),
    "runtime": pattern(RUNTIME),
    "name": pattern(rf"{_WORD}(\.{_WORD})*"),
    "image": or_none(pattern(rf"{_WORD}\(bitmap\)\.{_WORD}\(3?\)")),
    "text": or_none(pattern(rf"{_WORD}\(text\)\.{_WORD}\(3?\)")),
    "sound": or_none(pattern(rf"{_WORD}\(3?\)")),
}
_OPTIONAL = ("groups", "text", "sound")  # left out where there is none


@dataclass(frozen=True)
class DroppedBundle:
    """What a module has of one bundle."""

    version: str
    runtime: str  # "litert:2.3.0"
    name: str  # the class, with its package
    image: str | None  # the Kotlin that shows what the model makes of a `bitmap`
    files: Mapping[str, str]  # SHA-256 by path
    groups: tuple[str, ...] | None = None  # of devices, where the model is in an AI pack
    text: str | None = None  # the same of a `text`
    sound: str | None = None  # that reads what a stream gives for a window

    def to_json(self) -> dict[str, Any]:
        """Return its entry in dropkit.json."""
        entry = asdict(self)
        return {key: value for key, value in entry.items() if value is not None or key not in _OPTIONAL}


@dataclass
class State:
    """What dropkit.json says."""

    bundles: dict[str, DroppedBundle] = field(default_factory=dict)
    generated: dict[str, str] = field(default_factory=dict)  # SHA-256 by path
    pending: dict[str, str] = field(default_factory=dict)  # SHA-256 by path: what a drop that was killed was writing
    folders: tuple[str, ...] = ()  # that a drop made: they go with the last file in them

    def owned(self) -> dict[str, str]:
        """Return the SHA-256 of every file that a drop wrote."""
        files = {path: sha for bundle in self.bundles.values() for path, sha in bundle.files.items()}
        return files | self.generated

    def to_json(self) -> dict[str, Any]:
        """Return dropkit.json."""
        bundles = {name: bundle.to_json() for name, bundle in self.bundles.items()}
        document = {"format": FORMAT, "bundles": bundles, "generated": self.generated, "folders": list(self.folders)}
        return document | ({"pending": self.pending} if self.pending else {})


def read_state(module: Path) -> State | None:
    """Return a module's state, None where it has none. Raises RecipeError for one that no drop wrote."""
    path = module / STATE
    if not path.exists():
        return None
    try:
        raw = json.loads(read_bounded(path, MOST_JSON))
        if raw["format"] not in (1, FORMAT):
            raise RecipeError(
                f"{path}: its format is {raw['format']!r}, and this dropkit knows 1 to {FORMAT}", "update dropkit"
            )
        entries = {name: _renamed(entry) if raw["format"] == 1 else entry for name, entry in raw["bundles"].items()}
        pending = dict(raw.get("pending", {}))
        fault = _fault(module, entries, raw["generated"]) or _pending_fault(pending)
        folders = raw.get("folders")
        bundles = {} if fault else {name: from_json(DroppedBundle, entry) for name, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecipeError(f"{path}: unreadable: {error}", "restore it from version control") from error
    if fault:
        raise RecipeError(f"{path}: no drop wrote this: {fault}", "restore it from version control")
    state = State(bundles, dict(raw["generated"]), pending)
    above = folders_of({*state.owned(), *pending})
    if folders is None:  # of an older dropkit, which took away what became empty below src
        return replace(state, folders=tuple(sorted(above - {"src"})))
    if not isinstance(folders, list) or not all(isinstance(name, str) and name in above for name in folders):
        raise RecipeError(
            f"{path}: no drop wrote this: its folders have none of its files", "restore it from version control"
        )
    return replace(state, folders=tuple(folders))


def place_of(module: Path, path: str) -> Path:
    """Return where a path of the state lies. Raises OutputError where a link leads there from another place."""
    place = Path(os.path.normpath(module.resolve() / path))
    links = [each for each in (place, *place.parents) if each.is_symlink()]
    if links:
        raise OutputError(f"{links[0]}: a symbolic link, and a drop follows none", "put a folder or a file there")
    return place


def folders_of(paths: Iterable[str]) -> set[str]:
    """Return the folders of these paths, but for the module and those above it."""
    found = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    return {name for name in found if {*PurePosixPath(name).parts} - {".."}}


def _renamed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of format 1 with the keys of today."""
    return {"image" if key == "picture" else key: value for key, value in entry.items()}


def _fault(module: Path, bundles: Mapping[str, Any], generated: Mapping[str, Any]) -> str:
    """Return what is not as a drop writes it, "" where all is."""
    for name, entry in bundles.items():
        if not pattern(ID)(name):
            return f"a bundle is called {name[:80]!r}"
        for key, fits in _ENTRY.items():
            value = entry.get(key) if key in _OPTIONAL else entry[key]
            if not fits(value):
                return f"{key} of {name} is {str(value)[:80]!r}"
        if not all(pattern(r"[A-Za-z][A-Za-z0-9_]*")(group) for group in entry.get("groups", [])):
            return f"a group of {name} is none"
        pack = _pack(module, name) if "groups" in entry else None
        for path, sha in entry["files"].items():
            if not (_SHA(sha) and _stays(path, pack)):
                return f"a file of {name} is {path[:80]!r}"
    for path, sha in generated.items():
        if not (_SHA(sha) and inside(path)):
            return f"a generated file is {path[:80]!r}"
    return ""


def _pending_fault(pending: Mapping[str, Any]) -> str:
    wrong = (path for path, sha in pending.items() if not (_SHA(sha) and inside(path)))
    return next((f"a file that was being written is {path[:80]!r}" for path in wrong), "")


def _stays(path: str, pack: str | None) -> bool:
    """Say whether a path stays in its module's src or rules, or in the bundle's own AI pack."""
    if inside(path):
        return re.match(r"(src|dropkit)/", path) is not None
    return pack is not None and path.startswith(f"{pack}/") and inside(path.removeprefix(f"{pack}/").replace("#", "_"))


def _pack(module: Path, name: str) -> str:
    return os.path.relpath(settings_file(module).parent / pack_name(name), module)
