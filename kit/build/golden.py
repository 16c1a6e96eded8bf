"""golden.npz: the first outputs on the app's own runtime, with what another kernel may differ by.

The worker gives the inputs, the float model's outputs, and those of TensorFlow's own interpreter. The app links another
one, so its outputs take their place; the two together say by how much kernels differ on this file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from kit.build.audio_input import AudioInput
from kit.build.metrics import real
from kit.build.raw_inputs import RawInputs
from kit.recipe.schema import Recipe
from kit.shared.job import Result, SignatureSpec, TensorSpec
from kit.tflite.reader import read_tflite

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

_CHOOSING = frozenset(
    {"ARG_MAX", "ARG_MIN", "TOPK_V2", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "UNIQUE", "WHERE"}
    | {"CUSTOM", "TFLite_Detection_PostProcess"}
)


def is_of_worker(recipe: Recipe, result: Result) -> bool:
    """Say whether the worker's own outputs are the golden ones: no runtime of pip has TensorFlow's operators, and a
    streaming file's sequences are the worker's to run step by step.
    """
    return bool(result.flex) or recipe.model.streaming


def has_edges(result: Result, model: bytes) -> bool:
    """Say whether edge vectors of a file can be judged: a call depends on its inputs alone, and no operator chooses.

    Where one takes the largest of equal values, another kernel's rounding makes another choice. model: the .tflite.
    """
    operators = {code.name for code in read_tflite(model).operator_codes}
    return not (result.kept or result.drawn or operators & _CHOOSING)


def golden_vectors(result: Result, made: Arrays, predictions: Arrays) -> dict[str, np.ndarray]:
    """Return the arrays of a bundle's golden.npz.

    made: the worker's golden.npz, see kit.shared.job; predictions: <prefix>output/<name> [N, ...] of the app's runtime,
    raw, at least as many samples as in made. tolerance/<name> is what another kernel or CPU may differ by: one step (or
    what floats need), and where the two interpreters differ, that much more, up to the file's own error against the
    float model. drift/<name> is that error. Both are float64 scalars, rounded up, in quantization steps, or in real
    values of an output that has none. The float model's outputs are left out, see float_outputs.
    edge_input/<name> and edge_output/<name> are those of predictions, where it has any.
    """
    import numpy as np

    arrays = dict(made)
    for signature in (result.signature, *result.others):
        prefix = _prefix(result, signature)
        # An index may be another one where values are equal.
        outputs = [spec for spec in signature.outputs if spec.dtype.startswith("float") or spec.scale is not None]
        kinds = (("edge_input", signature.inputs), ("edge_output", outputs))
        keys = [f"{prefix}{kind}/{spec.name}" for kind, specs in kinds for spec in specs]
        arrays |= {key: predictions[key] for key in keys if outputs and key in predictions}
    for prefix, spec in _outputs(result):
        key = f"{prefix}output/{spec.name}"
        if key not in made:
            continue
        exact, theirs = arrays.pop(f"{prefix}float/{spec.name}"), made[key]
        arrays[key] = ours = predictions[key][: len(theirs)]
        least = float(made[f"{prefix}tolerance/{spec.name}"])
        drift, seen = _distance(spec, real(ours, spec), exact), _distance(spec, real(ours, spec), real(theirs, spec))
        arrays[f"{prefix}drift/{spec.name}"] = np.array(round_up(drift))
        arrays[f"{prefix}tolerance/{spec.name}"] = np.array(round_up(max(least, min(least + seen, drift))))
    return arrays


def float_outputs(result: Result, made: Arrays) -> dict[str, np.ndarray]:
    """Return <prefix>float/<name> of the worker's golden.npz, float32 [N, ...]: their last bits depend on the CPU."""
    keys = [f"{prefix}float/{spec.name}" for prefix, spec in _outputs(result)]
    return {key: made[key] for key in keys if key in made}


def raw_of_vectors(result: Result, made: Arrays, samples: Arrays, raw: RawInputs) -> dict[str, np.ndarray]:
    """Return what golden inputs come from: text/<name> as pack_texts has it, audio/<name> as pack_sounds, uint8 each.

    made: the worker's golden.npz, [N, ...] each; samples: as kit.build.convert.Data.raw has them. Golden inputs that
    are random, and not those of the samples, have no text; their sound is that of their own numbers.
    """
    from kit.shared.audio import unpack_sounds
    from kit.shared.preprocess import quantize
    from kit.shared.text import pack_texts

    found = {}
    for name, text in raw.texts.items():
        for rows in _candidates(name, made, samples):
            if rows.dtype.kind == "U" and _same(text.ids(rows.tolist()), made[f"input/{name}"]):
                found[f"text/{name}"] = pack_texts(rows.tolist())
                break
    for spec in result.signature.inputs:
        audio = raw.audio.get(spec.name)
        if audio is None:
            continue
        for rows in _sounds(spec, audio, made, samples):
            values = audio.values(unpack_sounds(rows))
            if spec.scale is not None:
                values = quantize(values, spec.scale, spec.zero_point or 0, spec.dtype)
            if _same(values, made[f"input/{spec.name}"]):
                found[f"audio/{spec.name}"] = rows
                break
    return found


def _sounds(spec: TensorSpec, audio: AudioInput, made: Arrays, samples: Arrays) -> Iterator[np.ndarray]:
    """Yield what a golden input may be made of, packed uint8 [N, bytes]: sounds of the samples, then its own numbers.

    made: the worker's golden.npz, [N, ...] each; samples: as kit.build.convert.Data.raw has them.
    """
    import numpy as np

    from kit.shared.audio import Sound, pack_sounds

    yield from _candidates(spec.name, made, samples)
    rows = real(made[f"input/{spec.name}"], spec).reshape(-1, audio.window, 1)
    yield pack_sounds([Sound(row.astype(np.float32), audio.rate) for row in rows])


def _candidates(name: str, made: Arrays, samples: Arrays) -> Iterator[np.ndarray]:
    """Yield what the golden inputs of that name may be made of, as many as there are of these.

    made: the worker's golden.npz, [N, ...] each; samples: as kit.build.convert.Data.raw has them; yielded: str [N], or
    packed uint8 [N, bytes].
    """
    wanted = made.get(f"input/{name}")
    for said in (samples.get(f"golden/{name}"), samples.get(f"calibration/{name}")):
        if wanted is not None and said is not None and len(said) >= len(wanted):
            yield said[: len(wanted)]


def _same(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Say whether found and wanted, [N, ...] each, are the same numbers, of whatever shapes and dtypes."""
    return found.size == wanted.size and bool((found.reshape(wanted.shape) == wanted).all())


def round_up(value: float) -> float:
    """Return a bound in two digits: more of them would depend on the CPU's type, and Kotlin has it, too."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1) if value > 0 else 1.0
    return float(f"{math.ceil(value / unit) * unit:.2g}")


def _outputs(result: Result) -> Iterator[tuple[str, TensorSpec]]:
    """Yield every output with the prefix of its signature's arrays."""
    for signature in (result.signature, *result.others):
        yield from ((_prefix(result, signature), spec) for spec in signature.outputs)


def _prefix(result: Result, signature: SignatureSpec) -> str:
    return "" if signature is result.signature else f"signature/{signature.key}/"


def _distance(spec: TensorSpec, one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference of real values, but for those that are not finite: in steps if quantized.

    one, other: real values (float32) of one shape.
    """
    import numpy as np

    counted = np.isfinite(one) & np.isfinite(other)
    off = float(np.abs(one[counted].astype(np.float64) - other[counted]).max(initial=0.0))
    return off if spec.scale is None else off / spec.scale
