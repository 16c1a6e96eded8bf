"""A .tflite file run tensor by tensor: every value that it calculates, by name.

By kernels whose sums do not depend on the CPU: XNNPACK adds up in another order on another type of CPU, and a range
that differs in its last bit is another file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

Feeds = Mapping[str, np.ndarray]  # what one call takes: by input name [...], in its dtype


@dataclass(frozen=True)
class Tensors:
    """An interpreter of a file that keeps every tensor of a call."""

    interpreter: Interpreter
    graphs: Mapping[str, int]  # the subgraph of each signature

    @staticmethod
    def of(content: bytes) -> Tensors:
        """Load a file."""
        interpreter = Interpreter(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
        keys = interpreter.get_signature_list()
        graphs = {key: interpreter.get_signature_runner(key)._subgraph_index for key in keys}
        return Tensors(interpreter, graphs)

    def values(self, signature: str, feeds: Feeds) -> Iterator[tuple[str, np.ndarray]]:
        """Run one call; yield every tensor that it calculated: its name and its value [...] in its own dtype.

        feeds: by input name [...], in its dtype.
        """
        runner = self.interpreter.get_signature_runner(signature)
        runner(**feeds)
        graph = self.graphs[signature]
        for detail in self.interpreter.get_tensor_details(graph):
            if detail["name"]:
                try:
                    yield detail["name"], self.interpreter.get_tensor(detail["index"], graph)
                except ValueError:  # a tensor that nothing has filled
                    continue

    def scales(self, signature: str) -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
        """Return of every quantized tensor by name: scales float32 [n], zero points int32 [n], and their axis."""
        found = {}
        for detail in self.interpreter.get_tensor_details(self.graphs[signature]):
            quantized = detail["quantization_parameters"]
            if len(quantized["scales"]):
                at = int(quantized["quantized_dimension"])
                found[detail["name"]] = (quantized["scales"], quantized["zero_points"], at)
        return found


def real(value: np.ndarray, scale: tuple[np.ndarray, np.ndarray, int] | None) -> np.ndarray:
    """Return a tensor's real values in its shape, float64.

    value: raw, [...] in its own dtype; scale: as Tensors.scales has it, None for a float.
    """
    if scale is None or value.dtype.kind == "f":
        return value.astype(np.float64)
    scales, zeros, axis = scale
    if len(scales) == 1:
        return np.asarray((value.astype(np.float64) - float(zeros[0])) * float(scales[0]))
    shape = [1] * value.ndim
    shape[axis] = -1
    return np.asarray((value.astype(np.float64) - zeros.reshape(shape)) * scales.astype(np.float64).reshape(shape))
