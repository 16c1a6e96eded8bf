"""Run models on the real interpreter for a JVM: requests on stdin, replies on stdout. Runs in the runtime's own venv.

LiteRT's C library exports no functions of tflite::Interpreter, which org.tensorflow.lite.Interpreter wraps on a phone;
the Python wheel binds it. The process ends when stdin does, so also when the JVM is killed.

Numbers are big-endian; tensors' bytes are as in memory. A text or a tensor's bytes: int32 length, then the bytes. A
shape: int32 rank, then int32 sizes. A request is one byte, then what it needs:

    C  int32 threads (0: the interpreter's choice), byte XNNPACK, bytes of the model -> int32 handle, int32 signatures,
       each: text key, byte (is it the file's first subgraph), inputs, outputs; int32 tensors, each: text name, text
       name in the graph, int32 index, int32 type, shape with -1 for open axes, float32 scale, int32 zero point
    S  int32 handle, int32 signature -> the shape of each input, then of each output, as they are now
    R  int32 handle, int32 signature, int32 input, shape -> nothing
    I  int32 handle, int32 signature, bytes of each input -> byte (were tensors allocated), each output: shape, bytes
    V  int32 handle -> nothing; what operators keep from call to call is as built
    D  int32 handle -> nothing

A reply is byte 0, then the above; or 1 (the caller's fault) or 2 (the interpreter's) and a text, as the library's JNI
code has it.
"""

from __future__ import annotations

import importlib
import os
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

# Numbers of TfLiteType, as DataType of the Java library has them. Any other type is 0, which Java refuses by itself.
TYPES = {"float32": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9}


