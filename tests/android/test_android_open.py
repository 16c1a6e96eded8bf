"""The desktop's Interpreter is the real one: open lengths, every element type, and its process's end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from android_world import java_argv, quiet, rerun_kotlin, run_kotlin
from models import keras3_model
from worlds import run_kit

from kit.android.codegen.runtime_api import Api
from kit.android.proof.jvm import compare_outputs, compile_bindings, harness_outputs, run_golden
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath
from kit.android.proof.kotlin_sources import find_bindings
from kit.android.proof.run import prove
from kit.tflite.reader import read_tflite

pytestmark = pytest.mark.usefixtures("android_tools")

# The golden vectors have one length; the app brings others, in any order.
LENGTHS = (4, 50, 1, 50)

TAGS = """
import com.example.tags.Tags
import dropkit.desktop.DesktopContext

fun main(args: Array<String>) {
    Tags.create(DesktopContext("dropkit.assets")).use { model ->
        for (steps in args.map { it.toInt() }) {
            val seen = model.classify(FloatArray(steps * 6) { (it % 13) / 13f - 0.5f }, intArrayOf(1, steps, 6))
            println("${seen.tagsShape.toList()} = ${seen.tags.toList()}")
        }
    }
}
"""
KERAS = """
import json, sys, keras, numpy as np
model = keras.models.load_model(sys.argv[1])
for steps in map(int, sys.argv[2:]):
    sensors = ((np.arange(steps * 6) % 13) / 13 - 0.5).astype("float32").reshape(1, steps, 6)
    print(json.dumps(np.asarray(model(sensors)).tolist()))
"""


@pytest.fixture(scope="module")
def source(toolchain_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a Keras 3 GRU that tags every step of a series of any length."""
    return keras3_model(toolchain_python, tmp_path_factory.mktemp("source") / "tags.keras", "tags")


@pytest.fixture(scope="module")
def tags_bundle(source: Path) -> Path:
    """Give the bundle of that GRU, whose length stays open in the app."""
    recipe = source.with_name("recipe.toml")
    recipe.write_text(
        f"[model]\npath = '{source}'\nid = 'tags'\n[quantize]\nscheme = 'float32'\n"
        "[[inputs]]\nname = 'sensors'\nshape = [-1, 6]\n[[outputs]]\nname = 'tags'\nkind = 'classes'\n"
    )
    out = str(source.parent / "dist")
    built = run_kit("build", str(recipe), "--engine", "local", "--tensorflow", "2.19.1", "--out", out)
    assert built.returncode == 0, built.stderr
    return source.parent / "dist" / "tags"


@pytest.mark.slow  # in CI test_android_bundles.py proves one for Interpreter, and the class below takes any length
@pytest.mark.parametrize("api", ["interpreter", "play-services"])
def test_a_gru_of_open_length_passes_every_step_of_the_proof(tags_bundle: Path, api: Api) -> None:
    proof = prove(tags_bundle, quiet, api=api)
    assert {step.name: (step.verdict, step.detail) for step in proof.steps if step.verdict != "pass"} == {}
    (golden,) = (step.detail for step in proof.steps if step.name == "golden test on the JVM")
    assert "outputs as in the Python harness" in golden


def test_the_generated_class_takes_any_length_and_gives_what_keras_gives(
    tags_bundle: Path, source: Path, toolchain_python: Path, tmp_path: Path
) -> None:
    program = tmp_path / "Program.kt"
    program.write_text(TAGS, "utf-8")
    bindings = find_bindings(tags_bundle)
    compile_kotlin([*bindings.sources, program], desktop_classpath(quiet), tmp_path / "classes", quiet)
    lengths = [*map(str, LENGTHS)]
    printed = rerun_kotlin(tmp_path, *lengths, properties={"dropkit.assets": str(bindings.assets[0])})
    argv = [str(toolchain_python), "-c", KERAS, str(source), *lengths]
    keras = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [line.split(" = ") for line in printed.splitlines() if " = " in line]
    assert [json.loads(shape) for shape, _values in found] == [[1, steps, 3] for steps in LENGTHS]
    for (_shape, values), wanted in zip(found, keras, strict=True):
        assert np.allclose(json.loads(values), np.ravel(json.loads(wanted)), atol=1e-5)


