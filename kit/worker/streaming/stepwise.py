"""Models of one step a call, run on whole sequences: the float graph, and the product. The state is reset before each.

Whole sequences [N, steps, ...] go in and whole outputs come out, so that everything else measures as without streaming.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from kit.shared.job import ASSIGN, Job, JobError
from kit.shared.rows import Arrays as Samples
from kit.shared.rows import fed_rows, raw
from kit.worker.conversion.converter import Origin
from kit.worker.evaluation import metrics
from kit.worker.evaluation.interpreter import Product, joined
from kit.worker.evaluation.name_check import HALF
from kit.worker.graph.freeze import Frozen, imported
from kit.worker.graph.unroll import LOOPS
from kit.worker.source.model import Variable
from kit.worker.streaming.steps import Steps
from kit.worker.streaming.stream import WITHOUT

Arrays = Mapping[str, np.ndarray]
SEQUENCES = 8  # so many are held against the source, in float
EXACT = 1e-4  # what float sums in another order may differ by after many steps, of the largest value
# What may look from one step at another, outside of loops.
_LOOKING = (
    "AvgPool BatchMatMulV2 Conv2D Conv3D Cumsum DepthwiseConv2dNative Einsum Max MaxPool Mean ReverseV2 Sum".split()
)


# ---------------------------------------------------------------- the float graph, step by step


@dataclass(frozen=True)
class FloatSteps:
    """The graph of one step as TensorFlow runs it, before anything is converted."""

    steps: Steps
    run: Callable[..., Any]
    keep: tuple[Variable, ...]
    initial: Arrays
    bound: float  # what sums in another order may differ by, of the largest value
    looking: Sequence[str]  # layers that may look from one step at another
    drawn: Collection[str]  # outputs that are other ones in each call

    def rows(self, run: Sequence[Arrays]) -> list[dict[str, np.ndarray]]:
        """Return the outputs of every step of one run, from the initial state on.

        run: by input name [rows, 1, ...] of each step in the input's dtype; returned are float32 outputs by name.
        """
        for variable in self.keep:
            variable.value.assign(self.initial[variable.name])
        inputs, outputs = self.steps.contract.inputs, self.steps.contract.outputs
        predictions = [self.run(*(tf.constant(feeds[spec.name]) for spec in inputs)) for feeds in run]
        names = [spec.name for spec in outputs]
        return [dict(zip(names, (np.asarray(v, np.float32) for v in row), strict=True)) for row in predictions]

    def agree(self, samples: Samples, floats: Arrays) -> None:
        """Hold some sequences, step by step, against the source's outputs of the whole.

        samples: [N, steps, ...] by input name, in its dtype; floats: float32 [N, ...] by output name.

        Raises JobError (kind "model") where they differ: a layer looks at more than its own step.
        """
        rows = max(self.steps.whole.batch or 1, 1)
        for at, run in enumerate(self.steps.runs({n: a[: SEQUENCES * rows] for n, a in samples.items()})):
            for name, array in self.steps.joined(self.rows(run)).items():
                if name in self.drawn:
                    continue
                wanted = floats[name][at * rows : (at + 1) * rows]
                off = float(np.abs(array - wanted).max(initial=0.0))
                if not off <= self.bound * max(1.0, float(np.abs(wanted).max(initial=0.0))):
                    raise _other(name, off, self.looking)


def float_steps(steps: Steps, frozen: Frozen, keep: Sequence[Variable], origin: Origin) -> FloatSteps:
    """Return the graph of one step, over the source's own variables: kept ones and the state.

    origin: of the graph with its loops.
    """

    def serve(*feeds: Any) -> list[Any]:
        """Return the outputs of one step for its inputs in order, of the contract's shapes and dtypes."""
        graph = tf.compat.v1.get_default_graph()
        handles = {v.name: graph.capture(v.value.handle) for v in keep if v.name in frozen.kept}
        return imported(frozen, feeds, handles)

    specs = [tf.TensorSpec(spec.shape, spec.dtype) for spec in steps.contract.inputs]
    run = tf.function(serve, autograph=False).get_concrete_function(*specs)
    initial = {variable.name: np.asarray(variable.value.read_value()) for variable in keep}
    nodes = [node for graph in origin.graphs for node in graph.graph.node]
    loops = origin.layers_of([node.name for node in nodes if node.op in LOOPS])
    looking = [each for each in origin.layers_of([n.name for n in nodes if n.op in _LOOKING]) if each not in loops]
    drawn = [spec.name for spec, random in zip(steps.whole.outputs, frozen.random, strict=True) if random]
    return FloatSteps(steps, run, tuple(keep), initial, HALF if frozen.raised else EXACT, looking, drawn)


