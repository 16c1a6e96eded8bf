"""The wrappers of tensorflow-model-optimization (tfmot), as Keras 2 finds them in a file by their names.

They hold the variables that tfmot's own have, in its order, and compute what those compute in inference. tfmot itself
is in no toolchain: nothing of its training is needed, and a wheel more would change each lock and image.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kit.shared.job import JobError
from kit.worker.loaders.tfmot_config import read_config, read_quantizer, rounded_before, rounded_behind

# tfmot's registries: which attribute holds the weights that are pruned or clustered, where it is not `kernel`.
_HOLDERS = {"SeparableConv1D": "pointwise_kernel", "SeparableConv2D": "pointwise_kernel", "Embedding": "embeddings"}
_CLUSTERED = 2  # trainable variables for each weight that cluster-preserving training adds: centroids, weights
_KERNELS = {
    "Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "Dense", "LocallyConnected1D",
    "LocallyConnected2D",
}  # fmt: skip
_CLUSTERED_ONLY = {"Conv1DTranspose"}


def tfmot_objects(keras: Any) -> dict[str, Any]:
    """Return tfmot's classes by the names that files have for them, for this Keras 2."""
    base = _wrapper(keras)
    return {
        "NoOpActivation": NoOpActivation,
        "QuantizeAnnotate": _annotate(base),
        "QuantizeAwareActivation": _activation(keras),
        "QuantizeLayer": _quantize_layer(keras),
        **_quantize_wrappers(base),
        "PruneLowMagnitude": _prune(base),
        **_clusters(base),
    }


class NoOpActivation:
    """An activation that does nothing, and is not rounded: a batch normalization follows."""

    def __call__(self, x: Any) -> Any:
        """Return x, of any shape and dtype."""
        return x

    def get_config(self) -> dict[str, Any]:
        """Return nothing: there is nothing to say."""
        return {}


def _activation(keras: Any) -> type:
    class QuantizeAwareActivation:
        """What tfmot writes in place of a layer's activation: the activation itself is read back."""

        @classmethod
        def from_config(cls, config: Mapping[str, Any]) -> Any:
            inner = config["activation"]
            if isinstance(inner, dict) and inner.get("class_name") == "NoOpActivation":
                return NoOpActivation()
            return keras.activations.get(inner["config"] if isinstance(inner, dict) and "config" in inner else inner)

    return QuantizeAwareActivation


def _wrapper(keras: Any) -> Any:  # noqa: C901 - a class, for the Keras at hand
    class Wrapper(keras.layers.Wrapper):  # type: ignore[misc]
        """A layer around another, which reads its variables as tfmot has written them."""

        taken: Sequence[Any] = ()  # variables of the inner layer that tfmot's wrapper has made its own

        @classmethod
        def from_config(cls, config: Mapping[str, Any]) -> Any:
            config = dict(config)
            raw = config.pop("layer")
            deserialize = keras.layers.deserialize
            old = "use_legacy_format" in inspect.signature(deserialize).parameters
            layer = deserialize(raw, **({"use_legacy_format": "module" not in raw} if old else {}))
            return cls(layer=layer, **config)

        def take(self, variables: Sequence[Any]) -> None:
            """Let the inner layer be read without these variables, where the file has them with the wrapper."""
            untracked(self, "taken", list(variables))
            for name in ("load_own_variables", "_load_own_variables"):  # the second is Keras 2.12's
                untracked(self.layer, name, self._load_inner)

        def layouts(self) -> Iterator[list[Any]]:
            """Yield the orders in which a .keras file may have this wrapper's own variables; None is passed over."""
            yield [*self._trainable_weights, *self._non_trainable_weights]

        def load_own_variables(self, store: Any) -> None:
            """Read the wrapper's own variables of a .keras file."""
            for layout in self.layouts():
                if _fits(store, layout):
                    _assign(store, layout)
                    return
            raise JobError(
                "model",
                f"layer '{self.name}' has {len(store.keys())} variables in the file, not those that tfmot writes",
                "save it again with tfmot 0.8 and Keras 2.12 or newer, as .h5",
            )

        _load_own_variables = load_own_variables

        def _load_inner(self, store: Any) -> None:
            variables = [*self.layer._trainable_weights, *self.layer._non_trainable_weights]
            left = self.left(variables)
            _assign(store, left if len(store.keys()) == len(left) else variables)

        def left(self, variables: Sequence[Any]) -> list[Any]:
            """Return the variables without those that are taken."""
            return [each for each in variables if not any(each is one for one in self.taken)]

        @property
        def trainable_weights(self) -> list[Any]:
            return [*self.left(self.layer.trainable_weights), *self._trainable_weights]

        @property
        def non_trainable_weights(self) -> list[Any]:
            return [*self.left(self.layer.non_trainable_weights), *self._non_trainable_weights]

        def compute_output_shape(self, input_shape: Any) -> Any:
            return self.layer.compute_output_shape(input_shape)

        def call(self, inputs: Any, training: Any = None, **kwargs: Any) -> Any:
            """Return what the inner layer gives for inputs, in its own shape and dtype."""
            if "training" in inspect.getfullargspec(self.layer.call).args:
                kwargs["training"] = training
            return self.layer.call(inputs, **kwargs)

    return Wrapper


