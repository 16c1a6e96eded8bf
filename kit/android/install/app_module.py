"""Put bundles into an app's module and take them out again. Touches nothing that a user has changed.

The module's dropkit.json says which files came from which bundle, each with its SHA-256: what is not in there, or is
not as it says, belongs to the user. dropkit.gradle beside it is what the dropped bundles need of Gradle. What the
project's own files need besides is said, and written into them only where the user asks for it, with a copy of the old.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.read_signature import read_bindings
from kit.android.codegen.runtime_api import COROUTINES, api_for, coordinate_of
from kit.android.install.ai_pack import pack_name, pack_needs, plan_pack
from kit.android.install.change import Change, change_all
from kit.android.install.edits import Need, backup_of, copies, edited
from kit.android.install.find_module import find_module
from kit.android.install.gradle_project import LIBRARY, UNKNOWN, Module, Project, read_project
from kit.android.install.line_ends import is_as_written, is_asset_with_other_line_ends, is_same
from kit.android.install.needs import GRADLE, Dropping, applies, needs_of, notes_of
from kit.android.install.one_app import apps_of, neighbours, refuse_in_neighbours
from kit.android.install.state import STATE, DroppedBundle, State, folders_of, place_of, read_state
from kit.android.install.stub_list import heard, render_list, shown
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_intact, unchanged
from kit.bundle.manifest_check import inside
from kit.bundle.manifest_entries import Manifest
from kit.errors import CheckError, OutputError, RecipeError
from kit.files import json_text, sha256_bytes, writable
from kit.lifetime.locks import alone
from kit.render import render_text

RULES = PurePosixPath("dropkit")  # one file of R8 rules for each bundle


@dataclass(frozen=True)
class How:
    """What a user allows a drop beyond its own files."""

    force: bool = False  # write over what is in the way, with a copy of it
    write: bool = False  # write what the project needs into its build files, with a copy of each
    dry_run: bool = False  # change nothing, say what would be


@dataclass(frozen=True)
class Dropped:
    """What a drop did. `needs` says what the user has still to write into build files, `notes` what else to know."""

    id: str
    module: Path
    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    needs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()  # the user's own build files that --write changed
    backup: str | None = None  # the folder with what they, and files that --force replaced, had before


@dataclass(frozen=True)
class _Place:
    """The module that a drop goes into, and its project."""

    module: Module
    project: Project
    how: How

    @property
    def folder(self) -> Path:
        return self.module.folder


def drop(bundle: Path, into: Path, variants: Mapping[str, Path] | None = None, how: How | None = None) -> Dropped:
    """Copy a bundle into the app module at `into`; what an older drop of it had and it has not goes.

    With variants, other bundles by device group, the models go into a Play AI pack beside the module; an empty mapping
    is a pack of this bundle alone. With nothing written, it raises CheckError where a bundle is not as it was built or
    another one in the app needs another runtime; RecipeError as plan_pack; OutputError where a file of the user's own
    is in the way, or another module of the app has the bundle.
    """
    place = _place(into, how)
    with unchanged(bundle):
        manifest = read_intact(bundle)
        files = _contents(bundle, manifest)
        if variants is not None:
            files = plan_pack(bundle, manifest, variants, place.module).files(files, manifest.id)
        groups = None if variants is None else tuple(sorted(variants))
        dropped = _dropped(manifest, files, groups)
    with alone(place.folder):
        state = _read_state(place.module)
        after = State({**state.bundles, manifest.id: dropped}, dict(state.generated))
        refuse_in_neighbours(after.bundles, manifest.id, neighbours(place.project, place.module))
        return _apply(place, state, after, files, manifest.id)


def remove(name: str, into: Path, how: How | None = None) -> Dropped:
    """Take a bundle out again, by its id.

    Raises RecipeError where it is not in, OutputError where a file was changed by hand.
    """
    place = _place(into, how)
    with alone(place.folder):
        state = _read_state(place.module)
        if name not in state.bundles and not state.pending:
            there = ", ".join(sorted(state.bundles)) or "none"
            raise RecipeError(f"{place.folder}: no bundle {name!r} was dropped here", f"the bundles in it: {there}")
        after = State({key: value for key, value in state.bundles.items() if key != name}, dict(state.generated))
        return _apply(place, state, after, {}, name)


def _place(into: Path, how: How | None) -> _Place:
    module = find_module(into)
    return _Place(module, read_project(module.folder), how or How())


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


@dataclass
class _Plan:
    """What a drop changes: its own files by their paths, and what else there is to change and to say."""

    written: list[str]
    removed: list[str]
    forced: list[str]
    edits: dict[Path, bytes] = field(default_factory=dict)
    needs: list[Need] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _apply(place: _Place, before: State, after: State, files: Mapping[str, bytes], name: str) -> Dropped:
    """Go from one state to the other: look at everything first, then write, then remove."""
    _check_runtimes(after, name)
    _refuse_shared(after, name)
    module = place.folder
    generated = _generated(place.module, after.bundles)
    after.generated = {path: sha256_bytes(data) for path, data in generated.items()}
    wanted = {**files, **generated}
    gone = {*before.owned(), *before.pending} - set(after.owned())
    places = {path: place_of(module, path) for path in {*wanted, *gone, STATE}}
    plan = _Plan(
        written=[path for path, data in sorted(wanted.items()) if not is_same(path, places[path], data)],
        removed=[path for path in sorted(gone) if places[path].exists()],
        forced=_foreign(module, wanted, before, gone),
    )
    _refuse_foreign(module, plan.forced, place.how)
    plan.needs, plan.notes = _needs(place, before, after, wanted)
    root = place.project.root
    if place.how.write:
        plan.edits, plan.needs = edited(plan.needs, root)
    backup = backup_of(module) if plan.forced or plan.edits else None
    if backup:
        place_of(module, os.path.relpath(backup, module))
    if not place.how.dry_run:
        kept = copies([*(places[path] for path in plan.forced), *plan.edits], backup, root) if backup else []
        with writable(module):
            _write(module, (before, after), plan, wanted, kept)
    return Dropped(
        name,
        module,
        tuple(plan.written),
        tuple(plan.removed),
        len(files) - len(set(plan.written) & set(files)),
        tuple(map(str, plan.needs)),
        tuple(plan.notes),
        tuple(map(str, plan.edits)),
        str(backup) if backup else None,
    )


def _write(
    module: Path, states: tuple[State, State], plan: _Plan, wanted: Mapping[str, bytes], kept: Sequence[Change]
) -> None:
    """Make the changes of a plan, all or none, and the folders of both states right."""
    before, after = states
    made = {name for name in folders_of(plan.written) if not (module / name).is_dir()}
    above = folders_of(after.owned())
    after.folders = tuple(sorted(above & {*before.folders, *made}))
    changes: list[Change] = [(place_of(module, path), wanted[path]) for path in plan.written]
    changes += [(place_of(module, path), None) for path in plan.removed]
    # A drop that is killed among its changes is finished, or taken back, by the next one.
    begun = {path: sha256_bytes(wanted[path]) for path in plan.written if inside(path)}
    folders = tuple(sorted({*before.folders, *(made & folders_of({*before.owned(), *before.pending, *begun}))}))
    midway = replace(before, pending={**before.pending, **begun}, folders=folders)
    first = _state_change(module, midway) if changes else []
    change_all(module, [*first, *kept, *plan.edits.items(), *changes, *_state_change(module, after, there=bool(first))])
    _remove_empty(module, {*before.folders} - {*after.folders})


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


def _foreign(module: Path, wanted: Mapping[str, bytes], before: State, gone: Iterable[str]) -> list[str]:
    """Return what is not as a drop wrote it, and not what is wanted either: the user's."""
    theirs, owned = [], before.owned()
    for path in sorted({*wanted, *gone}):
        place = module / path
        if not os.path.lexists(place) or (path in wanted and is_same(path, place, wanted[path])):
            continue
        own = {owned.get(path), before.pending.get(path)}
        if path in wanted:
            own.add(sha256_bytes(wanted[path]))
        if not is_as_written(path, place, own):
            theirs.append(path)
    return theirs


