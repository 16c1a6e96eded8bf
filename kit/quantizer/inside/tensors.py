"""A .tflite file run tensor by tensor: every value that it calculates, by name.

Without XNNPACK, which adds up in another order on another type of CPU: a range that differs in its last bit is another
file. What is left depends on the size of the CPU's first cache alone (docs/reproducibility.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kit.shared.calls import Feeds


@dataclass(frozen=True)
class Tensors:
    """An interpreter of a file that keeps every tensor of a call."""

    interpreter: Interpreter
    graphs: Mapping[str, int]  # the subgraph of each signature
    places: Mapping[str, Mapping[str, int]]  # by signature: the number of each tensor that has a name

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
        details = {key: interpreter.get_tensor_details(graph) for key, graph in graphs.items()}
        places = {key: {each["name"]: each["index"] for each in own if each["name"]} for key, own in details.items()}
        return Tensors(interpreter, graphs, places)

    def values(
        self, signature: str, feeds: Feeds, only: Collection[str] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Run one call; yield every tensor that it calculated, or only some: its name and its value [...] in its dtype.

        feeds: by input name [...], in its dtype.
        """
        self.interpreter.get_signature_runner(signature)(**feeds)
        for name, place in self.places[signature].items():
            if only is None or name in only:
                with suppress(ValueError):  # a tensor that nothing has filled
                    yield name, self.interpreter.get_tensor(place, self.graphs[signature])

    def outputs(self, signature: str) -> dict[str, str]:
        """Return the names of the tensors that a signature gives, by the names of its outputs."""
        details = self.interpreter.get_signature_runner(signature).get_output_details()
        return {name: str(detail["name"]) for name, detail in details.items() if detail["name"]}

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
