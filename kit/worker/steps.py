"""One step of a sequence in each call: what such a call takes, samples as runs of steps, and the proof of both.

Whole sequences [N, steps, ...] go in and whole outputs come out, so that everything else measures as without streaming.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from kit.worker import measure
from kit.worker.contract import Contract
from kit.worker.convert import Origin
from kit.worker.custom import described
from kit.worker.freeze import Frozen, imported
from kit.worker.job import ASSIGN, DYNAMIC, Job, JobError, TensorSpec
from kit.worker.product import Product, calls, joined, raw
from kit.worker.prove import HALF
from kit.worker.source import Variable
from kit.worker.stream import WITHOUT
from kit.worker.unroll import LOOPS

Arrays = Mapping[str, np.ndarray]
SEQUENCES = 8  # so many are held against the source, in float
EXACT = 1e-4  # what float sums in another order may differ by after many steps, of the largest value
# What may look from one step at another, outside of loops.
_LOOKING = (
    "AvgPool BatchMatMulV2 Conv2D Conv3D Cumsum DepthwiseConv2dNative Einsum Max MaxPool Mean ReverseV2 Sum".split()
)


@dataclass(frozen=True)
class Steps:
    """The signature as the source has it, on whole sequences, and as the product has it, on one step."""

    whole: Contract
    contract: Contract
    sequences: frozenset[str]  # inputs of which a call takes one step; the others it takes whole, in each

    def runs(self, samples: Arrays) -> Iterator[list[dict[str, np.ndarray]]]:
        """Yield, for each call's worth of samples [N, steps, ...], what its steps take, in order."""
        for call in calls(self.whole.inputs, samples):
            length = next(call[name].shape[1] for name in sorted(self.sequences))
            yield [
                {name: array[:, at : at + 1] if name in self.sequences else array for name, array in call.items()}
                for at in range(length)
            ]

    def joined(self, rows: Sequence[Arrays]) -> dict[str, np.ndarray]:
        """Return the whole sequence's outputs of those of its steps: of every step, or the last one's."""
        return {
            name: np.concatenate([row[name] for row in rows], axis=1) if each else rows[-1][name]
            for name, each in self.each_step.items()
        }

    @property
    def each_step(self) -> dict[str, bool]:
        """Say of each output whether the source gives it for every step, on axis 1."""
        pairs = zip(self.contract.outputs, self.whole.outputs, strict=True)
        return {one.name: one.shape != whole.shape for one, whole in pairs}


def one_step(contracts: Sequence[Contract]) -> Steps:
    """Return the main signature for one step in each call.

    Raises JobError where the model has no sequence to take a step of, or cannot be run on one step.
    """
    whole, *others = contracts
    if others:
        raise JobError(
            "recipe",
            f"[model] streaming is for one signature, and the file would get {len(contracts)}",
            f'choose the one that takes a sequence: [model] signatures = ["{whole.key}"]',
        )
    if whole.batch is None or whole.batch == DYNAMIC:
        raise JobError(
            "recipe",
            "[model] streaming needs a fixed number of samples in a call: the state has a shape",
            "leave [model] batch out: one sample in each call",
        )
    sequences = _sequences(whole)
    inputs = [_step(spec) if spec.name in sequences else spec for spec in whole.inputs]
    if left := [spec.name for spec in inputs if DYNAMIC in spec.shape]:
        raise JobError(
            "recipe",
            f"[model] streaming: the input '{left[0]}' leaves another axis open than the sequence's",
            f'fix it: [[inputs]] name = "{left[0]}" and shape = [...], without the batch axis',
        )
    try:
        with _any_length():
            contract = whole.reshaped(inputs)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise JobError(
            "model", f"[model] streaming: the model cannot be run on one step: {described(error)}", WITHOUT
        ) from error
    steps = Steps(whole, contract, sequences)
    _refuse_lengths(steps)
    return steps


def _sequences(whole: Contract) -> frozenset[str]:
    """Return the inputs with an axis of steps: open ones, else those of steps and features, else all."""
    able = [spec for spec in whole.inputs if len(spec.shape) > 1]
    found = [spec for spec in able if spec.shape[1] == DYNAMIC] or [s for s in able if len(s.shape) > 2] or able
    lengths = {spec.name: spec.shape[1] for spec in found}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"'{name}' {length}" for name, length in lengths.items())
        raise JobError(
            "recipe",
            f"[model] streaming needs sequences of one length, on axis 1: {told or 'no input has one'}",
            f"give all the same length: [[inputs]] shape; or {WITHOUT}",
        )
    return frozenset(lengths)


def _step(spec: TensorSpec) -> TensorSpec:
    return replace(spec, shape=(spec.shape[0], 1, *spec.shape[2:]))


