"""A bundle from a stranger is data: its fields are held against what a build writes, and nothing of it runs unasked."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import py_compile
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worlds import run_kit

from kit.android.codegen.runtime_api import Api
from kit.android.install.app_module import drop, remove
from kit.android.proof.jvm import harness_outputs
from kit.android.proof.own_code import refuse_foreign_code
from kit.android.proof.run import prove
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_intact, read_manifest
from kit.bundle.manifest_check import faults_of
from kit.bundle.signature import TensorEntry
from kit.errors import CheckError, KitError, OutputError, RecipeError
from kit.toolchains.toolchain import find_toolchain

Change = Callable[[dict[str, Any]], Any]


def forged(bundle: Path, at: Path, change: Change = lambda _: None) -> Path:
    """Copy a bundle, let `change` edit its manifest, and write the digests anew."""
    # Without what Python kept beside the harness when a test ran it: that is no file of the bundle.
    shutil.copytree(bundle, at, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    manifest = json.loads((at / "bundle.json").read_text("utf-8"))
    change(manifest)
    seal(at, manifest)
    return at


def seal(at: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest with digests that fit the folder's files."""
    files = [path for path in sorted(at.rglob("*")) if path.is_file() and path.name != "bundle.json"]
    manifest["files"] = {
        path.relative_to(at).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    (at / "bundle.json").write_text(json.dumps(manifest), "utf-8")


def put(manifest: dict[str, Any], place: str, value: Any) -> None:
    """Set a field of a manifest by its dotted place."""
    *path, last = place.split(".")
    for part in path:
        manifest = manifest[int(part) if isinstance(manifest, list) else part]
    manifest[int(last) if isinstance(manifest, list) else last] = value


def test_a_bundle_as_it_was_built_fits(digits_bundle: Path) -> None:
    assert faults_of(json.loads((digits_bundle / "bundle.json").read_text("utf-8"))) == []


def test_a_letterboxed_image_fits_too_and_keeps_its_pad_color(digits_bundle: Path) -> None:
    manifest = json.loads((digits_bundle / "bundle.json").read_text("utf-8"))
    image = manifest["signature"]["inputs"][0]
    assert "pad_color" not in image, "a bundle of before has none, and one that is not letterboxed is as before"
    entry = TensorEntry.from_json(image).image
    assert entry is not None
    assert (entry.resize, entry.pad_color) == ("stretch", (0,))
    image |= {"resize": "letterbox", "pad_color": [1]}
    assert faults_of(manifest) == []
    assert TensorEntry.from_json(image).to_json() == image


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("id", "../../outside"),
        ("id", "Digits"),
        ("id", 3),
        ("version", '1", x = "'),
        ("version", "1.0.0\n2"),
        ("kit", "x\x1b[2J"),
        ("recipe.android.runtime", 'litert:2.3.0"; println "'),
        ("recipe.android.runtime", None),
        ("recipe.android.package", 'com.example"; x'),
        ("recipe.model.id", "other"),
        ("signature.inputs.0.resize", "fit"),
        ("signature.inputs.0.pad_color", [256]),
        ("signature.inputs.0.pad_color", ["1"]),
        ("signature.inputs.0.pad_color", [True]),
        ("toolchain.python", "/tmp/python"),
        ("toolchain.python", "3.11 --evil"),
        ("toolchain.tensorflow", "../../x"),
        ("toolchain.locks", {"x86_64": "x"}),
        ("source.files.0.file", "../../etc/passwd"),
        ("source.files.0.sha256", 7),
        ("signature.outputs.0.labels", "../../../provenance/custom.py"),
        ("signature.inputs.0.dtype", "object"),
        ("signature.inputs.0.shape", ["1"]),
        ("signature.inputs", {}),
        ("signature.inputs.0.shape", []),
        ("signature.outputs", []),
        ("signature.outputs", [None]),
        ("signature.outputs.0.activation", "relu"),
        ("recipe.model", None),
        ("source.files.0.file", ".."),
        ("toolchain.keras", "3; id"),
        ("model.sha256", "x" * 64),
        ("signature.version", "2.0.0"),
        ("files", []),
        ("recipe", [1]),
    ],
)
def test_a_field_that_no_build_writes_is_one_clear_error(
    digits_bundle: Path, tmp_path: Path, place: str, value: Any
) -> None:
    bundle = forged(digits_bundle, tmp_path / "b", lambda manifest: put(manifest, place, value))
    if place == "files":
        manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
        (bundle / "bundle.json").write_text(json.dumps({**manifest, "files": value}), "utf-8")
    with pytest.raises(RecipeError, match="none that a build writes"):
        read_manifest(bundle)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[]", "4", '{"format": 4}', '{"format": [2]}', "\x00", '{"format": 4, "id']
)
def test_a_manifest_that_is_none_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_text(text, "utf-8")
    with pytest.raises(RecipeError):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "src/main/AndroidManifest.xml",
        "src/main/jniLibs/x.so",
        "emulate/numpy.py",
        "emulate/harness/numpy/__init__.py",
        "build.gradle",
    ],
)
def test_a_file_that_no_bundle_has_is_refused(digits_bundle: Path, tmp_path: Path, name: str) -> None:
    bundle = forged(digits_bundle, tmp_path / "b")
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_text("x", "utf-8")
    seal(bundle, json.loads((bundle / "bundle.json").read_text("utf-8")))
    with pytest.raises(RecipeError, match="which no bundle has"):
        read_manifest(bundle)


