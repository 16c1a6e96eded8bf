"""The generated class as an app calls it: names of the recipe, results that are the caller's, Java, and its length."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from android_world import java_argv, quiet, rerun_kotlin
from hostile_signature import signed
from worlds import DIGITS, ROOT, SUPPORT, run_kit

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.runtime_api import APIS, Api
from kit.android.codegen.write_sources import render_bindings
from kit.android.proof.jvm import runtime_properties
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.kotlin_sources import Bindings, find_bindings
from kit.android.proof.tools import find_jar, find_java, kotlin
from kit.render import templates
from kit.shared.npz import save_npz
from kit.updates.terms import UpdateTerms

LONGEST = 250  # lines of an image classifier's class
# What an app's author calls outputs, and what the class, Kotlin or Java calls something else.
NAMES = tuple("scores top label size run close values fill copy index reuse into k main".split())
STRICT = ["-Xexplicit-api=strict"]
TERMS = UpdateTerms(version=1, key="00", signature="00", labels="00")  # the class takes updates
YOLO = {
    "labels": None, "head": "yolo", "format": "cxcywh", "size": [224, 224], "transposed": True, "activation": "none",
    "background": False, "variances": [0.1, 0.1, 0.2, 0.2], "threshold": 0.25, "nms": "class", "iou": 0.5, "most": 100,
    "anchors": None, "scores": None, "classes": None, "count": None,
}  # fmt: skip
IMAGE = {
    "name": "image",
    "shape": [1, 224, 224, 3],
    "dtype": "uint8",
    "kind": "image",
    "scale": 1 / 255,
    "zero_point": 0,
    "mean": [127.5],
    "std": [127.5],
    "color": "rgb",
    "resize": "stretch",
}

WAVEFORM = {
    "name": "waveform",
    "shape": [1, 16000],
    "dtype": "float32",
    "kind": "audio",
    "audio": {"rate": 16000, "window": 16000, "hop": 4000},
}


def render(
    folder: Path,
    outputs: list[dict[str, object]],
    id: str,  # noqa: A002
    api: Api = "compiled-model",
    taken: Mapping[str, object] = IMAGE,
    **more: bool | UpdateTerms,
) -> Bindings:
    """Write the Kotlin of a model with one input, an image unless it is said, and these outputs below folder.

    more: of AppModel; it is verified where nothing else is said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tolerances = {f"tolerance/{output['name']}": np.array(0.0) for output in outputs}
    save_npz(folder / "golden.npz", tolerances)
    signature = signed({"signature": "serve", "inputs": [taken], "outputs": outputs}, id)
    labels = {str(output["name"]): ["daisy", "tulip", "rose"] for output in outputs if output["kind"] == "classes"}
    model = AppModel(signature, "litert:2.3.0", None, labels, **{"verify": True, **more})  # type: ignore[arg-type]
    render_bindings(folder, model, api, folder / "golden.npz")
    return find_bindings(folder)


def classes(name: str) -> dict[str, object]:
    """Return an output of three classes."""
    return {
        "name": name,
        "shape": [1, 3],
        "dtype": "float32",
        "kind": "classes",
        "labels": f"{name}.txt",
        "activation": "none",
    }


def test_outputs_have_the_names_that_the_recipe_gives_them(tmp_path: Path, android_tools: None) -> None:
    bindings = render(tmp_path, [classes(name) for name in NAMES], "flowers", updates=TERMS)
    text = next(path for path in bindings.sources if path.name == "Flowers.kt").read_text("utf-8")
    # `copy` is the function that every result has.
    wanted = {name: "copyValue" if name == "copy" else name for name in NAMES}
    for name in wanted.values():
        assert f"public val {name}: FloatArray" in text
        assert f"public fun {name}Top(" in text
    compile_kotlin(bindings.sources, desktop_classpath(quiet), tmp_path / "classes", quiet, options=STRICT)


def test_a_classifier_of_images_is_a_short_class(tmp_path: Path) -> None:
    for api in APIS:
        bindings = render(tmp_path / api, [classes("flower")], "flowers", api)
        text = next(path for path in bindings.sources if path.name == "Flowers.kt").read_text("utf-8")
        assert len(text.splitlines()) <= LONGEST


