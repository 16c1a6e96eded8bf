"""The desktop's classes of Android and LiteRT: the published shape, and the published behaviour that bites."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from android_world import quiet, run_kotlin
from java_members import members
from worlds import SUPPORT

from kit.android.proof.kotlin_compiler import DESKTOP, desktop_jar
from kit.android.proof.tools import find_jar, find_java, kotlin

pytestmark = pytest.mark.usefixtures("android_tools")

PUBLISHED = SUPPORT / "published"
OURS = {"android.content.res.DesktopAssets"}  # makes what no app may make


def _classes(package: str) -> list[str]:
    """Return the classes that kit/android/desktop has below a package, also those in one Kotlin file."""
    import zipfile

    with zipfile.ZipFile(desktop_jar(quiet)) as jar:
        names = [name.removesuffix(".class") for name in jar.namelist() if name.endswith(".class")]
    return [name.replace("/", ".") for name in names if name.startswith(package)]


def _published(name: str) -> set[str]:
    lines = (PUBLISHED / name).read_text("utf-8").splitlines()
    return {line for line in lines if not line.startswith("#")}


def _members(package: str) -> set[str]:
    libraries = [desktop_jar(quiet), kotlin(quiet).stdlib, find_jar("junit")]
    classpath = os.pathsep.join(map(str, libraries))
    found = members(find_java("javap"), classpath, [name for name in _classes(package) if name not in OURS])
    # A constructor that is internal in Kotlin is public in the class, and no app can call it.
    return {line for line in found if "HostBuffer" not in line}


@pytest.mark.parametrize(
    ("package", "published", "least"),
    [
        ("com/google/ai/edge/litert/", "litert-compiled-model.txt", 50),
        ("org/tensorflow/lite/", "litert-interpreter.txt", 50),
        ("com/google/android/gms/", "play-services.txt", 10),
    ],
)
def test_each_public_member_is_in_the_published_library_with_the_same_types(
    package: str, published: str, least: int
) -> None:
    found = _members(package)
    assert len(found) >= least
    assert found - _published(published) == set()


def test_each_public_member_of_android_is_in_its_api() -> None:
    # The published list tells no long from an int in a result.
    found = {f"{line[: -len(' long')]} int" if line.endswith(" long") else line for line in _members("android/")}
    found = {line.replace(": long", ": int") for line in found}
    assert len(found) > 40
    assert found - _published("android-36.txt") == set()


PROGRAM = """
import android.content.res.DesktopAssets
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.LiteRtException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.Interpreter

fun <T> show(name: String, block: () -> T) =
    println("$name = " + try { "${block()}" } catch (e: Exception) { e.javaClass.simpleName + ": " + e.message })

