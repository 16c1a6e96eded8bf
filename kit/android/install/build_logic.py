"""A project's own Gradle plugins: scripts and classes of buildSrc and of included builds, by the plugin's id.

Source: Gradle's page "Precompiled Script Plugins": the id of src/main/kotlin/x.gradle.kts is "x", with its package
before it. A class gets its id in `gradlePlugin { }`, or in META-INF/gradle-plugins.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kit.android.install.gradle_script import Script, blocks, read_script, without
from kit.android.install.version_catalog import Catalog

_BUILD = re.compile(r"""\bincludeBuild\b\s*+\(?\s*+["']([^"'$\n]+)["']""")
_PACKAGE = re.compile(r"^[ \t]*package\s+([\w.]+)", re.M)
_ID = re.compile(r"""(?<![\w.])id\s*(?:=|\.set\s*\(|\s)\s*(?:["']([\w.\-]+)["']|([A-Za-z_]\w*)\.plugins((?:\.\w+)+))""")
_CLASS = re.compile(r"""\bimplementationClass\s*(?:=|\.set\s*\(|\s)\s*["']([\w.$]+)["']""")
_PLUGIN = re.compile(r"[:\s]Plugin\s*<")  # a class that is one
_READ = (".kt", ".kts", ".gradle", ".groovy", ".java", ".properties")
_MOST_FILES = 2000


@dataclass(frozen=True)
class Logic:
    """The files of a project's build logic, and the plugins in it."""

    scripts: tuple[Script, ...] = ()
    plugins: Mapping[str, Script] = field(default_factory=dict)  # by id

    def of_plugin(self, name: str) -> list[Script]:
        """Return the script or class of a plugin, with the functions of the build logic that it calls."""
        own = self.plugins.get(name)
        return [own, *self._called(own)] if own else []

    def of_class(self, name: str) -> list[Script]:
        """Return the file of a class."""
        found = [_only(script, name) for script in self.scripts if re.search(rf"\bclass\s+{name}\b", script.code)]
        return [called for script in found for called in (script, *self._called(script))]

    def constant(self, name: str) -> str:
        """Return the text of a constant, "Plugins.ANDROID"; "" where there is none."""
        last = re.compile(rf"""\b{name.rpartition(".")[2]}\s*=\s*["']([\w.\-]+)["']""")
        return next((found[1] for script in self.scripts if (found := last.search(script.code))), "")

    def _called(self, script: Script) -> Iterator[Script]:
        """Yield the files with a top-level function that a script calls, as `configureAndroid(this)`."""
        calls = {*re.findall(r"\b([a-z]\w{5,})\s*[({]", script.code)}
        for other in (other for other in self.scripts if not _PLUGIN.search(other.code)):
            declared = {*re.findall(r"\bfun\s+(?:<[^>]{0,200}>\s*)?(?:[\w.<>*, ]{1,200}\.)?(\w+)\s*\(", other.code)}
            if other.path != script.path and declared & calls:
                yield other


def read_logic(root: Path, settings: str, catalogs: Mapping[str, Catalog]) -> Logic:
    """Return the build logic of a project by the text of its settings."""
    folders = [root / "buildSrc", *(root / path for path in _BUILD.findall(settings))]
    files = [path for folder in dict.fromkeys(folders) if folder.is_dir() for path in _files(folder)][:_MOST_FILES]
    scripts = [script for path in files if (script := read_script(path))]
    plugins = {_id_of(script): script for script in scripts if _is_precompiled(script.path)}
    classes = {name: script for script in scripts for name in re.findall(r"\bclass\s+(\w+)", script.code)}
    for name, implementation in _registered(scripts, catalogs):
        if found := classes.get(re.split(r"[.$]", implementation)[-1]):
            plugins[name] = _only(found, re.split(r"[.$]", implementation)[-1])
    return Logic(tuple(scripts), plugins)


def _only(script: Script, name: str) -> Script:
    """Return a file with blanks for its other classes: several plugins may be in one."""
    return replace(script, code=without(script.code, rf"class\s+(?!{name}\b)\w+[^{{}}()]*"))


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if name not in {"build", ".gradle", ".git", "node_modules", "test"}
        )
        yield from (Path(parent, name) for name in sorted(names) if name.endswith(_READ))


def _is_precompiled(path: Path) -> bool:
    sources = {"src", "kotlin", "groovy", "java"} & {*path.parts}
    return path.name.endswith((".gradle.kts", ".gradle")) and len(sources) > 1 and not path.name.startswith("settings.")


def _id_of(script: Script) -> str:
    name = script.path.name.removesuffix(".kts").removesuffix(".gradle")
    package = _PACKAGE.search(script.code)
    return f"{package[1]}.{name}" if package else name


def _registered(scripts: list[Script], catalogs: Mapping[str, Catalog]) -> Iterator[tuple[str, str]]:
    """Yield the plugins that build files register: id and class."""
    for script in scripts:
        if script.path.suffix == ".properties":
            if "gradle-plugins" in script.path.parts and (
                found := re.search(r"implementation-class\s*=\s*(\S+)", script.text)
            ):
                yield script.path.stem, found[1]
            continue
        for start, end in blocks(script.code, "gradlePlugin"):
            body = script.code[start:end]
            for entry in _innermost(body):
                name, implementation = _ID.search(entry), _CLASS.search(entry)
                if name and implementation:
                    yield name[1] or _of_catalog(name[2], name[3], catalogs), implementation[1]


def _innermost(body: str) -> Iterator[str]:
    inner = [body[start:end] for start, end in blocks(body, r"[\w.]+")]
    yield from (text for text in inner if "{" not in text)


def _of_catalog(name: str, accessor: str, catalogs: Mapping[str, Catalog]) -> str:
    alias = re.sub(r"\.(get|asProvider)\b.*", "", accessor.lstrip("."))
    return catalogs[name].plugins.get(alias, ("", ""))[0] if name in catalogs else ""
