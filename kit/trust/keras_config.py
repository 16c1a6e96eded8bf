"""What the JSON of a Keras model asks for beyond computing: functions, classes and files that Keras takes by name.

Keras 2 and 3 both call what a description names while they load it. Byte-code of Python functions is not looked for
here: that is in every Lambda layer, and `kit.source_model.model_file` and the worker's `lambdas` know it.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Mapping
from typing import Any

from kit.shared.protobuf import last
from kit.trust.allowed import Ask, allowed

_KERAS = {"keras", "tf_keras"}
# Packages that a toolchain has, and Python's own: a module of one of these can be imported and what it has be called.
_INSTALLED = sys.stdlib_module_names | _KERAS | {"tensorflow", "numpy", "h5py", "google", "absl", "ml_dtypes", "kit"}
# Values of JSON that Keras turns into values of Python, and nothing else.
_VALUES = {
    "TensorShape", "CompositeTensor", "__tuple__", "__ellipsis__", "__tensor__", "__keras_tensor__", "__numpy__",
    "__bytes__", "__slice__", "__lambda__", "Lambda",
}  # fmt: skip
_SPECS = {"TensorSpec", "RaggedTensorSpec", "SparseTensorSpec", "IndexedSlicesSpec", "VariableSpec", "KerasTensor"}
# What Keras 2 delegates to ragged and sparse tensors.
_METHODS = set(
    "values flat_values row_splits nested_row_splits value_rowids nested_value_rowids nrows row_starts row_limits "
    "row_lengths nested_row_lengths bounding_shape with_values with_flat_values with_row_splits_dtype merge_dims "
    "to_tensor to_sparse indices dense_shape".split()
)
_RAGGED = set(
    "from_value_rowids from_row_splits from_row_lengths from_row_starts from_row_limits from_uniform_row_length "
    "from_nested_value_rowids from_nested_row_splits from_nested_row_lengths from_tensor from_sparse".split()
)
_PATHS = {"vocabulary", "vocabulary_file", "idf_weights"}  # of allowed layers: where a string is a file that is read
_RUNNERS = {"TFSMLayer"}  # classes of Keras itself that run what another file holds
# Those that run what another framework holds, which no toolchain has: Keras and the worker have words for them.
_FOREIGN = {"TorchModuleWrapper", "JaxLayer", "FlaxLayer"}

Known = Callable[[str], bool]
Found = Callable[[str | None, str], bool]


def found_by_name(module: str | None, name: str) -> bool:
    """Say whether Keras can find a class or function in a toolchain, as far as that is known without one."""
    if not module:
        return name in _RUNNERS
    root = module.partition(".")[0]
    if name in _FOREIGN and root in _KERAS:
        return False
    return hasattr(builtins, name) if root == "builtins" else root in _INSTALLED


def asks_of_config(config: Any, known: Known = lambda _: False, found: Found = found_by_name) -> list[Ask]:
    """Return what a model's JSON asks for beyond computing, in the order of its layers.

    known: whether a name is one of the model's own code, which the user gives. found: whether Keras comes by a class
    or function that is on no list; one that it cannot find is no ask, Keras refuses it by name. Raises RecursionError
    for JSON deeper than Python's stack.
    """
    config = uncompiled(config)
    walk = _Walk(known, found)
    walk.value(config, "the model")
    return walk.asks


def uncompiled(config: Any) -> Any:
    """Return a model's JSON without what it was compiled with, which is never loaded."""
    return {k: v for k, v in config.items() if k != "compile_config"} if isinstance(config, dict) else config


