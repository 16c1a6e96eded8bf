"""The Kotlin that does not depend on a model: which files of templates/android/runtime a class needs, and imports.

They are the same in every bundle but for the line of their package, which is the bundle's own: two bundles in one app
may be made by two versions of the kit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kit.android.codegen.kotlin_model import BindingsModel, ImageInput, SoundInput
from kit.android.codegen.runtime_api import COMPILED_MODEL, PLAY_SERVICES
from kit.render import templates

PACKAGE = "package dropkit\n"  # the first line of each file
_DECODER_NAMES = frozenset(
    """
    Activation Box BoxAnchors BoxCorners BoxFormat BoxSelector CoordinateDecoder Embedding EmbeddingDecoder
    HeatmapDecoder Keypoint Mask MaskDecoder ScoreForm ScoresDecoder SsdDecoder Suppression YoloDecoder YoloLayout
    readFloats
    """.split()
)

FRAME_FILES = (  # what reads images and camera frames; they stand alone
    "ColumnPass.kt",
    "Frame.kt",
    "FrameBytes.kt",
    "FrameLayout.kt",
    "FrameRows.kt",
    "ImageInput.kt",
    "Region.kt",
    "Resampler.kt",
    "RgbaFrame.kt",
    "RowPass.kt",
    "YuvFrame.kt",
    "YuvRows.kt",
)
VERIFICATION_FILES = ("Seeded.kt", "Verification.kt")
AUDIO_FILES = ("AudioFeed.kt", "AudioInput.kt", "AudioStream.kt", "RateConverter.kt")
UPDATE_FILES = ("ModelUpdates.kt", "UpdateContents.kt", "UpdateManifest.kt", "Sha256.kt")
DECODER_FILES = {"boxes": "Boxes.kt", "mask": "Mask.kt", "keypoints": "Keypoints.kt", "embedding": "Embedding.kt"}
DECODERS_NEED = ("Activations.kt", "Place.kt")


def runtime_files(bindings: BindingsModel) -> dict[str, bytes]:
    """Return the fixed files that a class stands on, by name, each in the bundle's own package."""
    folder = templates() / "android" / "runtime"
    line = f"package {bindings.runtime}\n"
    texts = {name: (folder / name).read_text("utf-8") for name in sorted(set(_names(bindings)))}
    return {name: (line + text.removeprefix(PACKAGE)).encode() for name, text in texts.items()}


def _names(bindings: BindingsModel) -> Iterator[str]:
    yield from ("BundleModel.kt", "Golden.kt", "ModelSource.kt", "SelfTest.kt", "SignatureCall.kt", "Tensors.kt")
    if bindings.updates:
        yield from UPDATE_FILES
    if bindings.api == COMPILED_MODEL:
        yield from ("CompiledModelEngine.kt", "CreateEngine.kt", "Kept.kt", "ModelDigest.kt", "Sha256.kt")
        yield from VERIFICATION_FILES if bindings.verify else ()
    else:
        yield "InterpreterEngine.kt"
        yield "PlayServices.kt" if bindings.api == PLAY_SERVICES else "LinkedInterpreter.kt"
        yield "OpenCalls.kt" if bindings.open else "FixedCalls.kt"
    if "scores" in bindings.forms:
        yield "Scores.kt"
    if bindings.texts:
        yield from ("TextFeed.kt", "TextInput.kt")
    if bindings.sounds:
        yield from AUDIO_FILES
    if bindings.images:
        yield from (*FRAME_FILES, "ImageFeed.kt", "Lookups.kt", "Place.kt")
    if bindings.activations - {"none"}:
        yield "Activations.kt"
    kinds = {decoder.kind for decoder in bindings.decoders}
    if kinds:
        yield from DECODERS_NEED
    yield from (DECODER_FILES[kind] for kind in kinds)


def imports(bindings: BindingsModel, lookups: Iterable[str]) -> list[str]:
    """Return what the class imports, sorted. lookups are the classes that turn pixels into values."""
    others = {"android.content.Context", "android.content.res.AssetManager", "java.io.IOException"}
    others.add("kotlinx.coroutines.withContext")
    if bindings.updates:
        others.add("java.io.File")
    if bindings.images:
        others.add("android.graphics.Bitmap")
    return sorted(others | {f"{bindings.runtime}.{name}" for name in _used(bindings, lookups)})


def _used(bindings: BindingsModel, lookups: Iterable[str]) -> Iterator[str]:
    """Yield what the class uses of the fixed files."""
    yield from ("Accelerator", "BundleModel", "BundleSpec", "Engine", "ModelSource", "Spec", "Tensor")
    yield from ("createEngine", "owning")
    if bindings.api == COMPILED_MODEL:
        yield "GpuPrecision"
    if bindings.verify:
        yield "Verification"
    if bindings.updates:
        yield from ("ModelUpdates", "UpdateTerms")
    outputs = [output for call in bindings.calls for output in call.outputs]
    if any(output.form in {"scores", "quantized"} for output in outputs) or bindings.quantizers or bindings.variables:
        yield "requireSize"
    floats = [tensor for call in bindings.calls for tensor in call.floats]
    if any(output.form != "plain" and output.tensor.affine for output in outputs) or any(t.affine for t in floats):
        yield "dequantize"
    if bindings.quantizers:
        yield "quantize"
    if bindings.quantizers or any(feed.tensor.affine for feed in _numeric_feeds(bindings)):
        yield "Affine"
    yield from bindings.activations - {"none"}
    if "scores" in bindings.forms:
        yield from ("Reals", "Top")
    if (
        any(not labels.enum for labels in bindings.labels)
        or any(decoder.form.labels for decoder in bindings.decoders)
        or bindings.texts
    ):
        yield "readLabels"
    yield from _of_decoders(bindings)
    yield from _of_feeds(bindings, lookups)


def _numeric_feeds(bindings: BindingsModel) -> list[ImageInput | SoundInput]:
    """Return the inputs that become real numbers."""
    return [*bindings.images, *bindings.sounds]


def _of_feeds(bindings: BindingsModel, lookups: Iterable[str]) -> Iterator[str]:
    """Yield what the class uses to fill inputs."""
    if bindings.texts:
        yield from ("Split", "Standardize", "TextFeed", "TextInput")
    if bindings.sounds:
        yield from ("AudioFeed", "AudioInput")
    if bindings.main.stream:
        yield from ("AudioStream", "WindowListener")
    if bindings.main.feeds:
        yield "RawFeed"
    if bindings.images:
        yield from ("Frame", "ImageColor", "ImageFeed", "ImageInput", "ImageResize", "Region", *lookups)


def _of_decoders(bindings: BindingsModel) -> Iterator[str]:
    """Yield what the class uses to read boxes, masks, keypoints and embeddings."""
    if any(call.placed for call in bindings.calls):
        yield "Place"
    made = " ".join(f"{decoder.make} {decoder.gives}" for decoder in bindings.decoders)
    yield from {name for name in re.findall(r"[A-Za-z]+", made) if name in _DECODER_NAMES}