def _refuse_lengths(steps: Steps) -> None:
    """Refuse an output whose shape follows the length in another way than one entry a step."""
    for one, whole in zip(steps.contract.outputs, steps.whole.outputs, strict=True):
        if one.shape not in (whole.shape, (*whole.shape[:1], 1, *whole.shape[2:])) or not one.batched:
            raise JobError(
                "model",
                f"[model] streaming: the output '{one.name}' is {list(whole.shape)} for a whole sequence and "
                f"{list(one.shape)} for one step",
                f"take outputs that lie before it: [model] outputs; or {WITHOUT}",
            )


@contextmanager
def _any_length() -> Iterator[None]:
    """Let Keras trace a model on another length than it was built for, during the block.

    A layer whose weights or shapes hang on the length still fails, in its own operators.
    """
    saved: list[tuple[Any, str, Any]] = []
    for name, module in list(sys.modules.items()):
        places = []
        if name.endswith(("keras.engine.input_spec", "keras.src.engine.input_spec")):
            places = [(module, "assert_input_compatibility")]
        elif name.endswith("keras.src.layers.layer"):
            places = [(module.Layer, "_assert_input_compatibility")]
        saved += [(place, key, getattr(place, key)) for place, key in places]
    for place, key, _ in saved:
        setattr(place, key, lambda *_args, **_kwargs: None)
    try:
        yield
    finally:
        for place, key, original in saved:
            setattr(place, key, original)


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
        """Return the outputs of every step of one run, from the initial state on."""
        for variable in self.keep:
            variable.value.assign(self.initial[variable.name])
        inputs, outputs = self.steps.contract.inputs, self.steps.contract.outputs
        answers = [self.run(*(tf.constant(feeds[spec.name]) for spec in inputs)) for feeds in run]
        names = [spec.name for spec in outputs]
        return [dict(zip(names, (np.asarray(v, np.float32) for v in row), strict=True)) for row in answers]

    def agree(self, samples: Arrays, floats: Arrays) -> None:
        """Hold some sequences, step by step, against the source's outputs of the whole.

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
    told = ", ".join(f"'{layer}'" for layer in looking[:5])
    return JobError(
        "model",
        f"[model] streaming: fed step by step, the output '{name}' is off by {off:.3g} from the whole sequence's: "
        + (f"one of the layers {told} looks at several steps" if told else "a layer looks at several steps"),
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
        self, key: str, samples: Arrays, advance: Callable[[int, int], None] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Run whole sequences [N, steps, ...]; return (what was fed, the outputs of the whole), raw, by name."""
        fed = {spec.name: raw(samples[spec.name], spec) for spec in self.signatures[key].inputs}
        runs, answers = list(self._steps.runs(fed)), []
        for done, run in enumerate(runs, 1):
            answers.append(self._steps.joined(self.rows(key, run)))
            if advance is not None:
                advance(done, len(runs))
        return fed, {spec.name: joined([row[spec.name] for row in answers], spec) for spec in self._steps.whole.outputs}

    def rows(self, key: str, run: Sequence[Arrays]) -> list[dict[str, np.ndarray]]:
        """Return the raw outputs of every step of one run, from the initial state on."""
        self._assign(**self._initial)
        return [self.ask(key, feeds) for feeds in run]


def golden(job: Job, product: StepProduct, exact: FloatSteps, samples: Arrays, floats: Arrays) -> dict[str, np.ndarray]:
    """Return the arrays of golden.npz: the steps of the first sequence, one vector each, from the initial state on.

    float/<name> is what the source gives to the whole sequence; before its end, where the source gives only the last
    step's output, what it gives step by step.
    """
    steps, (signature,) = exact.steps, product.signatures.values()
    run = next(steps.runs(samples))
    fed = [{spec.name: raw(feeds[spec.name], spec) for spec in signature.inputs} for feeds in run]
    answers, floating = product.rows(signature.key, fed), exact.rows(run)
    batch = max(steps.whole.batch or 1, 1)
    for name, each in steps.each_step.items():
        for at in range(len(run)) if each else ():
            floating[at][name] = floats[name][:batch, at : at + 1]
        floating[-1][name] = floats[name][:batch, -1:] if each else floats[name][:batch]
    return measure.golden(
        replace(job, golden=len(run) * batch),
        product,
        signature.key,
        {spec.name: joined([row[spec.name] for row in fed], spec) for spec in signature.inputs},
        {spec.name: joined([row[spec.name] for row in answers], spec) for spec in signature.outputs},
        {spec.name: joined([row[spec.name] for row in floating], spec) for spec in signature.outputs},
    )


def calibration_rows(steps: Steps, samples: Arrays, initial: Arrays) -> list[tuple[str, Arrays]]:
    """Return what int8 is calibrated on: (signature, what a call takes), the state reset before each sequence."""
    rows: list[tuple[str, Arrays]] = []
    for run in steps.runs(samples):
        rows += [(ASSIGN, initial), *((steps.contract.key, feeds) for feeds in run)]
    return rows
