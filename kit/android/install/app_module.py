"""Put bundles into an app's module and take them out again. Touches nothing that a user has changed.

The module's dropkit.json says which files came from which bundle, each with its SHA-256: what is not in there, or is
not as it says, belongs to the user. dropkit.gradle beside it is what the dropped bundles need of Gradle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.read_signature import read_bindings
from kit.android.codegen.runtime_api import COROUTINES, api_for, coordinate_of
from kit.android.install.ai_pack import pack_name, pack_needs, plan_pack
from kit.android.install.change import Change, change_all
from kit.android.install.state import STATE, DroppedBundle, State, place_of, read_state
from kit.android.install.stub_list import heard, render_list, shown
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_intact, unchanged
from kit.bundle.manifest_check import inside
from kit.bundle.manifest_entries import Manifest
from kit.errors import CheckError, OutputError, RecipeError
from kit.files import json_text, sha256_bytes, sha256_file, writable
from kit.lifetime.locks import alone
from kit.render import render_text

GRADLE = "dropkit.gradle"
RULES = PurePosixPath("dropkit")  # one file of R8 rules for each bundle
_BUILD_FILES = ("build.gradle.kts", "build.gradle")
_ANDROID = re.compile(r"com\.android\.(application|library)|android[.-](application|library)")


@dataclass(frozen=True)
class Dropped:
    """What a drop did. `needs` says what the user has still to write into the module's own build file."""

    id: str
    module: Path
    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    needs: tuple[str, ...] = ()


def drop(bundle: Path, into: Path, variants: Mapping[str, Path] | None = None) -> Dropped:
    """Copy a bundle into the app module at `into`; what an older drop of it had and it has not goes.

    With variants, other bundles by device group, the models go into a Play AI pack beside the module; an empty mapping
    is a pack of this bundle alone. Raises CheckError where a bundle is not as it was built, or another one in the app
    needs another runtime; RecipeError as plan_pack; OutputError where a file of the user's own is in the way, with
    nothing written.
    """
    module = find_module(into)
    with unchanged(bundle):
        manifest = read_intact(bundle)
        files = _contents(bundle, manifest)
        if variants is not None:
            files = plan_pack(bundle, manifest, variants, _build_file(module)).files(files, manifest.id)
        groups = None if variants is None else tuple(sorted(variants))
        dropped = _dropped(manifest, files, groups)
    with alone(module):
        state = _read_state(module)
        after = State({**state.bundles, manifest.id: dropped}, dict(state.generated))
        return _apply(module, state, after, files, manifest.id)


def remove(name: str, into: Path) -> Dropped:
    """Take a bundle out again, by its id.

    Raises RecipeError where it is not in, OutputError where a file was changed by hand.
    """
    module = find_module(into)
    with alone(module):
        state = _read_state(module)
        if name not in state.bundles and not state.pending:
            there = ", ".join(sorted(state.bundles)) or "none"
            raise RecipeError(f"{module}: no bundle {name!r} was dropped here", f"the bundles in it: {there}")
        after = State({key: value for key, value in state.bundles.items() if key != name}, dict(state.generated))
        return _apply(module, state, after, {}, name)


def find_module(into: Path) -> Path:
    """Return the Android module of a path: itself, or its only one, `app` first. Raises RecipeError."""
    if _is_module(into):
        return into
    found = [path for path in sorted(into.iterdir()) if _is_module(path)] if into.is_dir() else []
    for module in found:
        if module.name == "app" or len(found) == 1:
            return module
    hint = f"name one of its modules: {', '.join(map(str, found))}" if found else "name the folder of an Android module"
    raise RecipeError(f"--into {into}: no Android module with a build.gradle or build.gradle.kts", hint)


def _is_module(path: Path) -> bool:
    for name in _BUILD_FILES:
        file = path / name
        if file.is_file() and _ANDROID.search(file.read_text("utf-8", "replace")):
            return not (path / "settings.gradle").exists() and not (path / "settings.gradle.kts").exists()
    return False


def _contents(bundle: Path, manifest: Manifest) -> dict[str, bytes]:
    """Return what the module gets, by path in it: the source sets, and the R8 rules."""
    names = [name for name in manifest.files if name.startswith("src/")]
    files = {name: (bundle / name).read_bytes() for name in names}
    files[str(RULES / f"{manifest.id}.pro")] = Bundle(bundle, manifest.id).rules.read_bytes()
    return files


def _dropped(manifest: Manifest, files: Mapping[str, bytes], groups: tuple[str, ...] | None) -> DroppedBundle:
    """Return what dropkit.json says of a bundle. No text of a label is needed for it."""
    model = AppModel(manifest.signature, manifest.runtime, manifest.recipe.package)
    bindings = read_bindings(model, api_for(model.runtime, model.signature), allowed={})
    return DroppedBundle(
        version=manifest.version,
        runtime=manifest.runtime,
        name=f"{bindings.package}.{bindings.name}",
        image=shown(bindings.main, "bitmap"),
        text=shown(bindings.main, "text"),
        sound=heard(bindings.main),
        files={name: sha256_bytes(data) for name, data in sorted(files.items())},
        groups=groups,
    )


