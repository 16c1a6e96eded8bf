"""Which operator of a .tflite file holds which constants: parameters and bytes, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from kit.tflite.describe import tensor_type
from kit.tflite.model import Subgraph, TfliteFile


@dataclass(frozen=True)
class Held:
    """An operator with the constants that it reads first; what another one has read before is that one's."""

    subgraph: int
    operator: int  # its place in the order in which they run
    name: str  # "CONV_2D"
    output: str  # the name of its first output
    type: str  # of that output: "int8[1,8,8,16]"
    parameters: int
    bytes: int
    types: tuple[str, ...]  # of the constants, the largest first


def held_by_operators(file: TfliteFile) -> list[Held]:
    """Return every operator with what it holds, in the order of the file."""
    seen: set[int] = set()  # buffers: tensors may share one
    return [row for index, graph in enumerate(file.subgraphs) for row in _of_graph(file, index, graph, seen)]


def _of_graph(file: TfliteFile, index: int, graph: Subgraph, seen: set[int]) -> Iterator[Held]:
    for place, operator in enumerate(graph.operators):
        own = []
        for i in operator.inputs:
            tensor = graph.tensors[i] if i >= 0 else None
            if tensor is not None and tensor.sha256 is not None and tensor.buffer not in seen:
                seen.add(tensor.buffer)
                own.append((file.buffers[tensor.buffer].size, tensor))
        first = graph.tensors[operator.outputs[0]] if operator.outputs else None
        own.sort(key=lambda each: -each[0])
        yield Held(
            subgraph=index,
            operator=place,
            name=operator.name,
            output=first.name if first else "",
            type=tensor_type(first) if first else "",
            parameters=sum(math.prod(tensor.shape) for _, tensor in own),
            bytes=sum(size for size, _ in own),
            types=tuple(dict.fromkeys(tensor.dtype for _, tensor in own)),
        )
