"""What comes through stdin, as a file that the other parts read: what it is, its first bytes say."""

import contextlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .errors import EmulateError
from .signature import Signature
from .tensor import Tensor

STDIN = Path("-")
MOST_BYTES = 1 << 30
_ARRAYS = ((b"PK\x03\x04", ".npz"), (b"\x93NUMPY", ".npy"))
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\0", b"MM\0*")


@contextlib.contextmanager
def stdin_file(signature: Signature) -> Iterator[Path]:
    """Give a file with all that comes through stdin, for a block. Raises EmulateError."""
    if sys.stdin is None or sys.stdin.isatty():
        raise EmulateError(f"{STDIN}: nothing comes through stdin", "pipe a file into it: emulate.py - < seven.png")
    content = sys.stdin.buffer.read(MOST_BYTES + 1)
    if not content:
        raise EmulateError(f"{STDIN}: stdin is empty", "pipe a file into it: emulate.py - < seven.png")
    import tempfile  # takes 5 ms

    if len(content) > MOST_BYTES:
        raise EmulateError(f"{STDIN}: more than {MOST_BYTES:,} bytes come through stdin", "name the file")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"stdin{ending_of(content, signature)}")
        path.write_bytes(content)
        yield path


def ending_of(content: bytes, signature: Signature) -> str:
    """Return how the name of a file with this content would end."""
    for mark, ending in _ARRAYS:
        if content.startswith(mark):
            return ending
    if content.startswith(_IMAGES) or content[8:12] == b"WEBP" or content[4:8] == b"ftyp":
        return ".png"  # of any kind: it is read by its content
    if content.startswith(b"RIFF") and content[8:12] == b"WAVE":
        return ".wav"
    tensors = tuple(signature.inputs.values())
    return _ending_for(content, tensors[0]) if len(tensors) == 1 else ".csv"


def _ending_for(content: bytes, tensor: Tensor) -> str:
    """Return the same of a content without a mark, for the one input."""
    if tensor.kind == "text":
        return ".txt"
    if len(content) == math.prod(map(abs, tensor.shape)) * np.dtype(tensor.dtype).itemsize:
        return ".raw"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return ".png" if tensor.kind == "image" else ".raw"
    return ".csv"
