"""A .tflite file: all of it, with who converted it, bytes by operator, and what a runtime needs beyond its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from kit.inspection.shown import Shown, percent_of, rows, table
from kit.tflite.conversion import Conversion, conversion
from kit.tflite.describe import describe, escaped
from kit.tflite.held import Held, held_by_operators
from kit.tflite.model import TfliteFile, to_json

_CUSTOM, _FLEX = "CUSTOM:", "CUSTOM:Flex"


def show_tflite(file: TfliteFile, guessed: Sequence[str], layers: Mapping[tuple[int, int], str] = {}) -> Shown:
    """Return all of a file.

    guessed: what its outputs may be. layers: the source model's name of what an operator gives, by subgraph and
    operator, where a bundle has the table.
    """
    held, made = held_by_operators(file), conversion(file)
    flex, custom = needed(file)
    document = to_json(file) | {
        "guessed": list(guessed),
        "converted_by": asdict(made),
        "held": [{"layer": layers.get((each.subgraph, each.operator)), **asdict(each)} for each in held],
        "flex": flex,
        "custom": custom,
    }
    lines = rows([("format", ".tflite"), ("written by", written_by(made)), *code_rows(file)])
    lines += ["", *describe(file), *held_table(held, layers), *(["", *guessed] if guessed else [])]
    return Shown(tuple(lines), document)


def written_by(made: Conversion) -> str:
    """Return who converted a file, in words."""
    if not made.tensorflow:
        return "not said"
    how = f", from {made.source}" if made.source else ""
    modes = f" ({', '.join(made.modes)})" if made.modes else ""
    return f"TensorFlow {escaped(made.tensorflow)}{how}{modes}"


def needed(file: TfliteFile) -> tuple[list[str], list[str]]:
    """Return the operators that need TensorFlow's own kernels, and those that an app has to bring, by name."""
    names = [code.name for code in file.operator_codes if code.name.startswith(_CUSTOM) and code.count]
    flex = [name.removeprefix(_FLEX) for name in names if name.startswith(_FLEX)]
    return flex, [name.removeprefix(_CUSTOM) for name in names if not name.startswith(_FLEX)]


def code_rows(file: TfliteFile) -> list[tuple[str, str]]:
    """Return what code a file asks for: a .tflite has none itself."""
    flex, custom = needed(file)
    found = [("code", f"TensorFlow's own kernels (flex): {', '.join(map(escaped, flex))}")] if flex else []
    found += [("code", f"custom operators, which the app brings: {', '.join(map(escaped, custom))}")] if custom else []
    return found or [("code", "none: the runtime's own operators alone")]


def held_table(held: Sequence[Held], layers: Mapping[tuple[int, int], str] = {}) -> list[str]:
    """Return the operators that hold constants, with their share of all bytes, and how the types share them."""
    whole, numbers = sum(each.bytes for each in held), sum(each.parameters for each in held)
    many = len({each.subgraph for each in held}) > 1
    cells = [
        (
            f"{each.subgraph}.{each.operator}" if many else str(each.operator),
            escaped(each.name),
            f"{each.parameters:,}",
            f"{each.bytes:,}",
            percent_of(each.bytes, whole),
            " ".join(each.types),
            escaped(layers.get((each.subgraph, each.operator), "") or each.output),
        )
        for each in held
        if each.bytes
    ]
    title = f"constants by operator: {numbers:,} numbers in {whole:,} bytes"
    return table(title, ("#", "operator", "numbers", "bytes", "share", "types", "gives"), cells)
