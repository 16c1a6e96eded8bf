"""A value as a recipe has it: for recipes, and lines of one, that the kit writes."""

from __future__ import annotations

import json
from typing import Any


def toml_value(given: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, list | tuple):
        return f"[{', '.join(toml_value(each) for each in given)}]"
    if isinstance(given, dict):
        return "{ " + ", ".join(f"{toml_value(key)} = {toml_value(each)}" for key, each in given.items()) + " }"
    if isinstance(given, str):
        # TOML has JSON's escapes, and wants one for DEL, too.
        return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(given)
