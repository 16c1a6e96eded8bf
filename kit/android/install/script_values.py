"""Numbers and versions in a project's scripts: the smallest minSdk of a module, and the version of the Android plugin.

A number is followed through the catalog and through names such as `rootProject.ext.minSdk`; what a script computes
otherwise is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.android.install.gradle_project import Module, Project
from kit.android.install.gradle_script import Script, read_script
from kit.android.install.version_catalog import Catalog, script_alias

_MIN_SDK = re.compile(r"\bminSdk(?:Version)?\b\s*(?:=|\.set\s*\(|\(|\{\s*version\s*=|[ \t])\s*(?P<value>[^\n;{}=]+)")
_NUMBER = re.compile(r"(?:release\s*\(\s*)?(?P<number>\d+)\b")
_CATALOG = re.compile(r"""(?P<name>[A-Za-z_]\w*)\.versions\.(?P<alias>\w+(?:\.\w+)*)""")
_FIND = re.compile(r"""findVersion\(\s*["'](?P<alias>[\w.\-]+)["']\)""")
_NAME = re.compile(r"""(?:["'](?P<quoted>[A-Za-z_]\w*)["']|(?P<word>[A-Za-z_]\w*))\W*(?:\.to\w+\(\)\W*|as Int\W*)*$""")
_READERS = re.compile(r"\.(get|asProvider|toInt|toInteger|toString|requiredVersion|map)\b.*", re.S)
_ANDROID = re.compile(r"com\.android\.(application|library|dynamic-feature)")
_PLUGIN = "com.android.tools.build:gradle"
_CLASSPATH = re.compile(rf"""["']{re.escape(_PLUGIN)}:(?P<version>[\w.$\{{\}}\-]+)["']""")
_VERSIONED = re.compile(
    r"""\bid\s*+\(?\s*+["']com\.android\.(?:application|library|dynamic-feature)["']\s*+\)?\s*+\.?version\s*+\(?\s*+["']([\w.\-]+)["']"""
)


@dataclass(frozen=True)
class Number:
    """A number in a file's text, and where it stands there."""

    file: Path
    text: str
    place: tuple[int, int]
    value: int


def min_sdks(project: Project, module: Module) -> list[Number]:
    """Return each minSdk of a module that can be read: its own, those of flavors, those of plugins that it applies."""
    found: dict[tuple[Path, int], Number] = {}
    settings = [project.settings] if project.settings and "com.android.settings" in project.settings.code else []
    for script in [*module.scripts, *settings]:
        for match in _MIN_SDK.finditer(script.code):
            if number := _number(project, script, match):
                found[number.file, number.place[0]] = number
    return list(found.values())


def _number(project: Project, script: Script, match: re.Match[str]) -> Number | None:
    value = match["value"].strip()
    if literal := _NUMBER.match(value):
        start = match.start("value") + literal.start("number")
        start += len(match["value"]) - len(match["value"].lstrip())
        place = (start, start + len(literal["number"]))
        return Number(script.path, script.text, place, int(literal["number"]))
    if reference := _CATALOG.search(value):
        catalogs = [project.catalogs[reference["name"]]] if reference["name"] in project.catalogs else []
        return _of_catalogs(catalogs, _READERS.sub("", reference["alias"]))
    if reference := _FIND.search(value):
        return _of_catalogs(list(project.catalogs.values()), script_alias(reference["alias"]))
    named = _NAME.search(value[:200])
    return _defined(project, script, named["quoted"] or named["word"]) if named else None


def _of_catalogs(catalogs: list[Catalog], alias: str) -> Number | None:
    for catalog in catalogs:
        script = read_script(catalog.path) if catalog.versions.get(alias, "").isdecimal() else None
        key = re.escape(alias).replace(r"\.", r"[.\-_]")
        line = re.search(rf"""^[ \t]*["']?{key}["']?\s*=\s*["'](\d+)["']""", script.text, re.M) if script else None
        if script and line:
            return Number(script.path, script.text, line.span(1), int(line[1]))
    return None


def _defined(project: Project, script: Script, name: str) -> Number | None:
    """Return the number of a name: from the script, the root's build file, gradle.properties or build logic."""
    line = re.compile(rf"""(?<![\w])["']?{re.escape(name)}["']?\]?\s*(?:=|:|,)\s*["']?(\d+)\b""")
    for other in [script, *_shared(project)]:
        if found := line.search(other.code):
            return Number(other.path, other.text, found.span(1), int(found[1]))
    return None


def _shared(project: Project) -> Iterator[Script]:
    """Yield the files in which a project keeps its numbers."""
    if project.build:
        yield project.build
    if properties := read_script(project.root / "gradle.properties"):
        yield Script(properties.path, properties.text, properties.text)
    yield from (script for script in (read_script(path) for path in _applied_by_root(project)) if script)
    yield from project.logic.scripts


def _applied_by_root(project: Project) -> list[Path]:
    code = project.build.code if project.build else ""
    names = re.findall(
        r"""\bapply\s*+\(?\s*+from\s*[:=]\s*[^\n]{0,200}?["'](?:\$\{?rootDir\}?/)?([^"'$\n]+)["']""", code
    )
    return [project.root / name for name in names]


def android_plugin(project: Project) -> tuple[int, ...]:
    """Return the version of the Android Gradle plugin, (8, 5), () where no file says it."""
    return next((version for text in _plugin_versions(project) if (version := _version(text))), ())


def _plugin_versions(project: Project) -> Iterator[str]:
    scripts = [script for script in (project.build, project.settings, *project.logic.scripts) if script]
    scripts += [script for name in project.places for script in _build_files(project.places[name])]
    for script in scripts:
        yield from _VERSIONED.findall(script.code)
        for match in _CLASSPATH.finditer(script.code):
            text = match["version"]
            yield text if not text.startswith("$") else _text_of(project, text.strip("${}"))
    for catalog in project.catalogs.values():
        yield from (version for name, version in catalog.plugins.values() if _ANDROID.match(name))
        yield from (version for name, version in catalog.libraries.values() if name == _PLUGIN)


def _build_files(folder: Path) -> list[Script]:
    return [script for name in ("build.gradle.kts", "build.gradle") if (script := read_script(folder / name))]


def _text_of(project: Project, name: str) -> str:
    line = re.compile(rf"""\b{re.escape(name.rpartition(".")[2])}\b\W*=\s*["']?([\d][\w.\-]*)""")
    return next((found[1] for script in _shared(project) if (found := line.search(script.code))), "")


def _version(text: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def property_of(project: Project, name: str) -> str:
    """Return a value of gradle.properties, "" where there is none."""
    script = read_script(project.root / "gradle.properties")
    found = re.findall(rf"^[ \t]*{re.escape(name)}\s*[=:]\s*(\S*)", script.text, re.M) if script else []
    return str(found[-1]) if found else ""
