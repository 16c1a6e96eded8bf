"""The key of a build changes with anything that could change the bundle, and with nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kit.build.cache_key import build_key

RECIPE = """
[model]
path = "m.keras"
id = "m"

[quantize]
scheme = "int8"
representative = "photos"

[[outputs]]
name = "digit"
kind = "classes"
labels = "labels.txt"

[checks]
data = "test.npz"
truth = { digit = "truth.csv" }

[android]
update_key = "key.pub.pem"
"""
FILES = {
    "truth.csv": "digit\n1\n",
    "m.keras": "model",
    "photos/a.png": "a",
    "photos/b.png": "b",
    "labels.txt": "cat\ndog\n",
    "test.npz": "data",
    "key.pub.pem": "key",
}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Give a recipe with every file that it names."""
    for name, text in {"recipe.toml": RECIPE, **FILES}.items():
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "here" / "recipe.toml"


def key(recipe: Path, tensorflow: str = "") -> str:
    """Return the key of a recipe that has one."""
    found = build_key(recipe, tensorflow)
    assert found is not None
    assert found[0] == "m"
    return found[1]


def change(recipe: Path, old: str, new: str) -> Path:
    """Change some text of a recipe."""
    assert old in recipe.read_text("utf-8")
    recipe.write_text(recipe.read_text("utf-8").replace(old, new), "utf-8")
    return recipe


def test_the_key_is_the_same_twice_and_looks_like_a_digest(recipe: Path) -> None:
    assert key(recipe) == key(recipe)
    assert len(key(recipe)) == 64


@pytest.mark.parametrize("name", FILES)
def test_the_content_of_every_file_that_the_recipe_names_counts(recipe: Path, name: str) -> None:
    before = key(recipe)
    (recipe.parent / name).write_text("other", "utf-8")
    assert key(recipe) != before


def test_an_image_more_less_or_renamed_counts(recipe: Path) -> None:
    photos, keys = recipe.parent / "photos", [key(recipe)]
    (photos / "c.png").write_text("c", "utf-8")
    keys.append(key(recipe))
    (photos / "c.png").rename(photos / "d.png")
    keys.append(key(recipe))
    (photos / "a.png").unlink()
    keys.append(key(recipe))
    assert len(set(keys)) == 4


def test_each_of_several_models_their_code_and_structure_count(recipe: Path) -> None:
    more = {"net/saved_model.pb": "graph", "net/variables/data": "1", "ours.py": "x = 1", "m.json": "{}"}
    for name, text in more.items():
        (recipe.parent / name).parent.mkdir(parents=True, exist_ok=True)
        (recipe.parent / name).write_text(text, "utf-8")
    change(recipe, 'path = "m.keras"', 'path = ["m.keras", "net"]\ncode = "ours.py"\nstructure = "m.json"')
    keys = [key(recipe)]
    for name in ("m.keras", *more):
        (recipe.parent / name).write_text("other", "utf-8")
        keys.append(key(recipe))
    keys.append(key(change(recipe, '["m.keras", "net"]', '["net", "m.keras"]')))
    assert len(set(keys)) == len(keys)


def test_every_value_of_the_recipe_counts(recipe: Path) -> None:
    before = key(recipe)
    assert key(change(recipe, 'kind = "classes"', 'kind = "classes"\nactivation = "softmax"')) != before


def test_the_tensorflow_of_the_command_line_counts(recipe: Path) -> None:
    assert len({key(recipe), key(recipe, "2.19.1"), key(recipe, "2.15.1")}) == 3


def test_the_kits_own_files_count_its_locks_and_templates_too(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.build.cache_key.KIT", tmp_path / "app" / "kit")
    keys = [key(recipe)]
    for name in (
        "kit/recipe/schema.py",
        "kit/toolchains/tensorflow-2.19.1/requirements.lock",
        "templates/bundle/README.md.j2",
    ):
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one", "utf-8")
        keys.append(key(recipe))
        path.write_text("two", "utf-8")
        keys.append(key(recipe))
    assert len(set(keys)) == 7


def test_place_dates_comments_and_layout_do_not_count(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(recipe)
    moved = recipe.parent.parent / "there" / "deep"
    shutil.copytree(recipe.parent, moved)
    shutil.rmtree(recipe.parent)
    for path in moved.rglob("*"):
        os.utime(path, (0, 0))
    change(moved / "recipe.toml", '[checks]\ndata = "test.npz"', "# a comment\n[ checks ]\n\ndata   = 'test.npz'")
    monkeypatch.chdir(moved)
    assert key(moved / "recipe.toml") == key(Path("recipe.toml")) == before


def test_a_file_that_the_recipe_does_not_name_does_not_count(recipe: Path) -> None:
    before = key(recipe)
    (recipe.parent / "notes.txt").write_text("notes", "utf-8")
    assert key(recipe) == before


def test_a_missing_file_has_another_key_than_the_file(recipe: Path) -> None:
    before = key(recipe)
    (recipe.parent / "labels.txt").unlink()
    assert key(recipe) != before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[model",
        "model = 3",
        "[[model]]",
        "[model]\nid = 'm'",
        "[model]\npath = 3\nid = 'm'",
        "outputs = 3\n" + RECIPE,
    ],
)
def test_a_recipe_that_cannot_be_read_so_far_has_no_key_and_no_error(recipe: Path, text: str) -> None:
    recipe.write_text(text, "utf-8")
    assert build_key(recipe, "") is None


def test_no_recipe_and_a_folder_have_no_key(tmp_path: Path) -> None:
    assert build_key(tmp_path / "none.toml", "") is None
    assert build_key(tmp_path, "") is None


@pytest.mark.parametrize("value", ["1979-05-27", "07:32:00", "0x" + "f" * 5000, "9" * 5000, "[" * 5000 + "]" * 5000])
def test_a_value_that_no_recipe_can_have_gives_no_key_and_no_error(recipe: Path, value: str) -> None:
    assert build_key(change(recipe, '"int8"', value), "") is None


def test_a_file_from_a_windows_editor_has_the_key_of_any_other(recipe: Path) -> None:
    before = key(recipe)
    recipe.write_bytes(b"\xef\xbb\xbf" + recipe.read_bytes())
    assert key(recipe) == before
