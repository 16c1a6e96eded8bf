"""A SavedModel folder as a Source: its signatures as they are, its variables, and the nodes inside its graph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import convert_to_constants

from kit.shared.job import SIGNATURE, JobError
from kit.worker.failures.causes import described
from kit.worker.graph.lookup import is_plain
from kit.worker.graph.subgraph import nodes_of
from kit.worker.loaders.asks import refuse_saved_model
from kit.worker.source.model import Port, Signature, Source, Variable, nearest, unique

_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
_FILES = {"ReadFile", "WriteFile", "MatchingFiles"}
# What no output can be taken from that would tell anything: the graph's own plumbing.
_PLUMBING = {"Const", "Placeholder", "NoOp", "Identity", "ReadVariableOp", "VarHandleOp", "AssignVariableOp"}
_CALL = re.compile(r"^((Stateful)?PartitionedCall(_\d+)?/)+")
_EXPORTED_TWICE = "serve"  # Keras's export() gives its one function this name, beside TensorFlow's usual one


def load(path: Path, wanted: Sequence[str], *, only_main: bool, trusted: bool, starts: Sequence[str] = ()) -> Source:
    """Load the folder with these signatures, the main one first; none named is all, only_main the main one alone.

    starts: the recipe's inputs by the model's names, which may lie inside the main signature.

    Raises JobError (kind "model") where it cannot be loaded or holds what no app can run, "recipe" for a signature
    that it has not.
    """
    graph = _read(path)
    _refuse_code(graph, trusted)
    if not trusted:
        refuse_saved_model(path)
    try:
        loaded = tf.saved_model.load(str(path), tags=list(graph.meta_info_def.tags))
    except Exception as error:
        written = graph.meta_info_def.tensorflow_version
        raise JobError(
            "model",
            f"TensorFlow {tf.__version__} cannot load the SavedModel: {described(error)}",
            f"TensorFlow {written} wrote it: take that one, or the nearest of `kit toolchains`, with --tensorflow; "
            "or copy or export the folder again, if a file of it is missing or damaged",
        ) from error
    functions = {key: each for key, each in loaded.signatures.items() if not key.startswith("__saved_model")}
    keys, notes = _choose(functions, wanted)
    keys = keys[:1] if only_main else keys
    calls = [_Function(key, functions[key]) for key in keys]
    for i, each in enumerate(calls):
        if i > 0 or not each.starts_inside(starts):
            each.refuse_unusable(keys)
    signatures = tuple(Signature(each.key, each.inputs, each.outputs, each) for each in calls)
    version = graph.meta_info_def.tensorflow_version
    variables = _variables(loaded, [each.function for each in calls])
    return Source(signatures, variables, calls[0].inner, f"SavedModel of TensorFlow {version}", notes)


@dataclass
class _Function:
    """One signature of a loaded SavedModel, called by names."""

    key: str
    function: Any  # a ConcreteFunction

    @cached_property
    def inputs(self) -> tuple[Port, ...]:
        """Return its inputs, output_10 after output_9."""
        specs = self.function.structured_input_signature[1]
        return tuple(self._port(name, specs[name]) for name in sorted(specs, key=_natural))

    @cached_property
    def outputs(self) -> tuple[Port, ...]:
        """Return its outputs in the same order."""
        specs = self.function.structured_outputs
        return tuple(self._port(name, specs[name]) for name in sorted(specs, key=_natural))

    @property
    def inner(self) -> tuple[str, ...]:
        """Return the names of the nodes inside, and their shorter ones that are unique."""
        return tuple(self._nodes)

    def __call__(
        self, feeds: Mapping[str, Any], inner: Sequence[str] = (), given: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run it, as Call has it: feeds of the ports' shapes and dtypes. With tensors from inside or given there, as a
        graph without calls, in which they can be reached.
        """
        if not inner and not given:
            predictions = self.function(**{port.name: tf.convert_to_tensor(feeds[port.name]) for port in self.inputs})
            return {port.name: predictions[port.name] for port in self.outputs}
        wanted = {name: self._tensor(name) for name in inner}
        inside = {self._tensor(name): tensor for name, tensor in (given or {}).items()}
        if tf.executing_eagerly():
            return dict(tf.function(lambda fed, tied: self._opened(fed, wanted, tied))(dict(feeds), inside))
        return self._opened(feeds, wanted, inside)

    def starts_inside(self, names: Sequence[str]) -> bool:
        """Say whether one of these names is a tensor inside: then what comes before it is left out."""
        own = {port.name for port in self.inputs}
        return any(name not in own and (name.rpartition(":")[0] or name) in self.inner for name in names)

    def refuse_unusable(self, chosen: Sequence[str]) -> None:
        """Raise JobError for text and for lookup tables, which an app's interpreter has not."""
        others = [key for key in chosen if key != self.key]
        instead = f", or leave the signature out: [model] signatures = {others}" if others else ""
        node = self._table()
        if node is not None:
            place = _CALL.sub("", node.name)
            instead += (
                f'; or start the file behind the table: [[inputs]] name = "ids", source = "{place}"{self._keys()}'
            )
        for what, ports in (("input", self.inputs), ("output", self.outputs)):
            for port in ports:
                if port.dtype == "object":
                    raise JobError(
                        "model",
                        f"{what} '{port.name}' of signature '{self.key}' is text, which TFLite models in an app "
                        f"do not {'take' if what == 'input' else 'give'}{self._tables()}",
                        f"do the lookup in the app and {'feed' if what == 'input' else 'read'} ids{instead}",
                    )
        if tables := self._tables():
            raise JobError(
                "model",
                f"signature '{self.key}' looks values up in a table{tables}, which TFLite models in an app have not",
                f"do the lookup in the app and feed ids{instead}",
            )

    def _keys(self) -> str:
        """Return the shape of what a table is asked for, as a recipe has it: that of the signature's only text."""
        text = [port for port in self.inputs if port.dtype == "object"]
        known = len(text) == 1 and None not in text[0].shape[1:]
        return f" and shape = {list(text[0].shape[1:]) if known else '[...]'}"

    def _table(self) -> Any:
        """Return the first operation that looks something up in a table of text, None where there is none."""
        graph = self.function.graph.as_graph_def()
        return next((node for node in nodes_of(graph) if "Table" in node.op and not is_plain(node)), None)

    def _tables(self) -> str:
        node = self._table()
        if node is None:
            return ""
        name = _CALL.sub("", node.name)
        return f" (operation {node.op}, in '{name.rpartition('/')[0] or name}')"

    def _port(self, name: str, spec: Any) -> Port:
        if spec.shape.rank is None:
            raise JobError(
                "model",
                f"'{name}' of signature '{self.key}' has a shape of any length",
                "give it a shape in the tf.TensorSpec that the SavedModel is saved with",
            )
        if not spec.dtype.is_numpy_compatible:
            raise JobError(
                "model",
                f"'{name}' of signature '{self.key}' is of type {spec.dtype.name}, which no app can hold",
                "export the model with a signature of numbers alone",
            )
        shape = tuple(spec.shape)
        batched = bool(shape) and shape[0] in (None, 1)
        return Port(name, shape, np.dtype(spec.dtype.as_numpy_dtype).name, batched)

    @cached_property
    def _placeholders(self) -> list[str]:
        """Return the names of the graph's inputs, the captured ones last."""
        return [tensor.op.name for tensor in self.function.inputs]

    @cached_property
    def _graph(self) -> Any:
        """Return its graph with every call inlined; variables stay placeholders of their resources."""
        captured = self._placeholders[len(self._placeholders) - len(self.function.captured_inputs) :]
        # Internal to TensorFlow, and in every pinned version: the public function freezes the variables, too.
        data = convert_to_constants._FunctionConverterDataInEager(
            func=self.function,
            lower_control_flow=False,
            aggressive_inlining=False,
            variable_names_denylist=set(captured),
        )
        return _without_waiting(convert_to_constants._replace_variables_by_constants(converter_data=data)[0])

    @cached_property
    def _nodes(self) -> dict[str, str]:
        """Return each node's name in the graph by the names that a user may use, the whole ones first."""
        nodes = [node.name for node in self._graph.node if node.op not in _PLUMBING]
        whole: dict[str, str] = {}
        for name in nodes:
            whole.setdefault(_CALL.sub("", name), name)
        ends: dict[str, list[str]] = {}
        for short, name in whole.items():
            parts = short.split("/")
            for i in range(1, len(parts)):
                ends.setdefault("/".join(parts[i:]), []).append(name)
        return whole | {end: found[0] for end, found in ends.items() if len(found) == 1 and end not in whole}

    def _tensor(self, name: str) -> str:
        """Return the graph's name for a tensor, as in "model/dense/BiasAdd:0"."""
        head, _, tail = name.rpartition(":")
        node, index = (head, tail) if head and tail.isdigit() else (name, "0")
        if node in self._nodes:
            return f"{self._nodes[node]}:{index}"
        inside = {_CALL.sub("", each.name) for f in self._graph.library.function for each in f.node_def}
        if any(each == node or each.endswith(f"/{node}") for each in inside):
            raise JobError(
                "recipe",
                f"'{node}' runs inside a loop or a branch, where no output can be taken from",
                "name the operation around it",
            )
        raise JobError(
            "recipe", f"the model has no operation '{node}', or several that end so", nearest(node, self.inner)
        )

    def _opened(self, feeds: Mapping[str, Any], wanted: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
        """Run the graph without calls: return the outputs, and the tensors that are wanted inside.

        feeds, given: as Call has them, of the ports' and tensors' shapes and dtypes.
        """
        captured = self.function.captured_inputs
        own, taken = self._placeholders[: -len(captured) or None], self._placeholders[-len(captured) :]
        here = tf.compat.v1.get_default_graph()
        names = dict(zip(own, self._arguments, strict=True))
        tied = {f"{placeholder}:0": tf.convert_to_tensor(feeds[names[placeholder]]) for placeholder in own}
        if captured:
            tied |= {f"{name}:0": here.capture(handle) for name, handle in zip(taken, captured, strict=True)}
        tied |= given
        outputs = dict(zip(sorted(self.function.structured_outputs), self.function.outputs, strict=True))
        elements = [*(outputs[port.name].name for port in self.outputs), *wanted.values()]
        try:
            found = tf.graph_util.import_graph_def(self._graph, input_map=tied, return_elements=elements, name="")
        except ValueError as error:
            raise JobError(
                "recipe",
                f"no output can be taken from {', '.join(wanted)}: {described(error)}",
                nearest(next(iter(wanted), ""), self.inner),
            ) from error
        return dict(zip([*(port.name for port in self.outputs), *wanted], found, strict=True))

    @cached_property
    def _arguments(self) -> list[str]:
        """Return the signature's name of each of the graph's own inputs, in the graph's order."""
        return list(self.function._arg_keywords)  # what a call by keywords goes by


def _without_waiting(graph: Any) -> Any:
    """Return a GraphDef in which nothing waits for a lookup in a table, which only reads.

    Else a file that starts behind the table would still need the text before it.
    """
    lookups = {f"^{node.name}" for node in graph.node if node.op in {"LookupTableFind", "LookupTableFindV2"}}
    for node in graph.node if lookups else ():
        data = [name for name in node.input if name not in lookups]
        del node.input[:]
        node.input.extend(data)
    return graph


def _read(path: Path) -> Any:
    """Return the folder's main graph as it lies there; nothing of it has run then."""
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((path / "saved_model.pb").read_bytes())
    return next((graph for graph in model.meta_graphs if "serve" in graph.meta_info_def.tags), model.meta_graphs[0])


def _refuse_code(graph: Any, trusted: bool) -> None:
    for node in nodes_of(graph.graph_def):
        if node.op in _PYTHON:
            raise JobError(
                "model",
                f"it calls a Python function that is not in the file (operation {node.op}, '{node.name}')",
                "write that step with TensorFlow's operations, or do it in the app",
            )
        if node.op in _FILES and not trusted:
            raise JobError(
                "model",
                f"it reads or writes files when it runs (operation {node.op}, '{node.name}')",
                "save the model without that; or trust it with what this user may do: [model] allow_code = true",
            )


def _choose(functions: Mapping[str, Any], wanted: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return the keys of the signatures to take, the main one first, and what to tell of those left out."""
    if not functions:
        raise JobError(
            "model",
            "the SavedModel has no signatures: nothing says how to call it",
            "save it with signatures=, or a Keras model by model.export(folder)",
        )
    for key in wanted:
        if key not in functions:
            raise JobError(
                "recipe", f"[model] signatures: the SavedModel has no '{key}'", nearest(key, sorted(functions))
            )
    if wanted:
        return list(wanted), ()
    main = SIGNATURE if SIGNATURE in functions else next(iter(functions))
    keys = [main, *(key for key in functions if key != main)]
    if set(keys) == {SIGNATURE, _EXPORTED_TWICE} and _same(functions[SIGNATURE], functions[_EXPORTED_TWICE]):
        same = f"signature '{_EXPORTED_TWICE}' is left out: Keras's export() writes its function under two names"
        return [main], (same,)
    return keys, ()


def _same(one: Any, other: Any) -> bool:
    return bool(
        one.structured_input_signature == other.structured_input_signature
        and one.structured_outputs == other.structured_outputs
    )


def _variables(loaded: Any, functions: Iterable[Any]) -> tuple[Variable, ...]:
    """Return every variable once: those of the object, then those that only a signature reaches."""
    found = list(getattr(loaded, "variables", None) or [])
    for function in functions:
        found += function.variables
    kept = list({id(each.handle): each for each in found}.values())
    names = unique([str(each.name).removesuffix(":0") for each in kept])
    return tuple(Variable(name, value) for name, value in zip(names, kept, strict=True))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers in names by their size."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]
