"""The proof of a bundle: every step runs, what it keeps is the same twice, and each fault is found by its step."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from android_world import quiet, without_a_compiler

from kit.android.codegen.app_model import AppModel
from kit.android.proof import jvm
from kit.android.proof.apk import PAGE, build_apk, check_apk
from kit.android.proof.jvm import Compiled, compare_outputs, compile_bindings, run_golden
from kit.android.proof.kotlin_sources import Bindings, find_bindings
from kit.android.proof.run import How, Proof, judge, print_proof, prove, to_json
from kit.android.proof.step import Step
from kit.android.proof.tool_check import try_tools
from kit.android.proof.tools import find_java
from kit.android.proof.zip_bytes import zip_bytes
from kit.bundle.golden_bin import golden_bytes, read_golden
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest
from kit.errors import CheckError, EngineError, RecipeError
from kit.files import json_text, tree_digests

GOLDEN = Path("src/debug/assets/digits/golden.bin")
Built = tuple[Compiled, Sequence[Path]]
LABELS = Path("src/main/assets/digits/labels.txt")


def _verdicts(proof: Proof) -> dict[str, str]:
    return {each.name: each.verdict for each in proof.steps}


def _as_built(bundle: Path) -> None:
    """Write the digests anew, as if a build had made what was changed."""
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    manifest["files"] = {name: sha for name, sha in tree_digests(bundle).items() if name != "bundle.json"}
    (bundle / "bundle.json").write_text(json_text(manifest), "utf-8")


@pytest.fixture
def bundle(digits_bundle: Path, tmp_path: Path) -> Path:
    """Give a copy of the digits bundle that a test may spoil."""
    return Path(shutil.copytree(digits_bundle, tmp_path / "digits"))


@pytest.fixture(scope="module")
def bindings(digits_bundle: Path, android_tools: None) -> Bindings:
    """Give the digits' own Kotlin."""
    return find_bindings(digits_bundle)


