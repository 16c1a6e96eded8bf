"""Bundles in and out of an app's project: what a user finds there afterwards, and what is never touched."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from projects import KTS, app, bundle, seal
from small_disk import in_small_disk
from worlds import ROOT

from kit.android.install import state as state_of
from kit.android.install.app_module import Dropped, drop, remove
from kit.android.install.change import change_all
from kit.android.install.find_module import find_module
from kit.errors import CheckError, KitError, OutputError, RecipeError
from kit.files import tree_digests
from kit.lifetime.scratch import sweep_partials


def refusal(kind: type[KitError], place: Path, into: Path) -> KitError:
    with pytest.raises(kind) as caught:
        drop(place, into)
    return caught.value


def test_a_bundle_is_copied_and_twice_is_the_same_as_once(tmp_path: Path) -> None:
    module = app(tmp_path)
    done = drop(bundle(tmp_path), module)
    first = tree_digests(module)
    assert (module / "src/main/assets/digits/model.tflite").read_text() == "model of digits"
    assert (module / "dropkit/digits.pro").read_text() == "-keep class x\n"
    assert not (module / "README.md").exists()
    assert len(done.written) == 5
    again = drop(tmp_path / "digits", module)
    assert (again.written, again.removed, tree_digests(module)) == ((), (), first)


def test_remove_leaves_the_project_as_it_was(tmp_path: Path) -> None:
    module = app(tmp_path)
    before = tree_digests(module)
    place = bundle(tmp_path)
    (place / "src" / "main" / "assets" / "digits" / "labels.txt").write_text("two files in one folder")
    drop(seal(place), module)
    remove("digits", module)
    assert tree_digests(module) == before
    assert [path.name for path in module.rglob("*")] == ["build.gradle.kts"]


# Arguments: the bundle, the module, and how many files change before the process is killed.
KILLED = """
import os, signal, sys
from pathlib import Path
from kit.android.install import app_module, change
left, put = [int(sys.argv[3])], change._put
def count(*arguments):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    put(*arguments)
change._put = count
app_module.drop(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("finish", [drop, remove])
def test_a_killed_drop_is_finished_or_taken_back_by_the_next(
    tmp_path: Path, finish: Callable[..., Dropped], nth: int
) -> None:
    module, place = app(tmp_path), bundle(tmp_path)
    before = tree_digests(module)
    argv = [sys.executable, "-c", KILLED, str(place), str(module), str(nth)]
    assert subprocess.run(argv, check=False, cwd=ROOT).returncode == -signal.SIGKILL
    sweep_partials(module)  # as the next run of any command does
    assert len(tree_digests(module)) == len(before) + nth  # dropkit.json is the first of them
    finish(place if finish is drop else "digits", module)
    if finish is drop:
        assert drop(place, module).written == ()
        remove("digits", module)
    assert tree_digests(module) == before


# Drops a bundle into a module on a disk with room for one file more each time, until it fits.
SMALL_DISK = """
import subprocess, sys
from pathlib import Path
from kit.android.install.app_module import drop
from kit.errors import OutputError
from kit.files import tree_digests
module = Path(sys.argv[1]) / "app"
module.mkdir()
(module / "build.gradle.kts").write_text('plugins { id("com.android.application") }')
def drops(options):
    before = tree_digests(module), sorted(module.rglob("*"))
    subprocess.run(["mount", "-o", f"remount,{options}", str(module.parent)], check=True)
    try:
        drop(Path(sys.argv[2]), module)
        return True
    except OutputError as error:
        assert str(module) in str(error), error
        assert (tree_digests(module), sorted(module.rglob("*"))) == before, options
        return False
for size in range(8, 1000, 4):
    if drops(f"size={size}k"):
        break
print("full", (size - 8) // 4)
from kit.android.install.app_module import remove
remove("digits", module)
for files in range(5, 1000):
    if drops(f"size=1m,nr_inodes={files}"):
        break
print("no room for a file", files - 5)
"""


def test_a_drop_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    said = in_small_disk(tmp_path / "small", SMALL_DISK, str(tmp_path / "small"), str(bundle(tmp_path)))
    counts = [int(line.rpartition(" ")[2]) for line in said.splitlines()]
    assert len(counts) == 2 and min(counts) > 3, said


def test_a_change_that_fails_is_taken_back_with_what_it_had_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"old {name}")
    before = tree_digests(tmp_path)
    changes = [(tmp_path / "a", b"new"), (tmp_path / "new" / "c", b"new"), (tmp_path / "b", None)]
    for there in (True, False):  # a file system that exchanges two paths in one step, and one that does not
        if not there:
            monkeypatch.setattr("kit.android.install.change.exchange", lambda *_: False)
        with pytest.raises(FileNotFoundError):
            change_all(tmp_path, [*changes, (tmp_path / "missing", None)])
        assert tree_digests(tmp_path) == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    change_all(tmp_path, changes)
    assert tree_digests(tmp_path).keys() == {"a", "new/c"} and (tmp_path / "a").read_text() == "new"


