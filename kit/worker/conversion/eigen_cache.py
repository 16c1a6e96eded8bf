"""Make float matrix products come out the same on every CPU: give Eigen the same cache sizes everywhere.

Eigen, which TensorFlow's and TFLite's float kernels multiply with, asks the CPU for the sizes of its caches and cuts
long sums into blocks that fit. Another block is another order of additions, another last bit, and in the end another
quantization scale: a product over 400 values differs between a CPU with 32 KB of L1 cache and one with 48. Eigen's own
cure, setCpuCacheSizes, is not exported from TensorFlow's libraries; the three numbers that it sets are found here by
what they hold and replaced, and whether the calibrator obeys is tried before anything is converted.
"""

from __future__ import annotations

import ctypes
import functools
import platform
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.optimize import calibrator

# L1, L2 and L3 in bytes. Any would do; these are common, so that no CPU is made much slower.
SIZES = (32 << 10, 512 << 10, 16 << 20)
_TINY = (2 << 10, 512 << 10, 16 << 20)
_UNKNOWN = (32 << 10, 256 << 10, 2 << 20)  # what Eigen takes where the CPU does not say (GeneralBlockPanelKernel.h)

Sizes = tuple[int, int, int]


def fix_cache_sizes() -> bool:
    """Make Eigen block for SIZES in this process, whatever the CPU. Return whether that is so.

    Elsewhere than on x86-64 Eigen asks no CPU: its sizes are compiled in.
    """
    if platform.machine() != "x86_64":
        return True
    model = _probe()
    _calibrate(model)
    _run(model)
    places = list(_places(_asked()))
    _set(places, _TINY)
    other = _calibrate(model)
    _set(places, SIZES)
    return bool(places) and other != _calibrate(model)


def _set(places: list[Any], sizes: Sizes) -> None:
    for place in places:
        place[:] = sizes


def _asked() -> Sizes:
    """Return what Eigen learns from this CPU."""
    library = ctypes.CDLL(str(Path(tf.__file__).parent / "libtensorflow_framework.so.2"))
    values = [ctypes.c_int() for _ in _UNKNOWN]
    library._ZN5Eigen8internal15queryCacheSizesERiS1_S1_(*map(ctypes.byref, values))
    l1, l2, l3 = (got.value if got.value > 0 else default for got, default in zip(values, _UNKNOWN, strict=True))
    return l1, l2, l3


def _places(sizes: Sizes) -> Iterator[Any]:
    """Yield each triple of integers with these values in the variables of TensorFlow's libraries, to be written."""
    wanted = np.array(sizes, np.intp).tobytes()
    for start, size in _variables():
        content = ctypes.string_at(start, size)
        at = content.find(wanted)
        while at >= 0:
            yield (ctypes.c_ssize_t * 3).from_address(start + at)
            at = content.find(wanted, at + 8)


def _variables() -> Iterator[tuple[int, int]]:
    """Yield (address, bytes) of the writable, not yet sealed parts of TensorFlow's libraries in this process."""
    writable = [(first, last) for first, last, mode, _ in _mapped() if mode.startswith("rw")]
    loaded = {path: first for first, _, _, path in reversed(list(_mapped())) if "/tensorflow/" in path}
    for path, base in sorted(loaded.items()):
        if ".so" not in Path(path).name:
            continue
        for start, end in _segments(Path(path), base):
            # The loader sealed some of the segment after relocation: only what can still be written can change.
            for first, last in writable:
                if max(start, first) < min(end, last):
                    yield max(start, first), min(end, last) - max(start, first)


def _mapped() -> Iterator[tuple[int, int, str, str]]:
    for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
        span, mode, _, _, _, *path = line.split(maxsplit=5)
        first, last = (int(part, 16) for part in span.split("-"))
        yield first, last, mode, path[0] if path else ""


