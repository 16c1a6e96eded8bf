"""The Android side of a bundle's folder: Kotlin, its golden test, golden vectors, R8's rules. Knows the layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.kotlin_model import BindingsModel, Output
from kit.android.codegen.kotlin_names import Scope, camel, comment, literal
from kit.android.codegen.kotlin_tensor import STORAGE, Tensor
from kit.android.codegen.read_signature import read_bindings
from kit.android.codegen.runtime_api import COMPILED_MODEL, PLAY_SERVICES, Api, api_for
from kit.bundle.golden_bin import write_golden
from kit.bundle.layout import KOTLIN, KOTLIN_TESTS, Bundle
from kit.bundle.signature import BundleSignature
from kit.errors import ModelError
from kit.files import write_whole
from kit.render import render_text

FILTERS = {"kt": literal, "kdoc": comment}

_LOOKUPS = {"float32": "FloatLookup", "uint8": "ByteLookup", "int8": "SignedByteLookup", "int16": "ShortLookup"}
_NARROW = {"ByteArray": ".toByte()", "ShortArray": ".toShort()", "IntArray": ""}
# bytes is a ByteBuffer in little endian
_FROM_RAW = {
    "float32": "FloatArray(count) { bytes.getFloat(4 * it) }",
    "int32": "IntArray(count) { bytes.getInt(4 * it) }",
    "int64": "LongArray(count) { bytes.getLong(8 * it) }",
    "uint8": "raw",
    "int8": "raw",
    "bool": "BooleanArray(count) { raw[it].toInt() != 0 }",
    "int16": "ShortArray(count) { bytes.getShort(2 * it) }",
}
_TO_RAW = {
    "float32": "for (value in FloatArray(count).also { read(it) }) bytes.putFloat(value)",
    "int32": "for (value in IntArray(count).also { read(it) }) bytes.putInt(value)",
    "int64": "for (value in LongArray(count).also { read(it) }) bytes.putLong(value)",
    "uint8": "read(bytes.array())",
    "int8": "read(bytes.array())",
    "bool": "for (value in BooleanArray(count).also { read(it) }) bytes.put(if (value) 1 else 0)",
    "int16": "for (value in ShortArray(count).also { read(it) }) bytes.putShort(value)",
}
_VALUE_AT = {
    "float32": "bytes.getFloat(at).toDouble()",
    "int32": "bytes.getInt(at).toDouble()",
    "int64": "bytes.getLong(at).toDouble()",
    "uint8": "(bytes.get(at).toInt() and 0xFF).toDouble()",
    "int8": "bytes.get(at).toDouble()",
    "bool": "bytes.get(at).toDouble()",
    "int16": "bytes.getShort(at).toDouble()",
}
_OTHER_THAN = {
    "float32": "bytes.putFloat(at, otherThan(bytes.getFloat(at)))",
    "int32": "bytes.putInt(at, bytes.getInt(at) + 1)",
    "int64": "bytes.putLong(at, bytes.getLong(at) + 1)",
    "uint8": "bytes.put(at, (bytes.get(at) + 1).toByte())",
    "int8": "bytes.put(at, (bytes.get(at) + 1).toByte())",
    "bool": "bytes.put(at, (1 - bytes.get(at)).toByte())",
    "int16": "bytes.putShort(at, (bytes.getShort(at) + 1).toShort())",
}


def write_android(folder: Path, model: AppModel, golden: Path) -> None:
    """Write the Android files of a bundle below its folder.

    golden: golden.npz. Raises RecipeError or ModelError for what the runtime's API or Kotlin cannot hold.
    """
    bundle = Bundle(folder, model.id)
    api = api_for(model.runtime, model.signature)
    render_bindings(folder, model, api, golden)
    with np.load(golden, allow_pickle=False) as arrays:
        write_golden(bundle.golden_bin, model.signature, {name: arrays[name] for name in arrays.files})
    write_whole(bundle.rules, render_text("android/consumer-rules.pro.j2", {"api": api}, FILTERS).encode())


def render_bindings(folder: Path, model: AppModel, api: Api, golden: Path) -> BindingsModel:
    """Write the class and its golden test for one API below folder; return what they say. Raises as write_android."""
    bindings = read_bindings(model, api, _allowed(model.signature, golden))
    values = _values(bindings)
    for root, name, template in (
        (KOTLIN, bindings.name, "model"),
        (KOTLIN_TESTS, f"{bindings.name}GoldenTest", "golden_test"),
    ):
        text = render_text(f"android/{template}.kt.j2", values, FILTERS)
        write_whole(folder / root / bindings.package_path / f"{name}.kt", _tidy(text).encode())
    return bindings


def _allowed(signature: BundleSignature, golden: Path) -> dict[str, float]:
    """Return the tolerances of golden.npz by "<signature>/<output>"."""
    allowed = {}
    try:
        with np.load(golden, allow_pickle=False) as arrays:
            for entry, prefix in signature.with_prefixes():
                for output in () if entry is signature.train else entry.outputs:
                    key = f"{prefix}tolerance/{output.name}"
                    if key in arrays.files:
                        allowed[f"{entry.key}/{output.name}"] = float(arrays[key])
    except (OSError, ValueError) as error:
        raise ModelError(f"{golden}: the golden vectors cannot be read: {error}", "build the bundle again") from error
    return allowed


def _values(bindings: BindingsModel) -> dict[str, Any]:
    compiled = bindings.api == COMPILED_MODEL
    outputs = [output for call in bindings.calls for output in call.outputs]
    kept = bindings.variables
    affines = bool(bindings.quantizers or any(image.tensor.affine for image in bindings.images))
    tests = Scope(["goldenVectorsHold", "variablesComeBackAsAssigned", "model", "context"])
    return {
        "g": bindings,
        "imports": _imports(bindings, affines=affines),
        "test_imports": sorted(
            [
                *(["com.google.ai.edge.litert.Accelerator"] if compiled else []),
                *(["org.junit.Assert.assertEquals"] if bindings.labels else []),
                "org.junit.Assert.assertTrue",
                "org.junit.Test",
                "org.junit.runner.RunWith",
            ]
        ),
        "cpu": "Accelerator.CPU" if compiled else f"{bindings.name}.Accelerator.XNNPACK",
        "label_tests": [tests.take(f"{camel(labels.output, 'output')}LabelsMatch") for labels in bindings.labels],
        "interpreter": "InterpreterApi" if bindings.api == PLAY_SERVICES else "Interpreter",
        "engine_part": f"android/parts/engine_{'compiled' if compiled else 'interpreter'}.kt.j2",
        "create_part": f"android/parts/create_{'compiled' if compiled else 'interpreter'}.kt.j2",
        "affines": affines,
        "dequantizes": any(output.form != "plain" and output.tensor.affine for output in outputs),
        "real_of": {output.tensor.const: _real(output) for output in outputs if output.form != "plain"},
        "output_labels": {output.tensor.const: _label_list(output) for output in outputs},
        "trains": any(call.train for call in bindings.calls),
        "variable_dtypes": sorted({tensor.dtype for tensor in kept.tensors}) if kept else [],
        "lookup_classes": _LOOKUPS,
        "lookup_kinds": STORAGE,
        "narrow": _NARROW,
        "from_raw": _FROM_RAW,
        "to_raw": _TO_RAW,
        "value_at": _VALUE_AT,
        "other_than": _OTHER_THAN,
        "elements": {dtype: STORAGE[dtype].array.removesuffix("Array") for dtype in bindings.dtypes},
        "widths": {dtype: STORAGE[dtype].width for dtype in bindings.dtypes},
    }


def _real(output: Output) -> str:
    """Return the Kotlin of one real value of an output, a Double: dequantized where it is quantized."""
    tensor = output.tensor
    value = f"{tensor.ident}[i]"
    if tensor.affine is None:
        return f"({value}.toInt() and 0xFF).toDouble()" if tensor.dtype == "uint8" else f"{value}.toDouble()"
    return f"dequantize({_whole(tensor, value)}, {tensor.affine.scale}, {tensor.affine.zero_point}).toDouble()"


def _whole(tensor: Tensor, value: str) -> str:
    """Return a quantized value as a Kotlin Int: the JVM's bytes have a sign."""
    return {"uint8": f"{value}.toInt() and 0xFF", "int32": value}.get(tensor.dtype, f"{value}.toInt()")