@pytest.fixture(scope="module")
def compiled(bindings: Bindings, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """Give the digits' own Kotlin compiled."""
    return compile_bindings(bindings, tmp_path_factory.mktemp("compiled"), quiet)


# ---------------------------------------------------------------- the whole proof


def test_every_step_passes_and_two_proofs_keep_the_same_bytes(bundle: Path, android_tools: None) -> None:
    first = prove(bundle, quiet)
    assert set(_verdicts(first).values()) == {"pass"}
    assert first.out == bundle.parent / "digits.android"
    kept = tree_digests(first.out)
    assert {name.rpartition(".")[2] for name in kept} == {"aar", "pom", "sha256", "apk", "json"}
    shutil.rmtree(first.out)
    again = prove(bundle, quiet)
    assert again.out is not None
    assert tree_digests(again.out) == kept
    judge(again)


@pytest.mark.slow
def test_the_other_api_is_proved_from_the_bundle_and_leaves_nothing(bundle: Path, android_tools: None) -> None:
    before = tree_digests(bundle)
    with pytest.raises(RecipeError, match="and this one runs interpreter on the CPU") as caught:
        prove(bundle, quiet, api="interpreter", how=How(gpu=True))
    assert caught.value.hint == "leave --accelerator out"
    proof = prove(bundle, quiet, api="interpreter")
    assert (proof.api, set(_verdicts(proof).values()), proof.out) == ("interpreter", {"pass"}, None)
    assert tree_digests(bundle) == before
    assert list(bundle.parent.iterdir()) == [bundle]


def test_a_proof_that_fails_keeps_nothing_and_says_why(
    bundle: Path, android_tools: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / LABELS).write_text("nine\n", "utf-8")
    without_a_compiler(monkeypatch)
    proof = prove(bundle, quiet)
    print_proof(proof)
    assert "changed:src/main/assets/digits/labels.txt" in "".join(capsys.readouterr().out.split())
    assert not (bundle.parent / "digits.android").exists()
    assert to_json(proof)["steps"][0]["verdict"] == "fail"
    with pytest.raises(CheckError, match="refused by: files, names and counts, metadata"):
        judge(proof)


def test_without_java_the_steps_are_missing_with_one_line_to_install(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    proof = prove(bundle, quiet)
    assert _verdicts(proof)["names and counts"] == "pass"
    assert _verdicts(proof)["APK"] == "missing"
    with pytest.raises(EngineError, match="could not run here") as caught:
        judge(proof)
    assert caught.value.hint.startswith("apt-get install default-jdk-headless npm")


def test_a_java_that_is_too_old_is_passed_by_with_java_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, android_tools: None
) -> None:
    found = find_java()
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n", "utf-8")
    old.chmod(0o755)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(EngineError, match="is older than Java 17") as error:
        find_java()
    assert error.value.hint.endswith("android-framework-res, or set JAVA_HOME to a newer JDK")
    monkeypatch.setenv("JAVA_HOME", str(found.resolve().parent.parent))
    assert find_java().resolve() == found.resolve()


def test_checks_of_others_stand_in_the_table(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_a_compiler(monkeypatch)
    proof = prove(bundle, quiet, checks=[lambda folder: Step("metadata", "fail", f"none in {folder.name}")], keep=False)
    assert [each.name for each in proof.failed] == ["metadata"]


# ---------------------------------------------------------------- faults, each found by the step that should


BOTH = ["names and counts", "metadata"]


def _swap_labels(bundle: Path) -> None:
    labels = (bundle / LABELS).read_text("utf-8").splitlines()
    (bundle / LABELS).write_text("".join(f"{label}\n" for label in [*labels[1:], labels[0]]), "utf-8")


def _drop_label(bundle: Path) -> None:
    labels = (bundle / LABELS).read_text("utf-8").splitlines()
    (bundle / LABELS).write_text("".join(f"{label}\n" for label in labels[:-1]), "utf-8")


def _end_lines_as_windows(bundle: Path) -> None:
    (bundle / LABELS).write_bytes((bundle / LABELS).read_bytes().replace(b"\n", b"\r\n"))


def _without_labels(bundle: Path) -> None:
    (bundle / LABELS).unlink()


def _flip(bundle: Path) -> None:
    content = bytearray((bundle / GOLDEN).read_bytes())
    content[-1] ^= 1
    (bundle / GOLDEN).write_bytes(content)


def _rename(bundle: Path) -> None:
    path = bundle / "src/main/assets/digits/signature.json"
    signature = json.loads(path.read_text("utf-8"))
    signature["outputs"][0]["name"] = "number"
    path.write_text(json_text(signature), "utf-8")


def _rescale(bundle: Path) -> None:
    path = bundle / "src/main/assets/digits/signature.json"
    signature = json.loads(path.read_text("utf-8"))
    signature["outputs"][0]["scale"] *= 2
    path.write_text(json_text(signature), "utf-8")


@pytest.mark.parametrize(
    ("fault", "steps", "message"),
    [
        (_swap_labels, BOTH, "labels.txt: .* is not in that order in the Kotlin"),
        (_drop_label, BOTH, "labels.txt: 9 labels, and digit has 10 units"),
        (_end_lines_as_windows, BOTH, "labels.txt: not one label a line, as a build writes them"),
        (_without_labels, BOTH, "labels.txt: labels cannot be read: .*No such file"),
        (_flip, BOTH[:1], "golden.bin: its checksum does not hold"),
        (_rename, BOTH, r"outputs of serving_default: \['number'\], and in the model file \['digit'\]"),
        (_rescale, BOTH[:1], "digit: scale and zero point are not the model file's"),
    ],
)
def test_a_bundle_built_wrong_is_refused_for_its_names_and_counts(
    bundle: Path,
    digits_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Path], None],
    steps: list[str],
    message: str,
) -> None:
    without_a_compiler(monkeypatch)
    fault(bundle)
    assert _verdicts(prove(bundle, quiet))["files"] == "fail"
    _as_built(bundle)
    proof = prove(bundle, quiet)
    assert [each.name for each in proof.failed] == steps
    with pytest.raises(CheckError, match=message) as error:
        judge(proof)
    assert error.value.hint == "build the bundle again"
    shutil.rmtree(bundle)
    shutil.copytree(digits_bundle, bundle)  # as a build writes it again
    assert not prove(bundle, quiet).failed


