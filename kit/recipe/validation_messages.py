"""Pydantic's complaints about a recipe in TOML's words, with the line. Knows no rule of its own."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.errors import RecipeError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    Tables = Mapping[str, type[BaseModel]]

Loc = tuple[int | str, ...]  # ("inputs", 1, "mean", 0): the second [[inputs]], the first of its means
INNER = {"checks.metrics", "quantize.layers"}  # tables inside of tables
RULES = "docs/recipe.md has every key and rule"


def explain(error: ValidationError, tables: Tables, path: Path, text: str) -> RecipeError:
    """Turn pydantic's complaints about a recipe into one sentence with the line, the key and what to type instead.

    tables are the recipe's, by name; path and text are the file that was read.
    """
    # An unknown key comes first: it is often the missing one, mistyped.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    loc, value = _place_of(first["loc"], whole=first["type"] == "value_error"), first["input"]
    if first["type"] == "extra_forbidden":
        what = "table" if len(loc) == 1 and isinstance(value, dict | list) else "key"
        message, hint = f" unknown {what} '{loc[-1]}'{spot(loc[:-1])}", _near_key(loc, tables)
    elif first["type"] == "missing":
        what = f" the table [{loc[0]}]" if len(loc) == 1 else f"{spot(loc[:-1])} '{loc[-1]}'"
        message, hint = f"{what} is missing", "add it; docs/recipe.md has every key"
    elif first["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", str(first.get("ctx", {}).get("expected", "")))
        message, hint = f"{spot(loc)} = {_toml(value)} is unknown", _near(str(value), words)
    elif first["type"] == "value_error":
        message, hint = f"{spot(loc)} {first['msg'].removeprefix('Value error, ')}", RULES
    else:
        message, hint = f"{spot(loc)} = {_toml(value)}: it must be {_wanted(first)}", _described(loc, tables)
    return RecipeError(f"{path}{place(loc, text)}:{message}", hint)


def _place_of(loc: Loc, *, whole: bool) -> Loc:
    """Return the place without pydantic's names for the ways in which a value may be right: text, or a list of text.

    A table inside of a table is one of its own: ("checks.metrics", 0, "min"). whole: loc may be of such a table itself.
    """
    ways = re.compile(r"constrained-|list\[|literal\[")
    loc = tuple(part for part in loc if not (isinstance(part, str) and ways.match(part)))
    inner = f"{loc[0]}.{loc[1]}" if len(loc) > (2 if whole else 3) else ""
    return (inner, *loc[2:]) if inner in INNER else loc


def _near_key(loc: Loc, tables: Tables) -> str:
    """Say where the unknown key at loc belongs, or which known one is nearest."""
    key = str(loc[-1])
    homes = [_heading(name) for name, table in tables.items() if key in table.model_fields]
    if homes:
        return f"'{key}' belongs below {' or '.join(homes)}"
    return _near(key, list(tables[str(loc[0])].model_fields) if len(loc) > 1 else list(tables))


def _near(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=1)
    return (f"did you mean '{near[0]}'? " if near else "") + f"there is: {', '.join(known)}"


def _wanted(error: ErrorDetails) -> str:
    """Say in TOML's words what pydantic wanted, as in "a whole number"."""
    kind, ctx, loc = error["type"], error.get("ctx", {}), error["loc"]
    if kind in {"list_type", "model_type", "model_attributes_type"} and len(loc) == 1:
        name = str(loc[0])
        return f"{'a list of tables' if kind == 'list_type' else 'one table'}: write {_heading(name)}"
    words = {
        "string_type": 'text, in quotes: "..."',
        "bool_type": "true or false, without quotes",
        "int_type": "a whole number, without quotes",
        "float_type": "a number, without quotes",
        "finite_number": "a finite number",
        "list_type": "a list: [...]",
        "model_type": "a table",
        "dict_type": "a table: key = value",
        "model_attributes_type": "a table",
        "string_too_short": "text that is not empty",
        "string_too_long": "at most {max_length} characters",
        "string_pattern_mismatch": "text that matches {pattern}",
        "greater_than_equal": "{ge} or more",
        "less_than_equal": "{le} or less",
    }
    return words[kind].format(**ctx) if kind in words else error["msg"]


def _described(loc: Loc, tables: Tables) -> str:
    """Return what the key at loc is for, in the words of its type, else where to read on."""
    words = [part for part in loc if isinstance(part, str)]
    table = tables.get(words[0]) if words else None
    field = table.model_fields.get(words[1]) if table and len(words) > 1 else None
    return field.description if field and field.description else RULES


def _toml(value: Any) -> str:
    """Return a value about as TOML writes it, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _heading(table: str) -> str:
    return f"[[{table}]]" if table in {"inputs", "outputs", *INNER} else f"[{table}]"


def spot(loc: Loc) -> str:
    """Say a place as TOML writes it: " [quantize] scheme", " [[inputs]] number 2 mean[0]"."""
    if not loc:
        return ""
    head, rest = loc[0], list(loc[1:])
    table = f" [{head}]"
    if rest and isinstance(rest[0], int):
        table = f" [[{head}]] number {int(rest.pop(0)) + 1}"
    return table + "".join(f"[{part}]" if isinstance(part, int) else f" {part}" for part in rest)


def place(loc: Loc, text: str) -> str:
    """Return ", line N" for the key at loc, or for its table where it has no line of its own; else nothing."""
    words = [rf"[\"']?{re.escape(str(part))}[\"']?" for part in loc if isinstance(part, str)]
    if not words:
        return ""
    lines = text.splitlines()
    nth = next((part for part in loc if isinstance(part, int)), 0)
    heads = [i for i, line in enumerate(lines) if re.match(rf"\s*\[\[?\s*{words[0]}\s*[\].]", line)]
    if not heads:  # a key before the first table, or a table written as `model = {...}` or `model.path = ...`
        dotted = [r"\s*\.\s*".join(words[:2]) + r"\s*=", words[0] + r"\s*[=.]"]
        found = (i for key in dotted for i, line in enumerate(lines) if re.match(rf"\s*{key}", line))
        return next((f", line {i + 1}" for i in found), "")
    at = heads[min(nth, len(heads) - 1)]
    for i in range(at + 1, len(lines)):
        if len(words) > 1 and re.match(rf"\s*{words[1]}\s*[=.]", lines[i]):
            return f", line {i + 1}"
        if lines[i].lstrip().startswith("["):
            break
    return f", line {at + 1}"
