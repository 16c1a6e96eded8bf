"""Images in a page: shrunk without floats, and written as PNG without packing, which differs by version of zlib.

Source of the format: PNG specification, third edition, W3C 2025; RFC 1950 and 1951 for the stored blocks.
"""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK = 65535  # bytes of a stored block, at most
_COLORS = {1: 0, 3: 2}  # the colour type by channels
_PALETTE = 3


@dataclass(frozen=True)
class PageImage:
    """An image in the page. width, height: those of its pixels."""

    href: str
    width: int
    height: int


def shrink(pixels: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Return pixels, uint8 [H, W, C], with both sides at most `most`: each is the mean of a square, rounded."""
    height, width, channels = pixels.shape
    factor = -(-max(height, width) // most)
    if factor <= 1:
        return pixels
    rows, columns = -(-height // factor), -(-width // factor)
    padded = np.pad(pixels, ((0, rows * factor - height), (0, columns * factor - width), (0, 0)), mode="edge")
    sums = padded.reshape(rows, factor, columns, factor, channels).sum(axis=(1, 3), dtype=np.int64)
    return np.asarray((sums + factor * factor // 2) // (factor * factor)).astype(np.uint8)


def page_image(pixels: NDArray[np.uint8], most: int) -> PageImage:
    """Return pixels, uint8 [H, W, 1 or 3], as an image with both sides at most `most`."""
    small = shrink(pixels, most)
    height, width, channels = small.shape
    return PageImage(_uri(_png(small.reshape(height, -1), width, 8, _COLORS[channels])), width, height)


def mask_image(classes: NDArray[np.int64], colors: NDArray[np.uint8], most: int) -> PageImage:
    """Return classes, int64 [H, W], as an image with both sides at most `most`; every n-th pixel of a larger one.

    colors: uint8 [classes, 4], red, green, blue and how opaque.
    """
    factor = -(-max(classes.shape) // most)
    small = np.clip(classes[factor // 2 :: factor, factor // 2 :: factor], 0, len(colors) - 1).astype(np.uint8)
    bits = next(bits for bits in (1, 2, 4, 8) if len(colors) <= 1 << bits)
    height, width = small.shape
    each = 8 // bits
    padded = np.pad(small, ((0, 0), (0, -width % each))).reshape(height, -1, each)
    shifts = np.arange(each - 1, -1, -1, dtype=np.uint8) * bits
    packed = (padded << shifts).sum(axis=-1).astype(np.uint8)
    extra = _chunk(b"PLTE", colors[:, :3].tobytes()) + _chunk(b"tRNS", colors[:, 3].tobytes())
    return PageImage(_uri(_png(packed, width, bits, _PALETTE, extra)), width, height)


def _png(rows: NDArray[np.uint8], width: int, bits: int, color: int, extra: bytes = b"") -> bytes:
    """Return a PNG of rows, uint8 [H, bytes of a row]. extra: chunks before the pixels."""
    head = struct.pack(">IIBBBBB", width, len(rows), bits, color, 0, 0, 0)
    lines = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # 0 before each row: not filtered
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", head),
            extra,
            _chunk(b"IDAT", _stored(lines)),
            _chunk(b"IEND", b""),
        )
    )


def _stored(content: bytes) -> bytes:
    """Return content as a zlib stream of stored blocks."""
    blocks = []
    for at in range(0, len(content), _BLOCK):
        block = content[at : at + _BLOCK]
        last = at + _BLOCK >= len(content)
        blocks.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
    return b"\x78\x01" + b"".join(blocks) + struct.pack(">I", zlib.adler32(content))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