@pytest.mark.parametrize("api", APIS)
def test_accelerators_are_verified_where_a_class_may_use_some_and_the_bundle_says_so(tmp_path: Path, api: Api) -> None:
    found = {}
    for verify in (True, False):
        bindings = render(tmp_path / str(verify), [classes("flower")], "flowers", api, verify=verify)
        files = {path.name: path.read_text("utf-8") for path in bindings.sources}
        found[verify] = {"Seeded.kt", "Verification.kt"} & files.keys()
        assert ("Verification(context, BUNDLE, " in files["Flowers.kt"]) == bool(found[verify])
    assert not found[False] and len(found[True]) == (2 if api == "compiled-model" else 0)


@pytest.mark.parametrize("api", APIS)
def test_what_does_not_depend_on_the_model_is_the_same_but_for_its_package(tmp_path: Path, api: Api) -> None:
    one, other = (
        render(tmp_path / "one", [classes("a")], "one", api),
        render(tmp_path / "two", [classes("b")], "two", api),
    )
    fixed = templates() / "android" / "runtime"
    for bindings, package in ((one, "com.example.one.dropkit"), (other, "com.example.two.dropkit")):
        files = [path for path in bindings.sources if path.parent.name == "dropkit"]
        assert len(files) >= 8
        for path in files:
            line, _, rest = path.read_text("utf-8").partition("\n")
            assert line == f"package {package}"
            assert (fixed / path.name).read_text("utf-8") == f"package dropkit\n{rest}"


def test_the_recipes_header_stands_above_the_class_and_its_test(tmp_path: Path) -> None:
    save_npz(tmp_path / "golden.npz", {"tolerance/y": np.array(0.0)})
    header = "\nCopyright © 2026 me@example.com\n\nSPDX-License-Identifier: MIT */ \u2028class Evil\n"
    signature = signed({"inputs": [IMAGE], "outputs": [classes("y")]}, "one")
    model = AppModel(signature, "litert:2.3.0", None, {"y": ["a", "b", "c"]}, header)
    render_bindings(tmp_path, model, "compiled-model", tmp_path / "golden.npz")
    bindings = find_bindings(tmp_path)
    for path in (bindings.sources[0], bindings.tests[0]):
        assert path.read_text("utf-8").split("\n")[:5] == [
            "// Copyright © 2026 me@example.com",
            "//",
            "// SPDX-License-Identifier: MIT */",
            "// class Evil",
            "// Made by dropkit from the bundle one 1.0.0. A new build of the bundle replaces this file.",
        ]


def test_a_bundle_in_a_package_of_several_keeps_its_fixed_files_apart(tmp_path: Path) -> None:
    for id_ in ("one", "two"):
        save_npz(tmp_path / "golden.npz", {"tolerance/y": np.array(0.0)})
        model = AppModel(
            signed({"inputs": [IMAGE], "outputs": [classes("y")]}, id_),
            "litert:2.3.0",
            "org.app",
            {"y": ["a", "b", "c"]},
        )
        render_bindings(tmp_path, model, "compiled-model", tmp_path / "golden.npz")
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("BundleModel.kt"))
    assert found == [f"src/main/kotlin/org/app/{id_}/dropkit/BundleModel.kt" for id_ in ("one", "two")]


# ---------------------------------------------------------------- callers


@pytest.fixture(scope="module")
def callers(digits_bundle: Path, tmp_path_factory: pytest.TempPathFactory, android_tools: None) -> Path:
    """Give the folder of the digits' class with the programs Results.kt and Large.kt, compiled once."""
    folder = tmp_path_factory.mktemp("callers")
    shutil.copyfile(SUPPORT / "android" / "Results.kt", folder / "Program.kt")
    sources = [*find_bindings(digits_bundle).sources, folder / "Program.kt", SUPPORT / "android" / "Large.kt"]
    compile_kotlin(sources, desktop_classpath(quiet), folder / "classes", quiet)
    return folder


