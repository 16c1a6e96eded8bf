"""A bundle as an Android library in a local Maven repository, and an app's use of it compiled. Needs no Gradle.

A file that says `implementation(files("x.aar"))` would lose the dependencies: hence the repository with its POM.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from kit.android.codegen.runtime_api import COROUTINES
from kit.android.proof.kotlin_compiler import compile_as_app, compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.kotlin_sources import Bindings
from kit.android.proof.step import Notify
from kit.android.proof.tools import OLDEST_KOTLIN, kotlin
from kit.android.proof.zip_bytes import jar_bytes, zip_bytes
from kit.bundle.layout import MAIN_ASSETS, RULES, Bundle
from kit.errors import CheckError
from kit.files import write_whole

MIN_SDK = 24  # LiteRT 2.3's own
_MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="{package}">
    <uses-sdk android:minSdkVersion="{sdk}" />
</manifest>
"""
_METADATA = "aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk=1\nminAndroidGradlePluginVersion=1.0.0\n"
_POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{version}</version>
  <packaging>aar</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY = """    <dependency>
      <groupId>{}</groupId>
      <artifactId>{}</artifactId>
      <version>{}</version>
      <scope>{}</scope>
    </dependency>"""
_CONSUMER = """package dropkit.consumer

import {package}.{model}
import android.content.Context

/** What an app does with the library. */
fun labelOf(context: Context): {model} = {model}.create(context)
"""


def aar_bytes(bindings: Bindings, classes: Path) -> bytes:
    """Return the library of a bundle: compiled Kotlin, assets without the golden vectors, and R8's rules."""
    entries = {
        "AndroidManifest.xml": _MANIFEST.format(package=bindings.jvm_package, sdk=MIN_SDK).encode(),
        "META-INF/com/android/build/gradle/aar-metadata.properties": _METADATA.encode(),
        "R.txt": b"",
        "classes.jar": jar_bytes(classes),
    }
    assets = bindings.bundle / MAIN_ASSETS
    for path in sorted(path for path in assets.rglob("*") if path.is_file()):
        entries[f"assets/{path.relative_to(assets).as_posix()}"] = path.read_bytes()
    rules = bindings.bundle / RULES
    if rules.exists():
        entries["proguard.txt"] = rules.read_bytes()
    return zip_bytes(entries, first=("AndroidManifest.xml",))


def pom_text(bindings: Bindings, version: str, runtime: str) -> str:
    """Return the POM: the runtime by its Gradle coordinate ("group:artifact:version"), and Kotlin's two libraries.

    What a public signature names is Gradle's `api`, and "compile" here; the rest is "runtime". The standard library is
    the oldest that the classes run with: the app's own Kotlin brings a newer one, and is not forced to any.
    """
    needs = [
        (runtime, "compile" if bindings.shows_runtime else "runtime"),
        (f"org.jetbrains.kotlin:kotlin-stdlib:{OLDEST_KOTLIN}.0", "compile"),
        (COROUTINES, "runtime"),
    ]
    dependencies = "\n".join(_DEPENDENCY.format(*map(escape, need.split(":")), scope) for need, scope in needs)
    return _POM.format(
        group=escape(bindings.jvm_package),
        artifact=escape(bindings.id),
        version=escape(version),
        dependencies=dependencies,
    )


def write_maven(out: Path, bindings: Bindings, classes: Path, version: str, runtime: str) -> Path:
    """Write the repository below out, each file with its .sha256 beside it; return the AAR."""
    folder = out.joinpath(*bindings.jvm_package.split("."), bindings.id, version)
    stem = f"{bindings.id}-{version}"
    files: Mapping[str, bytes] = {
        f"{stem}.aar": aar_bytes(bindings, classes),
        f"{stem}.pom": pom_text(bindings, version, runtime).encode(),
    }
    for name, content in files.items():
        write_whole(folder / name, content)
        write_whole(folder / f"{name}.sha256", hashlib.sha256(content).hexdigest().encode())
    return folder / f"{stem}.aar"


def check_consumer(aar: Path, bindings: Bindings, scratch: Path, notify: Notify, older: Sequence[str] = ()) -> str:
    """Compile a small app's file against classes.jar as the AAR has it; return what it is. Raises CheckError.

    older: versions of OLDER_COMPILERS that it has to compile with, too.
    """
    content = aar.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        jar = scratch / "classes.jar"
        jar.write_bytes(archive.read("classes.jar"))
        model = archive.read(f"assets/{bindings.id}/model.tflite")
    if model != Bundle(bindings.bundle, bindings.id).model.read_bytes():
        raise CheckError(f"{aar.name}: its model is not the bundle's", "build the bundle again")
    source = scratch / "Consumer.kt"
    source.write_text(_CONSUMER.format(package=bindings.package, model=bindings.model), "utf-8")
    compile_kotlin([source], [jar, *desktop_classpath(notify)], scratch / "consumer", notify)
    for version in older:
        notify(f"an app of Kotlin {version}")
        try:
            compile_as_app(kotlin(notify, version), [source], [jar, desktop_jar(notify)], scratch / f"app-{version}")
        except CheckError as error:
            raise CheckError(f"an app of Kotlin {version}: {error.message}", error.hint) from error
    also = f", also with Kotlin {' and '.join(older)}" if older else ""
    return f"{aar.name}, {len(content):,} B; a file of an app compiles against it{also}"
