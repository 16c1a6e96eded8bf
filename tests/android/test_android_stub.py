"""android_stub with bundles in it: compiled with warnings as errors, and what its buttons call run on a JVM.

Its views are compiled against classes of Android's published shape (tests/support/android_ui); nothing draws them here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import audio_models
import numpy as np
import pytest
import test_android_audio
import test_android_text
import text_models
from android_world import quiet, rerun_kotlin
from drawn_world import DRAWINGS, LABELS, build, scene
from java_members import members
from PIL import Image
from source_models import written
from worlds import DIGITS, ROOT, SUPPORT, run_kit, write_recipe

from kit.android.install.app_module import drop, remove
from kit.android.proof.apk import STORED
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.tools import find_framework, find_jar, find_java, find_program, kotlin
from kit.errors import CheckError
from kit.files import sha256_file

pytestmark = pytest.mark.usefixtures("android_tools")

UI = SUPPORT / "android_ui"
PUBLISHED = SUPPORT / "published"
PROGRAM = """
import android.graphics.Bitmap
import dropkit.desktop.DesktopContext
import dropkit.stub.BUNDLES
import dropkit.stub.Sound
import dropkit.stub.drawOver
import java.io.File
import java.nio.ByteBuffer

private fun Bitmap.rows() = List(height) { y -> List(width) { x -> getPixel(x, y) }.joinToString(" ") }

/** A recording in place of the microphone, in blocks of a tenth of a second. */
private class Recording(file: File) : Sound {
    override val rate = 44_100
    private val samples = ByteBuffer.wrap(file.readBytes()).asShortBuffer()

    override fun each(take: (ShortArray, Int) -> Unit) {
        val block = ShortArray(rate / 10)
        while (samples.hasRemaining()) {
            val count = minOf(block.size, samples.remaining())
            samples.get(block, 0, count)
            take(block, count)
        }
    }
}

fun main(args: Array<String>) {
    val context = DesktopContext("dropkit.assets")
    val (width, height) = args.map { it.toInt() }
    val colors = args.drop(2).map { it.toInt() }.toIntArray()
    val bitmap = Bitmap.createBitmap(colors, width, height, Bitmap.Config.ARGB_8888)
    for (bundle in BUNDLES) {
        println("${bundle.id} ${bundle.selfTest(context).lines().last()}")
        println("${bundle.id} tried ${bundle.attempts(context).replace('\\n', ';')}")
        val seen = bundle.image?.invoke(context, bitmap)
        println("${bundle.id} sees ${seen?.words?.replace('\\n', ';')}")
        seen?.let { drawOver(bitmap, it).rows() }?.forEach { println("${bundle.id} drawn $it") }
        val recording = System.getProperty("dropkit.recording")
        if (recording != null) {
            bundle.sound?.invoke(context, Recording(File(recording))) { println("${bundle.id} hears ${it.words}") }
        }
        println("${bundle.id} reads ${bundle.text?.invoke(context, "Return the cosine of x")?.words}")
    }
}
"""


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the compiled classes of tests/support/android_ui."""
    out = tmp_path_factory.mktemp("ui")
    javac(sorted(UI.rglob("*.java")), [desktop_jar(quiet)], out)
    return out


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give another bundle, to live beside the digits."""
    folder = tmp_path_factory.mktemp("second")
    recipe = write_recipe(folder, model_id="'second'", quantize_scheme="'dynamic'", quantize_io="")
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(folder / "dist"))
    assert built.returncode == 0, built.stderr
    return folder / "dist" / "second"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """Give the app's module of a copy of android_stub."""
    shutil.copytree(ROOT / "android_stub", tmp_path / "project")
    return tmp_path / "project" / "app"


