"""How far an accelerator's outputs may be off: one rule for what an app verifies and for what a desktop estimates."""

from __future__ import annotations

SHARE = 0.05  # of an output's largest value: float16 drifts by 0.003 to 0.03 on sound GPUs
LEAST_STEPS = 8.0  # what two GPUs were off on a sound int8 file
LEAST = 1e-3  # of floats that are all 0


def allowed_off(largest: float, drift: float, *, quantized: bool) -> float:
    """Return how far a value may be from what the CPU gives, in steps where it is quantized.

    largest: the output's largest absolute value there, in the same unit, from the zero point; drift: how far the file
    is from the float model. A GPU computes a quantized file in floats: it may be as far from it as the float model is.
    """
    return max(SHARE * largest, min(2 * drift, largest / 2), LEAST_STEPS if quantized else LEAST)
