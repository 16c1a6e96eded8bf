"""Load a bundle's model once, then run file after file: a line on stdin names one, a line on stdout has its outputs.

Usage: resident_script.py EMULATE SIGNATURE TOP THREADS KERNELS. A script of the runtime's venv: never imported.
EMULATE is a folder with the harness of a bundle; SIGNATURE is its key, "" for the main one. The first line says what it
is: {"package", "takes": endings of files, "inputs": [{"name", "kind"}]}, or {"error", "hint", "code"}, and then it ends
with 3. A question is {"path", "name", "preview", "site"}: a file, what the user calls it, whether what the model is fed
is to be shown, and the folder of what reads HEIC, "" where it is none. What comes of it is {"results", "errors",
"left"}, as --json of the harness has them; of each result also "masks", with {"image", "matrix", "colors"} by output,
and "preview". It ends where stdin does.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import itertools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

if TYPE_CHECKING:
    from harness.files import Arrays
    from harness.forms import MaskForm
    from harness.frame import Frame
    from harness.inputs import Sample
    from harness.model import Model
    from harness.run import Run
    from harness.signature import Signature
    from harness.tensor import Tensor
    from PIL.Image import Image

MOST = 24  # results of one file that are shown
_SHARP, _SHOWN = 256, 1024  # pixels: up to the first a PNG is sent, else a JPEG of the second at most
_OF_FILES = "emulate.py --help has what an INPUT may be"  # harness.errors.refused: not for who sees a page
_MORE = (".ppm",)  # images that are read by their content


def main() -> int:
    """FileOutputs until nobody asks."""
    # What native code writes to stdout is no line of ours.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path.insert(0, sys.argv[1])
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: what is imported of it needs the standard library alone
    from emulate import this_bundle
    from harness.errors import EmulateError, one_line
    from harness.interpreter import load_runner
    from harness.model import read_model
    from harness.options import parse
    from harness.run import Run
    from harness.state import assign

    from kit.emulation.script_inputs import chosen_signature

    key, top, threads, kernels = sys.argv[2:]
    try:
        bundle = this_bundle()
        model = read_model(bundle)
        signature = chosen_signature(model, key)
        # What a call gave is kept, in memory: masks are drawn of it.
        words = ["--top", top, "--threads", threads, "--kernels", kernels, "--save-outputs", "kept", "file"]
        options = parse(bundle, words, "")
        runner = load_runner(model, options.threads, options.kernels)
        built = _as_built(model)
    except EmulateError as error:
        _say(lines, {"error": one_line(error), "hint": error.hint, "code": error.code})
        return 3
    run = Run(signature, runner, options)
    inputs = [{"name": name, "kind": tensor.kind} for name, tensor in signature.inputs.items()]
    _say(lines, {"package": f"{runner.package} {runner.version}", "takes": endings(signature), "inputs": inputs})
    with contextlib.suppress(ImportError):
        importlib.import_module("PIL.ImageOps")  # while nobody waits
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["site"] and asked["site"] not in sys.path:
            sys.path.append(asked["site"])
        try:
            if built:  # no file finds what another left
                assign(model.variables, runner, built)
            outcome = outputs_of(Path(asked["path"]), run, preview=asked["preview"])
        except Exception as error:  # noqa: BLE001 - the next file may be another matter
            outcome = _refused(f"unexpected {type(error).__name__}: {one_line(error)}", "run it with `kit emulate`")
        _say(lines, _named(outcome, asked["path"], asked["name"]))
    return 0


def endings(signature: Signature) -> list[str]:
    """Return how the names of files end that can be run, in lower case."""
    from harness.input_files import readable

    kinds = {tensor.kind for tensor in signature.inputs.values()} if len(signature.inputs) == 1 else set()
    more = (_MORE if "image" in kinds else ()) + ((".txt",) if "text" in kinds else ())
    return [*readable(signature), *more]


def outputs_of(path: Path, run: Run, *, preview: bool) -> dict[str, Any]:
    """Return what comes of the first calls of a file; of its others, how many there are."""
    from harness.errors import EmulateError, one_line
    from harness.inputs import read_input
    from harness.results import run_samples

    results: list[dict[str, Any]] = []
    left = 0
    try:
        for sample in itertools.islice(read_input(path, run.signature), MOST):
            (outcome,) = run_samples(path, [sample], run)
            masks = dict(_masks(path, run.signature, outcome.raw))
            shown = {"preview": _preview(path, run.signature, sample)} if preview else {}
            results.append({**outcome.result.to_json(), "masks": masks, **shown})
            left = sample.count - len(results)
    except EmulateError as error:
        hint = "give another file" if error.hint == _OF_FILES else error.hint
        refused = _refused(one_line(str(error).removeprefix(f"{path}: ")), hint)
        return {**refused, "results": results}
    return {"results": results, "errors": [], "left": left}


def _masks(path: Path, signature: Signature, raw: Arrays) -> Any:
    """Yield each mask by its output: its image, its colours by class, and how it lies in the frame.

    raw: [*shape] of each output in its tensor's dtype. matrix: frame_x = a * x + c * y + e, frame_y = b * x + d * y + f
    of x and y in pixels of the mask, as SVG has it.
    """
    from harness.forms import MaskForm
    from harness.frame import frame_of

    for name, tensor in signature.outputs.items():
        single = not tensor.batched or len(raw[name]) == 1
        if isinstance(tensor.form, MaskForm) and single:
            yield name, _mask(tensor.form, _classes(tensor, raw[name]), frame_of(path, signature))


def _classes(tensor: Tensor, produced: Any) -> Any:
    """Return the class of each pixel, int32 [H, W], of an output as the model gave it: [*shape] in its dtype."""
    import postprocess
    from harness.forms import MaskForm
    from harness.outputs import to_real

    assert isinstance(tensor.form, MaskForm)
    real = to_real(tensor, produced)
    values = np.asarray(real[0] if tensor.batched else real, np.float32)
    return postprocess.segment(values, tensor.form.activation, tensor.form.threshold)


def _mask(form: MaskForm, classes: Any, frame: Frame) -> dict[str, Any]:
    """Return what _masks yields of one mask, int32 [H, W]."""
    import postprocess
    from PIL import Image

    argb = postprocess.overlay(classes, background=form.background)
    rgba = np.stack([(argb >> np.uint32(shift)) & np.uint32(255) for shift in (16, 8, 0, 24)], axis=-1)
    height, width = classes.shape
    a, b, c, d, e, f = frame.placement
    kinds = np.unique(classes).reshape(1, -1)
    colors = postprocess.overlay(kinds, background=form.background)[0]
    return {
        "image": _href(Image.fromarray(rgba.astype(np.uint8), "RGBA"), "PNG"),
        "width": width,
        "height": height,
        "matrix": [a / width, d / width, b / height, e / height, c, f],
        "colors": {str(kind): f"#{int(color) & 0xFFFFFF:06x}" for kind, color in zip(kinds[0], colors, strict=True)},
    }


def _preview(path: Path, signature: Signature, sample: Sample) -> str | None:
    """Return an image that a browser shows: of an image file itself, of arrays what the model is fed; else None."""
    from harness.frame import ARRAYS, image_input, open_image, shown_input

    tensor = image_input(signature)
    if tensor is None:
        return None
    arrays = path.suffix.lower() in ARRAYS
    image = shown_input(tensor, sample.feed[tensor.name]) if arrays else open_image(path)
    if max(image.size) <= _SHARP:
        return _href(image, "PNG")
    image.thumbnail((_SHOWN, _SHOWN))
    return _href(image, "JPEG")


def _href(image: Image, form: str) -> str:
    """Return an image as an address that has it whole."""
    content = io.BytesIO()
    image.save(content, form)
    return f"data:image/{form.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"


def _as_built(model: Model) -> Arrays:
    """Return the variables that the model keeps as they were built, of their own shape and dtype by name."""
    from harness.golden import read_golden

    return read_golden(model).variables(model.variables) if model.variables else {}


def _refused(error: str, hint: str) -> dict[str, Any]:
    return {"results": [], "errors": [{"error": error, "hint": hint}], "left": 0}


def _named(outcome: dict[str, Any], path: str, name: str) -> dict[str, Any]:
    """Return an outcome that names the file as its user does."""
    errors = [{**each, "input": name, "error": each["error"].replace(path, name)} for each in outcome["errors"]]
    return {**outcome, "results": [{**each, "input": name} for each in outcome["results"]], "errors": errors}


def _say(stream: TextIO, document: dict[str, Any]) -> None:
    stream.write(json.dumps(document) + "\n")
    stream.flush()


if __name__ == "__main__":
    raise SystemExit(main())
