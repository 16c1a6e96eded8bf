"""Ten TensorFlows as data: what is pinned, which one a model file gets and why, and that each of them converts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from models import keras3_model
from third_party import fetch
from worlds import DIGITS, ROOT, run_kit, write_recipe

from kit.errors import EngineError, ModelError, RecipeError
from kit.source_model.model_file import ModelFile, read_model_file
from kit.toolchains.lockfile import read_lock
from kit.toolchains.operator_probe import _whole, ask
from kit.toolchains.selection import choose_toolchain
from kit.toolchains.toolchain import LOCKS, find_runtime, find_toolchain, toolchains
from kit.toolchains.venv import runtime_venv, toolchain_venv

PINNED = tuple(toolchains())
NEVER_IMPORTED = {"grpcio", "jax", "jaxlib", "libclang", "scipy", "tensorboard", "tensorflow-estimator", "wheel"}


def model_file(suffix: str, keras: str) -> ModelFile:
    """Return what a file says that this Keras wrote."""
    return ModelFile(Path(f"model{suffix}"), suffix, keras, {}, ())


def test_every_tensorflow_from_2_12_to_2_21_is_pinned_oldest_first() -> None:
    assert [".".join(version.split(".")[:2]) for version in PINNED] == [f"2.{minor}" for minor in range(12, 22)]


@pytest.mark.parametrize("machine", LOCKS)
@pytest.mark.parametrize("version", PINNED)
def test_a_lock_has_hashes_for_the_tensorflow_and_keras_that_the_toolchain_names(version: str, machine: str) -> None:
    toolchain = find_toolchain(version).on(machine)
    pins = {pin.name: pin for pin in toolchain.lock.pins}
    assert all(pin.sha256 for pin in pins.values())
    tensorflows = [pin for name, pin in pins.items() if name in {"tensorflow", "tensorflow-cpu", "tensorflow-cpu-aws"}]
    assert [pin.version for pin in tensorflows] == [version]
    assert pins["keras"].version == toolchain.keras
    assert ("tf-keras" in pins) == bool(toolchain.legacy_keras) == toolchain.keras.startswith("3")
    assert not NEVER_IMPORTED & set(pins)


def test_a_pin_without_a_hash_is_refused(tmp_path: Path) -> None:
    whole = find_toolchain("2.12.1").lock
    cut = "\n".join(line for line in whole.text.splitlines() if not line.startswith("    --hash"))
    (tmp_path / "requirements.lock").write_text(cut.replace(" \\", ""), "utf-8")
    with pytest.raises(EngineError, match="not an exact version with its sha256: 'absl-py=="):
        read_lock(tmp_path / "requirements.lock")


@pytest.mark.parametrize(
    ("damage", "says", "step"),
    [
        (lambda lock: lock.unlink(), "the lock cannot be read", "restore it from version control, or install"),
        (lambda lock: lock.write_text("", "utf-8"), "the lock is empty", "restore it from version control, or run"),
        (
            lambda lock: lock.write_text("absl-py==2.1.0\n", "utf-8"),
            "not an exact version with its sha256",
            "restore the file from version control, or regenerate it",
        ),
    ],
)
def test_a_damaged_lock_is_read_when_it_is_restored(
    tmp_path: Path, damage: Callable[[Path], object], says: str, step: str
) -> None:
    whole, lock = find_toolchain("2.12.1").lock, tmp_path / "requirements.lock"
    lock.write_text(whole.text, "utf-8")
    damage(lock)
    with pytest.raises(EngineError, match=says) as refused:
        read_lock(lock)
    assert step in refused.value.hint
    lock.write_text(whole.text, "utf-8")
    assert read_lock(lock).pins == whole.pins


def test_a_machine_without_a_lock_is_shown_where_it_runs() -> None:
    with pytest.raises(EngineError, match="not pinned for riscv64") as error:
        _ = find_toolchain("2.19.1").on("riscv64").lock
    assert error.value.hint == "it runs on x86_64 and aarch64" + ": use a container there"
    for machine in LOCKS:  # a container is of one of them, whatever the machine around it is
        assert find_toolchain("2.19.1").on("riscv64").on(machine).lock.pins


@pytest.mark.parametrize(
    ("suffix", "keras", "tensorflow"),
    [
        (".h5", "2.0.5", "2.21.0"),
        (".h5", "2.2.4-tf", "2.21.0"),
        (".h5", "2.21.0", "2.21.0"),
        (".h5", "3.4.1", "2.21.0"),
        (".keras", "2.12.0", "2.12.1"),
        (".keras", "2.13.1", "2.14.1"),
        (".keras", "2.14.0", "2.14.1"),
        (".keras", "2.15.0", "2.21.0"),
        (".keras", "3.15.1", "2.21.0"),
    ],
)
def test_auto_takes_the_newest_that_loads_the_file_and_says_why(suffix: str, keras: str, tensorflow: str) -> None:
    choice = choose_toolchain("auto", [model_file(suffix, keras)])
    assert choice.toolchain.tensorflow == tensorflow
    assert choice.reason == f"the newest that loads a {suffix} file of Keras {keras}"


@pytest.mark.parametrize(
    ("asked", "suffix", "keras", "instead"),
    [
        ("2.15.1", ".keras", "3.15.1", "2.21.0"),
        ("2.15.1", ".h5", "3.15.1", "2.21.0"),
        ("2.15.1", ".keras", "2.16.0", "2.21.0"),
        ("2.19.1", ".keras", "2.14.0", "2.14.1"),
        ("2.19.1", ".h5", "2.21.0", "2.21.0"),
        ("2.12.1", ".keras", "2.13.1", "2.14.1"),
    ],
)
def test_a_version_that_cannot_load_the_file_names_one_that_can(
    asked: str, suffix: str, keras: str, instead: str
) -> None:
    with pytest.raises(ModelError) as refused:
        choose_toolchain(asked, [model_file(suffix, keras)])
    assert f"{suffix} file of Keras {keras}, which TensorFlow {asked} (Keras " in refused.value.message
    assert f'set [toolchain] tensorflow = "{instead}" or "auto"; it loads in' in refused.value.hint
    for version in (instead, "auto", *refused.value.hint.partition("it loads in ")[2].split(", ")):
        choose_toolchain(version, [model_file(suffix, keras)])


@pytest.mark.parametrize("asked", ["auto", "2.12.1"])
def test_a_file_that_no_toolchain_loads_says_how_to_save_it(asked: str) -> None:
    with pytest.raises(ModelError) as refused:
        choose_toolchain(asked, [model_file(".keras", "2.11.0")])
    assert refused.value.hint == "load it with the Keras that wrote it, and save it as .h5: model.save('name.h5')"
    assert choose_toolchain(asked, [model_file(".h5", "2.11.0")])


@pytest.mark.slow
def test_a_file_that_one_version_alone_loads_builds_elsewhere_when_it_is_saved_as_h5(tmp_path: Path) -> None:
    """Keras 2.14 writes both: the .keras loads in TensorFlow 2.14 alone, which is not with Keras 3."""
    python = toolchain_venv(find_toolchain("2.14.1"), quiet)
    keras3_model(python, tmp_path / "m.keras", "keras2_zip")
    keras3_model(python, tmp_path / "m.h5", "keras2_h5")
    for name, code in (("m.keras", 3), ("m.h5", 0)):
        recipe = write_recipe(tmp_path, model_path=f"'{name}'", checks_gate="false")
        built = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "out"))
        assert built.returncode == code, built.stderr


def test_a_keras_newer_than_any_pinned_one_is_tried_with_a_warning() -> None:
    choice = choose_toolchain("auto", [model_file(".keras", "3.99.0")])
    assert "newer than the pinned Keras 3.15.1, and may not load" in choice.reason


def test_a_saved_model_loads_in_all_of_them_whoever_wrote_it() -> None:
    for keras in ("", "2.15.0", "3.99.0"):
        saved = ModelFile(Path("saved"), "SavedModel", keras, {}, (), "2.15.1")
        choice = choose_toolchain("auto", [saved])
        wrote = f" and Keras {keras}" if keras else ""
        assert choice.reason == f"the newest that loads a SavedModel of TensorFlow 2.15.1{wrote}"
        assert all(choose_toolchain(version, [saved]).toolchain.tensorflow == version for version in PINNED)


def test_weights_load_where_the_keras_of_their_structure_does() -> None:
    assert (
        choose_toolchain("auto", [model_file("weights", "3")]).reason
        == "the newest that loads a file of weights of Keras 3"
    )
    with pytest.raises(ModelError, match=r"a file of weights of Keras 3, which TensorFlow 2\.15\.1"):
        choose_toolchain("2.15.1", [model_file("weights", "3")])
    assert choose_toolchain("2.12.1", [model_file("weights", "")]).toolchain.tensorflow == "2.12.1", "it does not say"


@pytest.mark.parametrize(
    ("keras", "tensorflow"), [("2.12.0", "2.13.1"), ("2.14.0", "2.14.1"), ("2.15.0", "2.21.0"), ("3", "2.21.0")]
)
def test_the_layout_of_newer_weights_follows_the_keras_that_wrote_them(keras: str, tensorflow: str) -> None:
    assert choose_toolchain("auto", [model_file(".weights.h5", keras)]).toolchain.tensorflow == tensorflow


def test_several_files_need_a_toolchain_that_loads_them_all() -> None:
    old, new, older = model_file(".h5", "2.0.5"), model_file(".keras", "3.15.1"), model_file(".keras", "2.13.1")
    choice = choose_toolchain("auto", [old, new])
    assert choice.toolchain.tensorflow == PINNED[-1]
    assert choice.reason == "the newest that loads a .h5 file of Keras 2.0.5 and a .keras file of Keras 3.15.1"
    assert choose_toolchain("auto", [old, older]).toolchain.tensorflow == "2.14.1"
    with pytest.raises(ModelError, match=r"\.keras: it is a \.keras file of Keras 3\.15\.1, which TensorFlow 2\.15\.1"):
        choose_toolchain("2.15.1", [old, new])
    with pytest.raises(ModelError, match=r"no pinned TensorFlow loads all of: a \.keras file of Keras 3\.15\.1 and a"):
        choose_toolchain("auto", [new, older])


def test_a_version_that_is_not_pinned_is_a_fault_of_the_recipe() -> None:
    with pytest.raises(RecipeError, match=r"2\.15\.0 is not pinned(.|\n)*did you mean '2\.15\.1'\? there is: "):
        choose_toolchain("2.15.0", [model_file(".h5", "2.15.0")])
    assert choose_toolchain("2.15.1", [model_file(".h5", "2.15.0")]).reason == "asked for"


def test_a_runtime_that_is_not_pinned_has_a_near_one() -> None:
    with pytest.raises(RecipeError, match=r"did you mean 'litert:2\.3\.0'\? there is: "):
        find_runtime("litert:2.3.1")
    assert find_runtime("litert:2.3.0").version == "2.3.0"


def test_a_build_with_the_wrong_version_ends_before_any_engine_starts(tmp_path: Path) -> None:
    built = run_kit("build", str(DIGITS), "--tensorflow", "2.15.1", "--engine", "local", "--out", str(tmp_path))
    assert built.returncode == 3
    assert "it loads in 2.21.0, 2.20.0, 2.19.1, 2.18.1, 2.17.1, 2.16.2" in built.stderr
    assert "start TensorFlow" not in built.stderr
    assert list(tmp_path.iterdir()) == []


def test_toolchains_lists_pins_and_sizes() -> None:
    rows = {row["name"]: row for row in json.loads(run_kit("toolchains", "--json").stdout)}
    assert {f"tensorflow-{version}" for version in PINNED} < set(rows)
    newest = rows[f"tensorflow-{PINNED[-1]}"]
    assert newest["loads"] == {
        ".keras": ">=2.15",
        ".h5": ">=2",
        "weights": ">=2",
        ".weights.h5": ">=2.15",
        "SavedModel": ">=2",
    }
    assert {"venv_bytes", "image_bytes", "lock", "cannot"} <= set(newest)


def test_the_docs_table_says_what_the_data_says() -> None:
    text = (ROOT / "docs" / "toolchains.md").read_text("utf-8")
    for t in toolchains().values():
        numpy = next(pin.version for pin in t.on("x86_64").lock.pins if pin.name == "numpy")
        # In a table a | ends the column, in a code span, too.
        loads = (f"`{t.loads[suffix]}`".replace("|", r"\|") for suffix in (".keras", ".h5"))
        cells = (t.tensorflow, t.keras, t.legacy_keras or "-", numpy, *loads)
        assert f"| {' | '.join(cells)} |" in text


def build_digits(out: Path, version: str) -> dict[str, Any]:
    """Build the digits from their Keras 2 file with one TensorFlow, and return the manifest."""
    recipe = str(DIGITS / "keras2.toml")
    built = run_kit("build", recipe, "--tensorflow", version, "--engine", "local", "--out", str(out), "--json")
    assert built.returncode == 0, built.stderr
    manifest: dict[str, Any] = json.loads(built.stdout)
    return manifest


def is_as_good_as_keras_3(manifest: dict[str, Any], digits_bundle: Path) -> bool:
    """Say whether it was measured on as many samples, with the same accuracies, as the example's Keras 3 file."""
    theirs = json.loads((digits_bundle / "bundle.json").read_text("utf-8"))["measures"]
    ours = manifest["measures"]
    keys = ("agreement", "float_accuracy", "accuracy")
    return ours["samples"] == theirs["samples"] and all(
        ours["outputs"][0][key] == theirs["outputs"][0][key] for key in keys
    )


