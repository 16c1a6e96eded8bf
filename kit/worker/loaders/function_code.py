"""Python functions that a model file holds as byte-code: read, checked for this Python, and given the names they use.

Byte-code is of one Python's minor version. Another's can pass for this one's and end the process when it runs, so
each instruction is checked before any does. Knows nothing of layers.
"""

from __future__ import annotations

import base64
import builtins
import dis
import marshal
import opcode
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_CACHES = opcode._inline_cache_entries  # type: ignore[attr-defined]  # the toolchains' Python has no public name for it
_INSTRUCTIONS = 21  # where a code object has its instructions: behind a byte of type and five numbers


class Builtins(dict[str, Any]):
    """Python's own names for a revived function, which note every name that is asked for and is not there."""

    def __init__(self) -> None:
        super().__init__(vars(builtins))
        self.missing: list[str] = []

    def __missing__(self, name: str) -> Any:
        self.missing.append(name)
        raise KeyError(name)


def read_code(text: str) -> types.CodeType:
    """Return the code object of Keras's base64 text. Raises ValueError where it is not this Python's."""
    try:
        raw = base64.b64decode(text)
        if raw[_INSTRUCTIONS : _INSTRUCTIONS + 1] not in {b"s", b"\xf3"}:  # Python 2's can end the process in marshal
            raise ValueError("its parts stand in another order")
        code = marshal.loads(raw)  # noqa: S302 - only where the model's code may run
    except Exception as error:  # marshal raises whatever the bytes make it stumble over
        raise ValueError(str(error)) from error
    if not isinstance(code, types.CodeType):
        raise ValueError("it is no function")
    for each in _nested(code):
        _check(each)
    return code


def names_of(code: types.CodeType) -> set[str]:
    """Return the names of its module that a function and those inside it use."""
    wanted = {"LOAD_GLOBAL", "LOAD_NAME"}
    return {str(i.argval) for each in _nested(code) for i in dis.get_instructions(each) if i.opname in wanted}


def revive(
    code: types.CodeType, defaults: Sequence[Any] | None, closure: Sequence[Any] | None, known: Mapping[str, Any]
) -> Callable[..., Any]:
    """Return the function. known are the names of its module. Raises ValueError where its closure is another's."""
    cells = tuple(types.CellType(value) for value in closure or ())
    if len(cells) != len(code.co_freevars):
        raise ValueError(f"it uses {', '.join(code.co_freevars)} of the function around it, which is not in the file")
    return types.FunctionType(code, dict(known), code.co_name, tuple(defaults or ()) or None, cells or None)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _nested(value)


def _check(code: types.CodeType) -> None:
    """Raise ValueError where the instructions are not this Python's, or would run the stack out of its bounds."""
    raw, found = code.co_code, {}  # offset: (opcode, argument, where the next one begins)
    at = argument = 0
    before = ""
    while at < len(raw):
        op, name = raw[at], dis.opname[raw[at]]
        argument |= raw[at + 1]
        after = at + 2 + 2 * _CACHES[op]
        if name.startswith("<") or name == "CACHE" or any(raw[at + 2 : after : 2]) or after > len(raw):
            raise ValueError(f"instruction {op} at {at} is none of Python {PYTHON}'s")
        if name == "CALL" and before != "PRECALL" and "PRECALL" in dis.opmap:
            raise ValueError("it calls functions as another Python does")
        if not _in_range(code, op, argument):
            raise ValueError(f"{name} at {at} takes what is not there")
        found[at] = (op, argument, after)
        argument = argument << 8 if name == "EXTENDED_ARG" else 0
        at, before = after, name
    if not any(dis.opname[op] == "RESUME" for op, _, _ in found.values()):
        raise ValueError("it does not begin as a function does")
    _check_stack(code, found)


def _in_range(code: types.CodeType, op: int, argument: int) -> bool:
    if op in dis.hasname:
        return (argument >> 1 if dis.opname[op] == "LOAD_GLOBAL" else argument) < len(code.co_names)
    if op in dis.hasconst:
        return argument < len(code.co_consts)
    if op in dis.haslocal or op in dis.hasfree:
        return argument < len({*code.co_varnames, *code.co_cellvars}) + len(code.co_freevars)
    return op not in dis.hascompare or argument < len(dis.cmp_op)


def _check_stack(code: types.CodeType, found: Mapping[int, tuple[int, int, int]]) -> None:
    seen: set[int] = set()
    ways = [(0, 0)]
    while ways:
        at, depth = ways.pop()
        if at in seen:
            continue
        seen.add(at)
        if at not in found:
            raise ValueError(f"it goes on at {at}, where no instruction begins")
        op, argument, after = found[at]
        name = dis.opname[op]
        given = argument if op >= dis.HAVE_ARGUMENT else None
        jumps = op in dis.hasjrel or op in dis.hasjabs
        for jump in (False, True) if jumps else (False,):
            left = depth + dis.stack_effect(op, given, jump=jump) + (name == "RETURN_GENERATOR")  # which dis forgets
            if not 0 <= left <= code.co_stacksize:
                raise ValueError(f"{name} at {at} finds {depth} values on the stack")
            if jump:
                ways.append((after + 2 * argument * (-1 if "BACKWARD" in name else 1), left))
            elif name not in {"RETURN_VALUE", "RERAISE", "RAISE_VARARGS", "JUMP_FORWARD", "JUMP_BACKWARD"}:
                ways.append((after, left))