def _segments(path: Path, base: int) -> Iterator[tuple[int, int]]:
    """Yield [start, end) in memory of a library's writable segments, read from its ELF program headers."""
    with path.open("rb") as file:
        header = file.read(64)
        (table,), (size, count) = struct.unpack_from("<Q", header, 32), struct.unpack_from("<HH", header, 54)
        file.seek(table)
        for _ in range(count):
            kind, flags, _, address, _, _, length, _ = struct.unpack("<IIQQQQQQ", file.read(size))
            if kind == 1 and flags & 2:  # PT_LOAD, PF_W
                yield base + address, base + address + length


def _calibrate(model: bytes) -> bytes:
    """Return the probe with the value ranges that the converter's own calibrator measures on it."""
    return bytes(calibrator.Calibrator(model).calibrate(lambda: [[_noise(1, _SIDE, _SIDE, _DEPTH)]]))


def _run(model: bytes) -> None:
    """Run the probe once in the interpreter and its kin in TensorFlow: a library may hold an Eigen of its own."""
    plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(model_content=model, experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    interpreter.invoke()
    tf.linalg.matmul(_noise(_SIDE, _DEPTH), _noise(_DEPTH, _SIDE))
    tf.nn.conv2d(_noise(1, _SIDE, _SIDE, _DEPTH), _noise(1, 1, _DEPTH, _SIDE), 1, "SAME")


_SIDE, _DEPTH = 16, 1200  # deep enough to be cut into blocks by every size


@functools.cache
def _noise(*shape: int) -> np.ndarray:
    """Return float32 [*shape] from -1 to below 1, the same in every numpy.

    Their sum depends on the order of additions.
    """
    count = int(np.prod(shape))
    scrambled = (np.arange(1, count + 1, dtype=np.uint32) * np.uint32(2654435761)).astype(np.int32)
    return (scrambled / 2**31).astype(np.float32).reshape(shape)


def _probe() -> bytes:
    """Return a .tflite that gives [1, side, side, depth] to a convolution 1x1 and to a dense layer."""
    model = schema.ModelT()
    model.version, model.buffers, model.subgraphs = 3, [schema.BufferT()], [schema.SubGraphT()]
    graph = model.subgraphs[0]
    graph.tensors = [
        _tensor(model, (1, _SIDE, _SIDE, _DEPTH)),
        _tensor(model, (_SIDE, 1, 1, _DEPTH), filled=True),
        _tensor(model, (_SIDE, _DEPTH), filled=True),
        _tensor(model, (_SIDE,), filled=True),
        _tensor(model, (1, _SIDE, _SIDE, _SIDE)),
        _tensor(model, (_SIDE * _SIDE, _SIDE)),
    ]
    convolution, dense = schema.Conv2DOptionsT(), schema.FullyConnectedOptionsT()
    convolution.strideH = convolution.strideW = 1
    graph.operators = [
        _operator(model, schema.BuiltinOperator.CONV_2D, schema.BuiltinOptions.Conv2DOptions, convolution, (1, 4)),
        _operator(
            model, schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOptions.FullyConnectedOptions, dense, (2, 5)
        ),
    ]
    graph.inputs, graph.outputs = [0], [4, 5]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(model: Any, shape: tuple[int, ...], *, filled: bool = False) -> Any:
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.name = list(shape), schema.TensorType.FLOAT32, str(shape)
    if filled:
        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT())
        model.buffers[-1].data = np.frombuffer(_noise(*shape).tobytes(), np.uint8)
    return tensor


def _operator(model: Any, code: int, kind: int, options: Any, ends: tuple[int, int]) -> Any:
    operator, opcode = schema.OperatorT(), schema.OperatorCodeT()
    opcode.builtinCode = opcode.deprecatedBuiltinCode = code
    model.operatorCodes = [*(model.operatorCodes or []), opcode]
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [0, ends[0], 3], [ends[1]]
    operator.builtinOptionsType, operator.builtinOptions = kind, options
    return operator
