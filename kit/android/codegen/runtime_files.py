"""The Kotlin that does not depend on a model: which files of templates/android/runtime a class needs, and imports.

They are the same in every bundle but for the line of their package, which is the bundle's own: two bundles in one app
may be made by two versions of the kit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kit.android.codegen.kotlin_model import BindingsModel
from kit.android.codegen.runtime_api import COMPILED_MODEL, PLAY_SERVICES
from kit.render import templates

PACKAGE = "package dropkit\n"  # the first line of each file


def runtime_files(bindings: BindingsModel) -> dict[str, bytes]:
    """Return the fixed files that a class stands on, by name, each in the bundle's own package."""
    folder = templates() / "android" / "runtime"
    line = f"package {bindings.runtime}\n"
    texts = {name: (folder / name).read_text("utf-8") for name in sorted(_names(bindings))}
    return {name: (line + text.removeprefix(PACKAGE)).encode() for name, text in texts.items()}


def _names(bindings: BindingsModel) -> Iterator[str]:
    yield from ("BundleModel.kt", "Golden.kt", "SelfTest.kt", "Tensors.kt")
    if bindings.api == COMPILED_MODEL:
        yield "CompiledModelEngine.kt"
    else:
        yield "InterpreterEngine.kt"
        yield "PlayServices.kt" if bindings.api == PLAY_SERVICES else "LinkedInterpreter.kt"
        yield "OpenCalls.kt" if bindings.open else "FixedCalls.kt"
    if "scores" in bindings.forms:
        yield "Scores.kt"
    if bindings.images:
        yield from ("ImageFeed.kt", "ImageInput.kt", "Lookups.kt")


def imports(bindings: BindingsModel, lookups: Iterable[str]) -> list[str]:
    """Return what the class imports, sorted. lookups are the classes that turn pixels into values."""
    others = {"android.content.Context", "android.content.res.AssetManager", "kotlinx.coroutines.withContext"}
    if bindings.api != COMPILED_MODEL:
        others.add("java.io.IOException")
    if bindings.images:
        others.add("android.graphics.Bitmap")
    return sorted(others | {f"{bindings.runtime}.{name}" for name in _used(bindings, lookups)})


def _used(bindings: BindingsModel, lookups: Iterable[str]) -> Iterator[str]:
    """Yield what the class uses of the fixed files."""
    yield from ("Accelerator", "BundleModel", "BundleSpec", "Engine", "Spec", "Tensor", "createEngine", "owning")
    outputs = [output for call in bindings.calls for output in call.outputs]
    if any(output.form in {"scores", "quantized"} for output in outputs) or bindings.quantizers or bindings.variables:
        yield "requireSize"
    if any(output.form != "plain" and output.tensor.affine for output in outputs):
        yield "dequantize"
    if bindings.quantizers:
        yield "quantize"
    if bindings.quantizers or any(image.tensor.affine for image in bindings.images):
        yield "Affine"
    yield from bindings.activations - {"none"}
    if "scores" in bindings.forms:
        yield from ("Reals", "Top")
    if any(not labels.enum for labels in bindings.labels):
        yield "readLabels"
    if bindings.images:
        yield from ("Color", "ImageFeed", "ImageInput", "PixelFeed", *lookups)
