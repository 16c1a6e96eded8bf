"""Dense layers whose inputs differ by channel, quantized with rounding "oscar" and without it.

Runs in the quantizer's venv with kit on PYTHONPATH: `python scaled_dense.py FOLDER` writes float.tflite, x.npy, y.npy
and <request>.tflite there, and found.json: of each request what a test wants to know.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from kit.quantizer.inside.tensors import Tensors
from kit.quantizer.inside.work import Work
from kit.shared.calls import Feeds
from kit.shared.quantization import LayerScheme, Quantization, QuantizerJob

STEPS, WIDTH, UNITS, CLASSES = 16, 24, 32, 10
NOISE = 6e-7  # of the largest value: what float sums differ by from one CPU to another
REQUESTS = {
    "octav": Quantization("int4", rounding="octav"),
    "oscar": Quantization("int4", rounding="oscar"),
    "corrected": Quantization("int4", rounding="oscar", bias_correction=True),
    "dynamic": Quantization("dynamic", rounding="oscar"),
    "mixed": Quantization("int4", (LayerScheme("out", "dynamic"), LayerScheme("v", "float16")), "oscar"),
    "none": Quantization("int4", (LayerScheme("*", "float16"),), "oscar"),
}


class Graph:
    """A float file of dense layers and sums, as TensorFlow's converter writes it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.buffers, self.model.subgraphs = 3, [schema.BufferT()], [self.graph]
        self.graph.tensors, self.graph.operators, self.model.operatorCodes = [], [], []
        for code in (schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.ADD):
            kind = schema.OperatorCodeT()
            kind.builtinCode = kind.deprecatedBuiltinCode = code
            kind.version = 1
            self.model.operatorCodes.append(kind)

    def tensor(self, name: str, shape: tuple[int, ...], data: np.ndarray | None = None) -> int:
        """Add a tensor, with its data float32 of that shape for a constant; return its number."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), schema.TensorType.FLOAT32, 0
        if data is not None:
            tensor.buffer = len(self.model.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.astype(np.float32).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def dense(self, name: str, given: int, size: tuple[int, int]) -> int:
        """Add a dense layer (inputs, outputs) of [1, STEPS, inputs]; return its output's number."""
        inputs, outputs = size
        weights = self.rng.normal(size=(outputs, inputs)) * self.rng.lognormal(0, 1, inputs) / np.sqrt(inputs)
        options = schema.FullyConnectedOptionsT()
        options.keepNumDims = True
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.builtinOptions = 0, options
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        kernel = self.tensor(f"{name}/MatMul", (outputs, inputs), weights)
        bias = self.tensor(f"{name}/bias", (outputs,), self.rng.normal(size=outputs))
        operator.inputs, operator.outputs = [given, kernel, bias], [self.tensor(f"{name}/Add", (1, STEPS, outputs))]
        self.graph.operators.append(operator)
        return int(operator.outputs[0])

    def add(self, name: str, terms: tuple[int, int], width: int) -> int:
        """Add a sum of two tensors [1, STEPS, width]; return its number."""
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.builtinOptions = 1, schema.AddOptionsT()
        operator.builtinOptionsType = schema.BuiltinOptions.AddOptions
        operator.inputs, operator.outputs = list(terms), [self.tensor(name, (1, STEPS, width))]
        self.graph.operators.append(operator)
        return int(operator.outputs[0])

    def content(self, given: dict[str, int], output: int) -> bytes:
        """Return the file's bytes, with a signature from the inputs of these names to y."""
        self.graph.inputs, self.graph.outputs = list(given.values()), [output]
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs = [_mapped(name, number) for name, number in given.items()]
        signature.outputs = [_mapped("y", output)]
        self.model.signatureDefs = [signature]
        return bytes(flatbuffer_utils.convert_object_to_bytearray(self.model))


def _mapped(name: str, number: int) -> Any:
    place = schema.TensorMapT()
    place.name, place.tensorIndex = name.encode(), number
    return place


