"""Compile Kotlin for the JVM with warnings as errors, and keep the desktop's classes compiled. Knows no bundle."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from kit.android.proof.class_archive import class_archive
from kit.android.proof.step import Notify
from kit.android.proof.tool_run import run_tool
from kit.android.proof.tools import KOTLIN, OLDEST_KOTLIN, Kotlin, find_jar, find_java, kotlin
from kit.android.proof.zip_bytes import jar_bytes
from kit.errors import CheckError, EngineError
from kit.files import cache_dir, sha256_file, temporary_folder, tree_digests, write_whole
from kit.toolchains.stamp import sentence

DESKTOP = Path(__file__).parent.parent / "desktop"
TARGET = "17"
# So that older compilers read the classes. That a language version will not be there for ever is no fault of a source.
AS_OLDEST = ("-language-version", OLDEST_KOTLIN, "-api-version", OLDEST_KOTLIN, "-Xsuppress-version-warnings")
LIMIT = 300.0  # seconds of CPU for one compilation
# Starts fast and stays small: a compiler that runs for seconds gains nothing from the optimizing compiler.
_JVM = ["-Xmx1g", "-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def compile_kotlin(
    sources: Sequence[Path],
    classpath: Sequence[Path],
    out: Path,
    notify: Notify,
    *,
    module: str = "dropkit",
    options: Sequence[str] = (),
) -> None:
    """Compile files and folders into a folder of classes. options are the compiler's own.

    The module names a file in META-INF: two libraries of one app need two names.

    Raises CheckError with what the compiler said, a warning included.
    """
    tool, java = kotlin(notify), find_java()
    with class_archive(java, tool.compiler) as archive:
        argv = [
            *(str(java), *_JVM, *archive, "-cp", _joined(tool.compiler), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"),
            *("-no-reflect", "-no-stdlib", "-jvm-target", TARGET, "-Werror", "-d", str(out)),
            *("-module-name", module, "-cp", _joined([*classpath, tool.stdlib, tool.coroutines])),
            *options,
            *map(str, sources),
        ]
        _compile(argv, "Kotlin")


def compile_as_app(tool: Kotlin, sources: Sequence[Path], classpath: Sequence[Path], out: Path) -> None:
    """Compile files as an app's own Kotlin does, with its standard library alone. Raises as compile_kotlin."""
    argv = [
        *(str(find_java()), *_JVM, "-cp", _joined(tool.compiler), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"),
        *("-no-reflect", "-no-stdlib", "-jvm-target", TARGET, "-Werror", "-d", str(out)),
        *("-cp", _joined([*classpath, tool.stdlib]), *map(str, sources)),
    ]
    _compile(argv, "Kotlin")


def desktop_classpath(notify: Notify) -> list[Path]:
    """Return what generated code is compiled against on a desktop: our classes of Android and LiteRT, and JUnit."""
    return [desktop_jar(notify), find_jar("junit")]


def desktop_jar(notify: Notify) -> Path:
    """Return the jar of kit/android/desktop, compiled into the cache where it is missing. Raises EngineError."""
    key = hashlib.sha256(repr((KOTLIN, AS_OLDEST, TARGET, sorted(tree_digests(DESKTOP).items()))).encode()).hexdigest()
    jar = cache_dir() / "kotlin" / f"desktop-{key[:16]}.jar"
    if _is_damaged(jar):
        jar.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(jar.with_suffix(".lock")):
            if _is_damaged(jar):
                if jar.exists():
                    notify(sentence("the desktop's classes", [jar.name]))
                notify("compiling the desktop's classes of Android and LiteRT (once)")
                _compile_desktop(jar, kotlin(notify), notify)
    return jar


def _is_damaged(jar: Path) -> bool:
    """Say whether it is missing or not as it was written. One without a digest is of an older dropkit."""
    digest = jar.with_suffix(".sha256")
    return not jar.exists() or (digest.exists() and digest.read_text("utf-8", "replace") != sha256_file(jar))


def _compile_desktop(jar: Path, tool: Kotlin, notify: Notify) -> None:
    libraries = [find_jar("jna"), find_jar("junit")]
    javac = find_java("javac")
    with temporary_folder("dropkit-desktop-") as scratch:
        classes = scratch
        try:
            # Kotlin reads the Java sources that it calls; javac then compiles them against Kotlin's classes.
            compile_kotlin([DESKTOP / "kotlin", DESKTOP / "java"], libraries, classes, notify, options=AS_OLDEST)
            argv = [
                *(str(javac), "-J-XX:TieredStopAtLevel=1", "-Xlint:all,-serial", "-Werror", "-proc:none", "-g:none"),
                *("--release", TARGET, "-encoding", "UTF-8", "-d", str(classes)),
                *("-cp", _joined([classes, tool.stdlib, *libraries])),
                *sorted(map(str, (DESKTOP / "java").rglob("*.java"))),
            ]
            _compile(argv, "Java")
        except CheckError as error:
            raise EngineError(
                f"the desktop's own classes: {error.message}", "install dropkit again: these classes come with it"
            ) from error
        content = jar_bytes(classes)
        write_whole(jar.with_suffix(".sha256"), hashlib.sha256(content).hexdigest().encode())
        write_whole(jar, content)


def _compile(argv: Sequence[str], language: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JAVA_TOOL", "_JAVA"))}
    try:
        done = run_tool(argv, LIMIT, environment)
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"the {language} compiler did not end in {LIMIT:.0f} s", "try again on a free machine"
        ) from error
    if done.returncode:
        reported = (line for line in (done.stdout + done.stderr).splitlines() if line.strip())
        lines = [line for line in reported if "warnings found and -Werror" not in line]
        raise CheckError(f"{language} does not compile:\n  " + "\n  ".join(lines[:12]), "build the bundle again")


def _joined(paths: Sequence[Path]) -> str:
    return os.pathsep.join(map(str, paths))
