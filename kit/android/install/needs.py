"""What an app's project lacks for the bundles in one of its modules, each with the exact line that brings it.

The files are the user's: here is what is said of them, and the edits that `--write` makes. What a script computes is
not seen, and nothing is said of it: Gradle has the last word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.android.install.edits import Edit, Need, after_line, at_end, exchanged
from kit.android.install.gradle_project import FEATURE, LIBRARY, Module, Project
from kit.android.install.gradle_script import Script, blocks, read_script
from kit.android.install.runtime_needs import has_large_pages, least_sdk, shares_namespace
from kit.android.install.script_values import android_plugin, min_sdks, property_of

GRADLE = "dropkit.gradle"
KOTLIN = "2.2.21"  # of the plugin, where a project names none: AGP 8 takes it
_KOTLIN_PLUGIN = "org.jetbrains.kotlin.android"
_HAS_KOTLIN = {_KOTLIN_PLUGIN, "org.jetbrains.kotlin.multiplatform", "com.android.built-in-kotlin"}
_TESTS = (
    ("androidx.test.ext:junit", "androidx.test.ext:junit:1.3.0", ("androidx.test.ext:junit",)),
    (
        "androidx.test:runner",
        "androidx.test:runner:1.7.0",
        ("androidx.test:runner", "androidx.test.espresso:espresso-core"),
    ),
)
_RUNNER = 'android { defaultConfig { testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner" } }'
_FLAG = "android.uniquePackageNames"
_MOST_SOURCES = 5000


@dataclass(frozen=True)
class Dropping:
    """What was dropped into a module: enough to say what the project lacks for it."""

    ids: tuple[str, ...]
    runtime: str
    owned: frozenset[str]  # paths in the module that a drop wrote, or writes
    crlf: tuple[str, ...] = ()  # ids of bundles whose assets a checkout has given other line ends


def needs_of(project: Project, module: Module, apps: Sequence[Module], dropping: Dropping) -> list[Need]:
    """Return what the project lacks for what was dropped into a module; apps are the applications that it ends in."""
    return [
        *_apply_line(module),
        *_kotlin(project, module, dropping),
        *_least_sdk(project, [module, *(app for app in apps if app.folder != module.folder)], dropping.runtime),
        *_unique_names(project, dropping.runtime),
        *_tests(project, module, dropping),
        *_source_sets(project, module),
        *_line_ends(module, dropping),
    ]


def notes_of(module: Module, dropping: Dropping) -> list[str]:
    """Return what a user should know, and cannot write into a build file of this project."""
    notes = []
    if module.kind in {LIBRARY, FEATURE}:
        models = ", ".join(f'"{name}/model.tflite"' for name in dropping.ids)
        is_library = module.kind == LIBRARY
        what = "a library: its R8 rules reach the app as consumer rules" if is_library else "a dynamic feature"
        notes.append(
            f"{module.folder} is {what}. In the application module AGP 4.1 and newer store .tflite uncompressed; an "
            f"older one needs, in the app's build file: android.aaptOptions {{ noCompress {models} }}"
        )
    if not has_large_pages(dropping.runtime):
        notes.append(
            f"the library of {dropping.runtime} is not aligned to pages of 16 KB, which Google Play asks of apps for "
            'Android 15 and newer. In the recipe write: [android] runtime = "litert:2.3.0" or "litert:1.4.0", and build'
        )
    return notes


def applies(module: Module) -> bool:
    """Say whether the module's build file names dropkit.gradle, outside of a comment."""
    return GRADLE in module.build.code


def _apply_line(module: Module) -> Iterator[Need]:
    if not applies(module):
        file = module.build.path
        yield at_end(file, f'apply(from = "{GRADLE}")' if _is_kotlin(file) else f"apply from: '{GRADLE}'")


def _is_kotlin(file: Path) -> bool:
    return file.suffix == ".kts"


