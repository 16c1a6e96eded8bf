"""golden.npz: the inputs and outputs of each signature as they were when the bundle was built, every array checked."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .calls import calls_text, holds_calls
from .errors import broken
from .files import Array, Arrays, read_npz
from .model import Model
from .signature import Signature, Tensors, Variables
from .tensor import Tensor


class Golden(NamedTuple):
    """The arrays of golden.npz by key, "<prefix><kind>/<tensor>".

    input, output: [N * rows, *sample] in the tensor's dtype; edge_input, edge_output: the same of inputs at the edges
    of what it may be fed, where there are any; pixels: of an image, uint8; text: UTF-8 filled up with
    0xFF, uint8 [N * rows, bytes]; audio: sounds as audio.pack_sounds has them, uint8 [N * rows, bytes]; tolerance: how
    far an output may be off, drift: how far it was from the float model's as built, numbers in quantization steps or of
    an output's own unit; variable/<name>.
    """

    path: Path
    arrays: Mapping[str, Array]

    def of(self, signature: Signature, kind: str, name: str) -> Array:
        """Return an array of the shape and dtype that its kind has, above. Raises KeyError where there is none."""
        return self.arrays[f"{signature.prefix}{kind}/{name}"]

    def inputs(self, signature: Signature) -> Arrays:
        """Return [N * rows, *sample] of each input in its tensor's dtype. Raises KeyError where there is none."""
        return {name: self.of(signature, "input", name) for name in signature.inputs}

    def edge_inputs(self, signature: Signature) -> Arrays:
        """Return [N * rows, *sample] of each input in its tensor's dtype; empty where there are none."""
        found = signature.inputs if self.has_edges(signature) else ()
        return {name: self.of(signature, "edge_input", name) for name in found}

    def has_edges(self, signature: Signature) -> bool:
        """Say whether there are any edge vectors of a signature: then there is all of them."""
        return any(self.has(signature, kind, name) for kind, named in _edges_of(signature) for name in named)

    def variables(self, kept: Variables | None) -> Arrays:
        """Return the value of each kept variable as built, of its tensor's shape and dtype; empty without any."""
        return {} if kept is None else {name: self.arrays[f"variable/{name}"] for name in kept.tensors}

    def has(self, signature: Signature, kind: str, name: str) -> bool:
        return f"{signature.prefix}{kind}/{name}" in self.arrays

    def has_vectors(self, signature: Signature) -> bool:
        """Say whether there is anything of a signature: then there is all of it."""
        return any(self.has(signature, kind, name) for kind, named in _vectors_of(signature) for name in named)


def read_golden(model: Model) -> Golden:
    """Return the arrays of golden.npz, every shape and type checked. Raises EmulateError."""
    path = model.bundle.golden
    golden = Golden(path, read_npz(path, broken))
    for signature in (model.main, *model.others):
        if signature is model.main or golden.has_vectors(signature):
            _check_counts(golden, _counts(golden, signature, _vectors_of(signature)), signature, bounded=True)
        if golden.has_edges(signature):
            _check_counts(golden, _tensor_counts(golden, signature, _edges_of(signature)), signature, bounded=True)
    if model.train:
        _check_counts(golden, _counts(golden, model.train, _vectors_of(model.train)[:1]), model.train, bounded=False)
        _check_loss(golden, f"{model.train.prefix}output/loss")
    for name, tensor in model.variables.tensors.items() if model.variables else ():
        array = golden.arrays.get(f"variable/{name}")
        if array is None or (array.shape, array.dtype.name) != (tensor.shape, tensor.dtype):
            raise broken(path, f"variable/{name} is missing, or is not {tensor}")
    return golden


def _vectors_of(signature: Signature) -> tuple[tuple[str, Tensors], ...]:
    return (("input", signature.inputs), ("output", signature.outputs))


def edge_outputs(signature: Signature) -> Tensors:
    """Return the outputs that edge vectors have: an index may be another one where values are equal."""
    kinds = {name: np.dtype(tensor.dtype).kind for name, tensor in signature.outputs.items()}
    return {n: tensor for n, tensor in signature.outputs.items() if kinds[n] == "f" or tensor.scale is not None}


def _edges_of(signature: Signature) -> tuple[tuple[str, Tensors], ...]:
    return (("edge_input", signature.inputs), ("edge_output", edge_outputs(signature)))


def _tensor_counts(golden: Golden, signature: Signature, vectors: tuple[tuple[str, Tensors], ...]) -> set[int]:
    """Return how many vectors the arrays of tensors hold: one number where all is well. Raises EmulateError."""
    return {
        _count(golden, f"{signature.prefix}{kind}/{name}", tensor, tensor.dtype)
        for kind, tensors in vectors
        for name, tensor in tensors.items()
    }


def _counts(golden: Golden, signature: Signature, vectors: tuple[tuple[str, Tensors], ...]) -> set[int]:
    """Return how many vectors the arrays of a signature hold: one number where all is well. Raises EmulateError."""
    counts = _tensor_counts(golden, signature, vectors)
    for name, tensor in signature.inputs.items():
        if tensor.kind == "image" and golden.has(signature, "pixels", name):
            counts.add(_count(golden, f"{signature.prefix}pixels/{name}", tensor, "uint8"))
        if tensor.kind in ("text", "audio") and golden.has(signature, tensor.kind, name):
            counts.add(_count_packed(golden, f"{signature.prefix}{tensor.kind}/{name}", tensor))
    return counts


def _count_packed(golden: Golden, key: str, tensor: Tensor) -> int:
    """Return how many calls' worth of texts or sounds an array [N, bytes] holds. Raises EmulateError for another."""
    array = golden.arrays[key]
    if array.dtype.name != "uint8" or array.ndim != 2 or len(array) % tensor.rows:
        raise broken(golden.path, f"{key} is {array.dtype.name} {list(array.shape)}, and uint8 [N, bytes] is needed")
    return len(array) // tensor.rows


def _count(golden: Golden, key: str, tensor: Tensor, dtype: str) -> int:
    """Return how many calls' worth an array holds. Raises EmulateError where it has another shape or dtype."""
    if key not in golden.arrays:
        raise broken(golden.path, f"{key} is missing")
    array = golden.arrays[key]
    if not holds_calls(tensor, array) or array.dtype.name != dtype:
        needed = f"{dtype} {calls_text(tensor)}"
        raise broken(golden.path, f"{key} is {array.dtype.name} {list(array.shape)}, and {needed} is needed")
    return len(array) // tensor.rows


def _check_counts(golden: Golden, counts: set[int], signature: Signature, *, bounded: bool) -> None:
    """Check that a signature has N >= 1 vectors, and bounded: a bound for each output. Raises EmulateError."""
    for name in signature.outputs if bounded else ():
        for kind in ("tolerance", "drift"):
            _check_bound(golden, f"{signature.prefix}{kind}/{name}")
    if len(counts) > 1 or 0 in counts:
        raise broken(golden.path, f"its arrays hold {sorted(counts)} vectors: one number, at least 1, is needed")


def _check_bound(golden: Golden, key: str) -> None:
    bound = golden.arrays.get(key, np.zeros(0))
    if bound.shape != () or bound.dtype.kind not in "fiu" or not 0 <= float(bound) < math.inf:
        raise broken(golden.path, f"{key} is missing, or is no number >= 0")


def _check_loss(golden: Golden, key: str) -> None:
    loss = golden.arrays.get(key, np.zeros(0))
    if loss.dtype.kind != "f" or not loss.size:
        raise broken(golden.path, f"{key} is missing, or holds no number")
