"""Where the file starts: behind layers that the recipe names as the source of an input, in place of what feeds them.

So an app feeds ids where the model has a vocabulary, or pixels behind a normalization. Also says where to start in a
model that takes text, which TFLite models in an app do not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from kit.shared.job import InputSpec, Job, JobError
from kit.shared.layers import layer_of
from kit.worker.graph.needed import upstream
from kit.worker.source.contract import output_origins
from kit.worker.source.model import Port, Signature, Source

TEXT = "object"  # numpy's name for the type of text


def start_behind(source: Source, job: Job) -> Source:
    """Return the source with the recipe's inputs: those that lie inside it take the place of what only fed them.

    Raises JobError (kind "recipe") for a layer that no input can be taken behind, and (kind "model") for an input of
    text that is left.
    """
    main, *others = source.signatures
    own = {port.name for port in main.inputs}
    requests = {
        request.source or request.name: request for request in job.inputs if (request.source or request.name) not in own
    }
    cuts = [name for name in requests if name in source.inner or _layer(name) in source.inner]
    text = [port for port in main.inputs if port.dtype == TEXT]
    if not cuts and not text:
        return source
    outputs = output_origins(job, source)
    traced = _Trace.of(main, [], outputs)
    ports = [_port(name, traced.inner(main, name), requests[name]) for name in cuts]
    left = _Trace.of(main, ports, outputs) if cuts else traced
    dropped = [port.name for port in main.inputs if port.name not in left.needs and _goes(port, traced, left)]
    for port in text:
        if port.name in left.needs:
            raise _text(port, source, main, left)
    for port in ports:
        if port.name not in left.needs:
            raise JobError(
                "recipe",
                f"[[inputs]] source = '{port.name}': no output depends on it",
                "name a layer on the way to the outputs, or remove that [[inputs]]",
            )
    started = Signature(main.key, _ordered(main, ports, dropped), main.outputs, _Started(main, tuple(ports)))
    notes = [f"the input '{name}' is left out: nothing that the file gives depends on it" for name in dropped]
    return replace(source, signatures=(started, *others), notes=(*source.notes, *notes))


@dataclass(frozen=True)
class _Started:
    """Calls the source's signature with some tensors inside it given, and stand-ins for the inputs that fed them."""

    main: Signature
    ports: tuple[Port, ...]

    def __call__(
        self, feeds: Mapping[str, Any], inner: Sequence[str] = (), given: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return every output. feeds, given: as Call has them, of the ports' shapes and dtypes."""
        inside = {port.name: feeds[port.name] for port in self.ports} | dict(given or {})
        rows = next((tf.shape(feeds[name])[0] for name in feeds if len(feeds[name].shape)), 1)
        fed = {port.name: feeds[port.name] if port.name in feeds else _nothing(port, rows) for port in self.main.inputs}
        return self.main.call(fed, inner, inside)


@dataclass(frozen=True)
class _Trace:
    """One trace of a signature: which inputs its outputs need, by name, and the graph."""

    graph: Any  # a GraphDef
    needs: frozenset[str]

    @classmethod
    def of(cls, main: Signature, ports: Sequence[Port], outputs: Sequence[str]) -> _Trace:
        """Trace with every input of the signature, and those inside it."""
        names = [*(port.name for port in main.inputs), *(port.name for port in ports)]
        inner = [name for name in outputs if name not in {port.name for port in main.outputs}]

        def flat(*tensors: Any) -> list[Any]:
            """Return the outputs for the inputs in order, of the model's own shapes and dtypes."""
            fed = dict(zip(names, tensors, strict=True))
            inside = {port.name: fed.pop(port.name) for port in ports}
            predictions = main.call(fed, inner, inside)
            return [tf.identity(predictions[name]) for name in outputs]

        function = _concrete(flat, [*main.inputs, *ports])
        graph = function.graph.as_graph_def()
        needed = upstream(graph, [tensor.name for tensor in function.outputs])
        inputs = function.inputs[: len(names)]
        return cls(graph, frozenset(n for n, tensor in zip(names, inputs, strict=True) if tensor.op.name in needed))

    @staticmethod
    def inner(main: Signature, name: str) -> Any:
        """Return the symbolic tensor inside that a name means, of the shape and dtype that the model gives it."""
        names = [port.name for port in main.inputs]

        def flat(*tensors: Any) -> list[Any]:
            """Return the tensor inside for the inputs in order, in its own shape and dtype."""
            return [tf.identity(main.call(dict(zip(names, tensors, strict=True)), [name])[name])]

        return _concrete(flat, main.inputs).outputs[0]


def _concrete(flat: Any, ports: Sequence[Port]) -> Any:
    specs = [tf.TensorSpec(port.shape, tf.string if port.dtype == TEXT else port.dtype) for port in ports]
    return tf.function(flat, autograph=False).get_concrete_function(*specs)


def _layer(name: str) -> str:
    return name.rpartition(":")[0] or name


def _port(name: str, tensor: Any, request: InputSpec) -> Port:
    """Return the port of a tensor inside, of any shape and dtype. Raises JobError for what no app can feed."""
    if not tensor.dtype.is_numpy_compatible or tensor.dtype == tf.string:
        raise JobError(
            "recipe",
            f"[[inputs]] {request.name}: what '{name}' gives is {tensor.dtype.name}{tensor.shape}, "
            "which no app can feed",
            "name a layer behind it, which gives numbers",
        )
    if tensor.shape.rank is None and request.shape is None:  # of a lookup in a table, TensorFlow knows none
        raise JobError(
            "recipe",
            f"[[inputs]] {request.name}: the model does not say which shape '{name}' gives",
            f'say it: [[inputs]] name = "{request.name}" and shape = [...], without the batch axis; [] is one number',
        )
    shape = tuple(tensor.shape) if tensor.shape.rank is not None else (None, *(request.shape or ()))
    return Port(name, shape, np.dtype(tensor.dtype.as_numpy_dtype).name, batched=bool(shape))


def _goes(port: Port, before: _Trace, after: _Trace) -> bool:
    """Say whether an input that no output needs is left out: text, and what only fed the layers that were cut off."""
    return port.dtype == TEXT or (port.name in before.needs and port.name not in after.needs)


def _ordered(main: Signature, ports: Sequence[Port], dropped: Sequence[str]) -> tuple[Port, ...]:
    """Return the inputs in the source's order, the new ones in the place of the first that is left out."""
    result: list[Port] = []
    waiting = list(ports)
    for port in main.inputs:
        if port.name in dropped:
            result += waiting
            waiting = []
        else:
            result.append(port)
    return (*result, *waiting)


def _nothing(port: Port, rows: Any) -> Any:
    """Return a stand-in for an input that only dead ends read: zeros or empty texts of its shape and dtype.

    rows: the size of an open axis 0, a scalar; other open axes get 1.
    """
    shape = [rows if n is None and i == 0 else n or 1 for i, n in enumerate(port.shape)]
    return tf.fill(shape, "") if port.dtype == TEXT else tf.zeros(shape, port.dtype)


def _text(port: Port, source: Source, main: Signature, trace: _Trace) -> JobError:
    """Return the refusal of an input of text: the layers that turn it into numbers, and the lines that start behind."""
    places = _readers(trace.graph, source.inner)
    lines, reported = [], []
    for place in places:
        tensor = _Trace.inner(main, place)
        inner = [None if n is None else int(n) for n in tensor.shape[1:]] if tensor.shape.rank else []
        reported.append(f"'{place}' makes {tensor.dtype.name} {inner} of it")
        short = re.sub(r"[^A-Za-z0-9_]+", "_", place.rpartition("/")[2] or place)
        lines.append(f'[[inputs]]\nname = "{short}"\nsource = "{place}"')
        if None in inner:
            lines[-1] += f"\nshape = {[n or 32 for n in inner]}"
    message = f"the input '{port.name}' is text, which TFLite models in an app do not take"
    if not places:
        return JobError("model", message, "feed ids: turn text into numbers in the app, before the model")
    hint = "start the file behind that layer, and let the app feed what the layer gives. In the recipe:\n"
    more = '\nWith kind = "text" below it, the bundle has the vocabulary of a layer that gives ids'
    return JobError("model", f"{message}; layer {', '.join(reported)}", hint + "\n".join(lines) + more)


def _readers(graph: Any, layers: Sequence[str]) -> list[str]:
    """Return the layers in which text becomes numbers, in the graph's order."""
    strings = {"DT_STRING", tf.string.as_datatype_enum}
    text = {node.name for node in graph.node if _gives(node) in strings}
    found: dict[str, None] = {}
    for node in graph.node:
        reads = any(name.removeprefix("^").partition(":")[0] in text for name in node.input)
        if reads and node.name not in text and node.op not in {"Shape", "StaticRegexReplace"}:
            place = layer_of(node.name, layers)
            if place:
                found[place] = None
    return list(found)


def _gives(node: Any) -> Any:
    """Return the type of what a node gives, as far as its attributes say so."""
    key = {"Placeholder": "dtype", "Const": "dtype", "LookupTableFindV2": "Tout"}.get(node.op)
    if key is None:
        key = "T" if "T" in node.attr else "dtype"
    by_name = node.op in {"StaticRegexReplace", "StringLower", "StringUpper", "StringStrip", "AsString", "StringJoin"}
    return tf.string.as_datatype_enum if by_name or node.op == "RegexReplace" else node.attr[key].type
