"""A signature `train`: one step on the kept variables, by gradient descent on one loss. The rest of the model is fixed.

The model runs as it does for inference: no dropout, and batch normalization with its stored statistics.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from kit.shared.job import TRAIN, JobError, SignatureSpec, TensorSpec, TrainSpec
from kit.worker.conversion.export import Exported, Module, plain_names, specs
from kit.worker.graph.freeze import Frozen, imported
from kit.worker.graph.needed import upstream
from kit.worker.source.contract import Contract

TARGET, LOSS = "target", "loss"
_TINY = 1e-7
_BETA_1, _BETA_2 = 0.9, 0.999  # Adam's own


@dataclass
class Train:
    """The train step of a contract's first output, on a graph that takes `request.batch` samples."""

    contract: Contract
    frozen: Frozen
    request: TrainSpec
    softmax: bool  # the model's output are logits: the app applies softmax
    key: str = field(default=TRAIN, init=False)

    def __post_init__(self) -> None:
        """Raise JobError where there is nothing that a step could change."""
        if not upstream(self.frozen.graph, self.frozen.outputs[:1]) & set(self.frozen.kept.values()):
            raise JobError(
                "recipe",
                f"[variables.train]: the output '{self.contract.outputs[0].name}' depends on no kept variable",
                "keep variables of layers that it depends on: [variables] keep; or name another output first: "
                "[model] outputs",
            )

    @property
    def signature(self) -> SignatureSpec:
        """Return what the step takes and gives: the model's inputs and `target`, the loss."""
        output = self.contract.outputs[0]
        shapes = [(self.request.batch, *spec.shape[1:]) for spec in self.contract.inputs]
        inputs = [
            TensorSpec(spec.name, shape, spec.dtype) for spec, shape in zip(self.contract.inputs, shapes, strict=True)
        ]
        target = TensorSpec(TARGET, (self.request.batch, *output.shape[1:]), "float32")
        return SignatureSpec(TRAIN, (*inputs, target), (TensorSpec(LOSS, (), "float32", batched=False),))

    def function(self, module: Module) -> tuple[Any, Exported]:
        """Return the step as a concrete function, and its names."""
        signature = self.signature
        names = plain_names([spec.name for spec in signature.inputs])
        chosen = [i for i, name in enumerate(module.names) if name in self.frozen.kept]
        state = self._state(module, chosen)

        def step(**feeds: Any) -> dict[str, Any]:
            """Take a step on inputs and target by exported name, of the signature's shapes.

            Returns the loss, a float32 scalar.
            """
            values = [feeds[word] for word, _ in names]
            handles = module.handles()
            outputs = imported(self.frozen, values[:-1], handles, module.weight)[0]
            loss = self._loss(outputs, values[-1])
            gradients = tf.gradients(loss, [handles[module.names[i]] for i in chosen])
            for i, gradient, own in zip(chosen, gradients, state, strict=True):
                if gradient is not None:
                    self._update(module.kept[i], tf.convert_to_tensor(gradient), own)
            return {LOSS: loss}

        shapes, dtypes = [s.shape for s in signature.inputs], [s.dtype for s in signature.inputs]
        function = tf.function(step, autograph=False).get_concrete_function(**specs(names, shapes, dtypes))
        return function, Exported(TRAIN, tuple(names), ((LOSS, LOSS),))

    def _state(self, module: Module, chosen: list[int]) -> list[tuple[Any, ...]]:
        """Make what the optimizer remembers; read_variables and assign_variables have it, too."""
        if self.request.optimizer == "sgd":
            return [() for _ in chosen]
        state = []
        for i in chosen:
            variable, own = module.kept[i], []
            for word, initial in (("m", tf.zeros_like(variable)), ("v", tf.zeros_like(variable)), ("step", 0.0)):
                name = f"{module.names[i]}/adam/{word}"
                own.append(module.add(name, tf.cast(initial, tf.float32)))
            state.append(tuple(own))
        return state

    def _loss(self, outputs: Any, target: Any) -> Any:
        """Return the loss, a float32 scalar. outputs, target: float32 [batch, ...]."""
        if self.request.loss == "mean_squared_error":
            return tf.reduce_mean(tf.square(outputs - target))
        if self.request.loss == "binary_crossentropy":
            chance = tf.clip_by_value(outputs, _TINY, 1 - _TINY)
            return -tf.reduce_mean(target * tf.math.log(chance) + (1 - target) * tf.math.log(1 - chance))
        chances = tf.nn.softmax(outputs) if self.softmax else outputs
        return -tf.reduce_mean(tf.reduce_sum(target * tf.math.log(chances + _TINY), axis=-1))

    def _update(self, variable: Any, gradient: Any, state: tuple[Any, ...]) -> None:
        """Assign the variable and the state their next values. gradient: of the variable's shape and dtype."""
        rate = self.request.learning_rate
        if not state:
            variable.assign(variable.read_value() - rate * gradient)
            return
        m, v, step = state
        count = step.read_value() + 1.0
        mean = _BETA_1 * m.read_value() + (1 - _BETA_1) * gradient
        square = _BETA_2 * v.read_value() + (1 - _BETA_2) * tf.square(gradient)
        fair_mean = mean / (1 - tf.pow(_BETA_1, count))
        fair_square = square / (1 - tf.pow(_BETA_2, count))
        variable.assign(variable.read_value() - rate * fair_mean / (tf.sqrt(fair_square) + _TINY))
        for each, value in ((m, mean), (v, square), (step, count)):
            each.assign(value)
