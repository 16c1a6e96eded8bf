"""A Gradle project as its files say it: modules, and what is applied to each, through catalogs and build logic.

Nothing of it runs. A plugin of the project's own, in buildSrc or an included build, is followed into its script or its
class; one that comes as a binary cannot be, and is named in `unread`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from kit.android.install.build_logic import Logic, read_logic
from kit.android.install.gradle_script import Script, applied, read_script, within, without
from kit.android.install.version_catalog import Catalog, read_catalogs, script_alias

BUILD_FILES = ("build.gradle.kts", "build.gradle")
SETTINGS = ("settings.gradle.kts", "settings.gradle")
APPLICATION, LIBRARY, FEATURE = "com.android.application", "com.android.library", "com.android.dynamic-feature"
UNKNOWN = "unknown"  # an Android module, but the plugin that makes it one cannot be read
OTHER = ("com.android.test", "com.android.kotlin.multiplatform.library")  # a bundle has no place in these
_KINDS = (APPLICATION, FEATURE, LIBRARY)
_KNOWN = re.compile(r"(com\.android|org\.jetbrains\.kotlin|com\.google|androidx|org\.gradle|java|kotlin|maven)[.\-\w]*")
_SPEAKING = re.compile(r"android\.?(application|library|dynamic\.?feature)", re.I)
_LIKELY = re.compile(r"android[.\-_]?(app|lib|feature|dynamic)", re.I)  # of a plugin that cannot be read
# In a list, or a `when`: but not where it is only asked for.
_LITERAL = re.compile(r"""(?<![a-z]Id\()(?<!Plugin\()["'](com\.android\.(?:application|library|dynamic-feature))["']""")
_INCLUDE = re.compile(r"""\binclude\b\s*\(?((?:\s*["'][^"'$\n]+["']\s*,?)+)""")
_MOVED = re.compile(
    r"""\bproject\s*\(\s*["'](:?[\w:.\-]+)["']\s*\)\s*\.\s*projectDir\s*=[^\n]{0,200}?["']([^"'$\n]+)["']"""
)
_COMPUTED = re.compile(r"""\binclude\b\s*+\(?\s*+[^"'\s(]""")  # include(it)
_NO_MODULES = {"src", "build", "buildSrc", "gradle"}
_EACH = r"subprojects|allprojects"
_MOST_SCRIPTS = 60  # that one module applies


@dataclass(frozen=True)
class Project:
    """A Gradle build: the folder of its settings, or a module alone, which has none."""

    root: Path
    settings: Script | None
    build: Script | None
    catalogs: Mapping[str, Catalog]
    logic: Logic
    places: Mapping[str, Path] = field(default_factory=dict)  # folders of the modules by name, ":feature:ml"

    @cached_property
    def names(self) -> dict[str, str]:
        """Return the names of the modules by their real folders."""
        return {os.path.realpath(place): name for name, place in [*self.places.items()][::-1]}


@dataclass(frozen=True)
class Module:
    """An Android module."""

    folder: Path
    name: str  # ":feature:ml"; "" where no settings include it
    kind: str
    plugins: frozenset[str]
    scripts: tuple[Script, ...]  # the build file first, then what it applies
    unread: tuple[str, ...]  # plugins of unknown content

    @property
    def build(self) -> Script:
        """Return its build file."""
        return self.scripts[0]


def read_project(place: Path) -> Project:
    """Return the Gradle build that a folder belongs to."""
    for folder in (place.absolute(), *place.absolute().parents):
        settings = _first(folder, SETTINGS)
        if settings and folder.name != "buildSrc":
            return _project(folder, settings)
    return _project(place.absolute(), None)


def _project(root: Path, settings: Script | None) -> Project:
    code = settings.code if settings else ""
    build = _first(root, BUILD_FILES) if settings else None
    catalogs = read_catalogs(root, settings) if settings else {}
    logic = read_logic(root, code, catalogs) if settings else Logic()
    return Project(root, settings, build, catalogs, logic, dict(_places(root, code)))


def _places(root: Path, settings: str) -> Iterator[tuple[str, Path]]:
    """Yield the modules that settings include; where they compute names, each folder with a build file, too."""
    moved = {":" + name.lstrip(":"): path for name, path in _MOVED.findall(settings)}
    for names in _INCLUDE.findall(settings):
        for name in re.findall(r"""["']([^"']+)["']""", names):
            full = ":" + name.lstrip(":").replace("/", ":")
            yield full, root / moved.get(full, full[1:].replace(":", "/"))
    if _COMPUTED.search(settings):
        yield from _with_build_file(root, root, 4)


def _with_build_file(root: Path, folder: Path, depth: int) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()) if depth else []:
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".") and path.name not in _NO_MODULES:
            if any((path / name).is_file() for name in BUILD_FILES):
                yield ":" + path.relative_to(root).as_posix().replace("/", ":"), path
            yield from _with_build_file(root, path, depth - 1)


def _first(folder: Path, names: Sequence[str]) -> Script | None:
    return next((script for name in names if (script := read_script(folder / name))), None)


def build_file(project: Project, folder: Path) -> Script | None:
    """Return a module's build file, also one that settings call after the module."""
    own = [f"{folder.name}.gradle.kts", f"{folder.name}.gradle"]
    renamed = own if project.settings and "buildFileName" in project.settings.code else []
    return _first(folder, [*BUILD_FILES, *renamed])


def read_module(project: Project, folder: Path) -> Module | None:
    """Return the Android module in a folder; None where it is none, or of a kind that takes no sources and assets."""
    build = build_file(project, folder)
    if build is None:
        return None
    plugins, scripts, unread = _followed(project, build)
    named = plugins
    if not plugins & {*_KINDS, *OTHER}:
        named |= {name for script in scripts[1:] for name in _LITERAL.findall(script.code)}
    kinds = [kind for kind in _KINDS if kind in named]
    kind = UNKNOWN if len(kinds) > 1 else next(iter(kinds), "")  # an `if` decides between them
    if not kind and not plugins & {*OTHER} and _looks_android(folder, build, unread):
        kind = UNKNOWN
    return (
        Module(folder, project.names.get(os.path.realpath(folder), ""), kind, plugins, scripts, unread)
        if kind
        else None
    )


def other_kind(project: Project, folder: Path) -> str:
    """Return the plugin that makes a module of a kind in which a bundle has no place, "" where there is none."""
    build = build_file(project, folder)
    plugins = _followed(project, build)[0] if build else frozenset()
    return next((kind for kind in OTHER if kind in plugins), "") if not plugins & {*_KINDS} else ""


def modules(project: Project) -> list[Module]:
    """Return the Android modules that the settings include, in their order."""
    found = (read_module(project, place) for place in dict.fromkeys(project.places.values()))
    return [module for module in found if module]


def is_same_place(one: Path, other: Path) -> bool:
    """Say whether two paths are one place, through links, too."""
    return os.path.realpath(one) == os.path.realpath(other)


def _looks_android(folder: Path, build: Script, unread: Sequence[str]) -> bool:
    """Say whether a module is Android's though no plugin that can be read says so."""
    block = within(build.code, "android").strip()
    likely = any(_LIKELY.search(name) for name in unread)
    return bool(block) or likely or bool(unread and (folder / "src/main/AndroidManifest.xml").is_file())


def _followed(project: Project, build: Script) -> tuple[frozenset[str], tuple[Script, ...], tuple[str, ...]]:
    """Return the plugins that a build file applies in the end, the scripts that say so, and the plugins not read."""
    plugins: set[str] = set()
    unread: set[str] = set()
    scripts = {build.path: build}
    is_root = project.build is not None and is_same_place(build.path, project.build.path)
    waiting = [_own(project, build, without(build.code, _EACH) if is_root else build.code)]
    if project.build:
        each = within(project.build.code, _EACH if not is_root else "allprojects")
        waiting.append(_own(project, build, each))
    while waiting and len(scripts) < _MOST_SCRIPTS:
        ids, next_scripts = waiting.pop(0)
        fresh = ids - plugins
        plugins |= fresh
        unread |= {name for name in fresh if not (_KNOWN.fullmatch(name) or project.logic.of_plugin(name))}
        followed = [script for name in sorted(fresh) for script in project.logic.of_plugin(name)]
        for script in [*next_scripts, *followed]:
            if script.path not in scripts:
                scripts[script.path] = script
                waiting.append(_own(project, build, script.code))
    return frozenset(plugins), tuple(scripts.values()), tuple(sorted(unread))


def _own(project: Project, build: Script, code: str) -> tuple[set[str], list[Script]]:
    """Return the plugins that a piece of script applies by itself, and the scripts that it applies or calls."""
    found = applied(code)
    ids = {*found.ids} | {plugin for alias in found.aliases if (plugin := plugin_of(project, alias))}
    ids |= {text for name in found.constants if (text := project.logic.constant(name))}
    scripts = [script for name in sorted(found.classes) for script in project.logic.of_class(name)]
    return ids, scripts + [script for path in found.scripts if (script := _applied(project, build, path))]


def plugin_of(project: Project, alias: str) -> str:
    """Return the id of an alias. One that is in no catalog is taken by its name: libs.plugins.android.library.

    The alias itself where its name does not say it, either: a plugin of unknown content.
    """
    name, dot, rest = alias.partition(".plugins.")
    if dot:
        catalogs = [project.catalogs[name]] if name in project.catalogs else []
    else:
        rest, catalogs = script_alias(alias), list(project.catalogs.values())
    for catalog in catalogs:
        if rest in catalog.plugins:
            return catalog.plugins[rest][0]
    speaking = _SPEAKING.search(rest)
    return f"com.android.{re.sub(r'dynamic.?feature', 'dynamic-feature', speaking[1].lower())}" if speaking else alias


def _applied(project: Project, build: Script, path: str) -> Script | None:
    """Return the script of an `apply from`: relative to the module, or to the root where it says so."""
    from_root = re.search(r"root(Dir|Project)", path)
    plain = re.sub(r".*(\$\{[^}]*\}|\$[\w.]+)/?", "", path)
    plain = re.sub(r"""^.*["'(]""", "", plain).lstrip("/") if from_root else plain
    return read_script((project.root if from_root else build.path.parent) / plain)
