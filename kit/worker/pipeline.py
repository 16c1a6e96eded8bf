"""One conversion, from the source's contracts to a product that can be run. Each step lives elsewhere."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from kit.shared.another_version import ANOTHER
from kit.shared.calls import Feeds
from kit.shared.job import Job, JobError
from kit.shared.lazy import chained, keyed
from kit.shared.range_grid import Grid
from kit.worker.conversion.calibration import Calibration, calibration_calls
from kit.worker.conversion.converter import Origin
from kit.worker.conversion.double_normalization import refuse_twice, scaled_inputs
from kit.worker.conversion.export import Module
from kit.worker.conversion.limits import refuse_lengths, refuse_masked, without_loops
from kit.worker.conversion.signature_names import preset, resources
from kit.worker.conversion.trained_ranges import content_of, ready, unrounded_contracts
from kit.worker.conversion.training import Train
from kit.worker.conversion.variables import keeping, statuses
from kit.worker.evaluation.constant_outputs import unprepared
from kit.worker.evaluation.data import Data
from kit.worker.evaluation.interpreter import Product
from kit.worker.evaluation.name_check import EXACT, HALF
from kit.worker.evaluation.sizes import first_shapes
from kit.worker.graph.freeze import Frozen, freeze, takes_ids
from kit.worker.graph.int8_graph import large
from kit.worker.graph.unroll import has_loops
from kit.worker.made import Made
from kit.worker.source.contract import Contract
from kit.worker.source.model import Source, Variable
from kit.worker.source.precision import precision_note
from kit.worker.streaming.steps import one_step
from kit.worker.streaming.stepwise import StepProduct, calibration_rows, float_steps
from kit.worker.streaming.stream import streamed

Arrays = Mapping[str, np.ndarray]


def make(
    job: Job, source: Source, contracts: Sequence[Contract], data: Data, step: Callable[[str], None] = lambda _: None
) -> Made:
    """Freeze, export, convert and load. Raises JobError where one cannot be done. step is called with what begins."""
    _seed(job, source)
    step("freeze the model")
    steps = one_step(contracts) if job.streaming else None
    contracts = contracts if steps is None else (steps.contract,)
    stay = keeping(source, contracts, job.keep)
    variables, keep, names, initial = stay.variables, stay.keep, stay.names, dict(stay.initial)
    frozen = [freeze(contract.traced, variables, names) for contract in contracts]
    origin = Origin(frozen, source.inner)
    _refuse(job, contracts, frozen, origin)
    scaled = scaled_inputs(job, contracts[0], frozen[0])
    twice = refuse_twice(job, scaled, origin)
    exact = None
    if steps is None:
        written = [without_loops(job, graph, origin) for graph in frozen]
    else:
        stream = streamed(frozen[0], steps.contract.inputs, origin, [each.name for each in variables])
        keep, written = (*keep, *stream.states), [stream.written]
        exact = float_steps(steps, stream.written.frozen, keep, origin)
        initial |= exact.initial
    step("measure the ranges of int8 and convert" if job.scheme == "int8" else f"convert to {job.scheme}")
    module = Module(keep)
    train = _train(job, contracts[0], variables, names) if job.train else None
    with tempfile.TemporaryDirectory() as folder:
        calls = _calibration(contracts, data) if steps is None else {}
        graphs = [
            ready(job, each.frozen, source.inner, calls.get(c.key, []), [spec.name for spec in c.inputs])
            for c, each in zip(contracts, written, strict=True)
        ]
        origin = replace(origin, loops=tuple(loop for each in written for loop in each.steps))
        rows: Sequence[tuple[str, Arrays]] = chained([keyed(key, each) for key, each in calls.items()])
        if steps is not None and job.scheme == "int8":
            rows = calibration_rows(steps, data.calibration[steps.contract.key], initial)
        calibration = Calibration(calls, rows, Grid(job.unsure))
        content, remarks = content_of(job, contracts, graphs, (module, train, origin), calibration, Path(folder))
        initial |= {n: v.numpy() for n, v in zip(module.names, module.kept, strict=True) if n not in initial}
    content = preset(content, {each.key: first_shapes(each, data.sizes[each.key]) for each in contracts})
    step("prepare the converted model")
    bounds = _Bounds.of(job, contracts, frozen)
    try:
        if steps is None:
            product = Product(content, contracts, **vars(bounds), layers=source.inner, resets=job.fused_lstm)
        else:
            product = StepProduct(content, steps, initial, **vars(bounds))
    except JobError as error:
        raise unprepared(error, contracts, data.calibration) from error
    _check_resources(content, list(initial))
    stateful = frozenset(c.key for c, f in zip(contracts, frozen, strict=True) if f.assigns)
    plain, rounding = unrounded_contracts(job, contracts, graphs, keep)
    notes = [*twice, *_notes(job, contracts, frozen, graphs), *remarks, *rounding]
    if exact is not None:
        states = [each.name for each in keep if each.name not in stay.names]
        notes.append(f"one step of the sequence in each call: assign {_listed(states)} again before each sequence")
    return Made(
        job,
        content,
        product,
        keep,
        initial,
        train,
        statuses(variables, frozen, keep),
        stateful,
        tuple(notes),
        tuple(scaled),
        plain,
        calibration.grid.unsure,
        exact,
    )


@dataclass(frozen=True)
class _Bounds:
    """How near a product has to be to the source: of float32 throughout, by a share of its largest value."""

    bound: float | None
    random: Mapping[str, frozenset[str]]  # by signature: outputs that are drawn anew in each call

    @staticmethod
    def of(job: Job, contracts: Sequence[Contract], graphs: Sequence[Frozen]) -> _Bounds:
        """Return what holds for a job. graphs: the source's, frozen."""
        random = {c.key: _random(c, f) for c, f in zip(contracts, graphs, strict=True)}
        if job.scheme != "float32":
            return _Bounds(None, random)
        return _Bounds(HALF if any(graph.raised for graph in graphs) else EXACT, random)


