"""The key of a build: one digest of the content of recipe, model, data, locks and kit. Judges none of it.

Light on purpose: a build of an unchanged recipe is recognized here, before the recipe's types are even loaded.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

from kit.bounded import MOST_TEXT, read_bounded
from kit.files import json_text, sha256_tree, tree_digests

KIT = Path(__file__).parent.parent


def build_key(recipe: Path, tensorflow: str, scheme: str = "") -> tuple[str, str] | None:
    """Return the id of the recipe's bundle and its key, or None where the recipe cannot be read so far.

    tensorflow and scheme are what the command line asks for, "" for the recipe's own. The key stands for content:
    not for paths, times or the engine. Toolchains, locks and templates count as the kit's own files.
    """
    try:
        raw = tomllib.loads(read_bounded(recipe, MOST_TEXT).decode("utf-8-sig"))
        files = {name: sha256_tree(recipe.parent / name) for name in _named(raw)}
        identity = str(raw["model"]["id"])
        # A date, or a number too long to write, is no JSON: the recipe's types refuse it, in better words.
        content = json_text(
            {
                "recipe": raw,
                "tensorflow": tensorflow,
                "scheme": scheme,
                "files": files,
                "kit": tree_digests(KIT),
                "templates": _templates(),
            }
        )
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    return identity, hashlib.sha256(content.encode()).hexdigest()


def _named(raw: dict[str, Any]) -> list[str]:
    """Return the files that a recipe names."""
    model = raw["model"]
    names = [
        *(model["path"] if isinstance(model["path"], list) else [model["path"]]),
        model.get("code"),
        model.get("structure"),
        raw.get("quantize", {}).get("representative"),
        raw.get("checks", {}).get("data"),
        raw.get("android", {}).get("update_key"),
        raw.get("checks", {}).get("code"),
        *raw.get("checks", {}).get("truth", {}).values(),
    ]
    names += [output.get(key) for output in raw.get("outputs", []) for key in ("labels", "anchors")]
    return sorted({name for name in names if name})


def _templates() -> dict[str, str]:
    beside = KIT.parent / "templates"  # in a checkout; an installed kit has them inside
    return tree_digests(beside) if beside.is_dir() else {}