def _refuse_foreign(module: Path, theirs: Sequence[str], how: How) -> None:
    """Refuse to touch the user's files; with --force only what is no file."""
    refused = [path for path in theirs if not how.force or not (module / path).is_file()]
    if refused:
        more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
        raise OutputError(
            f"{module}: changed by hand, or not from a bundle: {', '.join(refused[:3])}{more}; nothing was written",
            "move your changes to files of your own, or delete these, and drop again; or give --force, which keeps a "
            "copy of each",
        )


def _generated(module: Module, dropped: Mapping[str, DroppedBundle]) -> dict[str, bytes]:
    """Return what follows from all bundles together: dropkit.gradle, and android_stub's list of them."""
    if not dropped and not applies(module):
        return {}
    bundles = sorted(dropped.items())
    libraries = sorted({coordinate_of(bundle.runtime) for _, bundle in bundles} | ({COROUTINES} if bundles else set()))
    packs = _packs(dropped)
    values = {
        "ids": [name for name, _ in bundles],
        "libraries": libraries,
        "rules": [str(RULES / f"{key}.pro") for key in sorted(dropped)],
        "call": "" if module.kind == UNKNOWN else "consumerProguardFile" if module.kind == LIBRARY else "proguardFile",
        "packs": list(packs),
        "groups": any(packs.values()),
    }
    gradle = render_text("drop/dropkit.gradle.j2", values)
    return {GRADLE: gradle.encode()} | render_list(module.folder, dropped)