def _kotlin(project: Project, module: Module, dropping: Dropping) -> Iterator[Need]:
    """Before AGP 9 a module compiles Kotlin with a plugin alone."""
    version = android_plugin(project)
    built_in = version >= (9,) and property_of(project, "android.builtInKotlin") != "false"
    if module.plugins & _HAS_KOTLIN or built_in or module.unread:
        return
    own = _sources(module.folder / "src", dropping.owned)
    if ".kt" in own or (not version and ".java" not in own):
        return
    yield from _kotlin_plugin(project, module, "" if version else " (AGP 9 compiles Kotlin without it)")


def _kotlin_plugin(project: Project, module: Module, more: str) -> Iterator[Need]:
    script = module.build
    if block := next(iter(blocks(script.code, "plugins")), None):
        body = script.code[slice(*block)]
        place = block[0] + len(body.rstrip())
        line = _plugin_line(project, kotlin=_is_kotlin(script.path))
        text = f"\n    {line}" if "\n" in body else f"; {line}"
        yield Need(script.path, f"add in plugins {{ }}: {line}{more}", Edit(text, place, place))
        return
    applied = re.search(r"""\bapply\b[^\n]*com\.android\.[^\n]*""", script.code)
    line = f'apply(plugin = "{_KOTLIN_PLUGIN}")' if _is_kotlin(script.path) else f"apply plugin: '{_KOTLIN_PLUGIN}'"
    if applied:
        yield after_line(script.path, script.text, applied.start(), line)
        yield from _classpath(project)


def _classpath(project: Project) -> Iterator[Need]:
    root = project.build
    there = re.search(r"""classpath[^\n]*com\.android\.tools\.build:gradle[^\n]*""", root.code) if root else None
    if root and there and "kotlin-gradle-plugin" not in root.code:
        line = f"org.jetbrains.kotlin:kotlin-gradle-plugin:{KOTLIN}"
        text = f'classpath("{line}")' if _is_kotlin(root.path) else f"classpath '{line}'"
        yield after_line(root.path, root.text, there.start(), text)


def _plugin_line(project: Project, *, kotlin: bool) -> str:
    for name, catalog in project.catalogs.items():
        for alias, (plugin, _) in catalog.plugins.items():
            if plugin == _KOTLIN_PLUGIN:
                return f"alias({name}.plugins.{alias})"
    scripts = [script.code for script in (project.build, project.settings, *project.logic.scripts) if script]
    known = any(_KOTLIN_PLUGIN in code or "kotlin-gradle-plugin" in code for code in scripts)
    plugin = f'id("{_KOTLIN_PLUGIN}")' if kotlin else f"id '{_KOTLIN_PLUGIN}'"
    version = f'version "{KOTLIN}"' if kotlin else f"version '{KOTLIN}'"
    return plugin if known else f"{plugin} {version}"


def _sources(folder: Path, owned: Collection[str]) -> set[str]:
    """Return which of .kt and .java the user's own sources have."""
    found: set[str] = set()
    seen = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            seen += 1
            path = Path(parent, name).relative_to(folder.parent).as_posix()
            if path not in owned:
                found.add(Path(name).suffix)
        if seen > _MOST_SOURCES:
            break
    return found & {".kt", ".java"}


def _least_sdk(project: Project, modules: Sequence[Module], runtime: str) -> Iterator[Need]:
    least = least_sdk(runtime)
    seen = set()
    for module in modules:
        for number in min_sdks(project, module):
            place = (number.file, number.place)
            if number.value < least and place not in seen:
                seen.add(place)
                need = exchanged(number.file, number.text, number.place, str(least))
                yield Need(need.file, f"{need.words} ({runtime} has minSdk {least})", need.edit)


