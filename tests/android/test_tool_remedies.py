"""Tools of the proof that are missing, broken or slow, runtimes that do not start: each next step, followed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from android_world import quiet, require_tools
from worlds import run_kit

from kit.android.proof import apk, jvm, kotlin_compiler, tool_check, tools
from kit.android.proof.apk import build_apk
from kit.android.proof.jvm import runtime_properties
from kit.android.proof.kotlin_compiler import desktop_jar
from kit.android.proof.kotlin_sources import find_bindings
from kit.android.proof.tool_run import run_tool
from kit.android.proof.tools import find_framework, find_jar, find_java, find_program
from kit.emulation.run import replay_golden
from kit.errors import CheckError, EngineError
from kit.toolchains import venv
from kit.toolchains.toolchain import find_runtime
from kit.toolchains.venv import venv_folder

DOCTOR = "run `kit doctor`, which tries each of these tools"


def refused(act: Callable[[], object], says: str) -> str:
    """Return the next step of what `act` must be refused for."""
    with pytest.raises(EngineError, match=says) as error:
        act()
    return error.value.hint


def program(folder: Path, name: str, *lines: str) -> Path:
    """Write a program of the shell."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n" + "\n".join(lines) + "\n", "utf-8")
    (folder / name).chmod(0o755)
    return folder / name


def broken(row: str) -> list[str]:
    """Return the lines of `kit doctor` that miss what a row is called."""
    lines = run_kit("doctor").stdout.splitlines()
    return [line for line in lines if line.startswith(f"MISS  {row}")]


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="asks Debian's own list of packages")
def test_what_is_missing_is_in_the_packages_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, android_tools: None
) -> None:
    """On a machine on which they are installed: without its tools, and with them."""
    step = (
        "apt-get install default-jdk-headless npm libjna-java junit4 libhamcrest-java aapt zipalign apksigner"
        " android-framework-res"
    )
    packages = step.removeprefix("apt-get install ").split()
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        without.delenv("JAVA_HOME", raising=False)
        without.setattr(tools, "_FRAMEWORK", Path("nowhere.apk"))
        without.setattr(tools, "_JARS", dict.fromkeys(tools._JARS, "nowhere.jar"))
        finds: list[Callable[[], object]] = [find_java, find_framework, lambda: find_jar("jna")]
        for find in (*finds, *(lambda name=name: find_program(name) for name in ("npm", "aapt2"))):
            assert refused(find, "is not on this machine") == step
        assert not any(tool.sound for tool in tool_check.try_tools())
    installed = subprocess.run(["dpkg-query", "-W", *packages], capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"the tools are here, and not by these packages: {installed.stderr.strip()}")
    require_tools()
    assert all(tool.sound for tool in tool_check.try_tools())


def test_a_tool_that_gives_up_is_named_by_the_doctor_and_a_sound_one_works(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, android_tools: None
) -> None:
    def build() -> None:
        build_apk(find_bindings(digits_bundle), tmp_path / "digits.apk", tmp_path)

    program(tmp_path / "bin", "zipalign", "echo 'symbol lookup error: libziparchive.so' >&2", "exit 127")
    with monkeypatch.context() as spoiled:
        spoiled.setenv("PATH", str(tmp_path / "bin"), prepend=":")
        assert refused(build, "zipalign gave up") == DOCTOR
        (line,) = broken("android zipalign")
        assert "127 and prints symbol lookup error: libziparchive.so: install its package again" in line
    assert broken("android zipalign") == []
    build()


def test_a_signer_that_leaves_a_signature_out_is_exchanged(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, android_tools: None
) -> None:
    own = find_program("apksigner")
    script = f"exec {own} $(echo $@ | sed 's/v3-signing-enabled true/v3-signing-enabled false/')"
    program(tmp_path / "bin", "apksigner", script)
    with monkeypatch.context() as spoiled:
        spoiled.setenv("PATH", str(tmp_path / "bin"), prepend=":")
        with pytest.raises(CheckError, match="apksigner does not find its v3 signature") as error:
            build_apk(find_bindings(digits_bundle), tmp_path / "digits.apk", tmp_path)
        assert error.value.hint == DOCTOR
    build_apk(find_bindings(digits_bundle), tmp_path / "digits.apk", tmp_path)