QUICK = ("2.12.1", "2.15.1")
EACH = [version if version in QUICK else pytest.param(version, marks=pytest.mark.slow) for version in PINNED]


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give the manifest of the digits as the oldest TensorFlow builds them."""
    return build_digits(tmp_path_factory.mktemp("oldest"), PINNED[0])


@pytest.mark.parametrize("version", EACH)
def test_it_builds_the_digits_on_the_local_engine(
    version: str, oldest: dict[str, Any], tmp_path: Path, digits_bundle: Path
) -> None:
    manifest = oldest if version == PINNED[0] else build_digits(tmp_path, version)
    assert manifest["toolchain"]["tensorflow"] == version
    assert manifest["toolchain"]["loader"].split()[1].startswith("2."), "Keras 2 loads what Keras 2 wrote"
    assert manifest["emulation"]["verdict"] == "pass"
    assert is_as_good_as_keras_3(manifest, digits_bundle)


def test_the_oldest_gives_the_same_bytes_twice(oldest: dict[str, Any], tmp_path: Path) -> None:
    assert build_digits(tmp_path, PINNED[0]) == oldest


def keras2_recipe(folder: Path, model: str) -> Path:
    """Write a recipe for an untrained model of tests.models with `image` and `digit`, its toolchain "auto"."""
    return write_recipe(folder, model_path=f"'{model}'", toolchain_tensorflow="'auto'", checks_gate="false")


def built_by_auto(recipe: Path) -> tuple[str, str]:
    """Build, and return who loaded the model and the line that says why."""
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(recipe.parent / "out"), "--json")
    assert built.returncode == 0, built.stderr
    (why,) = [line for line in built.stderr.splitlines() if line.startswith("toolchain: ")]
    return json.loads(built.stdout)["toolchain"]["loader"], why


def quiet(_line: str) -> None:
    pass


def test_auto_builds_a_zip_of_keras_2(tmp_path: Path) -> None:
    keras3_model(toolchain_venv(find_toolchain("2.15.1"), quiet), tmp_path / "m.keras", "keras2_zip")
    assert read_model_file(tmp_path / "m.keras").keras == "2.15.0"
    assert built_by_auto(keras2_recipe(tmp_path, "m.keras")) == (
        "tf_keras 2.21.0",
        "toolchain: TensorFlow 2.21.0 (the newest that loads a .keras file of Keras 2.15.0)",
    )


def test_auto_builds_the_keras_3_digits(tmp_path: Path) -> None:
    loader, why = built_by_auto(write_recipe(tmp_path, toolchain_tensorflow="'auto'"))
    assert loader == "keras 3.15.1"
    assert "of Keras 3.15.1)" in why


def test_auto_knows_a_file_of_keras_2_0_5(tmp_path: Path) -> None:
    choice = choose_toolchain("auto", [read_model_file(fetch("fer"))])  # tests/worker/test_emotion.py builds it
    assert "a .h5 file of Keras 2.0.5" in choice.reason


def test_what_a_keras_file_is_decides_its_content_not_its_name(tmp_path: Path) -> None:
    """TensorFlow 2.12 writes HDF5 for save("x.keras"); 2.15 and 2.21 load it all the same."""
    keras3_model(toolchain_venv(find_toolchain("2.12.1"), quiet), tmp_path / "m.keras", "keras2_zip")
    assert read_model_file(tmp_path / "m.keras").suffix == ".h5"
    assert built_by_auto(keras2_recipe(tmp_path, "m.keras"))[0] == "tf_keras 2.21.0"


WRITTEN = (
    *((writer, kind) for writer in PINNED for kind in ("keras2_h5", "keras2_zip")),
    ("2.12.1", "keras2_v3"),
    ("2.16.2", "tiny"),
    ("2.21.0", "tiny_h5"),
)
LOAD_ALL = """
import json, sys
def load(path, legacy):
    try:
        import tf_keras as keras2
    except ModuleNotFoundError:
        import keras as keras2
    import keras
    try:
        (keras2 if legacy else keras).models.load_model(path, compile=False)
    except Exception:
        return False
    return True