def test_remove_leaves_an_empty_script_where_the_build_file_applies_it(tmp_path: Path) -> None:
    module = app(tmp_path, KTS + 'apply(from = "dropkit.gradle")\n')
    drop(bundle(tmp_path), module)
    remove("digits", module)
    assert "implementation" not in (module / "dropkit.gradle").read_text()
    assert tree_digests(module).keys() == {"build.gradle.kts", "dropkit.gradle"}
    assert drop(tmp_path / "digits", module).needs == ()


def test_two_bundles_live_side_by_side_and_go_one_by_one(tmp_path: Path) -> None:
    module = app(tmp_path)
    drop(bundle(tmp_path), module)
    alone = tree_digests(module)
    drop(bundle(tmp_path, "faces", "com.example.faces"), module)
    gradle = (module / "dropkit.gradle").read_text()
    assert gradle.count("com.google.ai.edge.litert:litert:2.3.0") == 1
    assert "dropkit/digits.pro" in gradle
    assert "dropkit/faces.pro" in gradle
    remove("faces", module)
    assert tree_digests(module) == alone


def test_a_changed_file_is_neither_overwritten_nor_removed(tmp_path: Path) -> None:
    module = app(tmp_path)
    drop(bundle(tmp_path), module)
    kotlin = module / "src/main/kotlin/com/example/digits/Digits.kt"
    kotlin.write_text("// mine\n")
    (tmp_path / "digits/src/main/kotlin/com/example/digits/Digits.kt").write_text("// newer\n")
    seal(tmp_path / "digits")
    before = tree_digests(module)
    error = refusal(OutputError, tmp_path / "digits", module)
    assert "Digits.kt" in error.message
    assert error.hint.startswith("move your changes to files of your own, or delete these, and drop again; or give")
    with pytest.raises(OutputError, match=r"Digits\.kt"):
        remove("digits", module)
    assert tree_digests(module) == before
    kotlin.rename(kotlin.with_name("Mine.kt"))
    assert drop(tmp_path / "digits", module).written
    kotlin.write_text("// mine\n")
    kotlin.unlink()
    assert drop(tmp_path / "digits", module).written
    assert kotlin.with_name("Mine.kt").read_text() == "// mine\n"


def test_a_file_that_was_there_before_is_never_taken_for_the_bundles(tmp_path: Path) -> None:
    module = app(tmp_path)
    place = module / "src/main/assets/digits/model.tflite"
    place.parent.mkdir(parents=True)
    place.write_text("someone's own")
    assert "model.tflite" in refusal(OutputError, bundle(tmp_path), module).message
    assert tree_digests(module).keys() == {"build.gradle.kts", "src/main/assets/digits/model.tflite"}


def test_a_newer_bundle_takes_away_what_it_no_longer_has(tmp_path: Path) -> None:
    module = app(tmp_path)
    drop(bundle(tmp_path), module)
    shutil.rmtree(tmp_path / "digits/src/debug")
    done = drop(seal(tmp_path / "digits"), module)
    assert done.removed == ("src/debug/assets/digits/golden.bin",)
    assert not (module / "src/debug").exists()


def test_a_bundle_that_was_changed_after_its_build_is_refused(tmp_path: Path) -> None:
    module = app(tmp_path)
    place = bundle(tmp_path)
    (place / "src/main/assets/digits/model.tflite").write_text("tampered")
    assert "model.tflite" in refusal(CheckError, place, module).message
    assert tree_digests(module).keys() == {"build.gradle.kts"}


def test_two_runtimes_in_one_app_are_refused(tmp_path: Path) -> None:
    module = app(tmp_path)
    drop(bundle(tmp_path), module)
    other = bundle(tmp_path, "faces", "com.example.faces", runtime="tflite:2.14.0")
    error = refusal(CheckError, other, module)
    assert "tflite:2.14.0" in error.message
    assert "litert:2.3.0" in error.message
    assert error.hint == "build both for one [android] runtime, or take digits out with --remove"
    remove("digits", module)
    assert drop(other, module).written
    again = app(tmp_path / "again")
    drop(bundle(tmp_path / "both", runtime="tflite:2.14.0"), again)
    assert drop(other, again).written


def test_two_bundles_with_the_same_class_are_refused(tmp_path: Path) -> None:
    module = app(tmp_path)
    drop(bundle(tmp_path), module)
    other = bundle(tmp_path, "faces")
    (other / "src/main/kotlin/com/example/digits/Digits.kt").write_text("package com.example.digits\n")
    error = refusal(OutputError, seal(other), module)
    assert "comes from the bundle digits, too" in error.message
    assert error.hint == "give one of them another [android] package or [model] id"
    assert drop(bundle(tmp_path / "packed", "faces", "com.example.faces"), module).written


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("build.gradle.kts", "plugins { alias(libs.plugins.android.application) }\n", 'apply(from = "dropkit.gradle")'),
        ("build.gradle", "apply plugin: 'com.android.library'\n", "apply from: 'dropkit.gradle'"),
    ],
)
def test_the_line_that_the_build_file_lacks_is_printed_in_its_language(
    tmp_path: Path, name: str, text: str, line: str
) -> None:
    module = app(tmp_path, text, name)
    assert line in drop(bundle(tmp_path), tmp_path / "project").needs[0]
    (module / name).write_text(text + line + "\n")
    assert drop(tmp_path / "digits", module).needs == ()