def _apply(module: Path, before: State, after: State, files: Mapping[str, bytes], name: str) -> Dropped:
    """Go from one state to the other: look at everything first, then write, then remove."""
    _check_runtimes(after, name)
    _refuse_shared(after, name)
    generated = _generated(module, after.bundles)
    after.generated = {path: sha256_bytes(data) for path, data in generated.items()}
    wanted = {**files, **generated}
    gone = {*before.owned(), *before.pending} - set(after.owned())
    places = {path: place_of(module, path) for path in {*wanted, *gone, STATE}}
    _refuse_foreign(module, wanted, before, gone)
    written = [path for path, data in sorted(wanted.items()) if not _holds(places[path], data)]
    removed = [path for path in sorted(gone) if places[path].exists()]
    changes: list[Change] = [(places[path], wanted[path]) for path in written]
    changes += [(places[path], None) for path in removed]
    # A drop that is killed among its changes is finished, or taken back, by the next one.
    begun = {path: sha256_bytes(wanted[path]) for path in written if inside(path)}
    first = _state_change(module, replace(before, pending={**before.pending, **begun})) if changes else []
    with writable(module):
        change_all(module, [*first, *changes, *_state_change(module, after, there=bool(first))])
        for folder in {places[path].parent for path in removed}:
            _remove_empty(folder, module)
    return Dropped(
        name,
        module,
        tuple(written),
        tuple(removed),
        len(files) - len(set(written) & set(files)),
        _needs(module, before, after),
    )


def _check_runtimes(state: State, name: str) -> None:
    """Refuse two runtimes in one app: their classes and native libraries have the same names."""
    runtimes = {key: bundle.runtime for key, bundle in state.bundles.items()}
    for other, runtime in runtimes.items():
        if name in runtimes and runtime != runtimes[name]:
            raise CheckError(
                f"{name} is built for {runtimes[name]}, and {other} in this app for {runtime}: an app links one",
                f"build both for one [android] runtime, or take {other} out with --remove",
            )


def _refuse_shared(state: State, name: str) -> None:
    """Refuse a bundle whose class or assets another bundle has already brought."""
    own = set(state.bundles[name].files) if name in state.bundles else set()
    for other, bundle in state.bundles.items():
        if other != name and (shared := own & set(bundle.files)):
            raise OutputError(
                f"{sorted(shared)[0]} comes from the bundle {other}, too",
                "give one of them another [android] package or [model] id",
            )


def _refuse_foreign(module: Path, wanted: Mapping[str, bytes], before: State, gone: Iterable[str]) -> None:
    """Refuse to touch a file that is not as a drop wrote it, unless it already is what is wanted."""
    theirs, owned = [], before.owned()
    for path in sorted({*wanted, *gone}):
        place = module / path
        if not place.exists() or (path in wanted and _holds(place, wanted[path])):
            continue
        if not place.is_file() or sha256_file(place) not in {owned.get(path), before.pending.get(path)}:
            theirs.append(path)
    if theirs:
        more = f" and {len(theirs) - 3} more" if len(theirs) > 3 else ""
        raise OutputError(
            f"{module}: changed by hand, or not from a bundle: {', '.join(theirs[:3])}{more}; nothing was written",
            "move your changes to files of your own, or delete these, and drop again",
        )


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def _generated(module: Path, dropped: Mapping[str, DroppedBundle]) -> dict[str, bytes]:
    """Return what follows from all bundles together: dropkit.gradle, and android_stub's list of them."""
    if not dropped and not _applies(module):
        return {}
    bundles = sorted(dropped.items())
    libraries = sorted({coordinate_of(bundle.runtime) for _, bundle in bundles} | ({COROUTINES} if bundles else set()))
    rules = [str(RULES / f"{key}.pro") for key in sorted(dropped)]
    packs = _packs(dropped)
    values = {"libraries": libraries, "rules": rules, "packs": list(packs), "groups": any(packs.values())}
    gradle = render_text("drop/dropkit.gradle.j2", values)
    return {GRADLE: gradle.encode()} | render_list(module, dropped)


def _build_file(module: Path) -> Path:
    return next(module / name for name in _BUILD_FILES if (module / name).is_file())


def _applies(module: Path) -> bool:
    """Say whether the module's build file names dropkit.gradle: then it has to be there, also where it is empty."""
    return GRADLE in _build_file(module).read_text("utf-8", "replace")


def _packs(bundles: Mapping[str, DroppedBundle]) -> dict[str, bool]:
    """Return the AI packs by name, and whether each has variants."""
    return {pack_name(key): bool(bundles[key].groups) for key in sorted(bundles) if bundles[key].groups is not None}


def _needs(module: Path, before: State, after: State) -> tuple[str, ...]:
    """Return the lines that the project lacks: the module's own as its build file's language writes it."""
    there = _packs(after.bundles)
    gone = next((name for name in _packs(before.bundles) if name not in there), None)
    needs = pack_needs(module, there, gone)
    if not after.bundles or _applies(module):
        return needs
    file = _build_file(module)
    line = f'apply(from = "{GRADLE}")' if file.suffix == ".kts" else f"apply from: '{GRADLE}'"
    return (f"{file}: add at its end: {line}", *needs)


def _remove_empty(folder: Path, module: Path) -> None:
    """Remove a folder and those above it that are empty, up to the module's src, or the project of an AI pack."""
    folder, module = folder.resolve(), module.resolve()
    while folder not in (module, module / "src", *module.parents):
        if folder.exists():  # another file's turn may have removed it
            if any(folder.iterdir()):
                return
            folder.rmdir()
        folder = folder.parent


def _read_state(module: Path) -> State:
    # android_stub, and a module whose last bundle went: what is generated for no bundle is no user's work.
    found = read_state(module)
    return found or State({}, {name: sha256_bytes(data) for name, data in _generated(module, {}).items()})


def _state_change(module: Path, state: State, *, there: bool = False) -> list[Change]:
    """Return what makes dropkit.json say a state; nothing where it does. there: an earlier change writes the file."""
    place = module / STATE
    if not state.bundles and not state.pending:
        return [(place, None)] if there or place.exists() else []
    data = json_text(state.to_json()).encode()
    return [] if _holds(place, data) and not there else [(place, data)]