fun main(args: Array<String>) {
    val assets = DesktopAssets.of(args[0], "digits/labels.txt")
    val env = Environment.create()
    show("accelerators") { env.getAvailableAccelerators() }
    show("gpu") { CompiledModel.create(assets, "digits/model.tflite", CompiledModel.Options(Accelerator.GPU), env) }
    show("absent") { CompiledModel.create(assets, "digits/no.tflite", CompiledModel.Options.CPU, env) }
    val model = CompiledModel.create(assets, "digits/model.tflite", CompiledModel.Options.CPU, env)
    val image = model.createInputBuffer("image", "serving_default")
    image.writeInt8(ByteArray(64) { it.toByte() })
    show("short") { image.writeInt8(byteArrayOf(9)) }
    show("rest") { image.readInt8().take(3) }
    show("long") { image.writeInt8(ByteArray(65)) }
    show("type") { model.getInputTensorType("image") }
    show("signature") { model.createInputBuffer("image", "no") }
    show("name") { model.createInputBuffer("no") }
    val output = model.createOutputBuffers()
    show("count") { model.run(listOf(), output) }
    model.run(mapOf("image" to image), mapOf("digit" to output[0]), "serving_default")
    val compiled = output[0].readInt8().toList()
    model.close()
    show("closed") { model.createInputBuffers() }

    val descriptor = assets.openFd("digits/model.tflite")
    show("offset") { descriptor.startOffset > 0 }
    show("deflated") { assets.openFd("digits/labels.txt") }
    val mapped = descriptor.createInputStream().channel.map(
        java.nio.channels.FileChannel.MapMode.READ_ONLY, descriptor.startOffset, descriptor.length)
    val interpreter = Interpreter(mapped, Interpreter.Options().setNumThreads(1))
    val input = ByteBuffer.allocateDirect(64).order(ByteOrder.nativeOrder())
    for (i in 0 until 64) input.put(i, i.toByte())
    input.put(0, 9)
    val digit = ByteBuffer.allocateDirect(10).order(ByteOrder.nativeOrder())
    val inputs = mapOf<String, Any>("image" to input)
    val outputs = mapOf<String, Any>("digit" to digit)
    interpreter.runSignature(inputs, outputs, "serving_default")
    show("same") { (0 until 10).map { digit.get(it) } == compiled }
    show("full") { interpreter.runSignature(inputs, outputs, "serving_default") }
    show("empty") { interpreter.runSignature(mapOf(), mapOf(), "serving_default") }
    show("size") { interpreter.runSignature(mapOf<String, Any>("image" to ByteBuffer.allocateDirect(63)), mapOf()) }
    val two = Array(2) { Array(8) { Array(8) { ByteArray(1) } } }
    show("batch") { interpreter.runSignature(mapOf<String, Any>("image" to two), mapOf()) }
    show("after") { interpreter.runSignature(inputs, outputs, "serving_default") }
    show("keys") { interpreter.signatureKeys.toList() }
    interpreter.close()
}
"""


@pytest.fixture(scope="module")
def behaviour(tmp_path_factory: pytest.TempPathFactory, digits_bundle: Path) -> dict[str, str]:
    """Give what the digits model does under both APIs."""
    printed = run_kotlin(tmp_path_factory.mktemp("behaviour"), PROGRAM, str(digits_bundle / "src/main/assets"))
    return dict(line.split(" = ", 1) for line in printed.splitlines() if " = " in line)


def test_a_write_that_is_too_short_says_nothing_and_leaves_the_rest(behaviour: dict[str, str]) -> None:
    assert (behaviour["short"], behaviour["rest"]) == ("kotlin.Unit", "[9, 1, 2]")


def test_a_write_that_is_too_long_throws(behaviour: dict[str, str]) -> None:
    assert behaviour["long"].startswith("LiteRtException: TensorBuffer host memory buffer size is smaller")
    assert behaviour["long"].endswith("64 vs 65")


def test_a_gpu_that_is_not_there_throws_so_that_a_fallback_is_needed(behaviour: dict[str, str]) -> None:
    assert behaviour["accelerators"] == "[CPU]"
    assert behaviour["gpu"] == "LiteRtException: Failed to compile model"


def test_uint8_has_no_element_type(behaviour: dict[str, str]) -> None:
    assert behaviour["type"] == "LiteRtException: Unsupported element type in Kotlin"


@pytest.mark.parametrize("what", ["absent", "signature", "name", "count"])
def test_what_the_model_does_not_have_throws(behaviour: dict[str, str], what: str) -> None:
    assert behaviour[what].startswith("LiteRtException: ")


def test_a_closed_model_refuses(behaviour: dict[str, str]) -> None:
    assert behaviour["closed"] == "IllegalStateException: The handle has been destroyed."


def test_a_descriptor_begins_inside_a_file_and_a_deflated_asset_has_none(behaviour: dict[str, str]) -> None:
    assert behaviour["offset"] == "true"
    assert behaviour["deflated"].startswith("FileNotFoundException: This file can not be opened")


def test_both_apis_give_the_same_bytes(behaviour: dict[str, str]) -> None:
    assert behaviour["same"] == "true"


def test_the_interpreter_puts_an_output_at_its_buffers_position(behaviour: dict[str, str]) -> None:
    assert behaviour["full"].startswith("BufferOverflowException")


def test_the_interpreter_refuses_no_inputs_and_another_size(behaviour: dict[str, str]) -> None:
    assert behaviour["empty"] == "IllegalArgumentException: Input error: Inputs should not be null or empty."
    assert "with 64 bytes from a Java Buffer with 63 bytes" in behaviour["size"]


def test_the_interpreter_refuses_a_nested_array_that_the_model_cannot_be_resized_to(behaviour: dict[str, str]) -> None:
    # What a phone says: the size itself is taken, and the kernels then refuse it.
    message = "IllegalStateException: Internal error: Unexpected failure when preparing tensor allocations: "
    assert behaviour["batch"].startswith(message)
    assert "failed to prepare" in behaviour["batch"]
    assert behaviour["after"].startswith("IllegalArgumentException: Cannot copy to a TensorFlowLite tensor")
    assert behaviour["keys"] == "[serving_default]"


def test_the_desktops_sources_are_in_the_wheel() -> None:
    assert {path.suffix for path in DESKTOP.rglob("*") if path.is_file()} >= {".kt", ".java", ".pk8", ".pem", ".py"}