def test_the_golden_test_fails_on_one_flipped_byte(compiled: Compiled, bundle: Path, tmp_path: Path) -> None:
    _flip(bundle)
    with pytest.raises(CheckError, match="goldenVectorsHold"):
        run_golden(compiled, find_bindings(bundle).assets, tmp_path, quiet)


@pytest.mark.parametrize(
    "section",
    ["serving_default/output/digit", "serving_default/edge_output/digit", "serving_default/pixels/image"],
)
def test_the_golden_test_fails_on_another_value_under_a_true_checksum(
    compiled: Compiled, bundle: Path, tmp_path: Path, section: str
) -> None:
    sections = {name: np.array(array) for name, array in read_golden((bundle / GOLDEN).read_bytes()).items()}
    sections[section].reshape(-1)[-1] ^= 0x80
    (bundle / GOLDEN).write_bytes(golden_bytes(sections))
    with pytest.raises(CheckError, match="goldenVectorsHold"):
        run_golden(compiled, find_bindings(bundle).assets, tmp_path, quiet)


@pytest.mark.slow
def test_the_golden_test_fails_on_a_wrong_mean(bundle: Path, tmp_path: Path, android_tools: None) -> None:
    from kit.android.codegen.write_sources import render_bindings

    model = AppModel.of_bundle(Bundle(bundle, "digits"), read_manifest(bundle))
    (taken,) = model.signature.inputs
    assert taken.image is not None
    wrong = replace(taken, image=replace(taken.image, mean=(127.5,)))
    signature = replace(model.signature, main=replace(model.signature.main, inputs=(wrong,)))
    render_bindings(bundle, replace(model, signature=signature), "compiled-model", bundle / "emulate/golden.npz")
    _as_built(bundle)
    spoiled = find_bindings(bundle)
    with pytest.raises(CheckError, match="goldenVectorsHold"):
        run_golden(compile_bindings(spoiled, tmp_path, quiet), spoiled.assets, tmp_path, quiet)


def test_a_warning_of_the_compiler_is_an_error(bundle: Path, tmp_path: Path, android_tools: None) -> None:
    source = find_bindings(bundle).sources[0]
    # One that the oldest language version has, too: most others are of newer ones.
    old = '\n@Deprecated("take another") private fun old() = 1\nprivate fun another() = old()\n'
    source.write_text(source.read_text("utf-8") + old, "utf-8")
    with pytest.raises(CheckError, match=r"Kotlin does not compile:\n.*'fun old\(\): Int' is deprecated"):
        compile_bindings(find_bindings(bundle), tmp_path, quiet)


def test_an_app_with_a_deflated_model_is_refused(bindings: Bindings, tmp_path: Path) -> None:
    apk = tmp_path / "digits.apk"
    build_apk(bindings, apk, tmp_path, stored=())
    with pytest.raises(CheckError, match="the model is deflated, and an app cannot map it") as error:
        check_apk(apk, bindings, tmp_path)
    assert error.value.hint == (
        'androidResources { noCompress += "tflite" } in the app\'s build file; for aapt2, -0 .tflite'
    )
    build_apk(bindings, apk, tmp_path, stored=(error.value.hint.rpartition("-0 ")[2],))
    assert check_apk(apk, bindings, tmp_path)


def test_an_app_whose_model_is_not_on_a_page_is_refused(bindings: Bindings, tmp_path: Path) -> None:
    apk = tmp_path / "digits.apk"
    model = (bindings.bundle / "src/main/assets/digits/model.tflite").read_bytes()
    entries = {"assets/digits/model.tflite": model}
    apk.write_bytes(zip_bytes(entries, alignment=lambda _name: 64))
    with pytest.raises(CheckError, match="not on a page of 16,384") as error:
        check_apk(apk, bindings, tmp_path)
    printed = re.match(r"run `(.*)` on it and sign it, or build the bundle's APK again", error.value.hint)
    assert printed
    subprocess.run(printed[1].replace("IN.apk", "digits.apk").split(), cwd=tmp_path, check=True, capture_output=True)
    assert check_apk(tmp_path / "OUT.apk", bindings, tmp_path)
    apk.write_bytes(zip_bytes(entries, alignment=lambda _name: PAGE))
    assert (check_apk(apk, bindings, tmp_path) / "digits/model.tflite").read_bytes() == model


