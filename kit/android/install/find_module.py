"""Which module of a project a bundle goes into: the one that is named, or the only one that it can be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kit.android.install.gradle_project import (
    APPLICATION,
    SETTINGS,
    Module,
    Project,
    other_kind,
    read_module,
    read_project,
)
from kit.errors import RecipeError


def find_module(into: Path) -> Module:
    """Return the Android module of a path: itself, or in it `app`, the only application, the only module.

    Raises RecipeError where there is none, or several that it may be.
    """
    project = read_project(into)
    if own := read_module(project, into):
        return own
    if kind := other_kind(project, into):
        raise RecipeError(
            f"--into {into}: a module of the plugin {kind} has no place for a bundle's assets and classes",
            "name a module of com.android.application or com.android.library that it uses",
        )
    found = [module for folder in _below(project, into) if (module := read_module(project, folder))]
    apps = [module for module in found if module.kind == APPLICATION]
    chosen = [module for module in found if module.folder.name == "app"] or (apps if len(apps) == 1 else found)
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(str(module.folder) for module in found)
    hint = f"name one of its modules: {names}" if found else "name the folder of an Android module"
    raise RecipeError(f"--into {into}: no Android module with a build.gradle or build.gradle.kts", hint)


def _below(project: Project, into: Path) -> Iterator[Path]:
    """Yield the folders that may be modules of a project: those in it, and those that its settings include."""
    folders = [path for path in sorted(into.iterdir()) if path.is_dir()] if into.is_dir() else []
    if any((into / name).is_file() for name in SETTINGS):
        folders += [into / os.path.relpath(place, project.root) for place in project.places.values()]
    yield from {os.path.realpath(folder): folder for folder in reversed(folders)}.values()
