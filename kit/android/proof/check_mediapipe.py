"""Let MediaPipe Tasks read a bundle's model as an app's would: from the file and its metadata alone.

Its image classifier runs where it fits, on the images of the golden vectors, and gives what the bundle's own harness
does. Source of what fits: MediaPipe's image_tensor_specs.cc, image_preprocessing_graph.cc and
classification_postprocessing_graph.cc.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.android.proof.jvm import harness_outputs
from kit.android.proof.step import MissingToolError, Notify, Step, step
from kit.bundle.labels import bundle_labels
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest
from kit.bundle.signature import BundleSignature, ImageEntry, TensorEntry, read_signature
from kit.errors import CheckError, EngineError, ModelError
from kit.files import temporary_folder
from kit.lifetime.tied import tied
from kit.tflite.model import TfliteFile
from kit.tflite.reader import read_tflite
from kit.toolchains.lockfile import read_lock
from kit.toolchains.toolchain import MEDIAPIPE
from kit.toolchains.venv import locked_venv

if TYPE_CHECKING:
    import numpy as np

INSTALL = "apt-get install libegl1 libgles2"
_AGAIN = "build the bundle again; look at mean, std and the order of the labels"
_LIMIT = 300  # seconds for all images
_FLOAT, _STEPS = 1e-3, 2  # how far its scores may be off at least, beside what the golden vectors allow


@dataclass(frozen=True)
class Category:
    """A label that the classifier gave an image, by its place among the labels."""

    label: str
    index: int
    score: float


def mediapipe_step(bundle: Path) -> Step:
    """Return how MediaPipe's image classifier does; passes with the reason where no task is for such a model."""
    return step("MediaPipe", lambda: check_mediapipe(bundle, _silent))


def check_mediapipe(bundle: Path, notify: Notify) -> str:
    """Return what was compared, or why no task fits.

    Raises CheckError where MediaPipe gives other outputs than the harness, MissingToolError where it cannot run here.
    """
    try:
        manifest = read_manifest(bundle)
        there = Bundle(bundle, manifest.id)
        signature = read_signature(there.signature)
        misfit = find_misfit(signature, read_tflite(there.model))
        pixels = None if misfit else _pixels(there, signature)
        if pixels is None:
            return f"no task fits: {misfit or 'the golden vectors have no images'}"
        with temporary_folder("dropkit-mediapipe-") as scratch:
            predictions = harness_outputs(bundle, scratch, notify)
        output = signature.outputs[0]
        raw = predictions[f"{signature.main.key}/output/{output.name}"]
        labels = bundle_labels(there, signature)[output.name]
        return _compare(output, classify(there.model, pixels, notify), raw, labels, _allowed(there, output))
    except ModelError as error:
        raise CheckError(error.message, error.hint) from error
    except OSError as error:
        raise CheckError(f"{error.filename}: cannot be read: {error.strerror}", "build the bundle again") from error


def find_misfit(signature: BundleSignature, file: TfliteFile) -> str | None:
    """Return why the image classifier does not take a model, None where it does."""
    if signature.flex:
        return "it needs TensorFlow's own kernels, which MediaPipe does not link"
    if len(file.subgraphs) != 1:
        return f"the classifier takes a file with one graph, and this has {len(file.subgraphs)}"
    taken = signature.inputs[0] if len(signature.inputs) == 1 else None
    if taken is None or taken.image is None:
        return "no classifier of one image"
    if len(signature.outputs) != 1 or not (signature.outputs[0].classes and signature.outputs[0].labels):
        return "it does not give one list of scores with labels"
    return _image_misfit(taken, taken.image) or _scores_misfit(signature.outputs[0])


def _image_misfit(tensor: TensorEntry, image: ImageEntry) -> str | None:
    shape = tensor.shape
    if image.color != "rgb":
        return f"the image is {image.color}, and MediaPipe feeds RGB"
    if len(shape) != 4 or shape[0] != 1 or min(shape) < 1:
        return f"the image is {list(shape)}, and MediaPipe feeds one of fixed size, [1, height, width, 3]"
    if tensor.dtype == "float32":
        if not len(set(image.mean)) == len(set(image.std)) == 1:
            return "each colour has a mean and std of its own, and MediaPipe has one for all"
        return None if image.std[0] > 0 else "std is below 0, and MediaPipe has no such range"
    if tensor.dtype != "uint8":
        return f"the image is {tensor.dtype}, and MediaPipe feeds uint8 or float32"
    off = _pixel_steps(tensor, image)
    # It feeds pixels as they are: the normalization must be in the tensor's own scale and zero point.
    return None if off < 1 else f"MediaPipe feeds pixels as they are, up to {off:.0f} steps from what this model reads"


def _pixel_steps(tensor: TensorEntry, image: ImageEntry) -> float:
    """Return how far a pixel may be from its own quantized value, in steps."""
    scale, zero = tensor.scale or 1.0, tensor.zero_point or 0
    pairs = zip(image.mean, image.std, strict=True)
    # Straight lines in the pixel: they are farthest apart at an end.
    return float(max(abs((pixel - mean) / std / scale + zero - pixel) for mean, std in pairs for pixel in (0, 255)))


