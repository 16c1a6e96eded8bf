"""Hold what a bundle says of its model against the model: names, counts, types, labels, constants. Runs nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kit.android.codegen.kotlin_names import literal
from kit.android.proof.kotlin_sources import Glue
from kit.bundle.golden_bin import GOLDEN_BIN, read_golden
from kit.errors import CheckError
from kit.tflite.reader import Tensor, TfliteFile, read_tflite

_AGAIN = "build the bundle again"


def check_facts(bundle: Path, glue: Glue) -> str:
    """Return what was counted.

    Raises CheckError where signature.json, labels, golden vectors or Kotlin do not fit the model.
    """
    assets = bundle / "src/main/assets" / glue.id
    facts = json.loads((assets / "signature.json").read_text("utf-8"))
    file = read_tflite(assets / "model.tflite")
    kotlin = "".join(path.read_text("utf-8") for path in glue.sources)
    faults = [*_signatures(facts, file), *_labels(facts, assets, kotlin), *_names(facts, kotlin)]
    faults += _vectors(facts, bundle / "src/debug/assets" / glue.id / GOLDEN_BIN)
    if faults:
        raise CheckError("\n  ".join(faults[:8]), _AGAIN)
    entries = _entries(facts)
    tensors = sum(len(each["inputs"]) + len(each["outputs"]) for each in entries)
    return f"{len(entries)} signatures and {tensors} inputs and outputs as in the model file"


def _entries(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [facts, *(facts.get("others") or []), *([facts["train"]] if facts.get("train") else [])]


def _signatures(facts: Mapping[str, Any], file: TfliteFile) -> Iterator[str]:
    known = {signature.key: signature for signature in file.signatures}
    for entry in _entries(facts):
        signature = known.get(entry["signature"])
        if signature is None:
            yield f"signature.json names {entry['signature']!r}, and the model file has {', '.join(known) or 'none'}"
            continue
        tensors = file.subgraphs[signature.subgraph].tensors
        for kind, indices in (("inputs", signature.inputs), ("outputs", signature.outputs)):
            told = {one["name"]: one for one in entry[kind]}
            if set(told) != set(indices):
                yield f"{kind} of {entry['signature']}: {sorted(told)}, and in the model file {sorted(indices)}"
            for name in sorted(set(told) & set(indices)):
                yield from _tensor(told[name], tensors[indices[name]])
    kept = facts.get("variables") or {}
    for role in ("read", "assign") if kept else ():
        if kept[role] not in known:
            yield f"signature.json names {kept[role]!r} for the variables, and the model file has none"


def _tensor(told: Mapping[str, Any], tensor: Tensor) -> Iterator[str]:
    shape = tensor.shape_signature or tensor.shape
    wanted = tuple(told["shape"])
    if len(shape) != len(wanted) or any(a != b for a, b in zip(shape, wanted, strict=True) if a >= 0 and b >= 0):
        yield f"{told['name']}: shape {list(wanted)}, and in the model file {list(shape)}"
    if told["dtype"] != tensor.dtype:
        yield f"{told['name']}: {told['dtype']}, and in the model file {tensor.dtype}"
    affine = tensor.quantization
    if told.get("scale") is not None and affine is not None and len(affine.scales) == 1:
        same = math.isclose(told["scale"], affine.scales[0], rel_tol=1e-6)
        if not same or told.get("zero_point", 0) != affine.zero_points[0]:
            yield f"{told['name']}: scale and zero point are not the model file's"


def _labels(facts: Mapping[str, Any], assets: Path, kotlin: str) -> Iterator[str]:
    for output in facts["outputs"]:
        if not output.get("labels"):
            continue
        labels = (assets / output["labels"]).read_text("utf-8").splitlines()
        if len(labels) != output["shape"][-1]:
            yield f"{output['labels']}: {len(labels)} labels, and {output['name']} has {output['shape'][-1]} units"
        place = 0
        for label in labels:
            place = kotlin.find(literal(label), place) + 1
            if not place:
                yield f"{output['labels']}: {label!r} is not in that order in the Kotlin"
                break


def _names(facts: Mapping[str, Any], kotlin: str) -> Iterator[str]:
    for entry in _entries(facts):
        names = [entry["signature"], *(one["name"] for one in (*entry["inputs"], *entry["outputs"]))]
        yield from (f"the Kotlin has no constant {literal(name)}" for name in names if literal(name) not in kotlin)


def _vectors(facts: Mapping[str, Any], path: Path) -> Iterator[str]:
    try:
        sections = read_golden(path.read_bytes())
    except (OSError, ValueError) as error:
        yield f"{path.name}: {error}"
        return
    for kind in ("input", "output"):
        for one in facts[f"{kind}s"]:
            name = f"{facts['signature']}/{kind}/{one['name']}"
            if name not in sections:
                yield f"{path.name} has no {name}"
            elif sections[name].dtype.name != one["dtype"]:
                yield f"{path.name}: {name} is {sections[name].dtype.name}, and the model's is {one['dtype']}"
