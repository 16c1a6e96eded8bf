"""Which modules end in one app, and what two of them may not both have: a bundle, a class, another runtime.

A module belongs to an application that depends on it, by itself or through others; a dynamic feature to the one that it
depends on. Of a project with one application, all modules are taken for its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.android.install.gradle_project import APPLICATION, FEATURE, UNKNOWN, Module, Project, is_same_place, modules
from kit.android.install.gradle_script import within
from kit.android.install.state import STATE, DroppedBundle, read_state
from kit.errors import CheckError, OutputError

_DEPENDENCY = re.compile(
    r"""(?:\b(?P<config>\w+)["']?\s*+[(,]?\s*+)?(?:platform\s*\(\s*)?"""
    r"""(?:project\s*\(\s*(?:path\s*[:=]\s*)?["'](?P<path>:?[\w:.\-]+)["']|projects(?P<accessor>(?:\.\w+)+))"""
)
_TESTS = re.compile(r"test|androidTest|lint|ksp|kapt|annotationProcessor|baselineProfile")


@dataclass(frozen=True)
class Neighbour:
    """Another module of the same app, with what was dropped into it."""

    folder: Path
    app: str  # how the app is called in a message
    bundles: Mapping[str, DroppedBundle]


def neighbours(project: Project, module: Module) -> list[Neighbour]:
    """Return the other modules of this module's apps that have bundles. Raises RecipeError as read_state."""
    with_state = [place for place in dict.fromkeys(project.places.values()) if (place / STATE).is_file()]
    others = [place for place in with_state if not is_same_place(place, module.folder)]
    if not others:
        return []
    every = modules(project)
    found = []
    for place in others:
        other = next((other for other in every if other.folder == place), None)
        app = _shared_app(every, module, other) if other else None
        if app is not None and (state := read_state(place)):
            found.append(Neighbour(place, app, state.bundles))
    return found


def apps_of(project: Project, module: Module) -> list[Module]:
    """Return the applications that a module ends in: itself, or those that have it."""
    if module.kind == APPLICATION:
        return [module]
    every = modules(project)
    graph = _graph(every)
    apps = [app for app in every if app.kind == APPLICATION]
    found = [app for app in apps if module.name in _content(every, graph, app)]
    return found or (apps if len(apps) == 1 else [])


def refuse_in_neighbours(own: Mapping[str, DroppedBundle], name: str, others: Sequence[Neighbour]) -> None:
    """Refuse what an app would have twice.

    Raises OutputError for a bundle or a file of one, CheckError for a runtime.
    """
    bundle = own[name]
    for other in others:
        if name in other.bundles:
            raise OutputError(
                f"{name} is in {other.folder}, too, and both modules are in {other.app}: its classes would come twice",
                f"leave it there, and depend on that module; or take it out there: kit drop {name} --remove --into "
                f"{other.folder}",
            )
        for key, theirs in other.bundles.items():
            if shared := sorted(set(bundle.files) & set(theirs.files)):
                raise OutputError(
                    f"{shared[0]} comes from the bundle {key} in {other.folder}, too: both modules are in {other.app}",
                    "give one of them another [android] package or [model] id",
                )
            if theirs.runtime != bundle.runtime:
                raise CheckError(
                    f"{name} is built for {bundle.runtime}, and {key} in {other.folder} for {theirs.runtime}: both are "
                    f"in {other.app}, and an app links one",
                    f"build both for one [android] runtime, or take {key} out there: kit drop {key} --remove --into "
                    f"{other.folder}",
                )


def _shared_app(every: Sequence[Module], one: Module, other: Module) -> str | None:
    """Return what to call the app that two modules are in, None where they are in none together."""
    graph = _graph(every)
    apps = [
        module for module in every if module.kind in {APPLICATION, UNKNOWN} or module.name in {one.name, other.name}
    ]
    for app in apps:
        content = _content(every, graph, app)
        if {one.name, other.name} <= content:
            return f"the app {app.name}"
    applications = [module for module in every if module.kind == APPLICATION]
    return f"the app {applications[0].name}" if len(applications) == 1 else None


def _content(every: Sequence[Module], graph: Mapping[str, set[str]], app: Module) -> set[str]:
    """Return the names of all modules in an app: what it reaches, and features that reach it, with what those reach."""
    content = _reach(graph, app.name)
    for module in every:
        if module.kind == FEATURE and app.name in (reached := _reach(graph, module.name)):
            content |= reached
    return content


def _reach(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        fresh = graph.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found


def _graph(every: Sequence[Module]) -> dict[str, set[str]]:
    names = {_plain(module.name): module.name for module in every}
    return {module.name: {names[path] for path in _needed(module) if path in names} for module in every}


def _needed(module: Module) -> list[str]:
    code = module.build.code
    found = [match for match in _DEPENDENCY.finditer(code) if not _TESTS.match(match["config"] or "")]
    features = re.findall(r"""\bdynamicFeatures\b[^\n]*""", within(code, "android"))
    named = [name for line in features for name in re.findall(r"""["'](:[\w:.\-]+)["']""", line)]
    return [_plain(match["path"] or match["accessor"]) for match in found] + [_plain(name) for name in named]


def _plain(name: str) -> str:
    """Return a module's name as both ways to write it have it: ":core:ml-kit" and ".core.mlKit"."""
    parts = re.split(r"[:.]", name.strip(":."))
    return ":".join(re.sub(r"[-_]", "", part).lower() for part in parts)
