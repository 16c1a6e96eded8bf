"""The wire format of Protocol Buffers, as far as reading one message needs it. Knows no message of anybody.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(message: bytes, wanted: int) -> Iterator[bytes]:
    """Yield the content of each field of that number that holds bytes. Raises ValueError for what is no message."""
    return (value for value in _all(message, wanted) if isinstance(value, bytes))


def numbers(message: bytes, wanted: int) -> Iterator[int]:
    """Yield each whole number of that field."""
    return (value for value in _all(message, wanted) if isinstance(value, int))


def packed(message: bytes, wanted: int) -> Iterator[int]:
    """Yield each whole number of a repeated field, whether it is written number by number or as one run of them."""
    for value in _all(message, wanted):
        if isinstance(value, int):
            yield value
            continue
        at = 0
        while at < len(value):
            number, at = varint(value, at)
            yield number


def last(message: bytes, wanted: int) -> bytes:
    """Return a field that a message has once, b"" where it lacks it: of several the last counts, for every reader."""
    found = b""
    for found in fields(message, wanted):  # noqa: B007
        pass
    return found


def merged(message: bytes, wanted: int) -> bytes:
    """Return a message within a message; several are one, as for every reader: their fields follow one another."""
    return b"".join(fields(message, wanted))


def entries(message: bytes, wanted: int) -> Iterator[tuple[str, bytes]]:
    """Yield each key and value of a map of messages by text."""
    for entry in fields(message, wanted):
        yield text(last(entry, 1)), merged(entry, 2)


def text(value: bytes) -> str:
    """Return a field's text."""
    return value.decode("utf-8", errors="replace")


def _all(message: bytes, wanted: int) -> Iterator[bytes | int]:
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        tag &= 0xFFFFFFFF  # as the C++ reader cuts it
        kind = tag & 7
        if kind == _BYTES:
            size, at = varint(message, at)
            if at + size > len(message):
                raise ValueError("a field is longer than its message")
            if tag >> 3 == wanted:
                yield message[at : at + size]
            at += size
        elif kind == _VARINT:
            number, at = varint(message, at)
            if tag >> 3 == wanted:
                yield number
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} is unknown")


def varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, seven bits a byte with the lowest first, and the place after it."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number has more than 64 bits")
