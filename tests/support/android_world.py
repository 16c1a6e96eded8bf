"""What the Android tests share: whether the tools are here, and small Kotlin programs on the desktop's classes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.android.codegen.runtime_api import Api
from kit.android.proof.jvm import runtime_properties
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.run import Proof, prove
from kit.android.proof.step import MissingToolError
from kit.android.proof.tools import find_framework, find_jar, find_java, find_program, kotlin
from kit.process import Command, run, tail


def quiet(_line: str) -> None:
    """Take what a test need not see."""


def require_tools() -> None:
    """Skip the test where a tool of the proof is not here; fail it where DROPKIT_REQUIRE_ANDROID is set."""
    try:
        find_java("javac")
        for name in ("jna", "junit", "hamcrest"):
            find_jar(name)
        find_framework()
        for program in ("npm", "aapt2", "zipalign", "apksigner"):
            find_program(program)
    except MissingToolError as missing:
        if os.environ.get("DROPKIT_REQUIRE_ANDROID"):
            pytest.fail(f"the Android tests must run here, and {missing}")
        pytest.skip(f"needs the tools of the Android proof: {missing}")


def without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the steps of a proof that take seconds: the test is of those before them."""
    monkeypatch.setattr("kit.android.proof.run._compile", lambda _work: "left out here")
    monkeypatch.setattr("kit.android.proof.run._CLASSES", ())


def proved(bundle: Path, api: Api | None = None, *, whole: bool) -> Proof:
    """Prove a bundle; not whole: without the steps that compile, which are alike for every bundle."""
    with pytest.MonkeyPatch.context() as patch:
        if not whole:
            without_a_compiler(patch)
        return prove(bundle, quiet, api=api)


def run_kotlin(folder: Path, text: str, *arguments: str, properties: dict[str, str] | None = None) -> str:
    """Compile a file with a main function and run it on the real LiteRT library; return what it printed."""
    source = folder / "Program.kt"
    source.write_text(text, "utf-8")
    compile_kotlin([source], desktop_classpath(quiet), folder / "classes", quiet)
    return rerun_kotlin(folder, *arguments, properties=properties)


def rerun_kotlin(folder: Path, *arguments: str, properties: dict[str, str] | None = None) -> str:
    """Run what run_kotlin compiled."""
    lines: list[str] = []
    log = folder / "program.log"
    argv = java_argv(folder, *arguments, properties=properties)
    ended = run(Command(argv, os.environ, folder), log=log, on_line=lines.append, timeout=60)
    assert ended.status == 0, f"{ended.cause}\n{tail(log, 30)}"
    return "\n".join(lines)


def java_argv(folder: Path, *arguments: str, properties: dict[str, str] | None = None) -> list[str]:
    """Return the command that runs what run_kotlin compiled."""
    tool = kotlin(quiet)
    jars = [folder / "classes", desktop_jar(quiet), find_jar("jna"), tool.stdlib, tool.coroutines]
    return [
        *(str(find_java()), "-Xshare:auto", "-XX:TieredStopAtLevel=1"),
        *runtime_properties(quiet),
        *(f"-D{name}={value}" for name, value in (properties or {}).items()),
        *("-cp", os.pathsep.join(map(str, jars)), "ProgramKt", *arguments),
    ]