def _scores_misfit(scores: TensorEntry) -> str | None:
    if scores.dtype not in {"float32", "uint8"}:
        return f"its scores are {scores.dtype}, and MediaPipe reads uint8 or float32"
    if any(size != 1 for size in scores.shape[:-1]):
        return f"its scores are {list(scores.shape)}, and MediaPipe reads one list"
    return None


def classify(model: Path, pixels: np.ndarray, notify: Notify) -> list[list[Category]]:
    """Return what MediaPipe's image classifier says of uint8 images [count, height, width, 3], best first.

    Raises CheckError where it refuses the model; MissingToolError where it, or a library that it loads, is not here.
    """
    import numpy as np

    try:
        python = locked_venv("mediapipe", "MediaPipe Tasks", read_lock(MEDIAPIPE / "requirements.lock"), notify)
    except EngineError as error:
        raise MissingToolError(error.message, error.hint) from error
    with temporary_folder("dropkit-mediapipe-") as folder:
        images = folder / "images.npy"
        np.save(images, pixels, allow_pickle=False)
        # Matplotlib, which MediaPipe imports, writes a list of fonts into the home folder.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment |= {"MPLCONFIGDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        argv = [str(python), str(MEDIAPIPE / "classify.py"), str(model.resolve()), str(images)]
        try:
            done = subprocess.run(
                tied(argv), capture_output=True, text=True, check=False, env=environment, timeout=_LIMIT, cwd=folder
            )
        except subprocess.TimeoutExpired as error:
            raise CheckError(
                f"MediaPipe gave no result in {_LIMIT} seconds",
                "try again on a free machine; the other steps of `kit android` do not need MediaPipe",
            ) from error
    return _read_outputs(done)


def _read_outputs(done: subprocess.CompletedProcess[str]) -> list[list[Category]]:
    if done.returncode or not done.stdout.strip():
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise EngineError(f"MediaPipe ended with status {done.returncode}: {lines[-1][:400]}", "run `kit doctor`")
    reported = json.loads(done.stdout.splitlines()[-1])
    if "missing" in reported:
        raise MissingToolError(f"MediaPipe does not start: {reported['missing']}", INSTALL)
    if "refused" in reported:
        raise CheckError(f"MediaPipe refuses the model: {reported['refused'][:600]}", _AGAIN)
    return [[Category(**category) for category in image] for image in reported["outputs"]]


def _pixels(bundle: Bundle, signature: BundleSignature) -> np.ndarray | None:
    """Return the uint8 images [N, height, width, 3] behind the golden vectors, None where there are none."""
    import numpy as np

    with np.load(bundle.golden_npz, allow_pickle=False) as golden:
        name = f"pixels/{signature.inputs[0].name}"
        return np.asarray(golden[name]) if name in golden.files else None


def _allowed(bundle: Bundle, output: TensorEntry) -> float:
    """Return how far a score may be off: what the golden vectors allow between runtimes, and rounding."""
    import numpy as np

    with np.load(bundle.golden_npz, allow_pickle=False) as golden:
        known = float(golden[f"tolerance/{output.name}"])
    return max(known, _STEPS) * (output.scale or 1.0) if output.dtype == "uint8" else max(known, _FLOAT)


def _compare(
    output: TensorEntry,
    given: Sequence[Sequence[Category]],
    raw: np.ndarray,
    labels: Sequence[str],
    allowed: float,
) -> str:
    """Return how near the outputs are. raw: the harness's, [images, ..., classes], in the file's own type."""
    scores = _scores(output, raw)
    worst = 0.0
    for image, (categories, wanted) in enumerate(zip(given, scores, strict=True)):
        where = f"image {image} of the golden vectors"
        best = float(wanted.max())
        top = categories[0]
        if top.index >= len(labels) or top.label != labels[top.index]:
            beside = labels[top.index] if top.index < len(labels) else "none"
            raise CheckError(f"{where}: MediaPipe calls class {top.index} {top.label!r}, the bundle {beside!r}", _AGAIN)
        # Two classes may be as good as each other: then either may come first.
        off = max(abs(float(wanted[top.index]) - top.score), best - float(wanted[top.index]))
        if off > allowed:
            there = f"{labels[int(wanted.argmax())]!r} {best:.4g}"
            raise CheckError(f"{where}: MediaPipe says {top.label!r} {top.score:.4g}, the harness {there}", _AGAIN)
        worst = max(worst, off)
    return f"the image classifier labels {len(given)} images as the harness does; worst score differs by {worst:.2g}"


def _scores(output: TensorEntry, raw: np.ndarray) -> np.ndarray:
    """Return real scores, float64 [images, classes], as metadata makes readers see them: with sigmoid, no softmax.

    raw: [images, ...] in the output's dtype.
    """
    import numpy as np

    real = raw.reshape(len(raw), -1).astype(np.float64)
    if output.dtype == "uint8":
        real = (real - (output.zero_point or 0)) * (output.scale or 1.0)
    sigmoid = output.classes is not None and output.classes.activation == "sigmoid"
    return 1 / (1 + np.exp(-real)) if sigmoid else real


def _silent(_line: str) -> None:
    pass