class RefusedError(Exception):
    """A request that fails; its kind is 1 for IllegalArgumentException, 2 for IllegalStateException."""

    def __init__(self, kind: int, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Signature:
    """One entry point: the indices of its tensors in its subgraph, by name and in the file's order."""

    key: str
    subgraph: int
    inputs: dict[str, int]
    outputs: dict[str, int]


@dataclass
class Loaded:
    """One interpreter with its signatures, and the subgraphs whose tensors have memory."""

    interpreter: Any
    signatures: list[Signature]
    allocated: set[int] = field(default_factory=set)

    @property
    def wrapper(self) -> Any:
        """Return the binding itself: the public class resizes and allocates in the first subgraph alone."""
        return self.interpreter._interpreter


class Stream:
    """Reads requests and writes replies."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source, self._sink, self._reply = source, sink, bytearray()

    def read(self, count: int) -> bytes:
        """Return exactly so many bytes. Raises EOFError where the other side is gone."""
        content = self._source.read(count)
        if len(content) < count:
            raise EOFError
        return content

    def number(self) -> int:
        """Return the next int32."""
        return int(struct.unpack(">i", self.read(4))[0])

    def numbers(self) -> list[int]:
        """Return the next shape."""
        return [self.number() for _ in range(self.number())]

    def content(self) -> bytes:
        """Return the next length's bytes."""
        return self.read(self.number())

    def put(self, layout: str, *values: float) -> None:
        """Add numbers to the reply."""
        self._reply += struct.pack(f">{layout}", *values)

    def put_content(self, content: bytes) -> None:
        """Add a length and its bytes to the reply."""
        self.put("i", len(content))
        self._reply += content

    def put_shape(self, shape: Sequence[int]) -> None:
        """Add a shape to the reply."""
        self.put(f"i{len(shape)}i", len(shape), *map(int, shape))

    def flush(self, kind: int = 0, message: str = "") -> None:
        """Send the reply; with a kind other than 0 the message in its place."""
        if kind:
            self._reply.clear()
            self.put_content(message.encode())
        self._sink.write(bytes([kind]))
        self._sink.write(self._reply)
        self._sink.flush()
        self._reply.clear()


def attempt(kind: int, what: str, do: Callable[..., object], *arguments: Any) -> None:
    """Call the interpreter. Raises RefusedError with what the interpreter said."""
    try:
        do(*arguments)
    except (RuntimeError, ValueError) as error:
        raise RefusedError(kind, f"Internal error: {what}: {error}") from error


class Host:
    """Every interpreter of one JVM, by handle."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._loaded, self._last = stream, dict[int, Loaded](), 0
        self.requests = {b"C": self.create, b"S": self.shapes, b"R": self.resize, b"I": self.invoke}
        self.requests |= {b"V": self.reset, b"D": self.destroy}

    def create(self) -> None:
        """Load a model and allocate its first subgraph, as the library's constructor does."""
        stream = self._stream
        threads, xnnpack, content = stream.number(), stream.read(1) != b"\0", stream.content()
        module = importlib.import_module("ai_edge_litert.interpreter")
        kernels = module.OpResolverType
        try:
            interpreter = module.Interpreter(
                model_content=content,
                num_threads=threads or None,
                experimental_op_resolver_type=kernels.BUILTIN if xnnpack else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
        except (RuntimeError, ValueError) as error:
            raise RefusedError(1, f"Internal error: Cannot create interpreter: {error}") from error
        wrapper = interpreter._interpreter
        loaded = Loaded(
            interpreter,
            [
                Signature(key, int(wrapper.GetSubgraphIndexFromSignature(key)), found["inputs"], found["outputs"])
                for key, found in wrapper.GetSignatureDefs().items()
            ],
        )
        self._allocate(loaded, 0)
        self._last += 1
        self._loaded[self._last] = loaded
        stream.put("ii", self._last, len(loaded.signatures))
        for signature in loaded.signatures:
            stream.put_content(signature.key.encode())
            stream.put("b", signature.subgraph == 0)
            self._put_tensors(loaded, signature.subgraph, signature.inputs)
            self._put_tensors(loaded, signature.subgraph, signature.outputs)

    def shapes(self) -> None:
        """Tell the shape that each tensor of a signature has now."""
        loaded, signature = self._signature()
        for index in (*signature.inputs.values(), *signature.outputs.values()):
            self._stream.put_shape(loaded.wrapper.TensorSize(index, signature.subgraph))

    def resize(self) -> None:
        """Give an input another shape; memory follows with the next run."""
        loaded, signature = self._signature()
        number, shape = self._stream.number(), np.array(self._stream.numbers(), np.int32)
        name, index = list(signature.inputs.items())[number]
        which = f"input {name}" if signature.subgraph else f"{number}-th input"
        loaded.allocated.discard(signature.subgraph)
        resize = loaded.wrapper.ResizeInputTensor
        attempt(1, f"Failed to resize {which}", resize, index, shape, False, signature.subgraph)

    def invoke(self) -> None:
        """Run a signature; tensors get memory first where an input was resized, or where it never ran."""
        loaded, signature = self._signature()
        wrapper, subgraph = loaded.wrapper, signature.subgraph
        given = [self._stream.content() for _ in signature.inputs]
        self._stream.put("b", self._allocate(loaded, subgraph))
        for index, content in zip(signature.inputs.values(), given, strict=True):
            flat = np.frombuffer(content, wrapper.TensorType(index, subgraph))
            wrapper.SetTensor(index, flat.reshape(wrapper.TensorSize(index, subgraph)), subgraph)
        attempt(2, "Failed to run on the given Interpreter", wrapper.Invoke, subgraph)
        for index in signature.outputs.values():
            value = wrapper.GetTensor(index, subgraph)
            self._stream.put_shape(value.shape)
            self._stream.put_content(value.tobytes())

    def reset(self) -> None:
        """Set what operators keep from call to call to what it was at first."""
        loaded = self._loaded[self._stream.number()]
        attempt(1, "Failed to reset variable tensors", loaded.wrapper.ResetVariableTensors)

    def destroy(self) -> None:
        """Forget an interpreter."""
        del self._loaded[self._stream.number()]

    def _allocate(self, loaded: Loaded, subgraph: int) -> bool:
        """Give a subgraph's tensors memory where they have none; return whether they had none."""
        if subgraph in loaded.allocated:
            return False
        attempt(2, "Unexpected failure when preparing tensor allocations", loaded.wrapper.AllocateTensors, subgraph)
        loaded.allocated.add(subgraph)
        return True

    def _signature(self) -> tuple[Loaded, Signature]:
        loaded = self._loaded[self._stream.number()]
        return loaded, loaded.signatures[self._stream.number()]

    def _put_tensors(self, loaded: Loaded, subgraph: int, tensors: dict[str, int]) -> None:
        stream, wrapper = self._stream, loaded.wrapper
        stream.put("i", len(tensors))
        for name, index in tensors.items():
            scale, zero_point = wrapper.TensorQuantization(index, subgraph)
            kind = TYPES.get(np.dtype(wrapper.TensorType(index, subgraph)).name, 0)
            stream.put_content(name.encode())
            stream.put_content(wrapper.TensorName(index, subgraph).encode())
            stream.put("ii", index, kind)
            stream.put_shape(wrapper.TensorSizeSignature(index, subgraph))
            stream.put("fi", scale, zero_point)


def main() -> int:
    """Reply to every request until there are no more."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    stream = Stream(sys.stdin.buffer, sink)
    host = Host(stream)
    while True:
        try:
            request = stream.read(1)
        except EOFError:
            return 0
        try:
            host.requests[request]()
        except EOFError:
            return 0
        except RefusedError as refused:
            stream.flush(refused.kind, str(refused))
        else:
            stream.flush()


if __name__ == "__main__":
    raise SystemExit(main())
