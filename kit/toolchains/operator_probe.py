"""Make the table of which operator versions each runtime has: `python -m kit.toolchains.operator_probe` asks them.

A file with one operator code and no graph to run is enough: a runtime that lacks the code refuses it on loading.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import flatbuffers

from kit.errors import EngineError
from kit.files import json_text, write_whole
from kit.toolchains.operator_support import TABLE
from kit.toolchains.toolchain import Runtime, runtimes
from kit.toolchains.venv import runtime_venv

NEWEST = 32  # no operator has come further than 13 in ten years
SCRIPT = Path(__file__).parent / "operator_probe_script.py"

_NO_KERNEL = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}

Versions = dict[str, tuple[int, int]]  # by operator: the lowest and the highest


def operators() -> dict[str, int]:
    """Return the code of every builtin operator of the schema, by name; those of an app's own have no version."""
    import tflite  # type: ignore[import-untyped]

    codes = sorted(vars(tflite.BuiltinOperator).items())
    return {name: code for name, code in codes if name.isupper() and name not in _NO_KERNEL}


def file_with(code: int, version: int) -> bytes:
    """Return a .tflite with one operator code and one empty graph. Source: schema.fbs, version 3."""
    builder = flatbuffers.Builder(256)
    builder.StartObject(4)  # OperatorCode: deprecated_builtin_code, custom_code, version, builtin_code
    builder.PrependInt8Slot(0, min(code, 127), 0)
    builder.PrependInt32Slot(2, version, 1)
    builder.PrependInt32Slot(3, code, 0)
    operator = builder.EndObject()
    none = [_vector(builder) for _ in range(4)]
    builder.StartObject(5)  # SubGraph: tensors, inputs, outputs, operators
    for slot, empty in enumerate(none):
        builder.PrependUOffsetTRelativeSlot(slot, empty, 0)
    graph = builder.EndObject()
    builder.StartObject(1)  # Buffer: the first one is always empty
    buffer = builder.EndObject()
    codes, graphs, buffers = (_vector(builder, table) for table in (operator, graph, buffer))
    builder.StartObject(8)  # Model: version, operator_codes, subgraphs, description, buffers
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(1, codes, 0)
    builder.PrependUOffsetTRelativeSlot(2, graphs, 0)
    builder.PrependUOffsetTRelativeSlot(4, buffers, 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    return bytes(builder.Output())


def _vector(builder: flatbuffers.Builder, *tables: int) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def ask(python: Path, wanted: Mapping[str, Iterable[int]]) -> dict[str, list[int]]:
    """Return which of the wanted versions a runtime has, by operator. Raises EngineError where it ends unasked for."""
    codes = operators()
    lines = [f"{name} {v} {file_with(codes[name], v).hex()}\n" for name, versions in wanted.items() for v in versions]
    argv = [str(python), str(SCRIPT)]
    done = subprocess.run(argv, input="".join(lines), capture_output=True, text=True, check=False, timeout=600)
    printed = [line.split() for line in done.stdout.splitlines()]
    if done.returncode or len(printed) != len(lines):
        raise EngineError(
            f"{python}: the runtime cannot be asked: {done.stderr[-500:]}",
            "delete that venv and run `inv bench --operators` again",
        )
    found: dict[str, list[int]] = {}
    for name, version, known in printed:
        if known == "yes":
            found.setdefault(name, []).append(int(version))
    return found


def probe(runtime: Runtime, notify: Callable[[str], None]) -> Versions:
    """Return the versions that a runtime has of every operator: those below a gap are left out. Raises EngineError."""
    python = runtime_venv(runtime, runtime.lock(images=False), notify)
    found = ask(python, dict.fromkeys(operators(), range(1, NEWEST + 1)))
    return {name: _whole(versions) for name, versions in found.items()}


def _whole(versions: Sequence[int]) -> tuple[int, int]:
    """Return the first and the last of the versions, in order, that end with the highest and have no gap."""
    first = versions[-1]
    while first - 1 in versions:
        first -= 1
    return first, versions[-1]


def _quiet(_text: str) -> None:
    """Say nothing: the names of the runtimes are enough."""


def main() -> None:
    """Write the table of all pinned runtimes."""
    table = {}
    for name, runtime in runtimes().items():
        sys.stderr.write(f"{name}\n")
        table[name] = probe(runtime, _quiet)
    write_whole(TABLE, json_text(table).encode())
    sys.stdout.write(f"{TABLE}\n")


if __name__ == "__main__":
    main()
