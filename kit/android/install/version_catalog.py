"""Version catalogs of a Gradle project: what `libs.plugins.x`, `libs.versions.y` and `libs.z` stand for.

Source: Gradle's page "Version Catalogs". A catalog is a TOML file, gradle/libs.versions.toml where settings name no
other, or is written in the settings; `-`, `_` and `.` in an alias are all `.` in a script.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.android.install.gradle_script import MOST_SCRIPT, Script, blocks
from kit.bounded import read_bounded

_FILE = re.compile(r"""\bfiles?\s*\(\s*["'](?P<path>[^"'$\n]+)["']""")
_CREATE = r"""(?:create|register|maybeCreate)\s*\(\s*["'](?P<name>\w+)["']\s*\)\s*\{|(?<![\w.])(?P<word>\w+)\s*\{"""
_DEFAULT = re.compile(r"""defaultLibrariesExtensionName\s*(?:=|\.set\s*\(|\.convention\s*\()\s*["'](\w+)["']""")
_PLUGIN = re.compile(
    r"""\bplugin\s*\(\s*["']([\w.\-]+)["']\s*,\s*["']([\w.\-]+)["']\s*\)(?:\s*\.\s*version\s*\(\s*["']([\w.\-]+)["'])?"""
)
_VERSION = re.compile(r"""\bversion\s*\(\s*["']([\w.\-]+)["']\s*,\s*["']([\w.\-]+)["']\s*\)""")


@dataclass(frozen=True)
class Catalog:
    """A catalog. Keys are aliases as a script writes them: "android.application"."""

    path: Path
    versions: Mapping[str, str] = field(default_factory=dict)
    plugins: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # id and version, "" where none is said
    libraries: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # "group:name" and version


def read_catalogs(root: Path, settings: Script | None) -> dict[str, Catalog]:
    """Return the catalogs of a project by their names in its scripts."""
    code = settings.code if settings else ""
    default = next(iter(_DEFAULT.findall(code)), "libs")
    files = {path.name.removesuffix(".versions.toml"): path for path in sorted(root.glob("gradle/*.versions.toml"))}
    files = {default if name == "libs" else name: path for name, path in files.items()}
    found = {name: catalog for name, path in files.items() if (catalog := _read(path))}
    for name, body in _written(code):
        for match in _FILE.finditer(body):
            if catalog := _read(root / match["path"]):
                found[name] = catalog
        plugins = {script_alias(alias): (plugin, version) for alias, plugin, version in _PLUGIN.findall(body)}
        versions = {script_alias(alias): version for alias, version in _VERSION.findall(body)}
        if settings and (plugins or versions):
            before = found.get(name, Catalog(settings.path))
            found[name] = Catalog(
                before.path, {**before.versions, **versions}, {**before.plugins, **plugins}, before.libraries
            )
    return found


def _written(code: str) -> Iterator[tuple[str, str]]:
    """Yield the catalogs that settings create: their names, and what is written of them."""
    for start, end in blocks(code, "versionCatalogs"):
        body = code[start:end]
        for match in re.finditer(_CREATE, body):
            name = match["name"] or match["word"]
            opened = match.end() - 1
            yield name, next((body[s:e] for s, e in _bodies(body) if s == opened + 1), "")


def _bodies(code: str) -> Iterator[tuple[int, int]]:
    yield from blocks(code, r"\w+")


def script_alias(alias: str) -> str:
    """Return an alias as a script writes it: "android-application" is "android.application"."""
    return re.sub(r"[-_]", ".", alias)


def _read(path: Path) -> Catalog | None:
    try:
        document = tomllib.loads(read_bounded(path, MOST_SCRIPT).decode("utf-8-sig", "replace"))
    except (OSError, ValueError, RecursionError):
        return None
    versions = {key: _version(value, {}) for key, value in _table(document, "versions")}
    plugins = {script_alias(key): _pair(value, "id", versions) for key, value in _table(document, "plugins")}
    libraries = {script_alias(key): _library(value, versions) for key, value in _table(document, "libraries")}
    return Catalog(path, {script_alias(key): text for key, text in versions.items()}, plugins, libraries)


def _table(document: Any, name: str) -> Iterator[tuple[str, Any]]:
    table = document.get(name)
    if isinstance(table, dict):
        yield from table.items()


def _pair(value: Any, key: str, versions: Mapping[str, str]) -> tuple[str, str]:
    """Return what an entry names, and its version: "id:1.0", or a table."""
    if isinstance(value, str):
        name, _, version = value.rpartition(":")
        return (name, version) if name else (value, "")
    if not isinstance(value, dict):
        return "", ""
    return str(value.get(key, "")), _version(value.get("version", ""), versions)


def _library(value: Any, versions: Mapping[str, str]) -> tuple[str, str]:
    if isinstance(value, dict) and "group" in value:
        return f"{value['group']}:{value.get('name', '')}", _version(value.get("version", ""), versions)
    if isinstance(value, str) and value.count(":") < 2:
        return value, ""
    return _pair(value, "module", versions)


def _version(value: Any, versions: Mapping[str, str]) -> str:
    if isinstance(value, dict):
        reference = value.get("ref")
        if isinstance(reference, str):
            return versions.get(reference, "")
        value = next((value[key] for key in ("strictly", "require", "prefer") if key in value), "")
    return value if isinstance(value, str) else ""
