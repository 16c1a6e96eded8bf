"""expected.bin: what the app's runtime gives for seeded inputs. An app compares a GPU's or an NPU's outputs with it.

The format is golden.bin's (kit.bundle.golden_bin). By "<signature>/<kind>/<tensor>":
- range, float64 [1, 2]: from where to where kit.shared.seeded draws an input;
- expected, [vectors, kept] of an output's dtype: at most MOST of its values, number k * count // kept of a call's;
- limits, float64 [1, 2]: how far an output may be off, in steps where it is quantized, and how many of the kept values
  may be further off than that.
Of the user's samples there is nothing in it but the ranges of inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kit.android.codegen.runtime_api import COMPILED_MODEL, api_for
from kit.build.golden import is_of_worker, round_up
from kit.bundle.signature import BundleSignature, TensorEntry
from kit.recipe.schema import Recipe
from kit.shared.accelerators import allowed_off
from kit.shared.job import Result

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

MOST = 256  # values of an output in a call


def is_verified(recipe: Recipe, result: Result, signature: BundleSignature) -> bool:
    """Say whether the app verifies accelerators: its class may use some, and the runtime here has run the file."""
    runtime = recipe.android.runtime
    return recipe.android.verify and not is_of_worker(recipe, result) and api_for(runtime, signature) == COMPILED_MODEL


def expected_sections(signature: BundleSignature, predictions: Arrays, golden: Arrays) -> dict[str, np.ndarray]:
    """Return the sections of expected.bin by name, of the signatures that seeded inputs were run through.

    predictions: <prefix>range/<input> float64 [2] and <prefix>seeded/<output> [vectors, *shape of one call], raw, as
    kit.emulation.runtime_outputs has them; golden: golden.npz's arrays, with <prefix>drift/<output>, a float64 scalar.
    """
    import numpy as np

    sections: dict[str, np.ndarray] = {}
    for entry, prefix in signature.with_prefixes():
        if any(f"{prefix}seeded/{output.name}" not in predictions for output in entry.outputs):
            continue
        for tensor in entry.inputs:
            sections[f"{entry.key}/range/{tensor.name}"] = predictions[f"{prefix}range/{tensor.name}"][None]
        for output in entry.outputs:
            values = predictions[f"{prefix}seeded/{output.name}"]
            values = values.reshape(len(values), -1)
            count = values.shape[1]
            kept = values[:, np.arange(min(count, MOST)) * count // max(1, min(count, MOST))]
            drift = float(golden.get(f"{prefix}drift/{output.name}", np.zeros(())))
            sections[f"{entry.key}/expected/{output.name}"] = kept
            sections[f"{entry.key}/limits/{output.name}"] = np.array([_limits(output, kept, drift)])
    return sections


def _limits(output: TensorEntry, kept: np.ndarray, drift: float) -> tuple[float, float]:
    """Return how far an output may be off, and how many of its values may be further off.

    kept: [vectors, kept] in the output's dtype; drift: how far the file is from the float model on the golden vectors,
    in steps or in the output's own unit. Whole numbers that stand for no real ones (a class, an index) may be others
    where a rounding decides: half of them.
    """
    import numpy as np

    if output.dtype != "float32" and output.scale is None:
        return 0.0, float(kept.size // 2)
    real = kept[np.isfinite(kept)].astype(np.float64) - (output.zero_point or 0)
    largest = float(np.abs(real).max(initial=0.0))
    return round_up(allowed_off(largest, drift, quantized=output.scale is not None)), 0.0
