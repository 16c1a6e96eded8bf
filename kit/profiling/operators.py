"""The steps of a profile on the operators of the file: what each takes, who runs it and why, and what it costs.

XNNPACK says the names of its own operators and their order, and not which of the file's they are. Both are in the order
in which they run, so the two lists are laid beside each other so that as many as possible agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kit.exploration.node_data import RETYPES
from kit.profiling.events import Step
from kit.profiling.kernels import may_run, why_built_in
from kit.shared.quantization import LayerError
from kit.tflite.cost import operator_cost
from kit.tflite.describe import tensor_type
from kit.tflite.model import Operator, Subgraph, TfliteFile

XNNPACK, BUILT_IN, FUSED, UNKNOWN = "XNNPACK", "built in", "XNNPACK, in its neighbour", "not run"
_BESIDE = ("Convert", "Copy", "Static Reshape", "Transpose", "Slice", "Constant Pad")  # that XNNPACK adds of its own


@dataclass(frozen=True)
class Profiled:
    """An operator of the file, or one of XNNPACK's that is none of the file's: then operator is -1.

    name: "CONV_2D"; layer: of the source model, else its output's name; type: of its first output; delegate: XNNPACK,
    BUILT_IN, FUSED or UNKNOWN; kernels: XNNPACK's operators; why: it is not XNNPACK that runs it; microseconds, macs
    and moved (bytes): of a call, times: how often it ran in it; rest: the time is what the others leave of a call.
    """

    subgraph: int
    operator: int
    name: str
    layer: str
    type: str
    delegate: str
    kernels: tuple[str, ...] = ()
    why: str = ""
    microseconds: float = 0.0
    times: float = 0.0
    macs: int = 0
    moved: int = 0
    rest: bool = False
    error: LayerError | None = None


def profiled_operators(
    file: TfliteFile, layers: dict[tuple[int, int], str], steps: Sequence[Step], call: float
) -> tuple[Profiled, ...]:
    """Return the operators of the graphs that ran, in the file's order.

    call: microseconds of one, without the profiler; file: with the names of its tensors; layers: by subgraph and
    operator. An operator that gives an output of the model has the output's name.
    """
    found: list[Profiled] = []
    for index in sorted({step.subgraph for step in steps if step.subgraph < len(file.subgraphs)}):
        graph = file.subgraphs[index]
        own = [step for step in steps if step.subgraph == index]
        outputs = _outputs(file, index)
        found += _of_graph(graph, index, own, _before(graph, outputs) | layers | outputs)
    return tuple(_with_rest(found, {(s.subgraph, s.operator) for s in steps if s.outer and s.operator >= 0}, call))


def _outputs(file: TfliteFile, index: int) -> dict[tuple[int, int], str]:
    """Return the names of a graph's outputs in its signatures, by the operator that gives them."""
    names = {at: name for each in file.signatures if each.subgraph == index for name, at in each.outputs.items()}
    operators = enumerate(file.subgraphs[index].operators)
    return {(index, i): names[each.outputs[0]] for i, each in operators if each.outputs and each.outputs[0] in names}


def _before(graph: Subgraph, outputs: Mapping[tuple[int, int], str]) -> dict[tuple[int, int], str]:
    """Return the names of outputs by the operator before the one that only changes an output's type."""
    made = {at: place for place, operator in enumerate(graph.operators) for at in operator.outputs}
    return {
        (index, made[source]): name
        for (index, place), name in outputs.items()
        if graph.operators[place].name in RETYPES and (source := graph.operators[place].inputs[0]) in made
    }


def _of_graph(
    graph: Subgraph, index: int, steps: Sequence[Step], layers: Mapping[tuple[int, int], str]
) -> list[Profiled]:
    """Return a subgraph's operators, and then what of XNNPACK's is beside all of them."""
    placed = _placed(graph.operators, steps)
    runs = max((step.times for step in steps), default=0.0)
    rows = []
    for place in range(len(graph.operators)):
        own = [step for step, at in zip(steps, placed, strict=True) if at == place]
        rows.append(_row(graph, (index, place), own, layers.get((index, place), ""), runs))
    rows += [
        Profiled(index, -1, step.name, "", "", XNNPACK, (step.name,), "", step.microseconds, step.times)
        for step, at in zip(steps, placed, strict=True)
        if at is None
    ]
    return rows


