"""What a conversion made: run on samples, proved, and its golden vectors. How it is made, pipeline.py says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kit.shared.another_version import ANOTHER
from kit.shared.job import ASSIGN, READ, Job, JobError, TensorSpec, VariableStatus
from kit.shared.rows import Arrays as Samples
from kit.worker.conversion.training import Train
from kit.worker.evaluation import metrics
from kit.worker.evaluation.data import Data
from kit.worker.evaluation.interpreter import Product
from kit.worker.evaluation.name_check import prove, resized
from kit.worker.evaluation.sizes import Size
from kit.worker.failures.causes import described, next_step
from kit.worker.source.contract import Contract
from kit.worker.source.model import Variable
from kit.worker.streaming.stepwise import FloatSteps, StepProduct
from kit.worker.streaming.stepwise import golden as golden_steps

Arrays = Mapping[str, np.ndarray]
BySignature = Mapping[str, Arrays]


@dataclass(frozen=True)
class Checked:
    """What the product was fed and gave, raw, by signature and name; and what could not be proved."""

    fed: dict[str, Samples]
    predictions: dict[str, Arrays]
    notes: list[str]

    def evaluated(self, key: str, floats: Arrays, y: np.ndarray | None, *, random: bool) -> dict[str, np.ndarray]:
        """Return the arrays of evaluated.npz for a signature: kit.shared.job says which.

        floats: float32 [N, ...] by output name; y: [N, ...] in its own dtype; random: the samples are in no file.
        """
        arrays = {f"output/{name}": array for name, array in self.predictions[key].items()}
        arrays |= {f"float/{name}": array for name, array in floats.items()}
        if random:
            arrays |= {f"input/{name}": array[:] for name, array in self.fed[key].items()}
        return arrays if y is None else arrays | {"y": y}


@dataclass(frozen=True)
class Made:
    """A product with what went into it."""

    job: Job
    content: bytes
    product: Product
    keep: tuple[Variable, ...]  # the source's, as they are in the source
    initial: dict[str, np.ndarray]  # of every kept variable, those of an optimizer, too
    train: Train | None
    statuses: tuple[VariableStatus, ...]
    stateful: frozenset[str]  # signatures that change a kept variable
    notes: tuple[str, ...]
    scaled: tuple[str, ...]  # image inputs whose pixels the model itself scales
    unrounded: Mapping[str, Contract]  # what a float file is held against, where its source rounds in training's ranges
    unsure: Mapping[str, float]  # ends of measured ranges that another CPU may round another way
    exact: FloatSteps | None = None  # where the product takes one step of a sequence in each call

    @property
    def kept(self) -> tuple[TensorSpec, ...]:
        """Return the kept variables as the product has them."""
        return tuple(TensorSpec(n, a.shape, a.dtype.name, batched=False) for n, a in self.initial.items())

    def reset(self) -> None:
        """Set every kept variable to its initial value, in the product and in the source."""
        if self.initial:
            self.product.plain(ASSIGN)(**self.initial)
        for variable in self.keep:
            variable.value.assign(self.initial[variable.name])

    def reference(
        self, contracts: Sequence[Contract], samples: Mapping[str, Samples], measured_on: str
    ) -> dict[str, dict[str, np.ndarray]]:
        """Return the float source's outputs, float32 [N, ...] by signature and name.

        samples: [N, ...] by signature and input name, in its dtype. Raises JobError (kind "recipe") where the model
        cannot be run on these samples.
        """
        floats = {}
        for contract in contracts:
            stateful = contract.key in self.stateful
            try:
                floats[contract.key] = metrics.reference(contract, samples[contract.key], stateful=stateful)
            except tf.errors.OpError as error:
                raise _unfit(error, random=measured_on == "random") from error
            self.reset()
        return floats

    def check(
        self,
        contracts: Sequence[Contract],
        samples: Mapping[str, Samples],
        floats: BySignature,
        sizes: Mapping[str, Sequence[Size]],
        advance: Callable[[int, int], None],
    ) -> Checked:
        """Run the product on all samples, and prove that its names are the source's.

        samples: [N, ...] by signature and input name, in its dtype; floats: float32 [N, ...] by output.

        Raises JobError (kind "model") where they are not, or the variables do not do what they are for.
        """
        checked = Checked({}, {}, [])
        self._check_variables()
        if self.exact is not None:
            self.exact.agree(samples[contracts[0].key], floats[contracts[0].key])
        for contract in contracts:
            fed, predictions = self.product.ask_all(contract.key, samples[contract.key], advance)
            self.reset()
            checked.fed[contract.key], checked.predictions[contract.key] = fed, predictions
            if contract.key not in self.stateful:
                held, wanted = self.unrounded.get(contract.key, contract), floats[contract.key]
                if held is not contract:
                    wanted = metrics.reference(held, samples[contract.key])
                if self.exact is None:
                    checked.notes.extend(resized(held, self.product, samples[contract.key], sizes[contract.key]))
                checked.notes.extend(prove(held, self.product, samples[contract.key], wanted, predictions))
        return checked

    def _check_variables(self) -> None:
        """Read, assign, read, and put back: bit for bit."""
        if not self.initial:
            return
        read, assign = self.product.plain(READ), self.product.plain(ASSIGN)
        other = {name: array + np.ones((), array.dtype) for name, array in self.initial.items()}
        _compare(read(), self.initial)
        for values in (other, self.initial):
            assign(**values)
            _compare(read(), values)

    def golden(
        self, contracts: Sequence[Contract], data: Data, checked: Checked, floats: BySignature
    ) -> dict[str, np.ndarray]:
        """Return the arrays of golden.npz: the main signature's by plain keys, the others' below signature/<key>/.

        Raw [N, ...] of the first samples, float/<name> in float32, tolerance/<name> a float64 scalar.
        """
        arrays: dict[str, np.ndarray] = {}
        if isinstance(self.product, StepProduct) and self.exact is not None:
            key = contracts[0].key
            arrays |= golden_steps(self.job, self.product, self.exact, data.evaluation[key], floats[key])
            contracts = ()
        for at, contract in enumerate(contracts):
            key = contract.key
            own = metrics.golden(self.job, self.product, key, checked.fed[key], checked.predictions[key], floats[key])
            arrays |= own if at == 0 else {f"signature/{key}/{name}": array for name, array in own.items()}
        rows = len(next(iter(arrays.values()), ()))
        arrays |= {f"pixels/{name}": images[:rows] for name, images in data.pixels.items()}
        arrays |= {f"variable/{name}": array for name, array in self.initial.items()}
        if self.train is not None:
            arrays |= {f"signature/{self.train.key}/{k}": v for k, v in self._lesson(contracts[0], checked).items()}
        return arrays

    def _lesson(self, contract: Contract, checked: Checked) -> dict[str, np.ndarray]:
        """Train on one batch, see the loss fall, and put everything back; return what was fed and the first loss.

        input/<name> [batch, ...] in the signature's dtype, and output/loss, float32 [1].
        """
        assert self.train is not None
        *inputs, target = self.train.signature.inputs
        rows = np.arange(self.train.request.batch) % len(next(iter(checked.fed[contract.key].values())))
        feeds = {spec.name: checked.fed[contract.key][spec.name][rows].astype(spec.dtype) for spec in inputs}
        classes = target.shape[-1]
        feeds[target.name] = np.broadcast_to(np.eye(classes, dtype=np.float32)[0], target.shape).copy()
        step = self.product.plain(self.train.key)
        losses = [float(step(**feeds)["loss"]) for _ in range(10)]
        self.reset()
        if not np.isfinite(losses).all() or losses[-1] >= losses[0]:
            raise JobError(
                "model",
                f"the train signature does not learn: ten steps take the loss from {losses[0]:.4g} to {losses[-1]:.4g}",
                "try a smaller [variables.train] learning_rate",
            )
        return {f"input/{name}": array for name, array in feeds.items()} | {
            "output/loss": np.array([losses[0]], np.float32)
        }


def _unfit(error: tf.errors.OpError, *, random: bool) -> JobError:
    """Return what to say of samples that the source model itself fails on: ids beyond its tables, say."""
    if random:
        return JobError(
            "recipe",
            f"the model cannot be run on random inputs: {described(error)}",
            next_step(
                error, "say what its inputs hold: [[inputs]] range = [lowest, highest]; or give data: [checks] data"
            ),
        )
    return JobError(
        "recipe",
        f"the model cannot be run on the recipe's data: {described(error)}",
        next_step(error, "correct the data: ids have to lie in the model's tables, lengths in its axes"),
    )


def _compare(got: Mapping[str, Any], wanted: Arrays) -> None:
    """Raise JobError (kind "model") where kept variables do not hold what was assigned.

    wanted: by name, of the variable's shape and dtype.
    """
    for name, array in wanted.items():
        if not np.array_equal(got[name], array):
            raise JobError(
                "model",
                f"the kept variable '{name}' does not hold what is assigned to it",
                ANOTHER,
            )