class _Walk:
    def __init__(self, known: Known, found: Found) -> None:
        self.asks: list[Ask] = []
        self._known, self._found = known, found

    def value(self, value: Any, where: str) -> None:
        """Look through a value of JSON; where is the layer that it is in."""
        if isinstance(value, list):
            for each in value:
                self.value(each, where)
        elif isinstance(value, dict):
            where = _layer(value) or where
            if isinstance(value.get("class_name"), str):
                self._object(value, value["class_name"], where)
            for key, each in value.items():
                if isinstance(each, str) and (key == "activation" or key.endswith("_activation")):
                    self._function("", each, where)
                self.value(each, where)

    def _object(self, value: Mapping[str, Any], name: str, where: str) -> None:
        config, module = value.get("config"), value.get("module")
        if name not in {"function", "__typespec__"}:
            self._other_name(value, name, lambda other: self._class(module, other, other, where))
        if name in _VALUES:
            return
        own = config if isinstance(config, dict) else {}
        if name in _LAYERS_OF_TENSORFLOW:
            fine, what = _LAYERS_OF_TENSORFLOW[name](own)
            self._check(fine, where, what)
        elif name == "TypeSpec":
            spec = str(value.get("type_spec"))
            self._check(spec.rpartition(".")[2] in _SPECS, where, f"makes a {spec}")
        elif name == "__typespec__":
            self._class(module, str(value.get("spec_name")), str(value.get("registered_name")), where)
        elif name == "function":
            if isinstance(config, str):
                place = module if isinstance(module, str) else "builtins"
                self._function(place, config, where)
                self._other_name(value, config, lambda other: self._function(place, other, where))
        else:
            self._class(module, name, str(value.get("registered_name") or name), where)
            self._paths(own if name in allowed().classes else {}, where)

    def _other_name(self, value: Mapping[str, Any], name: str, check: Callable[[str], None]) -> None:
        """Check registered_name, too: Keras 2 takes what the module has by it, where the module has not the other."""
        other = value.get("registered_name")
        if isinstance(other, str) and other not in {name, "function"} and ">" not in other:
            check(other)

    def _paths(self, config: Mapping[str, Any], where: str) -> None:
        for key in sorted(_PATHS & set(config)):
            if isinstance(config[key], str):
                self.asks.append(Ask("file", where, f"reads the file {config[key]!r} ({key})"))

    def _class(self, module: Any, name: str, registered: str, where: str) -> None:
        if self._known(registered) or self._known(name):
            return
        root = str(module or "keras").partition(".")[0]
        if (name in allowed().classes and root in _KERAS) or (name in _SPECS and root in _KERAS | {"tensorflow"}):
            return
        if self._found(module if isinstance(module, str) else None, name):
            self.asks.append(Ask("symbol", where, f"makes a {f'{module}.' if module else ''}{name}"))

    def _function(self, module: str, name: str, where: str) -> None:
        root = module.partition(".")[0]
        if self._known(name) or (name in allowed().functions | allowed().classes and root in _KERAS | {"", "builtins"}):
            return
        if self._found(module, name):
            self.asks.append(Ask("symbol", where, f"calls {module or 'keras.activations'}.{name}"))

    def _check(self, fine: bool, where: str, what: str) -> None:
        if not fine:
            self.asks.append(Ask("symbol", where, what))


def _layer(value: Mapping[str, Any]) -> str:
    config = value.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    return f"layer {name!r}" if isinstance(name, str) and "class_name" in value else ""


def _operator(node: Any) -> str:
    """Return the operator of a TensorFlowOpLayer's NodeDef: as JSON, or as the bytes of its message."""
    if isinstance(node, dict):
        return str(node.get("op"))
    try:
        return last(str(node).encode(), 2).decode("utf-8", "replace")  # of several the last counts
    except (ValueError, IndexError):
        return "that its node_def does not say"


def _of_operation(config: Mapping[str, Any]) -> tuple[bool, str]:
    """Say whether a layer made of a call such as tf.math.add only computes, and what it calls."""
    return allowed().symbol(str(config.get("function"))), f"calls tf.{config.get('function')}"


def _of_class_method(config: Mapping[str, Any]) -> tuple[bool, str]:
    symbol, method = str(config.get("cls_symbol")), str(config.get("method_name"))
    return (symbol == "RaggedTensor" and method in _RAGGED), f"calls tf.{symbol}.{method}"


def _of_instance(config: Mapping[str, Any]) -> tuple[bool, str]:
    return str(config.get("attr_name")) in _METHODS, f"takes {config.get('attr_name')} of a value"


def _of_node(config: Mapping[str, Any]) -> tuple[bool, str]:
    operator = _operator(config.get("node_def"))
    return operator in allowed().operators, f"runs the operator {operator}"


# Layers that Keras 2 makes of calls of TensorFlow: whether one only computes, and what it does.
_LAYERS_OF_TENSORFLOW: Mapping[str, Callable[[Mapping[str, Any]], tuple[bool, str]]] = {
    "TFOpLambda": _of_operation,
    "SlicingOpLambda": _of_operation,
    "ClassMethod": _of_class_method,
    "InstanceMethod": _of_instance,
    "InstanceProperty": _of_instance,
    "TensorFlowOpLayer": _of_node,
}
