"""Conversion of a graph whose training may have learned ranges for 8 bits: those are taken, what lacks one is measured.

A scheme that calculates in float leaves the rounding of activations out, and its file is held against the same graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kit.shared.job import Job, JobError
from kit.shared.lazy import mapped
from kit.worker.conversion.calibration import Calibration
from kit.worker.conversion.converter import Origin, convert
from kit.worker.conversion.export import Module, export
from kit.worker.conversion.fused import fused_content
from kit.worker.conversion.measured_ranges import in_float, unlearned, untrained, with_ranges
from kit.worker.conversion.training import Train
from kit.worker.graph.fake_quant import is_trained, kept_unrounded, refuse_ranges, unrounded
from kit.worker.graph.freeze import Frozen, imported
from kit.worker.graph.int8_graph import for_int8
from kit.worker.source.contract import Contract
from kit.worker.source.model import Variable

Arrays = Mapping[str, np.ndarray]

_ROUNDS = 4  # conversions: a tensor that gets a range may show another that has none


def content_of(
    job: Job,
    contracts: Sequence[Contract],
    graphs: Sequence[Frozen],
    parts: tuple[Module, Train | None, Origin],
    calibration: Calibration,
    folder: Path,
) -> tuple[bytes, list[str]]:
    """Export and convert; where training learned ranges of some parts alone, measure the others and convert again.

    calibration: of arrays by input name, of its shape and dtype. Returns the file and notes on what of it stays in
    float. Raises JobError, as convert does and where there is no calibration for those others.
    """
    module, train, origin = parts
    if job.fused_lstm:
        return fused_content(job, contracts, origin, calibration, folder), []
    trained = job.scheme == "int8" and any(is_trained(graph.graph) for graph in graphs)
    content, left = b"", [list[list[str]]()]
    for at in range(_ROUNDS):
        exported = export(list(zip(contracts, graphs, strict=True)), module, train, folder / str(at))
        try:
            content = convert(folder / str(at), job, exported, calibration, replace(origin, graphs=graphs))
        except JobError:
            if not content:
                raise
            break  # ranges that the converter cannot bring together: what had them not stays in float
        left = [unlearned(content, c, g, origin) for c, g in zip(contracts, graphs, strict=True)] if trained else []
        if not any(left):
            return content, []
        if not calibration.calls:
            raise untrained(left, graphs, origin)
        more = [
            with_ranges(graph, names, mapped(partial(_ordered, c), calibration.calls.get(c.key, ())), calibration.grid)
            for c, graph, names in zip(contracts, graphs, left, strict=True)
        ]
        if all(one is other for one, other in zip(more, graphs, strict=True)):
            break
        graphs = more
    return content, [f"int8: {', '.join(in_float(left, graphs, origin)[:20])} calculate in float"]


def _ordered(contract: Contract, call: Arrays) -> list[np.ndarray]:
    """Return what a call takes in the order of the inputs, of their shapes and dtypes."""
    return [call[spec.name] for spec in contract.inputs]


_UNROUNDED = (
    "the model was trained for 8 bits: in {} its weights have the steps of that training and its activations are not "
    "rounded, so that outputs differ from the trained model's; int8 is nearer to them"
)


def unrounded_contracts(
    job: Job, contracts: Sequence[Contract], graphs: Sequence[Frozen], keep: Sequence[Variable]
) -> tuple[dict[str, Contract], list[str]]:
    """Return what a float file is held against by signature, where its source rounds activations; and a note on it."""
    plain = {
        contract.key: _held(contract, graph, keep)
        for contract, graph in zip(contracts, graphs, strict=True)
        if job.scheme != "int8" and is_trained(contract.traced.graph.as_graph_def())
    }
    return plain, [_UNROUNDED.format(job.scheme)] if plain else []


def _held(contract: Contract, frozen: Frozen, keep: Sequence[Variable]) -> Contract:
    """Return a contract whose outputs are those of a frozen graph."""

    def call(feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Return the frozen graph's outputs by name for inputs by name, of the contract's shapes and dtypes."""
        here = tf.compat.v1.get_default_graph()
        handles = {variable.name: here.capture(variable.value.handle) for variable in keep}
        predictions = imported(frozen, [feeds[spec.name] for spec in contract.inputs], handles)
        return dict(zip([spec.name for spec in contract.outputs], predictions, strict=True))

    return replace(contract, call=call, loose=False)


def ready(job: Job, frozen: Frozen, layers: Sequence[str], calls: Sequence[Arrays], names: Sequence[str]) -> Frozen:
    """Return a graph as the scheme's converter should see it.

    calls: the calibration, by the inputs' names, of their shapes and dtypes.
    """
    if job.fused_lstm:
        return frozen
    if job.scheme != "int8":
        return unrounded(frozen)
    if is_trained(frozen.graph):
        frozen = kept_unrounded(frozen)
        refuse_ranges(frozen, layers)
        if not calls:  # what is written otherwise would have no range
            return frozen
    return for_int8(frozen, calls, names)
