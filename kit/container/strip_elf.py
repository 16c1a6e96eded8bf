"""A shared library without what nothing loads: its symbol table and section headers. Knows nothing of wheels.

The dynamic loader maps the segments and never looks at sections, so the file may end where the last segment
ends. What is lost are names for debuggers. Source: the System V ABI, chapters 4 and 5; elf(5).
"""

from __future__ import annotations

import struct

# Enough for the header and the program headers, which follow it in every library that a linker wrote.
HEAD = 4096
_IDENTITY = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian
_SHARED = 3


def cut(head: bytes, size: int) -> tuple[bytes, int] | None:
    """Return the head to write in place of a library's first bytes, and how many bytes of the file to keep.

    head is the file's first HEAD bytes, size its length. None for what is no shared library, for one whose
    program headers lie elsewhere, and for one that has nothing after its last segment.
    """
    if len(head) < 64 or not head.startswith(_IDENTITY) or struct.unpack_from("<H", head, 16)[0] != _SHARED:
        return None
    (table,) = struct.unpack_from("<Q", head, 32)
    width, count = struct.unpack_from("<HH", head, 54)
    if width != 56 or not count or table + width * count > len(head):
        return None
    places = [struct.unpack_from("<Q16xQ", head, table + width * n + 8) for n in range(count)]
    end = max(offset + length for offset, length in places)
    if not len(head) <= end < size:
        return None
    patched = bytearray(head)
    struct.pack_into("<Q", patched, 40, 0)  # where the section headers begin
    struct.pack_into("<HH", patched, 60, 0, 0)  # how many there are, and which one has their names
    return bytes(patched), end