def test_a_link_or_a_pipe_in_a_bundle_is_no_file_of_it(digits_bundle: Path, tmp_path: Path) -> None:
    bundle = forged(digits_bundle, tmp_path / "b")
    secret = tmp_path / "secret"
    secret.write_bytes((bundle / "README.md").read_bytes())
    (bundle / "README.md").unlink()
    (bundle / "README.md").symlink_to(secret)
    with pytest.raises(CheckError, match=r"neither file nor folder: README\.md"):
        read_intact(bundle)
    (bundle / "README.md").unlink()
    os.mkfifo(bundle / "README.md")
    with pytest.raises(CheckError, match="neither file nor folder"):
        read_intact(bundle)


def test_emulate_runs_the_kits_own_harness_and_never_the_bundles(digits_bundle: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    bundle = forged(digits_bundle, tmp_path / "b")
    writes = f"from pathlib import Path\n\nPath({str(marker)!r}).write_text('x')\n"
    for name in ("emulate.py", "preprocess.py", "constants.py", "harness/command.py"):
        (bundle / "emulate" / name).write_text(writes, "utf-8")
    done = run_kit("emulate", str(bundle))
    assert done.returncode == 4
    assert "is not as it was built" in done.stderr
    seal(bundle, json.loads((bundle / "bundle.json").read_text("utf-8")))
    done = run_kit("emulate", str(bundle), "--json")
    assert done.returncode == 0, done.stderr
    assert not marker.exists()
    run_kit("emulate", str(bundle), "--allow-code")
    assert marker.exists()


def test_packages_that_no_runtime_has_are_not_installed(digits_bundle: Path, tmp_path: Path) -> None:
    bundle = forged(digits_bundle, tmp_path / "b")
    lock = bundle / "emulate" / "requirements.txt"
    lock.write_text(lock.read_text("utf-8") + f"evil==1.0 --hash=sha256:{'0' * 64}\n", "utf-8")
    seal(bundle, json.loads((bundle / "bundle.json").read_text("utf-8")))
    done = run_kit("emulate", str(bundle))
    assert done.returncode == 2
    assert "evil" in done.stderr
    assert "next: a package runs code: look at it, and allow it with --allow-code" in done.stderr


@pytest.mark.slow
def test_a_package_that_was_looked_at_is_allowed(digits_bundle: Path, tmp_path: Path) -> None:
    """One that TensorFlow's own lock has, in a cache of the test's own."""
    bundle = forged(digits_bundle, tmp_path / "b")
    lock = bundle / "emulate" / "requirements.txt"
    (pin,) = [pin for pin in find_toolchain("2.19.1").lock.pins if pin.name == "six"]
    line = f"six=={pin.version} {' '.join(f'--hash=sha256:{sha256}' for sha256 in pin.sha256)}\n"
    lock.write_text(lock.read_text("utf-8") + line, "utf-8")
    seal(bundle, json.loads((bundle / "bundle.json").read_text("utf-8")))
    env = {**os.environ, "DROPKIT_CACHE": str(tmp_path / "cache")}
    done = run_kit("emulate", str(bundle), env=env)
    assert done.returncode == 2
    assert "asks for packages that are not of its toolchain or runtime: six" in done.stderr
    assert "next: a package runs code: look at it, and allow it with --allow-code" in done.stderr
    done = run_kit("emulate", str(bundle), "--allow-code", env=env)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "cache").rglob("site-packages/six.py"))


# ---------------------------------------------------------------- into a project


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return the module of a small project, with android_stub's folder for a list of bundles."""
    module = tmp_path / "project" / "app"
    (module / "src/main/kotlin/dropkit/stub").mkdir(parents=True)
    (module.parent / "settings.gradle.kts").write_text('include(":app")\n', "utf-8")
    (module / "build.gradle.kts").write_text('plugins { id("com.android.application") }\n', "utf-8")
    return module


