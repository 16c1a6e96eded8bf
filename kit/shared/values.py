"""Dataclasses from JSON, by the types of their fields. Standard library only: host and worker both read with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
# What JSON has for a field's type. A float's value may be whole.
_PLAIN: dict[Any, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (float, int)}


def from_json(kind: type[T], raw: Mapping[str, Any]) -> T:
    """Return the dataclass of a mapping: tuples, mappings and dataclasses in it, too; a missing field's default.

    Raises TypeError or KeyError where the mapping is none of that class.
    """
    types = get_type_hints(kind)  # by name: "tuple[str, ...]" and such are text until here
    return kind(**{name: _value(types[name], value) for name, value in raw.items()})


def _value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(kind) in {Union, UnionType}:
        kind = next(option for option in get_args(kind) if option is not type(None))
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        if not isinstance(value, list):
            raise TypeError(f"{value!r} is no list")
        return tuple(_value(inner, item) for item in value)
    if get_origin(kind) in {dict, Mapping}:
        inner = get_args(kind)[1]
        return {str(name): _value(inner, item) for name, item in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        own = getattr(kind, "from_json", None)  # a class may read its own form of JSON
        return own(value) if own else from_json(kind, value)
    if kind in _PLAIN and type(value) not in _PLAIN[kind]:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