def test_a_photo_of_12_megapixels_is_read_in_a_heap_without_room_for_it_twice(
    callers: Path, digits_bundle: Path
) -> None:
    assets = {"dropkit.assets": str(find_bindings(digits_bundle).assets[0])}
    # 48 MB of pixels, in 80 MB for what is old.
    heap = ["-XX:+UseSerialGC", "-Xmx96m", "-Xmn16m"]
    java, *words = (word.replace("ProgramKt", "large.LargeKt") for word in java_argv(callers, properties=assets))
    done = subprocess.run([java, *heap, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 4_000_000


def test_results_are_the_callers_own_and_cost_nothing_where_they_are_given_back(
    callers: Path, digits_bundle: Path
) -> None:
    printed = rerun_kotlin(callers, properties={"dropkit.assets": str(find_bindings(digits_bundle).assets[0])})
    assert printed.splitlines() == [
        "own true true true",
        "other true",
        "reused true true",
        "list true true",
        "more 10 10 0",
        "sorted true",
        "bytes 0 0",
    ]


TWO_MODULES = """
import android.content.Context
import android.graphics.Bitmap

fun both(context: Context, bitmap: Bitmap): List<Any> {
    val one = com.example.one.One.create(context).use { it.classify(bitmap).flowerTop(1) }
    val two = com.example.two.Two.create(context).use { it.classify(bitmap).flowerTop(1) }
    return one + two + com.example.two.dropkit.Accelerator.XNNPACK + com.example.one.dropkit.Accelerator.NPU
}
"""


@pytest.mark.slow  # in CI the snippets below compile with four bundles at once
def test_two_modules_of_an_app_with_a_bundle_each_of_two_runtimes_share_no_class(
    tmp_path: Path, android_tools: None
) -> None:
    modules = []
    for id_, api in (("one", APIS[0]), ("two", APIS[1])):
        bindings = render(tmp_path / id_, [classes("flower")], id_, api)
        modules.append(tmp_path / f"{id_}.classes")
        compile_kotlin(bindings.sources, desktop_classpath(quiet), modules[-1], quiet, module=id_)
    one, two = ({path.relative_to(m) for path in m.rglob("*") if path.is_file()} for m in modules)
    assert len(one) > 20 and one & two == set()
    (tmp_path / "App.kt").write_text(TWO_MODULES, "utf-8")
    compile_kotlin([tmp_path / "App.kt"], [*modules, *desktop_classpath(quiet)], tmp_path / "app", quiet)


def test_a_caller_in_java_compiles_and_runs(digits_bundle: Path, tmp_path: Path, android_tools: None) -> None:
    bindings = find_bindings(digits_bundle)
    compiled = tmp_path / "classes"
    compile_kotlin(bindings.sources, desktop_classpath(quiet), compiled, quiet)
    tool = kotlin(quiet)
    jars = [compiled, desktop_jar(quiet), find_jar("jna"), tool.stdlib, tool.coroutines]
    path = os.pathsep.join(map(str, jars))
    javac = [str(find_java("javac")), "-Xlint:all", "-proc:none", "-d", str(compiled), "-cp", path]
    subprocess.run([*javac, str(SUPPORT / "android" / "Caller.java")], check=True)
    assets = os.pathsep.join(map(str, bindings.assets))
    argv = [str(find_java()), *runtime_properties(quiet), f"-Ddropkit.assets={assets}", "-cp", path, "Caller"]
    printed = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    best, reused, about, passed = printed.splitlines()
    assert re.fullmatch(r"3 \d true", best)
    assert reused == "true true"
    assert about == "10 digit CPU"
    assert passed == "true"


# ---------------------------------------------------------------- what the docs say


def snippets(language: str) -> list[str]:
    """Return the code of that language in README and docs, and in Kotlin README's line of code."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    texts = [path.read_text("utf-8") for path in pages]
    found = [code for text in texts for code in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]
    inline = re.findall(r"`(Digits\.create\(.*?)`", texts[0])
    assert found and inline
    return [*found, *inline] if language == "kotlin" else found


def test_every_snippet_of_the_docs_compiles(tmp_path: Path, android_tools: None) -> None:
    bindings = render(tmp_path / "flowers", [classes("flower")], "flowers", updates=TERMS)
    digits = render(tmp_path / "digits", [classes("digit")], "digits")
    source, java, out = tmp_path / "Snippets.kt", tmp_path / "Snippets.java", tmp_path / "classes"
    boxes: dict[str, object] = {
        "name": "found",
        "shape": [1, 14, 64],
        "dtype": "float32",
        "kind": "boxes",
        "boxes": YOLO,
    }
    detector = render(tmp_path / "detector", [boxes], "detector")
    spotter = render(tmp_path / "spotter", [classes("word")], "spotter", taken=WAVEFORM)
    shown = {"android.content.Context", "android.graphics.Bitmap", "com.example.flowers.Flowers"}
    shown |= {"com.example.spotter.Spotter"}
    shown |= {"com.example.flowers.dropkit.UpdateRefusedException", "java.io.File"}
    named = {"com.example.flowers.dropkit.Score", "com.example.spotter.dropkit.AudioStream", "java.io.IOException"}
    of_java = sorted(shown | named | {"com.example.flowers.dropkit.ModelUpdates"})
    more = {"com.example.digits.Digits", "com.example.detector.Detector", "com.example.detector.dropkit.YuvFrame"}
    more |= {"com.example.flowers.dropkit.GpuPrecision", "java.nio.ByteBuffer"}
    of_kotlin = sorted(shown | more | {"com.example.flowers.dropkit.ModelSource"})
    given = "context: Context, bitmap: Bitmap, frame: Bitmap, running: Boolean, flowers: Flowers, detector: Detector"
    given += ", planes: List<Plane>, width: Int, height: Int, spotter: Spotter, pcm: ShortArray, record: Record"
    record = "class Record { fun read(buffer: ShortArray, from: Int, size: Int): Int = buffer[from] + size }\n"
    plane = (
        record + "class Plane(val buffer: ByteBuffer, val rowStride: Int, val pixelStride: Int)\n"
    )  # as CameraX has it
    functions = [f"fun snippet{n}({given}) {{\n{code}\n}}\n" for n, code in enumerate(snippets("kotlin"))]
    suppressed = '@file:Suppress("ALL")\n'  # of what a snippet leaves unused
    source.write_text(
        suppressed + "".join(f"import {name}\n" for name in of_kotlin) + plane + "\n".join(functions), "utf-8"
    )
    compile_kotlin(
        [*bindings.sources, *digits.sources, *detector.sources, *spotter.sources, source],
        desktop_classpath(quiet),
        out,
        quiet,
    )
    assert (out / "SnippetsKt.class").exists()
    given = "Context context, Bitmap bitmap, Spotter spotter, short[] buffer, int count"
    methods = [f"static void snippet{n}({given}) {{\n{code}\n}}\n" for n, code in enumerate(snippets("java"))]
    text = "".join(f"import {name};\n" for name in of_java) + f"class Snippets {{\n{''.join(methods)}}}\n"
    java.write_text(text, "utf-8")
    path = os.pathsep.join(map(str, [out, desktop_jar(quiet), kotlin(quiet).stdlib]))
    subprocess.run([str(find_java("javac")), "-proc:none", "-d", str(out), "-cp", path, str(java)], check=True)


BATCH = """
import android.graphics.Bitmap
import com.example.digits.Digits
import dropkit.desktop.DesktopContext

fun main() {
    val colors = List(3) { n -> IntArray(64) { (255 shl 24) or (it * (40 * n + 7) % 256 * 0x010101) } }
    val images = colors.map { Bitmap.createBitmap(it, 8, 8, Bitmap.Config.ARGB_8888) }
    Digits.create(DesktopContext("dropkit.assets")).use { digits ->
        val all = digits.classify(images)
        val alone = images.map { digits.classify(listOf(it)).digit.toList() }
        println("${all.digitShape.toList()} ${all.digit.toList() == alone.flatten()} ${alone.toSet().size}")
        println(runCatching { digits.classify(listOf<Bitmap>()) }.exceptionOrNull()?.message)
        println(digits.selfTest().passed)
    }
}
"""


@pytest.mark.slow
def test_an_open_batch_takes_a_list_of_bitmaps(tmp_path: Path, android_tools: None) -> None:
    text = (DIGITS / "recipe.toml").read_text("utf-8").replace("[model]\n", "[model]\nbatch = -1\n")
    for name in ("digits.keras", "samples.npz", "labels.txt", "test.npz"):
        text = text.replace(f'"{name}"', f"'{DIGITS / name}'")
    (tmp_path / "recipe.toml").write_text(text, "utf-8")
    out = str(tmp_path / "dist")
    built = run_kit("build", str(tmp_path / "recipe.toml"), "--engine", "local", "--out", out)
    assert built.returncode == 0, built.stderr
    bindings = find_bindings(tmp_path / "dist" / "digits")
    program = tmp_path / "Program.kt"
    program.write_text(BATCH, "utf-8")
    compile_kotlin([*bindings.sources, program], desktop_classpath(quiet), tmp_path / "classes", quiet)
    assets = os.pathsep.join(map(str, bindings.assets))
    printed = rerun_kotlin(tmp_path, properties={"dropkit.assets": assets})
    assert printed.splitlines() == ["[3, 10] true 3", "'image' is given no image", "true"]
