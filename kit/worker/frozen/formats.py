"""The formats beside .tflite: a frozen GraphDef, a SavedModel, weights by name, the structure. Proved by running."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from kit.shared.another_version import ANOTHER
from kit.shared.calls import calls
from kit.shared.job import (
    DYNAMIC,
    FROZEN,
    FROZEN_STRUCTURE,
    FROZEN_WEIGHTS,
    SAVED_MODEL,
    Job,
    JobError,
    SignatureSpec,
    TensorSpec,
    VariableStatus,
)
from kit.shared.npz import save_npz
from kit.worker.conversion.export import Module, export, plain
from kit.worker.conversion.variables import keeping, statuses
from kit.worker.evaluation.metrics import reference
from kit.worker.evaluation.sizes import open_sizes, random_samples
from kit.worker.frozen.graphdef import INIT, Named, named_graph
from kit.worker.graph.freeze import Frozen, freeze
from kit.worker.graph.stand_ins import filled
from kit.worker.source.contract import Contract
from kit.worker.source.model import Source

EXACT = 1e-5  # what a graph may differ by from the model, of the largest value: the same kernels, in another order


@dataclass(frozen=True)
class Written:
    """What was written, for the result."""

    signatures: tuple[SignatureSpec, ...]
    kept: tuple[TensorSpec, ...]
    statuses: tuple[VariableStatus, ...]
    notes: tuple[str, ...]


def write(
    job: Job, source: Source, contracts: Sequence[Contract], out: Path, advance: Callable[[int, int], None]
) -> Written:
    """Write every format into out. Raises JobError where a graph does not give the model's own outputs."""
    stay = keeping(source, contracts, job.keep)
    variables, keep, names, initial = stay.variables, stay.keep, stay.names, stay.initial
    opened = [_opened(contract, job) for contract in contracts]
    graphs = [_in_order(freeze(contract.traced, variables, names)) for contract in opened]
    notes = []
    for at, (contract, frozen) in enumerate(zip(opened, graphs, strict=True)):
        named = named_graph(contract, frozen, initial)
        name = FROZEN if at == 0 else FROZEN.replace(".pb", f".{plain(contract.key)}.pb")
        content = named.graph.SerializeToString(deterministic=True)
        (out / name).write_bytes(content)
        _prove(contract, frozen, named, content, job)
        for variable in keep:
            variable.value.assign(initial[variable.name])
        notes += _bent(contract, named)
        advance(at + 1, len(opened))
    _write_saved_model(out / SAVED_MODEL, opened, graphs, Module(keep))
    weights = [each for each in variables if each.name not in source.states]
    save_npz(out / FROZEN_WEIGHTS, {each.name: np.asarray(each.value.read_value()) for each in weights})
    if source.structure:
        (out / FROZEN_STRUCTURE).write_text(source.structure, "utf-8")
    return Written(
        tuple(SignatureSpec(each.key, each.inputs, each.outputs) for each in opened),
        tuple(TensorSpec(name, value.shape, value.dtype.name, batched=False) for name, value in initial.items()),
        statuses(variables, graphs, keep),
        tuple(notes),
    )


def _in_order(frozen: Frozen) -> Frozen:
    """Return the unfolded graph whole, with its nodes by name: TensorFlow's optimizer leaves them in any order."""
    whole = filled(frozen.unfolded)
    nodes = sorted(whole.node, key=lambda node: node.name)
    graph = whole.__class__(node=nodes, library=whole.library, versions=whole.versions)
    return replace(frozen, graph=graph, unfolded=graph)


def _opened(contract: Contract, job: Job) -> Contract:
    """Return the contract for any number of samples, where the source takes any and the recipe fixes none."""
    if not contract.loose or job.batch is not None or not contract.inputs:
        return contract
    inputs = tuple(replace(spec, shape=(DYNAMIC, *spec.shape[1:])) for spec in contract.inputs)
    outputs = tuple(
        replace(spec, shape=(DYNAMIC, *spec.shape[1:])) if spec.batched else spec for spec in contract.outputs
    )
    return replace(contract, inputs=inputs, outputs=outputs, traced=contract.retraced(DYNAMIC))


def _prove(contract: Contract, frozen: Frozen, named: Named, content: bytes, job: Job) -> None:
    """Import the bytes into a fresh graph, as TensorFlow 1 does, and compare by names on random samples."""
    samples = random_samples(contract, job, next(iter(open_sizes(contract, job)), {}))
    wanted = reference(contract, samples, stateful=bool(frozen.assigns))
    graph = tf.compat.v1.GraphDef.FromString(content)
    rows = []
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.import_graph_def(graph, name="")
        if named.variables:
            session.run(INIT)
        for feeds in calls(contract.inputs, samples):
            fed = {f"{n}:0": feeds[spec.name] for n, spec in zip(named.inputs, contract.inputs, strict=True)}
            rows.append(session.run([f"{name}:0" for name in named.outputs], fed))
    for at, spec in enumerate(contract.outputs):
        if frozen.random[at]:
            continue  # each run draws others
        parts = [np.asarray(row[at], np.float32) for row in rows]
        _compare(spec, np.concatenate(parts) if spec.batched else np.stack(parts), wanted)


def _compare(spec: TensorSpec, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> None:
    """Raise JobError (kind "model") where an output is not the model's.

    got: float32 [N, ...]; wanted: such arrays by name.
    """
    right = wanted[spec.name]
    off = float(np.abs(got - right).max(initial=0.0)) if got.shape == right.shape else np.inf
    if not off <= EXACT * max(1.0, float(np.abs(right).max(initial=0.0))):
        raise JobError(
            "model",
            f"the output '{spec.name}' of the frozen graph differs by {off:.4g} from the model's",
            ANOTHER,
        )


def _bent(contract: Contract, named: Named) -> list[str]:
    pairs = [
        *zip([spec.name for spec in contract.inputs], named.inputs, strict=True),
        *zip([spec.name for spec in contract.outputs], named.outputs, strict=True),
        *named.variables.items(),
    ]
    return [
        f"'{name}' is the node '{node}': TensorFlow takes no such name, or it is there"
        for name, node in pairs
        if name != node
    ]


def _write_saved_model(path: Path, contracts: Sequence[Contract], graphs: Sequence[Frozen], module: Module) -> None:
    """Write the SavedModel's files as one archive, the same bytes for the same files."""
    with tempfile.TemporaryDirectory() as folder:
        export(list(zip(contracts, graphs, strict=True)), module, None, Path(folder), quantizable=False)
        # A fingerprint is new on every run, and nothing needs it.
        files = sorted(p for p in Path(folder).rglob("*") if p.is_file() and p.name != "fingerprint.pb")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for file in files:
                archive.writestr(zipfile.ZipInfo(file.relative_to(folder).as_posix()), file.read_bytes())