def _row(graph: Subgraph, at: tuple[int, int], steps: Sequence[Step], layer: str, runs: float) -> Profiled:
    """Return one operator. steps: what ran it; runs: how often its graph ran in a call."""
    operator = graph.operators[at[1]]
    first = graph.tensors[operator.outputs[0]] if operator.outputs else None
    built_in = any(step.operator >= 0 for step in steps)
    delegate = BUILT_IN if built_in else XNNPACK if steps else FUSED if runs else UNKNOWN
    times = max((step.times for step in steps), default=runs)
    cost = operator_cost(graph, operator)
    return Profiled(
        *at,
        operator.name,
        layer or (first.name if first else ""),
        tensor_type(first) if first else "",
        delegate,
        tuple(step.name for step in steps if step.operator < 0),
        why_built_in(graph, operator) if built_in else "",
        sum(step.microseconds for step in steps),
        times,
        round(times * sum(cost.macs.values())),
        round(times * cost.moved),
    )


def _placed(operators: Sequence[Operator], steps: Sequence[Step]) -> list[int | None]:
    """Return the place of the operator that each step runs; None for one that is beside all of them."""
    itself = {step.operator for step in steps if step.operator >= 0}
    left = [place for place in range(len(operators)) if place not in itself]
    xnnpack = [step for step in steps if step.operator < 0]
    matched = _aligned([operators[place].name for place in left], xnnpack)
    own = iter(_out_of_order([operators[place].name for place in left], xnnpack, matched))
    places = [
        step.operator if step.operator >= 0 else None if (at := next(own)) is None else left[at] for step in steps
    ]
    return _with_neighbours(operators, steps, places)


def _aligned(names: Sequence[str], steps: Sequence[Step]) -> list[int | None]:
    """Return for each of XNNPACK's operators the index of a name that it may run, so that most have one, in order.

    Of two ways to do so, the one that leaves out an operator of XNNPACK's that it adds of its own.
    """
    rows, columns = len(steps), len(names)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        worth = 0.9 if steps[i].name.startswith(_BESIDE) else 1.0
        for j in range(columns - 1, -1, -1):
            both = worth + best[i + 1][j + 1] if may_run(names[j], steps[i].name) else 0.0
            best[i][j] = max(both, best[i + 1][j], best[i][j + 1])
    found: list[int | None] = []
    j = 0
    for i in range(rows):
        worth = 0.9 if steps[i].name.startswith(_BESIDE) else 1.0
        while j < columns and best[i][j] == best[i][j + 1] and best[i][j] > best[i + 1][j]:
            j += 1
        hit = j < columns and may_run(names[j], steps[i].name) and best[i][j] == worth + best[i + 1][j + 1]
        found.append(j if hit else None)
        j += hit
    return found


def _out_of_order(names: Sequence[str], steps: Sequence[Step], matched: Sequence[int | None]) -> list[int | None]:
    """Give each of XNNPACK's operators that has no name yet the first one left that it may run.

    A delegate runs what is in one part of the graph together, though the file has another part's between.
    """
    found = list(matched)
    left = [at for at in range(len(names)) if at not in found]
    for index, step in enumerate(steps):
        at = next((at for at in left if found[index] is None and may_run(names[at], step.name)), None)
        if at is not None:
            found[index] = at
            left.remove(at)
    return found


def _with_neighbours(
    operators: Sequence[Operator], steps: Sequence[Step], places: Sequence[int | None]
) -> list[int | None]:
    """Give what XNNPACK adds of its own, such as a Convert, to the operator before which it stands.

    A further part of the operator behind which it stands, as in a concatenation, is that one's.
    """
    found = list(places)
    for index, step in enumerate(steps):
        if found[index] is not None or not step.name.startswith(_BESIDE):
            continue
        before = found[index - 1] if index and steps[index - 1].operator < 0 else None
        if before is not None and may_run(operators[before].name, step.name):
            found[index] = before
            continue
        behind = next((at for at in range(index + 1, len(steps)) if places[at] is not None), None)
        if behind is not None and steps[behind].operator < 0:
            found[index] = places[behind]
        elif before is not None:
            found[index] = before
    return found


def _with_rest(rows: Sequence[Profiled], outer: set[tuple[int, int]], call: float) -> list[Profiled]:
    """Give operators that run graphs what the others leave of a call: their own time is the profiler's."""
    measured = [row for row in rows if (row.subgraph, row.operator) not in outer]
    left = max(0.0, call - sum(row.microseconds for row in measured))
    weight = sum(row.microseconds for row in rows if (row.subgraph, row.operator) in outer) or 1.0
    return [
        replace(row, microseconds=left * row.microseconds / weight, rest=True)
        if (row.subgraph, row.operator) in outer
        else row
        for row in rows
    ]
