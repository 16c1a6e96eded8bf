"""`kit doctor --fix`: what is damaged in the cache is made again, what is whole stays, what cannot be had is named."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from worlds import run_kit

from kit.android.proof.tools import kotlin
from kit.doctor.checkup import _cached
from kit.doctor.fix import fix_all
from kit.engine.inventory import damaged_runtimes
from kit.progress import Reporter
from kit.toolchains.toolchain import find_runtime, newest_toolchain, quantizer
from kit.toolchains.venv import packages_venv, toolchain_venv, venv_folder


@pytest.fixture
def cache(tmp_path: Path, android_tools: None) -> Path:
    """Give a cache of links to what the command would fetch, and with a runtime that does not start."""

    def quiet(_line: str) -> None:
        pass

    cache = tmp_path / "cache"
    (cache / "venvs").mkdir(parents=True)
    for python in (toolchain_venv(newest_toolchain(), quiet), packages_venv(quantizer(), quiet)):
        (cache / "venvs" / python.parent.parent.name).symlink_to(python.parent.parent)
    folder = kotlin(quiet).lib.parent.parent
    (cache / "kotlin").mkdir()
    (cache / "kotlin" / folder.name).symlink_to(folder)
    runtime = find_runtime("litert:2.3.0")
    broken = cache / "venvs" / venv_folder("litert-2.3.0", runtime.lock(images=True), sys.executable).name
    (broken / "bin").mkdir(parents=True)
    (broken / "bin" / "python").write_text("#!/bin/sh\necho 'ImportError: libstdc++.so.6' >&2\nexit 1\n", "utf-8")
    (broken / "bin" / "python").chmod(0o755)
    (broken / ".complete").write_text("1\n", "utf-8")
    return cache


@pytest.mark.slow
def test_a_runtime_that_does_not_start_is_made_again_and_what_is_whole_stays(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DROPKIT_CACHE", str(cache))
    links = {path: path.readlink() for path in cache.rglob("*") if path.is_symlink()}
    assert len(links) == 3
    fix_all(Reporter())
    said = capsys.readouterr().err
    assert "removed venvs/litert-2.3.0-" in said
    assert "installing the runtime litert:2.3.0 (once)" in said
    assert said.count("installing") == 1 and "not fetched" not in said
    assert {path: path.readlink() for path in links} == links
    assert damaged_runtimes() == []
    whole = [row.found for row in _cached() if "in the cache," not in row.found]
    assert whole == ["in the cache", "in the cache"]  # the compiler, and the emulator of arm64
    fix_all(Reporter())
    said = capsys.readouterr().err
    assert not {"removed", "installing", "not fetched"} & set(re.findall(r"removed|installing|not fetched", said))


@pytest.mark.slow
@pytest.mark.usefixtures("android_tools")
def test_what_cannot_be_had_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Without a network: nobody listens at port 9."""
    nowhere = "http://127.0.0.1:9"
    changed = {
        "DROPKIT_CACHE": str(tmp_path / "cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{nowhere}/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
        "npm_config_registry": nowhere,
        "npm_config_fetch_retries": "0",
        "npm_config_cache": str(tmp_path / "npm"),
    }
    done = run_kit("doctor", "--fix", env={**os.environ, **changed})
    assert done.returncode == 0, done.stderr
    missed = [line for line in done.stderr.splitlines() if line.startswith("not fetched: ")]
    parts = ("litert:2.3.0", "the quantizer", "the Kotlin compiler", "emulated arm64", newest_toolchain().id)
    assert [line.split(": ")[1] for line in missed] == list(parts)
    assert "Traceback" not in done.stderr
    # Debian's mirror is another one: the emulator itself is fetched, and what runs in it is not.
    assert done.stdout.count("not in the cache yet") == len(parts) - 1
