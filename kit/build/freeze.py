"""`freeze`: the formats beside .tflite, in a folder of their own: frozen GraphDef, SavedModel, weights, structure."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kit import __version__
from kit.build.convert import Data, convert
from kit.build.plan import Plan
from kit.engine import Limits, choose_engine
from kit.errors import ModelError
from kit.files import check_place, json_text, replacing, tree_digests
from kit.progress import Reporter
from kit.shared.job import FROZEN_STRUCTURE, FROZEN_WEIGHTS, SAVED_MODEL, Result

CONTRACT = "contract.json"
_MEMBER = re.compile(r"(saved_model\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})|assets/[^/]+)")


def freeze(plan: Plan, engine: str, out: Path, limits: Limits, reporter: Reporter) -> tuple[Path, dict[str, Any]]:
    """Write OUT/<id>.frozen, whole or not at all; return it and its contract.json.

    Raises a KitError where something refuses.
    """
    target = out / f"{plan.recipe.model.id}.frozen"
    check_place(target, CONTRACT, "frozen model")
    chosen = choose_engine(engine, reporter.note)
    with (
        convert(plan, chosen, Data(None, None), limits, reporter, freeze=True) as (result, files),
        replacing(target) as staging,
    ):
        for path in sorted(files.iterdir()):
            if path.suffix == ".pb" or path.name in {FROZEN_WEIGHTS, FROZEN_STRUCTURE}:
                shutil.copyfile(path, staging / path.name)
        _unpack(files / SAVED_MODEL, staging / "saved_model")
        facts = {**_facts(plan, result), "files": tree_digests(staging)}
        (staging / CONTRACT).write_text(json_text(facts), "utf-8", newline="\n")
    return target, facts


def lines(folder: Path, facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a person reads of it."""
    for signature in facts["signatures"]:
        yield f"{signature['key']}"
        for what in ("inputs", "outputs"):
            yield from (f"  {what[:-1]:7} {t['name']}: {t['dtype']} {t['shape']}" for t in signature[what])
    yield from (f"variable {name} stays a variable" for name in facts["kept"])
    yield from (f"note: {note}" for note in facts["notes"])
    yield from (f"{folder}/{name}" for name in facts["files"])


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the SavedModel: code in a model could have put other files into it."""
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            if not _MEMBER.fullmatch(entry.filename) or ".." in entry.filename:
                raise ModelError(
                    f"the SavedModel holds a file that is none of its own: {entry.filename[:100]}",
                    "the model carries code that tries to reach out of its folder: do not use it",
                )
            path = folder / entry.filename
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(packed.read(entry))


def _facts(plan: Plan, result: Result) -> Mapping[str, Any]:
    signatures = (result.signature, *result.others)
    return {
        "id": plan.recipe.model.id,
        "version": plan.recipe.model.version,
        "kit": __version__,
        "tensorflow": result.tensorflow,
        "loader": result.loader,
        "signatures": [
            {
                "key": each.key,
                **{
                    what: [{"name": t.name, "shape": list(t.shape), "dtype": t.dtype} for t in tensors]
                    for what, tensors in (("inputs", each.inputs), ("outputs", each.outputs))
                },
            }
            for each in signatures
        ],
        "weights": list(result.weights),
        "kept": [spec.name for spec in result.kept],
        "variables": [asdict(fate) for fate in result.variables],
        "notes": list(result.notes),
    }
