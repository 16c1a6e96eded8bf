"""A bundle in a Play AI pack: what app and pack hold, and which variants one class cannot read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from projects import KTS, app, bundle, seal

from kit.android.install.ai_pack import TARGETING, parse_variants
from kit.android.install.app_module import drop, remove
from kit.errors import CheckError, KitError, RecipeError
from kit.files import tree_digests

GROUPS = """<config:device-targeting-config xmlns:config="http://schemas.android.com/apk/config">
    <config:device-group name="high_ram"><config:device-selector ram-min-bytes="8000000000"/></config:device-group>
</config:device-targeting-config>
"""


def project(folder: Path, text: str = KTS) -> Path:
    """Write a project with an app, and return its module."""
    module = app(folder, text)
    (module.parent / "settings.gradle.kts").write_text('include(":app")\n')
    (module.parent / "gradle.properties").write_text("android.uniquePackageNames=false\n")
    return module


def variant(folder: Path, model: str = "finer", labels: str = "", runtime: str = "litert:2.3.0") -> Path:
    """Write a bundle of the same id with another model."""
    place = bundle(folder / model, runtime=runtime)
    assets = place / "src/main/assets/digits"
    (assets / "model.tflite").write_text(model)
    if labels:
        (assets / "labels.txt").write_text(labels)
    return seal(place, runtime)


def refusal(kind: type[KitError], base: Path, module: Path, variants: dict[str, Path]) -> KitError:
    before = tree_digests(module.parent)
    with pytest.raises(kind) as caught:
        drop(base, module, variants)
    assert tree_digests(module.parent) == before
    return caught.value


def test_the_pack_has_the_model_and_release_builds_of_the_app_have_none(tmp_path: Path) -> None:
    module = project(tmp_path)
    done = drop(bundle(tmp_path), module, {})
    root = module.parent
    assert (root / "digits_pack/src/main/assets/digits/model.tflite").read_text() == "model of digits"
    assert (module / "src/debug/assets/digits/model.tflite").read_text() == "model of digits"
    assert not (module / "src/main/assets").exists()
    gradle = (root / "digits_pack/build.gradle.kts").read_text()
    assert 'packName = "digits_pack"' in gradle
    assert 'deliveryType = "install-time"' in gradle
    assert 'assetPacks.add(":digits_pack")' in (module / "dropkit.gradle").read_text()
    assert "deviceGroup" not in (module / "dropkit.gradle").read_text()
    assert [line.partition(": ")[2] for line in done.needs] == [
        'add at its end: apply(from = "dropkit.gradle")',
        'add: include(":digits_pack")',
    ]


def test_each_group_of_devices_gets_its_variant_and_all_others_the_bundle(tmp_path: Path) -> None:
    module = project(tmp_path)
    (module / TARGETING).write_text(GROUPS)
    done = drop(bundle(tmp_path), module, {"high_ram": variant(tmp_path)})
    assets = module.parent / "digits_pack/src/main/assets"
    found = {path.parent.name: path.read_text() for path in assets.rglob("model.tflite")}
    assert found == {"digits#group_other": "model of digits", "digits#group_high_ram": "finer"}
    gradle = (module / "dropkit.gradle").read_text()
    assert 'deviceTargetingConfig = file("device_targeting_config.xml")' in gradle
    assert 'defaultGroup = "other"' in gradle
    assert done.needs[-1].endswith("gradle.properties: add: android.experimental.enableDeviceTargetingConfigApi=true")


def test_twice_is_the_same_as_once_and_remove_leaves_the_project_as_it_was(tmp_path: Path) -> None:
    module = project(tmp_path)
    before = tree_digests(module.parent)
    drop(bundle(tmp_path), module, {})
    once = tree_digests(module.parent)
    settings = module.parent / "settings.gradle.kts"
    settings.write_text('include(":app")\ninclude(":digits_pack")\n')
    again = drop(tmp_path / "digits", module, {})
    assert (again.written, again.removed) == ((), ())
    assert [line for line in again.needs if "settings" in line] == []
    gone = remove("digits", module)
    assert gone.needs == (f'{settings}: take out: include(":digits_pack")',)
    settings.write_text('include(":app")\n')
    assert tree_digests(module.parent) == before
    assert once != before
    assert not (module.parent / "digits_pack").exists()


def test_a_bundle_comes_back_into_the_app_without_the_pack(tmp_path: Path) -> None:
    module = project(tmp_path)
    drop(bundle(tmp_path), module)
    plain = tree_digests(module.parent)
    drop(tmp_path / "digits", module, {})
    drop(tmp_path / "digits", module)
    assert tree_digests(module.parent) == plain


def test_a_file_that_a_user_changed_in_the_pack_stays(tmp_path: Path) -> None:
    module = project(tmp_path)
    drop(bundle(tmp_path), module, {})
    mine = module.parent / "digits_pack/build.gradle.kts"
    mine.write_text("// mine\n")
    before = tree_digests(module.parent)
    with pytest.raises(KitError, match=r"digits_pack/build\.gradle\.kts"):
        remove("digits", module)
    assert tree_digests(module.parent) == before


def test_a_group_that_the_app_does_not_declare_is_refused_with_the_lines_to_write(tmp_path: Path) -> None:
    module = project(tmp_path)
    variants = {"npu": variant(tmp_path)}
    error = refusal(RecipeError, bundle(tmp_path), module, variants)
    assert "declares none, and npu is no group in it" in error.message
    (module / TARGETING).write_text(GROUPS)
    assert "declares high_ram" in refusal(RecipeError, tmp_path / "digits", module, variants).message
    (module / TARGETING).write_text("<config:")
    unreadable = refusal(RecipeError, tmp_path / "digits", module, variants)
    assert "unreadable" in unreadable.message
    assert "write it as Play's page on device targeting says" in unreadable.hint
    printed = re.fullmatch(r"say there which devices it has: (.*) in (<config:device-targeting-config .*>)", error.hint)
    assert printed
    (module / TARGETING).write_text(f"{printed[2]}{printed[1]}</config:device-targeting-config>")
    assert drop(tmp_path / "digits", module, variants).written


@pytest.mark.parametrize(
    ("other", "message", "step"),
    [
        ({"labels": "cat\n"}, "labels.txt is not as", "build the variant of high_ram with the same tensors, labels"),
        ({"runtime": "litert:1.4.0"}, "is built for litert:1.4.0: an app links one runtime", "build both for litert:2"),
    ],
)
def test_a_variant_that_the_class_could_not_read_is_refused_and_built_alike_it_is_taken(
    tmp_path: Path, other: dict[str, str], message: str, step: str
) -> None:
    module = project(tmp_path)
    (module / TARGETING).write_text(GROUPS)
    error = refusal(CheckError, bundle(tmp_path), module, {"high_ram": variant(tmp_path, **other)})
    assert message in error.message
    assert step in error.hint
    assert drop(tmp_path / "digits", module, {"high_ram": variant(tmp_path, "alike")}).written


def test_a_variant_of_another_model_or_one_that_was_changed_is_refused(tmp_path: Path) -> None:
    module = project(tmp_path)
    (module / TARGETING).write_text(GROUPS)
    base = bundle(tmp_path)
    faces = bundle(tmp_path, "faces", "com.example.faces")
    error = refusal(CheckError, base, module, {"high_ram": faces})
    assert "have its id" in error.message
    assert error.hint == "give it that [model] id"
    changed = variant(tmp_path)
    (changed / "src/main/assets/digits/model.tflite").write_text("changed")
    assert "not as it was built" in refusal(CheckError, base, module, {"high_ram": changed}).message
    assert drop(base, module, {"high_ram": variant(tmp_path, "as_digits")}).written


def test_a_library_or_a_module_without_a_project_takes_no_pack(tmp_path: Path) -> None:
    library = project(tmp_path, 'plugins { id("com.android.library") }\n')
    error = refusal(RecipeError, bundle(tmp_path), library, {})
    assert "no application" in error.message
    assert error.hint == "name the app's module"
    alone = app(tmp_path / "alone")
    error = refusal(RecipeError, tmp_path / "digits", alone, {})
    assert "above it" in error.message
    assert error.hint == "name a module of a whole project with --into"
    assert drop(tmp_path / "digits", project(tmp_path / "whole"), {}).written


@pytest.mark.parametrize("text", ["high_ram", "=x", "high ram=x", "1a=x", "a=x,a=y", "other=x", "a="])
def test_variants_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="--variants") as error:
        parse_variants(text)
    printed = re.fullmatch(r"a variant is named as GROUP=BUNDLE, several with a comma between: (\S+)", error.value.hint)
    assert printed and parse_variants(printed[1]) == {"high_ram": Path("dist16/flowers")}


def test_variants_are_read_by_group() -> None:
    assert parse_variants("a=x/y,b=z") == {"a": Path("x/y"), "b": Path("z")}
    assert parse_variants("") == {}