def test_a_tool_that_is_slow_ends_on_a_free_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = program(tmp_path, "slow", "sleep 1", "echo done")
    runs: list[tuple[object, Callable[[], object]]] = [
        (apk, lambda: apk._run([str(slow)])),
        (kotlin_compiler, lambda: kotlin_compiler._compile([str(slow)], "Java")),
    ]
    for module, run in runs:
        with monkeypatch.context() as busy:
            busy.setattr(module, "LIMIT", 0.1)
            assert refused(run, "did not end in 0 s") == "try again on a free machine"
        run()


def test_a_tool_that_a_busy_machine_slows_down_is_waited_for(tmp_path: Path) -> None:
    """Its CPU counts, and not the clock; and one that takes none, or more than it may, is ended."""
    part = "for _ in 1 2 3 4 5 6; do i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done; sleep 0.7; done"
    assert run_tool([str(program(tmp_path, "slow", part, "echo done"))], 3.0).stdout == "done\n"
    for name, line in {"hangs": "sleep 60", "loops": "while :; do :; done"}.items():
        with pytest.raises(subprocess.TimeoutExpired):
            run_tool([str(program(tmp_path, name, line))], 0.5)


def test_a_runtime_without_its_library_is_proved_on_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the wheel of another system: there is no libLiteRt in it."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(jvm, "runtime_venv", lambda *_: tmp_path / "bin" / "python")
        assert (
            refused(lambda: runtime_properties(quiet), "has no libLiteRt on this machine") == "run the proof on Linux"
        )
    if sys.platform == "linux":
        assert "libLiteRt" in runtime_properties(quiet)[0]


def test_a_runtime_that_does_not_start_is_named_by_the_doctor_and_made_again(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one whose library of C++ went with an upgrade: its files are as they were installed."""
    runtime = find_runtime("litert:2.3.0")
    with monkeypatch.context() as spoiled:
        spoiled.setenv("DROPKIT_CACHE", str(tmp_path))
        spoiled.setattr(venv, "keep_shared", lambda _folder: None)  # as after the run that was refused
        for images in (True, False):
            folder = venv_folder("litert-2.3.0", runtime.lock(images=images), sys.executable)
            (folder / "bin").mkdir(parents=True)
            program(folder / "bin", "python", "echo 'ImportError: libstdc++.so.6' >&2", "exit 1")
            (folder / ".complete").write_text("1\n", "utf-8")
        for act in (
            lambda: replay_golden(digits_bundle, "litert:2.3.0", quiet),
            lambda: jvm.harness_outputs(digits_bundle, tmp_path, quiet),
        ):
            assert refused(act, r"ImportError: libstdc\+\+\.so\.6") == "run `kit doctor`"
        lines = broken("runtime litert:2.3.0")
        assert len(lines) == 2
        for line in lines:
            assert "does not start (ImportError: libstdc++.so.6): remove it by `kit clean --remove litert-" in line
            found = re.search("`kit (.*)`", line)
            assert found
            assert run_kit(*found[1].split()).returncode == 0
        assert list((tmp_path / "venvs").glob("*/bin/python")) == []
    assert replay_golden(digits_bundle, "litert:2.3.0", quiet).verdict == "pass"  # with one that was made


@pytest.mark.slow
def test_the_desktops_classes_compile_when_they_are_installed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, android_tools: None
) -> None:
    own = kotlin_compiler.DESKTOP
    shutil.copytree(own, tmp_path / "desktop")
    source = next((tmp_path / "desktop" / "kotlin").rglob("*.kt"))
    source.write_text(source.read_text("utf-8") + '\nfun broken(): Int = ""\n', "utf-8")
    monkeypatch.setattr(kotlin_compiler, "DESKTOP", tmp_path / "desktop")
    hint = refused(lambda: desktop_jar(quiet), "the desktop's own classes: ")
    assert hint == "install dropkit again: these classes come with it"
    shutil.copytree(own, tmp_path / "desktop", dirs_exist_ok=True)
    assert desktop_jar(quiet).exists()