def _other(name: str, off: float, looking: Sequence[str]) -> JobError:
    layers = ", ".join(f"'{layer}'" for layer in looking[:5])
    return JobError(
        "model",
        f"[model] streaming: fed step by step, the output '{name}' differs by {off:.3g} from the whole sequence's: "
        + (f"one of the layers {layers} looks at several steps" if layers else "a layer looks at several steps"),
        "a stream can have recurrent layers that run forward, and layers that work on each step alone "
        f"(no convolution, pooling or attention over time); or {WITHOUT}",
    )


# ---------------------------------------------------------------- the product, step by step


class StepProduct(Product):
    """A product that takes one step a call, asked for whole sequences: its state is reset before each."""

    def __init__(
        self,
        content: bytes,
        steps: Steps,
        initial: Arrays,
        *,
        bound: float | None,
        random: Mapping[str, Collection[str]],
    ) -> None:
        super().__init__(content, [steps.contract], bound=bound, random=random)
        self._steps = steps
        self._initial = initial
        self._assign = self.plain(ASSIGN)

    def ask_all(
        self, key: str, samples: Samples, advance: Callable[[int, int], None] | None = None
    ) -> tuple[Samples, dict[str, np.ndarray]]:
        """Run whole sequences [N, steps, ...]; return (what was fed, the outputs of the whole), raw, by name."""
        fed = {spec.name: fed_rows(samples[spec.name], spec) for spec in self.signatures[key].inputs}
        runs, predictions = list(self._steps.runs(fed)), []
        for done, run in enumerate(runs, 1):
            predictions.append(self._steps.joined(self.rows(key, run)))
            if advance is not None:
                advance(done, len(runs))
        return fed, {
            spec.name: joined([row[spec.name] for row in predictions], spec) for spec in self._steps.whole.outputs
        }

    def rows(self, key: str, run: Sequence[Arrays]) -> list[dict[str, np.ndarray]]:
        """Return the raw outputs of every step of one run, from the initial state on.

        run: by input name [rows, 1, ...] of each step, raw.
        """
        self._assign(**self._initial)
        return [self.ask(key, feeds) for feeds in run]


def golden(
    job: Job, product: StepProduct, exact: FloatSteps, samples: Samples, floats: Arrays
) -> dict[str, np.ndarray]:
    """Return the arrays of golden.npz: the steps of the first sequence, one vector each, from the initial state on.

    float/<name> is what the source gives to the whole sequence; before its end, where the source gives only the last
    step's output, what it gives step by step.

    samples: [N, steps, ...] by input name, in its dtype; floats: float32 [N, ...] by output name.
    """
    steps, (signature,) = exact.steps, product.signatures.values()
    run = next(steps.runs(samples))
    fed = [{spec.name: raw(feeds[spec.name], spec) for spec in signature.inputs} for feeds in run]
    predictions, floating = product.rows(signature.key, fed), exact.rows(run)
    batch = max(steps.whole.batch or 1, 1)
    for name, each in steps.each_step.items():
        for at in range(len(run)) if each else ():
            floating[at][name] = floats[name][:batch, at : at + 1]
        floating[-1][name] = floats[name][:batch, -1:] if each else floats[name][:batch]
    return metrics.golden(
        replace(job, golden=len(run) * batch),
        product,
        signature.key,
        {spec.name: joined([row[spec.name] for row in fed], spec) for spec in signature.inputs},
        {spec.name: joined([row[spec.name] for row in predictions], spec) for spec in signature.outputs},
        {spec.name: joined([row[spec.name] for row in floating], spec) for spec in signature.outputs},
    )


def calibration_rows(steps: Steps, samples: Samples, initial: Arrays) -> list[tuple[str, Arrays]]:
    """Return what int8 is calibrated on: (signature, what a call takes), the state reset before each sequence.

    samples: [N, steps, ...] by input name; initial: by variable, of its shape; each in its own dtype.
    """
    rows: list[tuple[str, Arrays]] = []
    for run in steps.runs(samples):
        rows += [(ASSIGN, initial), *((steps.contract.key, feeds) for feeds in run)]
    return rows