@pytest.mark.slow
def test_an_app_can_load_a_model_whose_kernels_cannot_take_a_size_of_one(
    toolchain_python: Path, tmp_path: Path
) -> None:
    # The published class allocates the file's own shapes before anybody can resize.
    model = keras3_model(toolchain_python, tmp_path / "mirrored.keras", "mirrored")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f"[model]\npath = '{model}'\nid = 'm'\n[[inputs]]\nname = 'image'\nshape = [-1, -1, 3]\n")
    out = str(tmp_path / "dist")
    built = run_kit("build", str(recipe), "--engine", "local", "--tensorflow", "2.19.1", "--out", out)
    assert built.returncode == 0, built.stderr
    bindings = find_bindings(tmp_path / "dist" / "m")
    graph = read_tflite(bindings.assets[0] / "m/model.tflite").subgraphs[0]
    image = graph.tensors[graph.inputs[0]]
    assert (image.shape, image.shape_signature) == ((1, 64, 64, 3), (1, -1, -1, 3))
    count, recorded = run_golden(compile_bindings(bindings, tmp_path, quiet), bindings.assets, tmp_path, quiet)
    assert count > 0
    assert "bit for bit" in compare_outputs(recorded, harness_outputs(bindings.bundle, tmp_path, quiet))


# ---------------------------------------------------------------- every element type, several signatures

TYPES = ("float32", "int32", "uint8", "int64", "bool", "int16", "int8")
TWICE = """
import sys, tensorflow as tf
types = sys.argv[2:]
class Twice(tf.Module):
    def __init__(self):
        self.seen = tf.Variable(0, dtype=tf.int32)
twice = Twice()
def of(name):
    def call(x):
        return {"y": tf.concat([x, x], 0)}
    return tf.function(call, input_signature=[tf.TensorSpec([None], name, name="x")])
@tf.function(input_signature=[tf.TensorSpec([1], "int32", name="x")])
def count(x):
    return {"y": tf.reshape(twice.seen.assign_add(x[0]), [1])}
signatures = {name: of(name).get_concrete_function() for name in types} | {"count": count.get_concrete_function()}
tf.saved_model.save(twice, sys.argv[1] + ".saved", signatures=signatures)
converter = tf.lite.TFLiteConverter.from_saved_model(sys.argv[1] + ".saved", signature_keys=list(signatures))
converter.experimental_enable_resource_variables = True
open(sys.argv[1], "wb").write(converter.convert())
"""
PROGRAM = """
import java.io.File
import org.tensorflow.lite.Interpreter

fun <T> show(name: String, block: () -> T) =
    println("$name = " + try { "${block()}" } catch (e: Exception) { e.javaClass.simpleName + ": " + e.message })

fun children() = ProcessHandle.current().children().toList()

fun main(args: Array<String>) {
    Interpreter(File(args[0])).use { model ->
        fun twice(type: String, x: Any, y: Any): Any {
            model.runSignature(mapOf("x" to x), mapOf("y" to y), type)
            return y
        }
        show("float32") { (twice("float32", floatArrayOf(1.5f, -2f), FloatArray(4)) as FloatArray).toList() }
        show("int32") { (twice("int32", intArrayOf(1 shl 30, -7, 5), IntArray(6)) as IntArray).toList() }
        show("uint8") { (twice("uint8", byteArrayOf(-1, 2), ByteArray(4)) as ByteArray).toList() }
        show("int64") { (twice("int64", longArrayOf(1L shl 60), LongArray(2)) as LongArray).toList() }
        show("bool") { (twice("bool", booleanArrayOf(true, false), BooleanArray(4)) as BooleanArray).toList() }
        show("int8") { (twice("int8", byteArrayOf(-128, 127), ByteArray(4)) as ByteArray).toList() }
        val shorts = java.nio.ByteBuffer.allocateDirect(2).order(java.nio.ByteOrder.nativeOrder())
        model.runSignature(mapOf("x" to shorts.putShort(0, -300)), mapOf(), "int16")
        val int16 = model.getOutputTensorFromSignature("y", "int16")
        show("int16") { int16.shape().toList() + List(2) { i -> int16.asReadOnlyBuffer().getShort(2 * i).toInt() } }
        show("count") { List(3) { (twice("count", intArrayOf(5), IntArray(1)) as IntArray)[0] } }
        Interpreter(File(args[0])).use { other ->
            val seen = IntArray(1)
            other.runSignature(mapOf("x" to intArrayOf(1)), mapOf("y" to seen), "count")
            show("other") { seen[0] }
        }
        show("again") { (twice("count", intArrayOf(5), IntArray(1)) as IntArray)[0] }
        show("processes") { children().size }
        if (args.size > 1) {
            println("child = ${children().single().pid()}")
            Thread.sleep(60_000)
        }
        children().single().destroyForcibly()
        show("killed") { twice("count", intArrayOf(5), IntArray(1)) }
    }
}
"""