def _fits(store: Any, layout: Sequence[Any]) -> bool:
    return len(store.keys()) == len(layout) and all(
        variable is None or tuple(store[f"{at}"].shape) == tuple(variable.shape) for at, variable in enumerate(layout)
    )


def _assign(store: Any, layout: Sequence[Any]) -> None:
    for at, variable in enumerate(layout):
        if variable is not None:
            variable.assign(store[f"{at}"])


@contextmanager
def _holding(layer: Any, values: Mapping[str, Any]) -> Iterator[None]:
    """Let a layer's attributes be other tensors, of their shape and dtype, or other functions during the block."""
    before = {name: getattr(layer, name) for name in values}
    for name, value in values.items():
        untracked(layer, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            untracked(layer, name, value)


def untracked(layer: Any, name: str, value: Any) -> None:
    """Set an attribute past Keras's own __setattr__, which makes what holds variables part of the layer."""
    object.__setattr__(layer, name, value)


# ---------------------------------------------------------------- quantization


def _quantize_layer(keras: Any) -> type:
    class QuantizeLayer(keras.layers.Layer):  # type: ignore[misc]
        """Rounds what passes it: tfmot puts one behind each input."""

        def __init__(self, quantizer: Any, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self._raw = quantizer
            self._quantizer = read_quantizer(quantizer, self.name)

        def build(self, input_shape: Any) -> None:
            untracked(self, "range", self._quantizer.build(input_shape, self.name, self))
            self.add_weight("optimizer_step", shape=(), dtype="int32", trainable=False)
            self.built = True

        def call(self, inputs: Any) -> Any:
            """Return inputs, float32 of any shape, rounded."""
            return self._quantizer(inputs, self.range)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "quantizer": self._raw}

    return QuantizeLayer


def _quantize_wrappers(base: Any) -> dict[str, type]:  # noqa: C901 - two classes, for the Keras at hand
    class QuantizeWrapper(base):  # type: ignore[misc]
        """A layer with rounded weights and a rounded output."""

        def __init__(self, layer: Any, quantize_config: Any, **kwargs: Any) -> None:
            super().__init__(layer, **kwargs)
            self._raw = quantize_config
            self.quantized = read_config(quantize_config, layer.name)

        def build(self, input_shape: Any) -> None:
            super().build(input_shape)
            what, layer = self.quantized, self.layer
            self.add_weight("optimizer_step", shape=(), dtype="int32", trainable=False)
            held = {name: getattr(layer, name) for name in what.weights}
            untracked(self, "weight_ranges", {n: what.weight.build(w.shape, n, self) for n, w in held.items()})
            self._trainable_weights.extend(held.values())
            untracked(
                self, "activation_ranges", {name: self._ranges(getattr(layer, name)) for name in what.activations}
            )
            ends = what.activation.build(None, "output", self) if what.rounds_output(layer) else None
            untracked(self, "output_range", ends)
            self.take(list(held.values()))

        def _ranges(self, activation: Any) -> tuple[Any, Any, Any]:
            """Return an activation with the ranges of what goes in and comes out, None where it is not rounded."""
            build = self.quantized.activation.build
            before = build(None, "pre_activation", self) if rounded_before(activation) else None
            return activation, before, build(None, "post_activation", self) if rounded_behind(activation) else None

        def layouts(self) -> Iterator[list[Any]]:
            none: list[Any] = []
            for own in (none, self.layer._trainable_weights):  # by whether tfmot's wrapper was built after its layer
                yield [*own, *self.taken, *self._non_trainable_weights]
                places = [None] * (_CLUSTERED * len(self.taken))
                yield [*own, *places, *self.taken, *self._clustered_others()]

        def _clustered_others(self) -> list[Any]:
            """Return the other variables with a place for the indices before each weight's range."""
            first = [ends[0] for ends in self.weight_ranges.values()]
            made: list[Any] = []
            for variable in self._non_trainable_weights:
                made += [None, variable] if _among(variable, first) else [variable]
            return made

        def call(self, inputs: Any, training: Any = None, **kwargs: Any) -> Any:
            """Return the inner layer's outputs, float32 in its own shape, with rounded weights and activations."""
            what = self.quantized
            values = {name: what.weight(getattr(self.layer, name), ends) for name, ends in self.weight_ranges.items()}
            values |= {name: self._rounded(*each) for name, each in self.activation_ranges.items()}
            with _holding(self.layer, values):
                outputs = super().call(inputs, training=training, **kwargs)
            return outputs if self.output_range is None else what.activation(outputs, self.output_range)

        def _rounded(self, activation: Any, before: Any, behind: Any) -> Any:
            def call(x: Any) -> Any:
                """Return the activation of x, float32 of any shape, rounded before and behind."""
                x = x if before is None else self.quantized.activation(x, before)
                x = activation(x)
                return x if behind is None else self.quantized.activation(x, behind)

            return call

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "quantize_config": self._raw}

    class QuantizeWrapperV2(QuantizeWrapper):
        """The same, with the layer's weights in their own order."""

        def build(self, input_shape: Any) -> None:
            self._trainable_weights.extend(self.layer.trainable_weights)
            super().build(input_shape)

        @property
        def trainable_weights(self) -> list[Any]:
            listed = [*self._trainable_weights, *self.left(self.layer.trainable_weights)]
            return [each for at, each in enumerate(listed) if not _among(each, listed[:at])]

    return {"QuantizeWrapper": QuantizeWrapper, "QuantizeWrapperV2": QuantizeWrapperV2}