def javac(sources: list[Path], classpath: list[Path], out: Path) -> None:
    argv = [str(find_java("javac")), "-Xlint:all,-serial,-deprecation", "-Werror", "-proc:none", "--release", "17"]
    argv += ["-d", str(out), "-cp", os.pathsep.join(map(str, classpath)), *map(str, sources)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def link(module: Path, out: Path) -> Path:
    """Link the app's resources, manifest and assets by aapt2; return the APK, with R.java beside it."""
    main = module / "src" / "main"
    out.mkdir(parents=True)
    # Gradle writes the namespace and the SDKs into the manifest.
    (namespace,) = re.findall(r'namespace = "(.+)"', (module / "build.gradle.kts").read_text())
    manifest = out / "AndroidManifest.xml"
    text = (main / "AndroidManifest.xml").read_text("utf-8")
    manifest.write_text(text.replace("<manifest ", f'<manifest package="{namespace}" ', 1), "utf-8")
    aapt2, resources, apk = str(find_program("aapt2")), out / "res.zip", out / "app.apk"
    assets = [folder for folder in (main / "assets", module / "src" / "debug" / "assets") if folder.is_dir()]
    subprocess.run([aapt2, "compile", "--dir", str(main / "res"), "-o", str(resources)], check=True)
    argv = [aapt2, "link", "--manifest", str(manifest), "-I", str(find_framework()), "--java", str(out / "java")]
    argv += ["--min-sdk-version", "24", "--target-sdk-version", "29", "-o", str(apk), str(resources)]
    argv += [word for folder in assets for word in ("-A", str(folder))] + [w for end in STORED for w in ("-0", end)]
    subprocess.run(argv, check=True)
    return apk


def compiled(module: Path, ui: Path, out: Path) -> Path:
    """Compile the app, and a program that presses its buttons; return the folder for rerun_kotlin."""
    link(module, out / "linked")
    classes = out / "classes"
    shutil.copytree(ui, classes)  # what is drawn on
    javac(sorted((out / "linked" / "java").rglob("R.java")), [], classes)
    program = out / "Program.kt"
    program.write_text(PROGRAM, "utf-8")
    sources = [module / "src" / "main" / "kotlin", program]
    compile_kotlin(sources, [classes, *desktop_classpath(quiet)], classes, quiet)
    return out


def pressed(app: Path, module: Path, path: Path = DIGITS / "seven.png", recording: Path | None = None) -> list[str]:
    """Return what the buttons of every bundle give for an image of a seven, or another one, and for a recording."""
    image = Image.open(path).convert("RGBA")
    red, green, blue, alpha = np.moveaxis(np.asarray(image).astype(np.uint32), -1, 0)
    colors = (alpha << 24 | red << 16 | green << 8 | blue).astype(np.int32).ravel()
    assets = os.pathsep.join(str(module / "src" / part / "assets") for part in ("main", "debug"))
    properties = {"dropkit.assets": assets} | ({"dropkit.recording": str(recording)} if recording else {})
    printed = rerun_kotlin(app, *map(str, [*image.size, *colors]), properties=properties)
    return printed.splitlines()


def drawn(lines: list[str]) -> np.ndarray:
    """Return the image that the app shows of the bundle m, uint8 [height, width, 3]."""
    rows = [line.split()[2:] for line in lines if line.startswith("m drawn ")]
    colors = np.array(rows, np.int64).astype(np.uint32)
    return np.stack([(colors >> shift & 255).astype(np.uint8) for shift in (16, 8, 0)], -1)


def test_the_gradle_wrapper_is_the_one_that_gradle_publishes() -> None:
    stub = ROOT / "android_stub"
    readme = (stub / "README.md").read_text("utf-8")
    # https://gradle.org/release-checksums/, of 9.4.0
    assert "55243ef57851f12b070ad14f7f5bb8302daceeebc5bce5ece5fa6edb23e1145c" in readme
    assert sha256_file(stub / "gradle/wrapper/gradle-wrapper.jar") in readme
    with zipfile.ZipFile(stub / "gradle/wrapper/gradle-wrapper.jar") as jar:
        assert b"Apache License" in jar.read("META-INF/LICENSE")


def test_each_view_has_the_published_shape(ui: Path) -> None:
    ours = [path.relative_to(ui).with_suffix("").as_posix().replace("/", ".") for path in ui.rglob("*.class")]
    classpath = os.pathsep.join(map(str, [ui, desktop_jar(quiet), find_jar("junit"), kotlin(quiet).stdlib]))
    found = members(find_java("javap"), classpath, [name for name in ours if not name.startswith("android.annotation")])
    published = {
        line
        for name in ("android-36.txt", "android-36-ui.txt")
        for line in (PUBLISHED / name).read_text("utf-8").splitlines()
    }
    assert len(found) > 60
    assert found - published == set()


def test_it_compiles_and_its_buttons_work_with_two_bundles_then_one_then_none(
    module: Path, ui: Path, digits_bundle: Path, second: Path, tmp_path: Path
) -> None:
    drop(digits_bundle, module)
    drop(second, module)
    app = compiled(module, ui, tmp_path / "two")
    lines = pressed(app, module)
    assert [line for line in lines if line.endswith("pass")] == [
        "digits digits 1.0.0, CPU: runs: pass",
        "second second 1.0.0, CPU: runs: pass",
    ]
    assert [line.split()[:3] for line in lines if " sees " in line] == [
        [name, "sees", "[7"] for name in ("digits", "second")
    ]
    npu, gpu, cpu = next(line.removeprefix("digits tried ") for line in lines if " tried " in line).split(";")
    assert npu.startswith("NPU: not supported: ") and gpu.startswith("GPU: there is none on this device")
    assert cpu == "CPU: runs"
    with zipfile.ZipFile(app / "linked" / "app.apk") as apk:
        stored = {info.filename for info in apk.infolist() if info.compress_type == zipfile.ZIP_STORED}
    assert {
        f"assets/{bundle}/{name}" for bundle in ("digits", "second") for name in ("model.tflite", "golden.bin")
    } <= stored
    remove("second", module)
    assert {line.split()[0] for line in pressed(compiled(module, ui, tmp_path / "one"), module)} == {"digits"}
    remove("digits", module)
    assert pressed(compiled(module, ui, tmp_path / "none"), module) == []


@pytest.mark.parametrize(
    "kind", ["boxes", *(pytest.param(each, marks=pytest.mark.slow) for each in ("mask", "keypoints"))]
)
def test_what_a_model_sees_is_drawn_over_the_image(
    module: Path, ui: Path, tmp_path: Path, toolchain_python: Path, kind: str
) -> None:
    drawing = next(each for each in DRAWINGS if each.kind == kind)
    small = replace(drawing, size=(96, 48))
    Image.fromarray(scene(small)).save(tmp_path / "scene.png")
    drop(build(toolchain_python, kind, tmp_path / "built"), module)
    lines = pressed(compiled(module, ui, tmp_path / "app"), module, tmp_path / "scene.png")
    assert "m m 1.0.0, CPU: runs: pass" in lines
    shown = drawn(lines)
    Image.fromarray(shown).save(tmp_path / "shown.png")
    with Image.open(tmp_path / "scene.png") as image:
        plain = np.asarray(image)
    (seen,) = (line.removeprefix("m sees ") for line in lines if line.startswith("m sees "))
    if kind == "mask":
        changed = (shown != plain).any(-1)
        assert "green as the grass of a long label" in seen
        assert changed[18:28, 34:44].all() and not changed[:, :24].any()  # blue's; what the model did not see
        return
    assert shown.shape == (240, 480, 3)  # enlarged, for words
    plain = plain.repeat(5, 0).repeat(5, 1)
    yellow, changed = (shown == (255, 214, 0)).all(-1), (shown != plain).any(-1)
    assert 0.02 < changed.mean() < 0.4
    if kind == "keypoints":
        assert all(label in seen for label in LABELS)
        assert yellow[40:80, 160:200].any() and yellow[160:240, 320:360].any()
        return
    # The blue patch is at 160 to 280, 40 to 160: a line around it, and the patch still there.
    assert yellow[60:155, 160].all() and yellow[60:75, 279].all() and yellow[159, 165:235].all()
    assert not changed[85:155, 165:235].any()


@pytest.mark.slow
def test_a_text_model_has_a_line_for_a_text(module: Path, ui: Path, tmp_path: Path, toolchain_python: Path) -> None:
    written(toolchain_python, "topics", tmp_path, Path(text_models.__file__))
    (tmp_path / "recipe.toml").write_text(test_android_text.RECIPE, "utf-8")
    built = run_kit("build", str(tmp_path / "recipe.toml"), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert built.returncode == 0, built.stderr
    drop(tmp_path / "dist" / "m", module)
    lines = pressed(compiled(module, ui, tmp_path / "app"), module)
    assert "m sees null" in lines
    assert any(line.startswith("m reads [numbers 0.") for line in lines), lines


@pytest.mark.slow
def test_a_keyword_spotter_hears_the_microphone(module: Path, ui: Path, tmp_path: Path, toolchain_python: Path) -> None:
    drop(test_android_audio.build(tmp_path / "spotter", toolchain_python, ""), module)
    clips = [audio_models.spoken(np.random.default_rng(5), word, 22_050, 44_100) for word in ("left", "stop")]
    (tmp_path / "recording").write_bytes(np.concatenate([*clips, clips[0][:8_000]]).astype(">i2").tobytes())
    app = compiled(module, ui, tmp_path / "app")
    heard = [line for line in pressed(app, module, recording=tmp_path / "recording") if " hears " in line]
    words = [line.removeprefix("spotter hears [").split()[0] for line in heard]
    assert words[0] == "left" and "stop" in words[1:], heard
    assert len(words) > 4  # a window each hop
    (module / "src/main/kotlin/dropkit/stub/Microphone.kt").unlink()
    remove("spotter", module)
    drop(tmp_path / "spotter" / "dist" / "spotter", module)
    assert "sound" not in (module / "src/main/kotlin/dropkit/stub/Bundles.kt").read_text("utf-8"), "an older stub"


def test_a_copy_of_an_older_stub_shows_words(module: Path, digits_bundle: Path) -> None:
    (module / "src/main/kotlin/dropkit/stub/Seen.kt").unlink()
    drop(digits_bundle, module)
    text = (module / "src/main/kotlin/dropkit/stub/Bundles.kt").read_text("utf-8")
    assert "use { it.classify(bitmap).digitTop(3).toString() }" in text and "Seen" not in text
    assert "attempts = { context ->" in text


def test_a_copy_of_a_stub_without_a_button_for_accelerators_gets_none(module: Path, digits_bundle: Path) -> None:
    source = module / "src/main/kotlin/dropkit/stub/DroppedBundle.kt"
    source.write_text(source.read_text("utf-8").replace("    val attempts: (Context) -> String,\n", ""), "utf-8")
    drop(digits_bundle, module)
    assert "attempts" not in (module / "src/main/kotlin/dropkit/stub/Bundles.kt").read_text("utf-8")


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("MainActivity.kt", ("setContentView(", "setContentVeiw("), "unresolved reference 'setContentVeiw'"),
        ("Bundles.kt", ("listOf(", "listOf(com.example.Absent(),"), "unresolved reference 'example'"),
        ("MainActivity.kt", ("uri == null || ", ""), "argument type mismatch"),
    ],
)
def test_a_fault_in_the_stub_does_not_compile(
    module: Path, ui: Path, tmp_path: Path, file: str, change: tuple[str, str], message: str
) -> None:
    source = module / "src/main/kotlin/dropkit/stub" / file
    text = source.read_text("utf-8")
    assert text.count(change[0]) == 1
    source.write_text(text.replace(*change), "utf-8")
    with pytest.raises(CheckError, match=re.escape(message)):
        compiled(module, ui, tmp_path / "fault")