@pytest.fixture(scope="module")
def types_model(toolchain_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a .tflite with a signature for each element type that joins `x` to itself, and one that counts."""
    path = tmp_path_factory.mktemp("types") / "types.tflite"
    subprocess.run([str(toolchain_python), "-c", TWICE, str(path), *TYPES], capture_output=True, check=True)
    return path


@pytest.fixture(scope="module")
def program(types_model: Path) -> tuple[Path, dict[str, str]]:
    """Give the folder of the compiled program, and what it printed."""
    folder = types_model.parent
    printed = run_kotlin(folder, PROGRAM, str(types_model))
    return folder, dict(line.split(" = ", 1) for line in printed.splitlines() if " = " in line)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("float32", "[1.5, -2.0, 1.5, -2.0]"),
        ("int32", f"[{1 << 30}, -7, 5, {1 << 30}, -7, 5]"),
        ("uint8", "[-1, 2, -1, 2]"),
        ("int64", f"[{1 << 60}, {1 << 60}]"),
        ("bool", "[true, false, true, false]"),
        ("int8", "[-128, 127, -128, 127]"),
        ("int16", "[2, -300, -300]"),
    ],
)
def test_each_element_type_goes_in_and_comes_out(program: tuple[Path, dict[str, str]], name: str, shown: str) -> None:
    assert program[1][name] == shown


def test_kept_variables_live_as_long_as_their_interpreter_and_belong_to_it(
    program: tuple[Path, dict[str, str]],
) -> None:
    shown = program[1]
    assert (shown["count"], shown["other"], shown["again"]) == ("[5, 10, 15]", "1", "20")
    assert shown["processes"] == "1"


def test_an_interpreter_that_dies_is_an_error_that_says_how(program: tuple[Path, dict[str, str]]) -> None:
    assert program[1]["killed"].startswith(
        "IllegalStateException: Internal error: the interpreter's process ended with status 137"
    )


def _runs(pid: int) -> bool:
    """Return whether a process is there and no zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_interpreters_process_ends_with_a_jvm_that_is_killed(
    program: tuple[Path, dict[str, str]], types_model: Path, tmp_path: Path
) -> None:
    argv = java_argv(program[0], str(types_model), "wait", properties={"java.io.tmpdir": str(tmp_path)})
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as jvm:
        assert jvm.stdout is not None
        child = next(int(line.split(" = ")[1]) for line in jvm.stdout if line.startswith("child = "))
        assert _runs(child)
        os.kill(jvm.pid, signal.SIGKILL)
    for _ in range(100):
        if not _runs(child):
            break
        time.sleep(0.1)
    assert not _runs(child)
    assert [path.name for path in tmp_path.iterdir() if "hsperf" not in path.name] == []
