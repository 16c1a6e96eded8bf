"""The proof that every input and output of the product is the source's of the same name.

Runs both on probes that distinguish them: a name that sits on another tensor shows, also where all have one shape.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import tensorflow as tf

from kit.shared.another_version import ANOTHER
from kit.shared.job import DYNAMIC, JobError, TensorSpec
from kit.shared.rows import Arrays as Samples
from kit.shared.rows import raw
from kit.worker.evaluation.interpreter import Product, real
from kit.worker.evaluation.metrics import reference
from kit.worker.evaluation.sizes import Size, first_call, fitted
from kit.worker.source.contract import Contract

Arrays = Mapping[str, np.ndarray]
PROBES = 8  # calls' worth of samples for the inputs
DRAWS = 16  # of outputs that are drawn anew in each call
EXACT = 1e-3  # what float32 kernels may differ by, of the largest value
HALF = 5e-2  # and from a source that calculates in half precision: bfloat16 has 8 bits
SEED = 7
ALIKE = 0.9  # correlation with the float model at another size, below which a note says so


def prove(
    contract: Contract, product: Product, samples: Samples, floats: Arrays, predictions: Arrays
) -> tuple[str, ...]:
    """Hold a signature's outputs, then its inputs, against the source's.

    samples [N, ...] by name in the inputs' dtype, floats in float32, predictions raw. Returns a sentence for each pair
    that the probes cannot distinguish. Raises JobError (kind "model") where a name sits on another tensor.
    """
    drawn = product.random.get(contract.key, ())
    outputs = [spec for spec in product.signatures[contract.key].outputs if spec.name not in drawn]
    got = {spec.name: real(predictions[spec.name], spec) for spec in outputs}
    notes = _outputs_agree(got, floats) + _inputs_agree(contract, product, samples, outputs)
    if drawn:
        _draws_agree(contract, product, samples, drawn)
    if product.bound is not None:
        _refuse_other(got, {name: floats[name] for name in got}, product.bound)
    return notes


def resized(contract: Contract, product: Product, samples: Samples, sizes: Sequence[Size]) -> tuple[str, ...]:
    """Run a signature with open axes at other sizes: the app resizes it. Raises JobError where it fails there.

    samples: [N, ...] by input name, in its dtype, which are cut or continued to each size.

    The shapes have to be the source's, and the values, too, where the file is float32. Returns a sentence for each size
    at which the outputs of another file are far from the source's.
    """
    if not any(DYNAMIC in spec.shape for spec in contract.inputs):
        return ()
    specs, drawn = product.signatures[contract.key], product.random.get(contract.key, ())
    notes = []
    for at, size in enumerate(sizes):
        few = {name: array[: (at + 2) * max(contract.batch or 1, 1)] for name, array in samples.items()}
        feeds = first_call(contract, fitted(few, contract, size), rows=at + 2)
        predictions = product.ask(contract.key, {spec.name: raw(feeds[spec.name], spec) for spec in specs.inputs})
        outputs = contract.graph({name: tf.constant(array) for name, array in feeds.items()})
        wanted = {name: np.asarray(value, np.float32) for name, value in outputs.items()}
        got = {spec.name: real(predictions[spec.name], spec) for spec in specs.outputs}
        for name, array in wanted.items():
            if got[name].shape != array.shape:
                raise JobError(
                    "model",
                    f"with other sizes of its open axes the output '{name}' has the shape {list(got[name].shape)}, "
                    f"and the model's has {list(array.shape)}",
                    "give the sizes in the recipe: [[inputs]] shape, [model] batch",
                )
        kept = {name: array for name, array in wanted.items() if name not in drawn}
        if product.bound is not None:
            _refuse_other(got, kept, product.bound)
        notes += [_far(name, size, got[name], array) for name, array in kept.items()]
    return tuple(note for note in notes if note)


def _far(name: str, size: Size, got: np.ndarray, wanted: np.ndarray) -> str:
    """Return a sentence where an output does not follow the source's at a size, else "".

    got, wanted: float32 of one shape.
    """
    if not size or wanted.size < 3 or np.std(wanted) == 0:
        return ""
    together = np.corrcoef(np.ravel(got), np.ravel(wanted))[0, 1] if np.std(got) else 0.0
    sizes = ", ".join(f"{each} {list(lengths)}" for each, lengths in size.items())
    return (
        "" if together >= ALIKE else f"at {sizes} the output '{name}' correlates {together:.2f} with the float model's"
    )


def _refuse_other(got: Arrays, wanted: Arrays, bound: float) -> None:
    """Refuse a float32 file whose outputs are not the model's: a converter that loses weights says nothing.

    got, wanted: float32 [N, ...] by name.
    """
    for name, array in wanted.items():
        both = ~(np.isnan(got[name]) & np.isnan(array))  # NaN in the model's own place is the model's
        off, size = np.abs(got[name] - array)[both].max(initial=0.0), np.nanmax(np.abs(array), initial=0.0)
        if not off <= bound * max(1.0, float(size)):
            raise JobError(
                "model",
                f"the output '{name}' of the produced file differs by {off:.4g} from the model's, in float32",
                ANOTHER,
            )


def _outputs_agree(got: Arrays, wanted: Arrays) -> tuple[str, ...]:
    """Hold outputs against those that they should be. Returns the pairs that look the same.

    got, wanted: float32 [N, ...] by name.
    """
    notes = []
    for one, other in combinations(sorted(got), 2):
        if got[one].shape != got[other].shape:
            continue
        for name, stranger in ((one, other), (other, one)):
            if _nearer(got[name], wanted[stranger], wanted[name]):
                raise _swapped("output", name, stranger)
        if not _nearer(got[one], wanted[one], wanted[other]) or not _nearer(got[other], wanted[other], wanted[one]):
            notes.append(f"outputs '{one}' and '{other}' are alike on the probes: not distinguished")
    return tuple(notes)


def _inputs_agree(
    contract: Contract, product: Product, samples: Samples, outputs: Sequence[TensorSpec]
) -> tuple[str, ...]:
    """Distinguish every two inputs of one shape and type by what the outputs follow.

    samples: [N, ...] by input name, in its dtype.
    """
    pairs = [
        (one.name, other.name)
        for one, other in combinations(contract.inputs, 2)
        if (one.shape, one.dtype) == (other.shape, other.dtype)
    ]
    if not pairs or not outputs:
        return ()
    few = {name: array[: PROBES * max(contract.batch or 1, 1)] for name, array in samples.items()}
    probe = _Probe(contract, product, outputs)
    notes = []
    for one, other in pairs:
        reported = probe.exchanged(_common(few, one, other), one, other)
        if reported is None:
            reported = probe.moved(few, one) and probe.moved(few, other)
        if not reported:
            notes.append(f"inputs '{one}' and '{other}' work alike on the probes: not distinguished")
    return tuple(notes)


@dataclass(frozen=True)
class _Probe:
    """Runs product and source on the same feeds, and compares what their outputs follow. Feeds: [N, ...] by name."""

    contract: Contract
    product: Product
    outputs: Sequence[TensorSpec]

    def exchanged(self, feeds: Arrays | None, one: str, other: str) -> bool | None:
        """Let two inputs change places in what the source is fed: the product's outputs must not follow that.

        feeds: [N, ...] by input name, in its dtype.

        Returns whether the two can be distinguished, None where the source cannot be asked so.
        """
        if feeds is None:
            return None
        right, wrong = self._source(feeds), self._source({**feeds, one: feeds[other], other: feeds[one]})
        if right is None or wrong is None:
            return None
        got = self._product(feeds)
        if _follows(got, wrong, right):
            raise _swapped("input", one, other)
        return _follows(got, right, wrong)

    def moved(self, feeds: Arrays, name: str) -> bool:
        """Say whether the product follows the source where one input alone takes its values from the next sample.

        Every input keeps to values of its own: ids stay ids of their table.

        feeds: [N, ...] by input name, in its dtype.
        """
        turned = {**feeds, name: np.roll(feeds[name], 1, axis=0)}
        right, before = self._source(turned), self._source(feeds)
        if right is None or before is None:
            return False
        return _follows(self._product(turned), right, before)

    def _source(self, feeds: Arrays) -> Arrays | None:
        """Return the source's outputs, float32 [N, ...] by name, for feeds [N, ...] by input name.

        None where it fails on these feeds or gives no numbers: the probe's fault.
        """
        try:
            predictions = reference(self.contract, feeds)
        except (tf.errors.OpError, JobError):
            return None
        wanted = {spec.name: predictions[spec.name] for spec in self.outputs}
        return wanted if all(np.isfinite(array).all() for array in wanted.values()) else None

    def _product(self, feeds: Arrays) -> Arrays:
        """Return the product's outputs, float32 [N, ...] by name, for feeds [N, ...] by input name."""
        _, predictions = self.product.ask_all(self.contract.key, feeds)
        return {spec.name: real(predictions[spec.name], spec) for spec in self.outputs}