@pytest.mark.parametrize(
    "change",
    [
        lambda state, sha: state["bundles"]["digits"]["files"].update({"../../outside/mine.txt": sha}),
        lambda state, sha: state["bundles"]["digits"]["files"].update({"/tmp/mine.txt": sha}),
        lambda state, sha: state["bundles"]["digits"]["files"].update({"build.gradle.kts": sha}),
        lambda state, sha: state["bundles"]["digits"]["files"].update({"src/../../../outside/mine.txt": sha}),
        lambda state, sha: state["generated"].update({"../../outside/mine.txt": sha}),
        lambda state, _: state["bundles"]["digits"].update(runtime='litert:2.3.0"; println "x'),
        lambda state, _: state["bundles"]["digits"].update(version='1", x = "'),
        lambda state, _: state["bundles"]["digits"].update(name='X.create(context).use { exec("id") }; X'),
        lambda state, _: state["bundles"]["digits"].update(image='x(bitmap); exec("id")'),
        lambda state, _: state["bundles"].update({'x"; y': state["bundles"].pop("digits")}),
        lambda state, _: state.update(bundles=[1]),
        lambda state, _: state["bundles"]["digits"].pop("files"),
    ],
)
def test_a_state_that_no_drop_wrote_is_refused_and_nothing_is_touched(
    digits_bundle: Path, app: Path, tmp_path: Path, change: Callable[[Any, str], Any]
) -> None:
    mine = tmp_path / "outside" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine\n", "utf-8")
    drop(digits_bundle, app)
    path = app / "dropkit.json"
    state = json.loads(path.read_text("utf-8"))
    change(state, hashlib.sha256(b"mine\n").hexdigest())
    path.write_text(json.dumps(state), "utf-8")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(KitError, match=r"no drop wrote this|unreadable"):
        remove("digits", app)
    with pytest.raises(KitError, match=r"no drop wrote this|unreadable"):
        drop(digits_bundle, app)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_drop_follows_no_link_out_of_the_module(digits_bundle: Path, app: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (app / "src/main/assets").symlink_to(outside)
    with pytest.raises(OutputError, match="a symbolic link"):
        drop(digits_bundle, app)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["src/main/kotlin/com/example/digits/Digits.kt", "emulate/emulate.py", "emulate/harness/replay.py"]
)
def test_android_runs_no_code_that_this_kit_would_not_write(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("kit.android.proof.run._compile", lambda _work: "left out here")
    monkeypatch.setattr("kit.android.proof.run._CLASSES", ())
    scratch = tmp_path / "scratch"
    api: Api = "compiled-model"
    refuse_foreign_code(Bundle(digits_bundle, "digits"), read_manifest(digits_bundle), api, scratch)
    bundle = forged(digits_bundle, tmp_path / "b")
    found = next(bundle.rglob(Path(name).name))
    found.write_text(found.read_text("utf-8") + "\n", "utf-8")
    seal(bundle, json.loads((bundle / "bundle.json").read_text("utf-8")))
    with pytest.raises(CheckError, match="is not what this kit writes") as error:
        refuse_foreign_code(Bundle(bundle, "digits"), read_manifest(bundle), api, tmp_path / "again")
    assert error.value.hint == "build the bundle again; or look at its code, and let it run with --allow-code"
    assert run_kit("android", str(bundle)).returncode == 4
    assert prove(bundle, lambda _line: None, checks=(), keep=False).steps  # no word of refusal
    shutil.rmtree(bundle)
    shutil.copytree(digits_bundle, bundle)  # as a build writes it again
    refuse_foreign_code(Bundle(bundle, "digits"), read_manifest(bundle), api, tmp_path / "built")


def test_android_runs_no_cache_of_python_that_a_bundle_brings(digits_bundle: Path, tmp_path: Path) -> None:
    """A cache is no file of a manifest, and Python takes one instead of the file beside it, unchecked if it says so."""
    bundle, marker = shutil.copytree(digits_bundle, tmp_path / "b"), tmp_path / "marker"
    writes = tmp_path / "replay.py"
    writes.write_text(f"from pathlib import Path\n\nPath({str(marker)!r}).write_text('x')\n", "utf-8")
    for name in ("constants", "preprocess"):
        cache = importlib.util.cache_from_source(str(bundle / "emulate" / f"{name}.py"))
        py_compile.compile(str(writes), cache, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    refuse_foreign_code(Bundle(bundle, "digits"), read_manifest(bundle), "compiled-model", tmp_path / "kotlin")
    assert "serving_default/output/digit" in harness_outputs(bundle, tmp_path, lambda _line: None)
    assert not marker.exists()