def test_outputs_unlike_the_harness_are_refused() -> None:
    harness: dict[str, np.ndarray] = {
        "f/output/y": np.array([[1, 2]], np.uint8),
        "f/output/z": np.array([[0.5]], np.float32),
    }
    same = [("f/output/y", 0, b"\1\2"), ("f/output/z", 0, np.float32(0.5).tobytes())]
    assert compare_outputs(same, harness) == "2 outputs as in the Python harness, bit for bit"
    for wrong, message in (
        ([("f/output/y", 0, b"\1\3"), same[1]], "the JVM is 1 steps off"),
        ([("f/output/y", 0, b"\1"), same[1]], "1 bytes on the JVM, 2 in the harness"),
        ([same[0], ("f/output/z", 0, np.float32(0.5001).tobytes())], "0.0001 off the Python harness"),
        ([same[0], ("f/output/z", 0, np.float32("nan").tobytes())], "nan off the Python harness"),
        ([same[0]], "the self-test gave no such output"),
    ):
        with pytest.raises(CheckError, match=message):
            compare_outputs(wrong, harness)


# ---------------------------------------------------------------- a JVM that dies or hangs

_DIES = """package com.example.dies

import android.content.Context

public class Dies : AutoCloseable {
    public fun selfTest(record: ((vector: Int, output: String, raw: ByteArray) -> Unit)? = null): Int {
        record?.invoke(0, "f/output/y", ByteArray(0))
        return 0
    }

    override fun close() {}

    public companion object {
        public fun create(context: Context): Dies {
            val how = context.assets.open("how.txt").use { it.readBytes().decodeToString() }
            while (how == "hang") Thread.sleep(50)
            val field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe").also { it.isAccessible = true }
            val put = field.type.getMethod("putInt", Long::class.java, Int::class.java)
            if (how == "die") put.invoke(field.get(null), 0L, 1)
            return Dies()
        }
    }
}
"""
_DIES_TEST = """package com.example.dies

import androidx.test.platform.app.InstrumentationRegistry
import org.junit.Test

class DiesGoldenTest {
    @Test fun dies() = Dies.create(InstrumentationRegistry.getInstrumentation().targetContext).close()
}
"""


@pytest.fixture(scope="module")
def dying(tmp_path_factory: pytest.TempPathFactory, android_tools: None) -> Compiled:
    """Give a class that takes the process with it, or never returns."""
    folder = tmp_path_factory.mktemp("dying")
    for path, text in (
        ("src/main/kotlin/Dies.kt", _DIES),
        ("src/androidTest/kotlin/DiesGoldenTest.kt", _DIES_TEST),
        ("src/main/assets/dies/model.tflite", ""),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return compile_bindings(find_bindings(folder), folder, quiet)


@pytest.fixture(scope="module")
def built(compiled: Compiled, bindings: Bindings) -> Built:
    """Give the digits as they were built, for run_golden."""
    return compiled, bindings.assets


@pytest.mark.parametrize(("how", "message"), [("die", "SIGSEGV in .*Unsafe_PutInt"), ("hang", "ran out of time")])
def test_a_jvm_that_dies_or_hangs_is_a_fault_with_its_cause(
    dying: Compiled, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, message: str
) -> None:
    (tmp_path / "how.txt").write_text(how, "utf-8")
    monkeypatch.setattr(jvm, "LIMIT", 60.0 if how == "die" else 3.0)
    with pytest.raises(CheckError, match=f"the JVM (ended|crashed): .*{message}") as error:
        run_golden(dying, [tmp_path], tmp_path, quiet)
    assert error.value.hint == "run `kit doctor`; where the Java is sound, build the bundle again"
    assert ("java", True) in [(tool.name, tool.sound) for tool in try_tools()]
    monkeypatch.undo()
    assert run_golden(*built, tmp_path, quiet)[0]
