"""Golden vectors as an app reads them: golden.bin, written from golden.npz. Knows the format, judges nothing.

Little endian: "DKGOLD1\\n", the CRC-32 of everything after these 12 bytes, the number of sections; for each section
its name (16-bit length, UTF-8), numpy's name of its dtype (the same), its rank (8 bits), as many 32-bit sizes, a
64-bit number of bytes, and those bytes. A name is "<signature>/<kind>/<tensor>", of kind input, output, edge_input,
edge_output, pixels, text or audio; the first axis of a shape counts vectors, and what follows is the shape that one
call takes or gives. A text is UTF-8 in uint8, filled up with 0xFF; a sound is uint8 as kit.shared.audio.pack_sounds has
it.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kit.bundle.signature import BundleSignature, TensorEntry
from kit.errors import ModelError
from kit.files import write_whole

_NUMBERS = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)")
MAGIC = b"DKGOLD1\n"
_AGAIN = "build the bundle again"


def write_golden(path: Path, signature: BundleSignature, arrays: Mapping[str, np.ndarray]) -> None:
    """Write golden.bin of golden.npz's arrays. Raises ModelError where an array is missing or of another form.

    arrays: by key [vectors * rows, ...] in the tensor's dtype, rows the file's own batch; an image's pixels as uint8.
    """
    write_whole(path, golden_bytes(golden_sections(signature, arrays)))


def golden_sections(signature: BundleSignature, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the sections by name, each [vectors, *shape of one call]: the main signature's, the others', training's.

    arrays: as write_golden has them; a section has its array's dtype. The variables as built are what the signature
    that reads them gives in its one vector.
    """
    sections: dict[str, np.ndarray] = {}
    for entry, prefix in signature.with_prefixes():
        tensors = [("input", tensor) for tensor in entry.inputs] + [("output", tensor) for tensor in entry.outputs]
        tensors += [(kind, tensor) for kind in ("edge_input", "pixels", "text", "audio") for tensor in entry.inputs]
        tensors += [("edge_output", tensor) for tensor in entry.outputs]
        for kind, tensor in tensors:
            if kind == "output" and entry is signature.train:
                continue  # what a step gives depends on all steps before it
            array = arrays.get(f"{prefix}{kind}/{tensor.name}")
            if array is not None:
                _add(sections, f"{entry.key}/{kind}/{tensor.name}", _by_call(tensor, array))
    kept = signature.variables
    for variable in kept.tensors if kept else ():
        array = arrays.get(f"variable/{variable.name}")
        if array is None:
            raise ModelError(f"golden.npz has no variable {variable.name!r}", _AGAIN)
        _add(sections, f"{kept.read if kept else ''}/output/{variable.name}", array[None])
    return sections


def golden_bytes(sections: Mapping[str, np.ndarray]) -> bytes:
    """Return golden.bin of sections by name: [vectors, *shape of one call] of any dtype of numbers."""
    body = struct.pack("<I", len(sections)) + b"".join(_section(name, sections[name]) for name in sections)
    return MAGIC + struct.pack("<I", zlib.crc32(body)) + body


def read_golden(content: bytes) -> dict[str, np.ndarray]:
    """Return the sections of golden.bin by name: [vectors, *shape of one call] in the dtype that each has in the file.

    Raises ValueError where it is damaged.
    """
    if content[:8] != MAGIC or len(content) < 16:
        raise ValueError("it is no golden.bin")
    if zlib.crc32(content[12:]) != struct.unpack_from("<I", content, 8)[0]:
        raise ValueError("its checksum does not hold")
    try:
        return _sections(content)
    except (struct.error, IndexError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"its content does not fit its checksum: {error}") from error


def _sections(content: bytes) -> dict[str, np.ndarray]:
    """Return the sections of golden.bin by name, [vectors, *shape of one call] of any dtype, as read_golden."""
    (count,), place, sections = struct.unpack_from("<I", content, 12), 16, {}
    for _ in range(count):
        name, place = _text(content, place)
        dtype, place = _text(content, place)
        if not _NUMBERS.fullmatch(dtype):  # numpy would parse it as Python
            raise ValueError(f"{dtype[:40]!r} is no type of numbers")
        rank = content[place]
        shape = struct.unpack_from(f"<{rank}I", content, place + 1)
        (size,) = struct.unpack_from("<Q", content, place + 1 + 4 * rank)
        place += 9 + 4 * rank
        raw = content[place : place + size]
        sections[name] = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).reshape(shape)
        place += size
    return sections


def _by_call(tensor: TensorEntry, array: np.ndarray) -> np.ndarray:
    """Return [vectors, *shape of one call] of golden.npz's [vectors * rows, ...], in its dtype.

    rows: the file's own batch.
    """
    if not tensor.batched:
        return array
    if not array.ndim or len(array) % tensor.rows:
        raise ModelError(f"golden.npz has {list(array.shape)} for {tensor.name!r}: {tensor.rows} a call", _AGAIN)
    return array.reshape(len(array) // tensor.rows, tensor.rows, *array.shape[1:])


def _add(sections: dict[str, np.ndarray], name: str, array: np.ndarray) -> None:
    """Add array to sections, each [vectors, *shape of one call] of any dtype. Raises ModelError for a name that is
    there.
    """
    if name in sections:
        raise ModelError(f"two tensors are both {name!r} in golden.bin", "give one of them another name")
    sections[name] = array


def _section(name: str, array: np.ndarray) -> bytes:
    """Return a section's bytes. array: [vectors, *shape of one call] of any dtype of numbers."""
    texts = b"".join(struct.pack("<H", len(raw)) + raw for raw in (name.encode(), array.dtype.name.encode()))
    raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
    shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    return texts + shape + struct.pack("<Q", len(raw)) + raw


def _text(content: bytes, place: int) -> tuple[str, int]:
    (size,) = struct.unpack_from("<H", content, place)
    return content[place + 2 : place + 2 + size].decode(), place + 2 + size
