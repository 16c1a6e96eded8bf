"""The Android side of a bundle's folder: Kotlin, its golden test, golden vectors, R8's rules. Knows the layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.kotlin_model import BindingsModel, Output
from kit.android.codegen.kotlin_names import Scope, camel, comment, line_comment, literal
from kit.android.codegen.kotlin_tensor import Tensor
from kit.android.codegen.read_signature import read_bindings
from kit.android.codegen.runtime_api import COMPILED_MODEL, Api, api_for
from kit.android.codegen.runtime_files import imports, runtime_files
from kit.bundle.golden_bin import write_golden
from kit.bundle.layout import KOTLIN, KOTLIN_TESTS, Bundle
from kit.bundle.signature import BundleSignature
from kit.errors import ModelError
from kit.files import write_whole
from kit.render import render_text

FILTERS = {"kt": literal, "kdoc": comment, "line": line_comment}
TEMPLATES = tuple(f"android/{name}.kt.j2" for name in ("model", "parts/calls", "parts/outputs", "golden_test"))

_LOOKUPS = {"float32": "FloatLookup", "uint8": "ByteLookup", "int8": "ByteLookup", "int16": "ShortLookup"}
_NARROW = {"ByteArray": ".toByte()", "ShortArray": ".toShort()", "IntArray": ""}


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
    for name, content in runtime_files(bindings).items():
        write_whole(folder / KOTLIN / bindings.runtime_path / name, content)
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
    outputs = [output for call in bindings.calls for output in call.outputs]
    tests = Scope(["goldenVectorsHold", "variablesComeBackAsAssigned", "model", "context"])
    return {
        "g": bindings,
        "imports": imports(bindings, [_LOOKUPS[image.tensor.dtype] for image in bindings.images]),
        "test_imports": sorted(
            [
                f"{bindings.runtime}.Accelerator",
                *(["org.junit.Assert.assertEquals"] if bindings.labels else []),
                "org.junit.Assert.assertTrue",
                "org.junit.Test",
                "org.junit.runner.RunWith",
            ]
        ),
        "engine": _engine(bindings),
        "cpu": "Accelerator.CPU" if bindings.api == COMPILED_MODEL else "Accelerator.XNNPACK",
        "label_tests": [tests.take(f"{camel(labels.output, 'output')}LabelsMatch") for labels in bindings.labels],
        "real_of": {output.tensor.const: _real(output) for output in outputs if output.form != "plain"},
        "float_of": {tensor.const: _float(tensor) for call in bindings.calls for tensor in call.floats},
        "output_labels": {output.tensor.const: _label_list(output) for output in outputs},
        "lookup_classes": _LOOKUPS,
        "narrow": _NARROW,
    }


def _engine(bindings: BindingsModel) -> str:
    """Return the Kotlin that makes the engine."""
    arguments = ["context", "BUNDLE", "accelerators", "threads"]
    if bindings.api == COMPILED_MODEL:
        arguments.append("precision")
    arguments.append("source")
    if bindings.verify:
        arguments.append(f"Verification(context, BUNDLE, source, {literal(bindings.linked)})")
    return f"createEngine({', '.join(arguments)})"


def _real(output: Output) -> str:
    """Return the Kotlin of one real value of an output, a Double: dequantized where it is quantized."""
    tensor = output.tensor
    value = f"this.{tensor.ident}[i]"
    if tensor.affine is None:
        return f"({value}.toInt() and 0xFF).toDouble()" if tensor.dtype == "uint8" else f"{value}.toDouble()"
    return f"dequantize({_whole(tensor, value)}, {tensor.affine.scale}, {tensor.affine.zero_point}).toDouble()"


def _float(tensor: Tensor) -> str:
    """Return the Kotlin of one real value of a tensor that is no float32, a Float."""
    value = f"this.{tensor.ident}[i]"
    if tensor.affine is None:
        return f"if ({value}) 1f else 0f" if tensor.dtype == "bool" else f"({_whole(tensor, value)}).toFloat()"
    return f"dequantize({_whole(tensor, value)}, {tensor.affine.scale}, {tensor.affine.zero_point})"


def _whole(tensor: Tensor, value: str) -> str:
    """Return a quantized value as a Kotlin Int: the JVM's bytes have a sign."""
    return {"uint8": f"{value}.toInt() and 0xFF", "int32": value, "int64": value}.get(tensor.dtype, f"{value}.toInt()")


def _label_list(output: Output) -> str:
    labels = output.labels
    if labels is None:
        return f"List({output.tensor.count}) {{ it }}"
    return f"{labels.name}.entries" if labels.enum else labels.name


def _tidy(text: str) -> str:
    """Return text without blank lines before a closing brace, two in a row, or spaces at a line's end."""
    lines: list[str] = []
    for line in (one.rstrip() for one in text.split("\n")):
        if lines and not lines[-1] and (not line or line.lstrip().startswith("}")):
            lines.pop()
        lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n"
