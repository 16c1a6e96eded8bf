"""What a model file says of its main signature: tensors with shapes and types, and what its outputs end in.

Read on the host. What the file does not say is None, and `kit.init.loaded` asks the worker for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from kit.errors import ModelError
from kit.source_model.layer_graph import Layer, LayerGraph, read_graph
from kit.source_model.layer_shapes import layer_shapes
from kit.source_model.model_file import SAVED_MODEL, ModelFile
from kit.source_model.saved_signature import SavedTensor, read_signatures
from kit.source_model.text_layer import config_of

_MAIN = "serving_default"
_TWIN = "serve"  # Keras's export writes one function under two names
SOFTMAX, SIGMOID, LINEAR, UNIT = "softmax", "sigmoid", "linear", "unit"
_OPERATORS = {"Softmax": SOFTMAX, "Sigmoid": SIGMOID, "BiasAdd": LINEAR, "MatMul": LINEAR, "AddV2": LINEAR}
_WORDS = {"nn.softmax": SOFTMAX, "math.sigmoid": SIGMOID, "nn.sigmoid": SIGMOID, "math.l2_normalize": UNIT}
_PASSING = frozenset("Dropout Flatten Identity Permute Reshape GetItem Cast".split())
Shape = tuple[int | None, ...]  # without the batch axis; None for an open one


@dataclass(frozen=True)
class Tensor:
    """An input or output. shape: of one sample, None for an open axis; None as a whole where it is not known."""

    name: str
    shape: Shape | None
    dtype: str = "float32"
    ending: str = ""  # of an output: softmax, sigmoid, linear, unit (divided by its length), "" for anything else


@dataclass(frozen=True)
class Description:
    """A model's main signature."""

    source: ModelFile
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    graph: LayerGraph | None = None  # of a Keras file that lists its layers
    signature: str = ""  # of a SavedModel with several: the main one
    others: tuple[str, ...] = ()  # its others

    @property
    def known(self) -> bool:
        """Say whether the file says all: each tensor by name with its shape, and no text goes into the model."""
        return bool(self.inputs and self.outputs) and all(
            tensor.shape is not None for tensor in (*self.inputs, *self.outputs)
        )


def describe(source: ModelFile) -> Description:
    """Return what a model file says of its main signature. Raises ModelError where it cannot be read."""
    if source.suffix == SAVED_MODEL:
        return _of_saved(source)
    graph = read_graph(config_of(source, None))
    if graph is None or source.names is None:
        inputs = tuple(Tensor(name, shape) for name, shape in source.inputs.items())
        return Description(source, inputs, (), graph)
    shapes = {name: shape[1:] for name, shape in layer_shapes(graph).items()}
    types = source.names.types
    return Description(
        source,
        tuple(Tensor(name, shape, types.get(name, "float32")) for name, shape in source.names.inputs.items()),
        tuple(Tensor(name, shapes.get(name), ending=ending_of(graph, name)) for name in source.names.outputs),
        graph,
    )


def ending_of(graph: LayerGraph, name: str) -> str:
    """Return what a layer's numbers are the outputs of: softmax, sigmoid, linear, unit, or "" where it is not known."""
    for _ in range(50):
        layer = graph.layers.get(name)
        if layer is None:
            return ""
        if layer.inner is not None:
            if len(layer.inner.outputs) != 1:
                return ""
            graph, name = layer.inner, layer.inner.outputs[0]
        elif layer.kind in _PASSING and layer.sources:
            name = layer.sources[0]
        else:
            return _ending(layer)
    return ""


def _ending(layer: Layer) -> str:
    config = layer.config
    if layer.kind == "TimeDistributed" and isinstance(config.get("layer"), dict):
        config = config["layer"].get("config") or {}
    if layer.kind in {"Softmax", "LogSoftmax"}:
        return SOFTMAX if layer.kind == "Softmax" else ""
    if layer.kind == "Sigmoid":
        return SIGMOID
    if layer.kind in {"UnitNormalization", "Normalize"}:
        return UNIT
    if layer.kind == "TFOpLambda":
        return _WORDS.get(str(config.get("function")), "")
    activation = config.get("activation")
    if isinstance(activation, dict):  # {"class_name": "function", "config": "softmax"}
        activation = activation.get("config")
    return str(activation) if activation in {SOFTMAX, SIGMOID, LINEAR} else ""


def _of_saved(source: ModelFile) -> Description:
    signatures = {each.key: each for each in read_signatures(source.path)}
    main = signatures.get(_MAIN) or next(iter(signatures.values()), None)
    if main is None:
        raise ModelError(
            f"{source.path}: a SavedModel without signatures", "export it with one: model.export(folder) of Keras"
        )
    others = tuple(key for key in signatures if key not in {main.key, _TWIN})
    return Description(
        source,
        tuple(_saved(tensor) for tensor in main.inputs),
        tuple(_saved(tensor) for tensor in main.outputs),
        signature=main.key,
        others=others,
    )


def _saved(tensor: SavedTensor) -> Tensor:
    """Return a tensor without the axis that counts samples: a first one that is open or 1."""
    axes = tensor.shape[1:] if tensor.shape and tensor.shape[0] in {-1, 1} else tensor.shape
    shape = None if axes is None else tuple(None if size < 0 else size for size in axes)
    return Tensor(tensor.name, shape, tensor.dtype, _OPERATORS.get(tensor.operator, ""))
