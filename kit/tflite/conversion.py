"""What a converter writes into a .tflite file of its own run: TensorFlow's version, and what it was asked for.

Source: tensorflow/compiler/mlir/lite/schema/conversion_metadata.fbs, which the `tflite` package has not.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from kit.tflite.model import TfliteFile

_NAME = "CONVERSION_METADATA"
_ENVIRONMENT, _OPTIONS = 0, 1
_TENSORFLOW, _MODEL_TYPE = 0, 2
_MODES = 0
_MODELS = ("", "SavedModel", "Keras model", "concrete functions", "GraphDef", "session", "JAX", "PyTorch")
_MODE_NAMES = {
    1001: "float16 weights",
    1002: "dynamic range",
    1003: "full integer",
    1004: "int16 activations",
    2000: "quantization-aware training",
    3001: "random sparsity",
    3002: "block sparsity",
    3003: "structured sparsity",
}


@dataclass(frozen=True)
class Conversion:
    """Who converted a file, and how; "" and () where it does not say."""

    tensorflow: str = ""  # "2.19.1"
    source: str = ""  # "concrete functions"
    modes: tuple[str, ...] = ()  # "full integer"


def conversion(file: TfliteFile) -> Conversion:
    """Return what the converter says of its run, an empty one where it says nothing that can be read."""
    content = file.attached(_NAME)
    try:
        return _read(bytes(content)) if content else Conversion()
    except (struct.error, IndexError, UnicodeDecodeError):
        return Conversion()


def _read(data: bytes) -> Conversion:
    root = _follow(data, 0)
    environment, options = (_table(data, root, field) for field in (_ENVIRONMENT, _OPTIONS))
    version = _place(data, environment, _TENSORFLOW)
    kind = _place(data, environment, _MODEL_TYPE)
    modes = _place(data, options, _MODES)
    number = struct.unpack_from("<i", data, kind)[0] if kind else 0
    return Conversion(
        _text(data, _follow(data, version)) if version else "",
        _MODELS[number] if 0 <= number < len(_MODELS) else "",
        tuple(_MODE_NAMES.get(mode, f"mode {mode}") for mode in _numbers(data, _follow(data, modes))) if modes else (),
    )


def _follow(data: bytes, at: int) -> int:
    return at + int(struct.unpack_from("<I", data, at)[0])


def _place(data: bytes, table: int, field: int) -> int:
    """Return where a table has a field, 0 where it has none: neither the table nor the field need be there."""
    if not table:
        return 0
    start = table - struct.unpack_from("<i", data, table)[0]
    if start < 0 or 4 + 2 * field >= struct.unpack_from("<H", data, start)[0]:
        return 0
    offset = struct.unpack_from("<H", data, start + 4 + 2 * field)[0]
    return table + offset if offset else 0


def _table(data: bytes, table: int, field: int) -> int:
    at = _place(data, table, field)
    return _follow(data, at) if at else 0


def _text(data: bytes, at: int) -> str:
    size = struct.unpack_from("<I", data, at)[0]
    return data[at + 4 : at + 4 + size].decode("utf-8")


def _numbers(data: bytes, at: int) -> tuple[int, ...]:
    count = struct.unpack_from("<I", data, at)[0]
    return struct.unpack_from(f"<{min(count, len(data) // 4)}i", data, at + 4)