def _packs(bundles: Mapping[str, DroppedBundle]) -> dict[str, bool]:
    """Return the AI packs by name, and whether each has variants."""
    return {pack_name(key): bool(bundles[key].groups) for key in sorted(bundles) if bundles[key].groups is not None}


def _needs(place: _Place, before: State, after: State, wanted: Mapping[str, bytes]) -> tuple[list[Need], list[str]]:
    """Return what the project lacks after a drop, and what else there is to say."""
    there = _packs(after.bundles)
    gone = next((name for name in _packs(before.bundles) if name not in there), None)
    packs = pack_needs(place.folder, there, gone)
    if not after.bundles:
        return packs, []
    runtime = next(iter(after.bundles.values())).runtime
    owned = frozenset({*before.owned(), *before.pending, *after.owned()})
    dropping = Dropping(
        tuple(sorted(after.bundles)), runtime, owned, _given_other_line_ends(place.folder, after, wanted)
    )
    needs = needs_of(place.project, place.module, apps_of(place.project, place.module), dropping)
    return [*needs, *packs], notes_of(place.module, dropping)


def _given_other_line_ends(module: Path, after: State, wanted: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the bundles whose texts in the assets have other line ends than they were written with."""
    changed = [path for path, data in wanted.items() if is_asset_with_other_line_ends(path, module / path, data)]
    return tuple(sorted({name for name, bundle in after.bundles.items() if {*changed} & {*bundle.files}}))


def _remove_empty(module: Path, folders: Iterable[str]) -> None:
    """Remove folders that a drop made and that nothing is in any more, the deepest first."""
    for name in sorted(folders, key=lambda name: (-len(PurePosixPath(name).parts), name)):
        folder = module / name
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()


def _read_state(module: Module) -> State:
    # android_stub, and a module whose last bundle went: what is generated for no bundle is no user's work.
    found = read_state(module.folder)
    return found or State({}, {name: sha256_bytes(data) for name, data in _generated(module, {}).items()})


def _state_change(module: Path, state: State, *, there: bool = False) -> list[Change]:
    """Return what makes dropkit.json say a state; nothing where it does. there: an earlier change writes the file."""
    place = module / STATE
    if not state.bundles and not state.pending:
        return [(place, None)] if there or place.exists() else []
    data = json_text(state.to_json()).encode()
    return [] if is_same(STATE, place, data) and not there else [(place, data)]