def _unique_names(project: Project, runtime: str) -> Iterator[Need]:
    version = android_plugin(project)
    if project.settings is None or not shares_namespace(runtime) or property_of(project, _FLAG) == "false":
        return
    if not version or version >= (9,):
        file = project.root / "gradle.properties"
        line = f"{_FLAG}=false"
        words = f"add: {line} (two AARs of LiteRT have one namespace, which AGP 9 refuses: LiteRT#8474)"
        there = read_script(file)
        old = re.search(rf"^[ \t]*{re.escape(_FLAG)}\s*[=:][^\r\n]*", there.text, re.M) if there else None
        yield Need(file, words, Edit(line, *old.span()) if old else Edit(line))


def _tests(project: Project, module: Module, dropping: Dropping) -> Iterator[Need]:
    """The bundle's instrumented test needs AndroidX's libraries and its runner."""
    if not any(path.startswith("src/androidTest/") for path in dropping.owned):
        return
    there = _libraries(project, module)
    missing = [line for _, line, enough in _TESTS if not any(name in there for name in enough)]
    if missing:
        parts = "; ".join(f'androidTestImplementation("{line}")' for line in missing)
        yield at_end(module.build.path, f"dependencies {{ {parts} }}")
    if not any("testInstrumentationRunner" in script.code for script in module.scripts):
        yield at_end(module.build.path, _RUNNER)


def _libraries(project: Project, module: Module) -> str:
    """Return what a module's scripts say of libraries for its instrumented tests, with those of catalogs."""
    text = "\n".join(line for script in module.scripts for line in _lines_of_tests(script))
    for name, catalog in project.catalogs.items():
        for accessor in re.findall(rf"\b{name}((?:\.\w+)+)", text):
            text += "\n" + catalog.libraries.get(accessor.removesuffix(".get").lstrip("."), ("", ""))[0]
        for alias in re.findall(r"""findLibrary\(\s*["']([\w.\-]+)["']""", text):
            text += "\n" + catalog.libraries.get(re.sub(r"[-_]", ".", alias), ("", ""))[0]
        if re.search(rf"\b{name}\.bundles\.", text):
            text += "\n" + "\n".join(library for library, _ in catalog.libraries.values())
    return text


def _lines_of_tests(script: Script) -> list[str]:
    """Return the statements of a script that name androidTest; strings such as "androidTestImplementation" count."""
    return re.findall(r"androidTest\w*[^\n]*(?:\n[ \t]+[^\n]*libs[^\n]*)?", script.code)


def _source_sets(project: Project, module: Module) -> Iterator[Need]:
    """Where `sourceSets` give main other folders, the dropped files are in none of them."""
    file = module.build.path
    for start, end in blocks(module.build.code, "sourceSets"):
        body = module.build.code[start:end]
        other = re.search(r"""\bassets\s*\.\s*(?:srcDirs\s*=|setSrcDirs)(?P<dirs>[^\n]*)""", body)
        if other and "src/main/assets" not in module.build.code:
            yield at_end(file, 'android { sourceSets { getByName("main").assets.srcDir("src/main/assets") } }')
    version = android_plugin(project)
    if version and version < (7,) and "src/main/kotlin" not in module.build.code:
        yield at_end(file, 'android { sourceSets { getByName("main").java.srcDir("src/main/kotlin") } }')
    elif not version and _has(module, "src/main/java") and not _has(module, "src/main/kotlin"):
        line = 'android { sourceSets { getByName("main").java.srcDir("src/main/kotlin") } }'
        yield Need(file, f"src/main/kotlin is new here. AGP 7 compiles it; for an older one add at its end: {line}")


def _has(module: Module, path: str) -> bool:
    return (module.folder / path).exists()


def _line_ends(module: Module, dropping: Dropping) -> Iterator[Need]:
    """A class reads labels and vocabularies by lines: \\r would be a part of a label."""
    file = module.folder / ".gitattributes"
    there = read_script(file)
    for name in dropping.crlf:
        line = f"src/*/assets/{name}/* -text"
        if not there or line not in there.text:
            words = (
                f"add: {line} (git gave the files of {name} other line ends, and the class would read them into labels)"
            )
            yield Need(file, words, Edit(line))