def _among(variable: Any, others: Sequence[Any]) -> bool:
    return any(variable is other for other in others)


# ---------------------------------------------------------------- what is stripped


def _annotate(base: Any) -> type:
    class QuantizeAnnotate(base):  # type: ignore[misc]
        """A layer that was marked for training, and not trained for 8 bits yet."""

        def __init__(self, layer: Any, quantize_config: Any = None, **kwargs: Any) -> None:
            del quantize_config
            super().__init__(layer, **kwargs)

    return QuantizeAnnotate


def _prune(base: Any) -> type:
    class PruneLowMagnitude(base):  # type: ignore[misc]
        """A layer with a mask of ones and zeros for its weights."""

        def __init__(self, layer: Any, **kwargs: Any) -> None:
            named = {name: kwargs[name] for name in ("name", "trainable", "dtype") if name in kwargs}
            super().__init__(layer, **named)

        def build(self, input_shape: Any) -> None:
            super().build(input_shape)
            pruned = []
            for weight in _prunable(self.layer):
                pruned.append((weight, self.add_weight("mask", shape=weight.shape, trainable=False)))
                self.add_weight("threshold", shape=(), trainable=False)
            untracked(self, "pruned", pruned)
            self.add_weight("pruning_step", shape=(), dtype="int64", trainable=False)

        def layouts(self) -> Iterator[list[Any]]:
            yield [*(weight for weight, _ in self.pruned), *self._non_trainable_weights]

    return PruneLowMagnitude


def _prunable(layer: Any) -> list[Any]:
    """Return the weights that tfmot prunes of a layer, in its order."""
    if hasattr(layer, "get_prunable_weights"):
        return list(layer.get_prunable_weights())
    kind = type(layer).__name__
    if kind == "MultiHeadAttention":
        return [getattr(layer, f"_{name}_dense").kernel for name in ("query", "key", "value", "output")]
    if hasattr(layer, "cell"):
        cells = getattr(layer.cell, "cells", None) or [layer.cell]
        return [weight for cell in cells for weight in (cell.kernel, cell.recurrent_kernel)]
    name = _HOLDERS.get(kind) or ("kernel" if kind in _KERNELS else "")
    return [getattr(layer, name)] if name else []


def _clusters(base: Any) -> dict[str, type]:
    class ClusterWeights(base):  # type: ignore[misc]
        """A layer whose weights take few values: centroids, and the index of one for each weight."""

        def __init__(self, layer: Any, number_of_clusters: int, **kwargs: Any) -> None:
            named = {name: kwargs.pop(name) for name in ("name", "trainable", "dtype") if name in kwargs}
            super().__init__(layer, **named)
            self.number = number_of_clusters
            self.sparse = bool(kwargs.get("preserve_sparsity"))
            self.by_channel = bool(kwargs.get("cluster_per_channel")) and "Conv2D" in type(layer).__name__

        def build(self, input_shape: Any) -> None:
            super().build(input_shape)
            clustered = []
            for weight in _clusterable(self.layer):
                shape: tuple[Any, ...] = (self.number,)
                if self.by_channel:
                    shape = (weight.shape[-1], self.number)
                self._trainable_weights.append(weight)
                centroids = self.add_weight("cluster_centroids", shape=shape, trainable=True)
                self.add_weight("pulling_indices", shape=weight.shape, dtype="int64", trainable=False)
                clustered.append((weight, centroids))
            untracked(self, "clustered", clustered)
            self.take([weight for weight, _ in clustered])

    def refused(name: str, what: str) -> type:
        class Refused(base):  # type: ignore[misc]
            def __init__(self, layer: Any, **kwargs: Any) -> None:
                del kwargs
                raise JobError(
                    "model",
                    f"layer '{layer.name}' is {what} with tfmot's clustering still around it, which is not read",
                    "with the code that trained it, save tfmot.clustering.keras.strip_clustering(model) instead",
                )

        Refused.__name__ = name
        return Refused

    return {
        "ClusterWeights": ClusterWeights,
        "ClusterWeightsRNN": refused("ClusterWeightsRNN", "a recurrent layer"),
        "ClusterWeightsMHA": refused("ClusterWeightsMHA", "an attention"),
    }


def _clusterable(layer: Any) -> list[Any]:
    if hasattr(layer, "get_clusterable_weights"):
        return [weight for _, weight in layer.get_clusterable_weights()]
    kind = type(layer).__name__
    name = _HOLDERS.get(kind) or ("kernel" if kind in _KERNELS | _CLUSTERED_ONLY else "")
    return [getattr(layer, name)] if name else []