print(json.dumps([load(path, legacy) for path, legacy in json.loads(sys.argv[1])]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("reader", PINNED)
def test_what_the_data_says_of_a_toolchain_is_what_its_keras_loads(reader: str, tmp_path: Path) -> None:
    files = []
    for writer, kind in WRITTEN:
        python = toolchain_venv(find_toolchain(writer), quiet)
        content = keras3_model(python, tmp_path / "written", kind)
        sniffed = read_model_file(content)
        files.append(read_model_file(content.rename(tmp_path / f"{writer}-{kind}{sniffed.suffix}")))
    request = json.dumps([(str(file.path), file.legacy) for file in files])
    argv = [str(toolchain_venv(find_toolchain(reader), quiet)), "-s", "-c", LOAD_ALL, request]
    loaded = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    said = [find_toolchain(reader).can_load(file.suffix, file.keras) for file in files]
    assert dict(zip(WRITTEN, loaded, strict=True)) == dict(zip(WRITTEN, said, strict=True))


def test_a_runtime_that_cannot_be_asked_is_made_again(tmp_path: Path) -> None:
    """Its venv, that is: with a Python that ends at once, and with the one that is made."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'ImportError: libstdc++.so.6' >&2\nexit 1\n", "utf-8")
    broken.chmod(0o755)
    with pytest.raises(EngineError, match="the runtime cannot be asked: ImportError") as error:
        ask(broken, {"ADD": [1]})
    assert error.value.hint == "delete that venv and run `inv bench --operators` again"
    runtime = find_runtime("litert:2.3.0")
    made = runtime_venv(runtime, runtime.lock(images=True), lambda _line: None)
    assert ask(made, {"ADD": [1, 32]}) == {"ADD": [1]}


def test_versions_below_a_gap_are_left_out() -> None:
    assert (_whole([1, 2, 3]), _whole([1, 3, 4]), _whole([5])) == ((1, 3), (3, 4), (5, 5))