def test_what_is_no_android_module_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/build.gradle").write_text("apply plugin: 'java'\n")
    for place in (tmp_path / "lib", tmp_path / "none", tmp_path):
        with pytest.raises(RecipeError, match=r"no Android module(.|\n)*name the folder of an Android module"):
            find_module(place)
    module = app(tmp_path)
    assert find_module(module).folder == module
    for name in ("one", "two"):
        shutil.copytree(module, tmp_path / "several" / name)
    with pytest.raises(RecipeError, match="no Android module") as error:
        find_module(tmp_path / "several")
    for printed in error.value.hint.removeprefix("name one of its modules: ").split(", "):
        assert find_module(Path(printed)).folder == Path(printed)


def test_a_state_file_that_is_cut_short_is_refused_with_what_to_do(tmp_path: Path) -> None:
    module = app(tmp_path)
    drop(bundle(tmp_path), module)
    state = module / "dropkit.json"
    committed = state.read_text()
    for damaged, says in (
        ('{"format": 1, "bund', "unreadable"),
        (committed.replace("digits", "../x"), "no drop wrote"),
        (committed.replace('"name": ', '"text": "exit()", "name": '), "text of digits is 'exit()'"),
        (committed.replace('"name": ', '"sound": "f().g()", "name": '), "sound of digits is 'f().g()'"),
    ):
        state.write_text(damaged)
        error = refusal(RecipeError, tmp_path / "digits", module)
        assert says in error.message
        assert error.hint == "restore it from version control"
        state.write_text(committed)
        assert drop(tmp_path / "digits", module).written == ()


def test_a_link_is_followed_nowhere_and_a_folder_in_its_place_is_taken(tmp_path: Path) -> None:
    module = app(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (module / "src").symlink_to(tmp_path / "elsewhere")
    error = refusal(OutputError, bundle(tmp_path), module)
    assert "a symbolic link" in error.message
    assert error.hint == "put a folder or a file there"
    (module / "src").unlink()
    (module / "src").mkdir()
    assert drop(tmp_path / "digits", module).written


def test_a_project_that_an_older_dropkit_dropped_into_is_read_and_written_anew(tmp_path: Path) -> None:
    module = app(tmp_path)
    drop(bundle(tmp_path), module)
    state = module / "dropkit.json"
    as_written = state.read_text("utf-8")
    older = json.loads(as_written)
    older["format"] = 1
    older["bundles"]["digits"]["picture"] = older["bundles"]["digits"].pop("image")
    state.write_text(json.dumps(older), "utf-8")
    assert drop(tmp_path / "digits", module).written == ()
    assert state.read_text("utf-8") == as_written


def test_a_state_file_of_a_newer_dropkit_is_refused_with_what_to_do(tmp_path: Path) -> None:
    module = app(tmp_path)
    (module / "dropkit.json").write_text('{"format": 99}', "utf-8")
    error = refusal(RecipeError, bundle(tmp_path), module)
    assert "its format is 99, and this dropkit knows 1 to 2" in error.message
    assert error.hint == "update dropkit"


def test_an_updated_dropkit_reads_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = app(tmp_path)
    with monkeypatch.context() as updated:
        updated.setattr(state_of, "FORMAT", 3)
        drop(bundle(tmp_path), module)
    assert refusal(RecipeError, tmp_path / "digits", module).hint == "update dropkit"
    monkeypatch.setattr(state_of, "FORMAT", 3)
    assert drop(tmp_path / "digits", module).written == ()


def test_a_bundle_that_is_not_in_is_not_removed(tmp_path: Path) -> None:
    module = app(tmp_path)
    drop(bundle(tmp_path), module)
    with pytest.raises(RecipeError, match=r"no bundle 'faces'(.|\n)*the bundles in it: digits"):
        remove("faces", module)
    assert remove("digits", module).removed


def test_the_stub_lists_what_was_dropped_and_is_again_as_in_the_repository(tmp_path: Path) -> None:
    stub = tmp_path / "android_stub"
    shutil.copytree(ROOT / "android_stub", stub)
    before = tree_digests(stub)
    drop(bundle(tmp_path), stub)
    listed = (stub / "app/src/main/kotlin/dropkit/stub/Bundles.kt").read_text()
    assert "com.example.digits.Digits.create(context)" in listed
    remove("digits", stub)
    assert tree_digests(stub) == before
