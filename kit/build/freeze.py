"""`freeze`: the formats beside .tflite, in a folder of their own: frozen GraphDef, SavedModel, weights, structure."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kit import __version__
from kit.build.convert import Data, convert
from kit.build.plan import Plan
from kit.engine import Limits, choose_engine
from kit.errors import ModelError
from kit.files import Product, check_place, json_text, replacing, tree_digests
from kit.progress import Reporter
from kit.shared.job import FROZEN_STRUCTURE, FROZEN_WEIGHTS, SAVED_MODEL, Result, TensorSpec, VariableStatus

CONTRACT = "contract.json"
FROZEN = Product("frozen model", CONTRACT)
_MEMBER = re.compile(r"(saved_model\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})|assets/[^/]+)")


@dataclass(frozen=True)
class FrozenTensor:
    """An input or output. shape: -1 marks an open axis."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class FrozenSignature:
    """One entry point."""

    key: str
    inputs: tuple[FrozenTensor, ...]
    outputs: tuple[FrozenTensor, ...]


@dataclass(frozen=True)
class FrozenContract:
    """contract.json: what the frozen formats take and give, and what became of the variables."""

    id: str
    version: str
    kit: str
    tensorflow: str
    loader: str
    signatures: tuple[FrozenSignature, ...]
    weights: tuple[str, ...]  # in the order of Keras's model.weights
    kept: tuple[str, ...]
    variables: tuple[VariableStatus, ...]
    notes: tuple[str, ...]
    files: Mapping[str, str]  # SHA-256 by path


def freeze(plan: Plan, engine: str, out: Path, limits: Limits, reporter: Reporter) -> tuple[Path, FrozenContract]:
    """Write OUT/<id>.frozen, whole or not at all; return it and its contract.json.

    Raises a KitError where something refuses.
    """
    target = out / f"{plan.recipe.model.id}.frozen"
    check_place(target, FROZEN)
    chosen = choose_engine(engine, reporter.note)
    with (
        convert(plan, chosen, Data(None, None), limits, reporter, freeze=True) as (result, folder),
        replacing(target, FROZEN) as staging,
    ):
        for path in sorted(folder.out.iterdir()):
            if path.suffix == ".pb" or path.name in {FROZEN_WEIGHTS, FROZEN_STRUCTURE}:
                shutil.copyfile(path, staging / path.name)
        _unpack(folder.out / SAVED_MODEL, staging / "saved_model")
        contract = _contract(plan, result, tree_digests(staging))
        (staging / CONTRACT).write_text(json_text(asdict(contract)), "utf-8", newline="\n")
    return target, contract


def lines(folder: Path, contract: FrozenContract) -> Iterator[str]:
    """Yield what a user reads of it."""
    for signature in contract.signatures:
        yield signature.key
        yield from (f"  input   {t.name}: {t.dtype} {list(t.shape)}" for t in signature.inputs)
        yield from (f"  output  {t.name}: {t.dtype} {list(t.shape)}" for t in signature.outputs)
    yield from (f"variable {name} stays a variable" for name in contract.kept)
    yield from (f"note: {note}" for note in contract.notes)
    yield from (f"{folder}/{name}" for name in contract.files)


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


def _contract(plan: Plan, result: Result, files: Mapping[str, str]) -> FrozenContract:
    return FrozenContract(
        id=plan.recipe.model.id,
        version=plan.recipe.model.version,
        kit=__version__,
        tensorflow=result.tensorflow,
        loader=result.loader,
        signatures=tuple(
            FrozenSignature(each.key, _tensors(each.inputs), _tensors(each.outputs))
            for each in (result.signature, *result.others)
        ),
        weights=result.weights,
        kept=tuple(spec.name for spec in result.kept),
        variables=result.variables,
        notes=result.notes,
        files=files,
    )


def _tensors(specs: Sequence[TensorSpec]) -> tuple[FrozenTensor, ...]:
    return tuple(FrozenTensor(spec.name, spec.shape, spec.dtype) for spec in specs)