def _common(feeds: Arrays, one: str, other: str) -> Arrays | None:
    """Return feeds in which both inputs hold what either may: None where there is no such thing.

    Whole numbers may be ids of tables of different lengths, flags or lengths: they are drawn from the range that both
    have in common.

    feeds: [N, ...] by input name, in its dtype.
    """
    both = feeds[one], feeds[other]
    if any(not np.array_equal(array, np.round(array)) for array in both):
        return feeds
    low, high = max(int(array.min()) for array in both), min(int(array.max()) for array in both)
    if low >= high:
        return None
    rng = np.random.default_rng(SEED)
    drawn = [rng.integers(low, high + 1, array.shape).astype(array.dtype) for array in both]
    return {**feeds, one: drawn[0], other: drawn[1]}


def _draws_agree(contract: Contract, product: Product, samples: Samples, drawn: Collection[str]) -> None:
    """Compare outputs that are drawn in each call by their mean over many. Raises JobError where it is another.

    samples: [N, ...] by input name, in its dtype.
    """
    few = {name: array[: max(contract.batch or 1, 1)] for name, array in samples.items()}
    specs = {spec.name: spec for spec in product.signatures[contract.key].outputs if spec.name in drawn}
    ours, theirs = [], []
    for _ in range(DRAWS):
        _, predictions = product.ask_all(contract.key, few)
        ours.append({name: real(predictions[name], spec) for name, spec in specs.items()})
        theirs.append(reference(contract, few))
    for name in specs:
        got, wanted = (np.stack([draw[name] for draw in draws]) for draws in (ours, theirs))
        deviation = np.maximum(got.std(axis=0), wanted.std(axis=0)) + EXACT * max(1.0, float(np.abs(wanted).max()))
        # The mean of n draws lies within a fraction of the deviation: of 16, a third for two of them together.
        if float(np.mean(np.abs(got.mean(axis=0) - wanted.mean(axis=0)) / deviation)) > 1:
            raise JobError(
                "model",
                f"the output '{name}' of the produced file is drawn from another distribution than the model's",
                ANOTHER,
            )


def _nearer(got: np.ndarray, one: np.ndarray, other: np.ndarray) -> bool:
    """Say whether got is clearly nearer to one than to the other: by more than half.

    All are of one shape, float32 or float64.
    """
    near, far = float(np.abs(got - one).mean()), float(np.abs(got - other).mean())
    return near < 0.5 * far


def _follows(got: Arrays, one: Arrays, other: Arrays) -> bool:
    """Say the same of all outputs together, each in units of its own spread.

    got, one, other: float32 [N, ...] by name.
    """
    units = {name: float(np.std(array)) or 1.0 for name, array in one.items()}

    def flat(outputs: Arrays) -> np.ndarray:
        """Return the numbers of all outputs, float64 [numbers]."""
        return np.concatenate([np.ravel(np.asarray(outputs[name], np.float64) / units[name]) for name in sorted(units)])

    return _nearer(flat(got), flat(one), flat(other))


def _swapped(what: str, name: str, other: str) -> JobError:
    return JobError(
        "model",
        f"the {what} '{name}' of the produced file is the model's '{other}'",
        ANOTHER,
    )
