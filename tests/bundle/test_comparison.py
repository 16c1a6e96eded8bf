"""What `diff` says that a change means for an app: of bundles, of files, of both, and as git's diff driver."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worlds import DIGITS, ROOT, run_kit

from kit.comparison.changes import Change
from kit.comparison.git import driver_lines
from kit.comparison.report import compare_paths, page
from kit.errors import RecipeError
from kit.tflite.reader import tflite_path

TINY = ROOT / "tests" / "fuzz" / "seeds" / "tflite" / "model.tflite"
Edit = Callable[[Any], object]


@pytest.fixture
def edited(digits_bundle: Path, tmp_path: Path) -> Callable[[Edit], Path]:
    """Give what writes another bundle: the digits with an edited bundle.json."""

    def write(edit: Edit) -> Path:
        other = tmp_path / "other"
        shutil.copytree(digits_bundle, other, dirs_exist_ok=True)
        manifest = json.loads((digits_bundle / "bundle.json").read_text("utf-8"))
        edit(manifest)
        (other / "bundle.json").write_text(json.dumps(manifest), "utf-8")
        return other

    return write


def image(**values: Any) -> Edit:
    return lambda manifest: manifest["signature"]["inputs"][0].update(values)


def digit(**values: Any) -> Edit:
    return lambda manifest: manifest["signature"]["outputs"][0].update(values)


@pytest.mark.parametrize(
    ("edit", "change"),
    [
        (image(name="photo"), Change("names", "input 'image' is called 'photo'", True)),
        (image(shape=[1, 16, 16, 1]), Change("shapes", "input 'image': [1, 8, 8, 1] -> [1, 16, 16, 1]", True)),
        (image(dtype="int8"), Change("types", "input 'image': uint8 -> int8", True)),
        (image(std=[127.5]), Change("pre-processing", "input 'image': std [255.0] -> [127.5]", True)),
        (image(resize="crop"), Change("pre-processing", "input 'image': resize 'stretch' -> 'crop'", True)),
        (digit(activation="softmax"), Change("outputs", "output 'digit': activation 'none' -> 'softmax'", True)),
        (digit(threshold=0.5), Change("outputs", "output 'digit': threshold none -> 0.5", False)),
        (
            lambda m: m["signature"].update(signature="run"),
            Change("signature", "'serving_default' is gone; there is 'run'", True),
        ),
        (
            lambda m: m["recipe"]["android"].update(runtime="litert:2.1.0"),
            Change("runtimes", "the app links litert:2.3.0 -> litert:2.1.0", True),
        ),
        (
            lambda m: m["measures"]["outputs"][0].update(worst_error=0.5),
            Change("metric", "worst error of 'digit': 0.0221 -> 0.5", False),
        ),
    ],
)
def test_a_change_is_named_and_judged(
    digits_bundle: Path, edited: Callable[[Edit], Path], edit: Edit, change: Change
) -> None:
    found = compare_paths(digits_bundle, edited(edit))
    assert change in found.changes
    assert found.verdict == ("breaking" if change.breaking else "compatible")
    assert not found.same


def test_labels_in_another_order_break_an_app_and_the_exit_code_is_6(
    digits_bundle: Path, edited: Callable[[Edit], Path]
) -> None:
    other = edited(lambda _: None)
    labels = other / "src" / "main" / "assets" / "digits" / "labels.txt"
    first, second, *rest = labels.read_text("utf-8").splitlines()
    labels.write_text("\n".join([second, first, *rest, ""]), "utf-8")
    done = run_kit("diff", str(digits_bundle), str(other), "--html", str(other / "page.html"))
    assert (done.returncode, done.stderr) == (6, "")
    assert "for an app: breaking" in done.stdout
    assert "BREAKING  labels  output 'digit': the same 10 labels in another order, 2 at another place" in done.stdout
    assert "the same 10 labels in another order" in (other / "page.html").read_text("utf-8")


def test_a_bundle_and_a_file_are_compared_by_what_both_say(digits_bundle: Path) -> None:
    done = run_kit("diff", str(digits_bundle), str(TINY), "--json")
    assert done.returncode == 6
    report = json.loads(done.stdout)
    assert report["verdict"] == "breaking"
    subjects = {each["subject"] for each in report["changes"] if each["breaking"]}
    assert {"shapes", "labels"} <= subjects
    assert {"size"} == {each["subject"] for each in report["changes"] if not each["breaking"]}
    same = run_kit("diff", str(digits_bundle), str(tflite_path(digits_bundle)), "--json")
    assert (same.returncode, json.loads(same.stdout)["verdict"]) == (0, "the same")


def test_the_page_is_the_same_twice_needs_no_network_and_escapes(
    digits_bundle: Path, edited: Callable[[Edit], Path]
) -> None:
    other = edited(image(name="<script>x</script>"))
    html = page(compare_paths(digits_bundle, other))
    assert html == page(compare_paths(digits_bundle, other))
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "http" not in html.replace("http-equiv", "")


# ---------------------------------------------------------------- git


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.invalid", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_diff_shows_models_by_the_driver_and_goes_on_behind_one_it_cannot_read(tmp_path: Path) -> None:
    name = "my model.tflite"
    git(tmp_path, "init", "--quiet")
    step = "git config diff.kit.command 'kit gitdiff --'"
    _, *words = shlex.split(step)
    git(tmp_path, *words[:-1], words[-1].replace("kit", f"'{sys.executable}' -m kit", 1))
    (tmp_path / ".gitattributes").write_text("*.tflite diff=kit\n*.keras diff=kit\n", "utf-8")
    shutil.copy(TINY, tmp_path / name)
    shutil.copy(DIGITS / "digits.keras", tmp_path)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    data = bytearray(TINY.read_bytes())
    data[data.index(b"one\n") + 1] ^= 1  # a label, in the archive behind the model; its checksum is now another
    data[data.rindex(b"MLIR")] ^= 1
    (tmp_path / name).write_bytes(bytes(data))
    (tmp_path / "digits.keras").write_bytes(b"cut")
    (tmp_path / "notes.txt").write_text("new", "utf-8")
    git(tmp_path, "add", "-A", "-N")
    printed = git(tmp_path, "diff")
    assert f"diff --kit a/{name} b/{name}" in printed
    assert "for an app: " in printed
    assert "description: 'MLIR Converted.' -> " in printed
    assert "diff --kit a/digits.keras b/digits.keras\nnot compared: B: not a Keras model" in printed
    assert "+new" in printed, "what is behind is shown, too"
    git(tmp_path, "checkout", "--quiet", ".")
    git(tmp_path, "mv", name, "b.tflite")
    assert "the same bytes" in git(tmp_path, "diff", "--cached", "-M", "--ext-diff")


def test_the_driver_takes_what_git_gives_and_refuses_less() -> None:
    assert list(driver_lines(["a.tflite"])) == ["* Unmerged path a.tflite"]
    new = list(driver_lines(["a.tflite", "/dev/null", ".", ".", str(TINY), "0" * 40, "100644"]))
    assert new[1] == "new file"
    assert new[2].startswith("+format")
    with pytest.raises(RecipeError, match="3 words behind --") as error:
        list(driver_lines(["a", "b", "c"]))
    assert "git config diff.kit.command 'kit gitdiff --'" in error.value.hint
