"""Two jobs' files of one model side by side: the float32 one, and the one that a user gets. Makes no file."""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert.tools import flatbuffer_utils

from kit.quantizer.inside.calibration_calls import calibration_calls
from kit.quantizer.inside.layer_errors import Pair, by_layer, layer_errors, with_outputs
from kit.quantizer.inside.schemes import Operator, operators
from kit.quantizer.inside.tensors import Tensors
from kit.quantizer.inside.unique_names import with_unique_names
from kit.shared.calls import Feeds
from kit.shared.job import MODEL, RESULT, Result, TensorSpec, load_result
from kit.shared.quantization import EXACT, PRODUCT, LayerError, QuantizerJob
from kit.shared.rows import raw


def compared(job: QuantizerJob, inputs: Path) -> tuple[LayerError, ...]:
    """Return the error of each layer of the main signature. inputs: a job's folder IN, see kit.shared.quantization."""
    exact, made = (with_unique_names((inputs / name / MODEL).read_bytes()) for name in (EXACT, PRODUCT))
    result = load_result((inputs / PRODUCT / RESULT).read_text("utf-8"))
    assert isinstance(result, Result)
    specs = {spec.name: spec for spec in result.signature.inputs}
    main, calls = next(iter(calibration_calls(inputs).items()))
    pairs = ((call, _fed(call, specs)) for call in calls[: job.compared])
    found, others = _operators(exact, job), _operators(made, job)
    both = Tensors.of(exact), Tensors.of(made)
    return layer_errors(Pair(*both, with_outputs(by_layer(found, others), *both, main)), main, pairs, found)


def _operators(content: bytes, job: QuantizerJob) -> list[Operator]:
    return list(operators(flatbuffer_utils.read_model_from_bytearray(bytearray(content)), job.layers))


def _fed(call: Feeds, specs: dict[str, TensorSpec]) -> Feeds:
    """Return what the product takes of a call's real values: by input name [...], in its dtype."""
    return {name: raw(value, specs[name]) for name, value in call.items()}