def _refuse(job: Job, contracts: Sequence[Contract], graphs: Sequence[Frozen], origin: Origin) -> None:
    """Refuse what no conversion makes right: ids as int8, masks at an int8 border, lengths that a kernel cannot do."""
    for contract, graph in zip(contracts, graphs, strict=True):
        _refuse_ids(job, contract, graph)
        if job.scheme == "int8" and job.io != "float32":
            refuse_masked(contract, graph, job.io)
    refuse_lengths(origin)


def _calibration(contracts: Sequence[Contract], data: Data) -> dict[str, Sequence[Feeds]]:
    """Return by signature the calls that int8 is calibrated on: one array by input name, of its shape and dtype."""
    return {
        contract.key: calibration_calls(contract, data.calibration[contract.key], data.sizes[contract.key])
        for contract in contracts
        if contract.key in data.calibration
    }


def _seed(job: Job, source: Source) -> None:
    """Let random layers draw the same numbers in each build."""
    tf.random.set_seed(job.seed)
    for variable in source.variables:
        if variable.name in source.states and not variable.value.dtype.is_floating:
            variable.value.assign(tf.cast(tf.fill(variable.value.shape, job.seed), variable.value.dtype))


def _random(contract: Contract, frozen: Frozen) -> frozenset[str]:
    return frozenset(spec.name for spec, drawn in zip(contract.outputs, frozen.random, strict=True) if drawn)


def _train(job: Job, contract: Contract, variables: Sequence[Variable], names: set[str]) -> Train:
    assert job.train is not None
    if job.scheme == "int8":
        raise JobError(
            "recipe",
            "[variables.train] needs float arithmetic, and scheme is 'int8'",
            'use scheme = "float32", "float16" or "dynamic"; variables kept without train go with int8, too',
        )
    if contract.batch is None:
        raise JobError("recipe", "[variables.train] needs inputs with a batch axis", "leave [variables.train] out")
    softmax = any(
        request.name == contract.outputs[0].name and request.activation == "softmax" for request in job.outputs
    )
    return Train(contract, freeze(contract.retraced(job.train.batch), variables, names), job.train, softmax)


def _refuse_ids(job: Job, contract: Contract, frozen: Frozen) -> None:
    """Refuse int8 for a float input whose numbers are ids: 256 steps would make other ids of them."""
    for spec, name in zip(contract.inputs, frozen.inputs, strict=True):
        if job.scheme == "int8" and spec.dtype.startswith("float") and takes_ids(frozen, name):
            raise JobError(
                "recipe",
                f"the input '{spec.name}' holds ids, which the model takes as {spec.dtype} and casts to whole numbers: "
                "int8 would round them to other ids",
                f'let the app feed whole numbers: [[inputs]] name = "{spec.name}" and dtype = "int32"',
            )


def _notes(job: Job, contracts: Sequence[Contract], graphs: Sequence[Frozen], converted: Sequence[Frozen]) -> list[str]:
    """Return what the user has to know. graphs: the source's; converted: as the converter saw them."""
    notes = []
    if job.batch is None and contracts[0].loose and any(map(has_loops, graphs)):
        notes.append(
            "one sample in each call: TFLite's own ops need a fixed batch for recurrent layers ([model] batch)"
        )
    if found := frozenset[str]().union(*(frozen.precisions for frozen in graphs)):
        notes.append(precision_note(found))
    drawn = sorted(name for c, f in zip(contracts, graphs, strict=True) for name in _random(c, f))
    if drawn:
        notes.append(
            f"{_listed(drawn)} {'is' if len(drawn) == 1 else 'are'} drawn at random in each call, by TFLite's own "
            "generator with a fixed seed: the golden vectors hold only the spread"
        )
    return notes + [note for graph in converted if job.scheme == "int8" for note in large(graph)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _check_resources(content: bytes, wanted: Sequence[str]) -> None:
    """Refuse a product with other variables than were asked for: a converter may leave or lose one."""
    held = resources(content)
    if len(held) != len(wanted):
        raise JobError(
            "model",
            f"the produced file holds {len(held)} variables ({', '.join(held) or 'none'}), "
            f"and {len(wanted)} are to be kept ({', '.join(wanted) or 'none'})",
            ANOTHER,
        )