def float_file(rng: np.random.Generator) -> bytes:
    """Return a file in which three dense layers take x [1, 16, 24], a fourth their sum, and a fifth z [1, 16, 1], for
    which no scale is better than none. It gives y [1, 16, 10]."""
    graph = Graph(rng)
    x, z = graph.tensor("x", (1, STEPS, WIDTH)), graph.tensor("z", (1, STEPS, 1))
    q, k, v = (graph.dense(name, x, (WIDTH, UNITS)) for name in "qkv")
    both = graph.add("two", (graph.add("one", (q, k), UNITS), v), UNITS)
    last = graph.add(
        "last", (graph.dense("out", both, (UNITS, CLASSES)), graph.dense("single", z, (1, CLASSES))), CLASSES
    )
    return graph.content({"x": x, "z": z}, last)


def outputs(content: bytes, calls: list[Feeds]) -> np.ndarray:
    """Return what a file calculates of each call, float32 [N, 1, 16, 10]."""
    runner = Tensors.of(content).interpreter.get_signature_runner()
    return np.array([runner(**call)["y"] for call in calls])


def described(content: bytes) -> dict[str, Any]:
    """Return what a file is made of."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    (graph,) = model.subgraphs
    codes = [model.operatorCodes[operator.opcodeIndex] for operator in graph.operators]
    fours = [tensor for tensor in graph.tensors if tensor.type == schema.TensorType.INT4]
    packed = [np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.uint8) for tensor in fours]
    return {
        "bytes": len(content),
        "tensors": [tensor.name.decode() for tensor in graph.tensors],
        "operators": [[code.builtinCode, code.deprecatedBuiltinCode, code.customCode] for code in codes],
        "int4": [tensor.name.decode() for tensor in fours],
        "least": any(bool(((each & 15) == 8).any() or ((each >> 4) == 8).any()) for each in packed),
    }


def main(folder: Path) -> None:
    """Make every file, and one request again with the noise of another CPU's sums."""
    logging.disable(logging.WARNING)
    rng = np.random.default_rng(3)
    content = float_file(rng)
    sizes = np.exp(1.5 * rng.normal(size=WIDTH))
    x = ((rng.normal(size=(40, 1, STEPS, WIDTH)) + 2) * sizes).astype(np.float32)
    calls: list[Feeds] = [{"x": each, "z": each[..., :1]} for each in x]

    def work(name: str) -> Work:
        job = QuantizerJob((), ("q", "k", "v", "out", "single"), compared=16)
        (folder / name).mkdir()
        made = Work(content, job, folder, folder / name / "ranges.json")
        made.__dict__["calls"] = {"serving_default": calls}  # those of a job's folder otherwise
        return made

    exact, found = outputs(content, calls), dict[str, Any]()
    whole = work("whole")
    for name, request in REQUESTS.items():
        made, said = whole.make(request)
        found[name] = {"error": said.error, "unsure": dict(said.unsure)}
        if made:
            (folder / f"{name}.tflite").write_bytes(made)
            error = float(np.sqrt(np.mean((outputs(made, calls) - exact) ** 2) / exact.var()))
            found[name] |= described(made) | {"off": error, "snr": {each.tensor: each.snr for each in said.errors}}
    values, noise = Tensors.values, np.random.default_rng(5)

    def noisy(self: Tensors, *given: Any) -> Iterator[tuple[str, np.ndarray]]:
        for name, value in values(self, *given):
            off = noise.uniform(-NOISE, NOISE, value.shape) * np.abs(value).max()
            yield name, value if name in {"x", "z"} else (value + off).astype(np.float32)

    with patch.object(Tensors, "values", noisy):
        made, _ = work("noisy").make(REQUESTS["oscar"])
    measured = [(folder / name / "moments.json").read_text("utf-8") for name in ("whole", "noisy")]
    found["noise"] = {
        "measured": measured[0] == measured[1],
        "file": made == (folder / "oscar.tflite").read_bytes(),
    }
    (folder / "float.tflite").write_bytes(content)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", exact)
    (folder / "found.json").write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
