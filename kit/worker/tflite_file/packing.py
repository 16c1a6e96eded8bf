"""From the schema's objects back to the bytes of a .tflite file."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema


def packed(model: Any, *, once: bool = False) -> bytes:
    """Return the bytes of a ModelT. once: texts, shapes and scales that are there several times are written once."""
    for at, buffer in enumerate(model.buffers):
        aligned = _Aligned()
        aligned.data = buffer.data
        model.buffers[at] = aligned
    builder = _Sharing(1024) if once else flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _Sharing(flatbuffers.Builder):  # type: ignore[misc]
    """Writes a text or a vector of numbers once, however often it is asked for."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._places: dict[Any, int] = {}

    def CreateString(self, s: Any, *rest: Any, **options: Any) -> int:  # noqa: N802 - the generated code's name
        """Return the place of a text."""
        if s not in self._places:
            self._places[s] = super().CreateString(s, *rest, **options)
        return self._places[s]

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802 - the generated code's name
        """Return the place of a vector [n], of any dtype."""
        key = (x.dtype.str, x.tobytes())
        if key not in self._places:
            self._places[key] = super().CreateNumpyVector(x)
        return self._places[key]


class _Aligned(schema.BufferT):  # type: ignore[misc]
    """A buffer as the schema wants it, at a multiple of 16 bytes: the generated code forgets that."""

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the name that the generated code calls
        """Write the buffer and return its place."""
        data = None
        if self.data is not None and len(self.data):
            values = np.asarray(self.data, np.uint8).tobytes()
            builder.StartVector(1, len(values), 16)
            builder.head = builder.Head() - len(values)
            builder.Bytes[builder.Head() : builder.Head() + len(values)] = values
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))