def _label_list(output: Output) -> str:
    labels = output.labels
    if labels is None:
        return f"List({output.tensor.count}) {{ it }}"
    return f"{labels.name}.entries" if labels.enum else labels.name


def _imports(bindings: BindingsModel, *, affines: bool) -> list[str]:
    math = {"kotlin.math.abs"}
    if affines:
        math |= {"kotlin.math.floor", "kotlin.math.withSign"}
    if bindings.images:
        math |= {"kotlin.math.ceil"}
    if bindings.activations & {"softmax", "sigmoid"}:
        math |= {"kotlin.math.exp"}
    return sorted(
        math
        | _runtime_imports(bindings)
        | ({"android.graphics.Bitmap"} if bindings.images else set())
        | {
            "android.content.Context",
            "android.content.res.AssetManager",
            "java.io.IOException",
            "java.nio.Buffer",
            "java.nio.ByteBuffer",
            "java.nio.ByteOrder",
            "java.util.concurrent.locks.ReentrantLock",
            "java.util.zip.CRC32",
            "kotlin.concurrent.withLock",
            "kotlinx.coroutines.Dispatchers",
            "kotlinx.coroutines.ExperimentalCoroutinesApi",
            "kotlinx.coroutines.withContext",
        }
    )


def _runtime_imports(bindings: BindingsModel) -> set[str]:
    """Return what the runtime's own library brings, and what it takes to load a model with it."""
    litert, gms = "com.google.ai.edge.litert", "com.google.android.gms"
    if bindings.api == COMPILED_MODEL:
        return {f"{litert}.{name}" for name in ("Accelerator", "CompiledModel", "Environment", "TensorBuffer")}
    files = {"java.io.FileInputStream", "java.io.IOException", "java.nio.channels.FileChannel"}
    opened = {"org.tensorflow.lite.Tensor as InterpreterTensor"} if bindings.open else set()
    if bindings.api != PLAY_SERVICES:
        return files | opened | {"org.tensorflow.lite.Interpreter"}
    waiting = {f"java.util.concurrent.{name}" for name in ("ExecutionException", "TimeUnit", "TimeoutException")}
    play = {f"{gms}.tasks.Tasks", f"{gms}.tflite.java.TfLite", "org.tensorflow.lite.InterpreterApi"}
    return files | opened | waiting | play


def _tidy(text: str) -> str:
    """Return text without blank lines before a closing brace, two in a row, or spaces at a line's end."""
    lines: list[str] = []
    for line in (one.rstrip() for one in text.split("\n")):
        if lines and not lines[-1] and (not line or line.lstrip().startswith("}")):
            lines.pop()
        lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n"
