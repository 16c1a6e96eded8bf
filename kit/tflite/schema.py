"""What the `tflite` package knows of the schema: names of its numbers, and fields of its tables. Reads no file.

Source: tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

import functools
import re

from kit.tflite.schema_package import schema


@functools.cache
def names_of(enum: str) -> dict[int, str]:
    """Return the names of an enumeration by number."""
    return {number: name for name, number in vars(getattr(schema(), enum)).items() if isinstance(number, int)}


@functools.cache
def fields_of(table: str) -> tuple[str, ...]:
    """Return a generated class's fields, in the order of its vtable."""
    others = re.compile(r"_.*|Init|GetRootAs.*|.*BufferHasIdentifier|.*(AsNumpy|Length|IsNone)")
    return tuple(name for name in vars(getattr(schema(), table)) if not others.fullmatch(name))


@functools.cache
def slots_of(table: str) -> dict[int, bool]:
    """Return the places in a table's vtable that have fields, and whether each is an offset: to a text or a vector.

    A place whose field is no longer in use has none. An offset that is not set has no value, or a length.
    """
    found = {}
    for name in fields_of(table):
        empty, asked = getattr(schema(), table)(), _Asked()
        empty._tab = asked
        is_vector = hasattr(empty, f"{name}Length")
        value = getattr(empty, f"{name}Length" if is_vector else name)()
        found[asked.slot] = is_vector or value is None
    return found


class _Asked:
    """A table without fields that keeps which one it was asked for."""

    slot = -1

    def Offset(self, offset: int) -> int:  # noqa: N802 - the name that the generated code calls
        """Return 0, which is: not set."""
        self.slot = (offset - 4) // 2
        return 0
