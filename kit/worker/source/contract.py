"""The contract: what each signature of the product takes and gives, in order, and what that is in the source.

Renames, reorders and picks as the recipe asks, and traces the source once with the shapes of the product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from kit.shared.job import DYNAMIC, InputSpec, Job, JobError, OutputSpec, TensorSpec
from kit.worker.source.model import Port, Signature, Source, nearest
from kit.worker.source.precision import float_type


@dataclass(frozen=True)
class Contract:
    """One signature of the product. `call` maps inputs to outputs by the product's names, on the source model."""

    key: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    call: Callable[[Mapping[str, Any]], dict[str, Any]]
    traced: Any  # a ConcreteFunction: the inputs in order -> the outputs in order
    loose: bool  # the source takes any number of samples in a call

    @cached_property
    def graph(self) -> Any:
        """Return `call` as a function that is traced once for each shape, however often it is called."""
        return tf.function(self.call, autograph=False)

    @cached_property
    def largest(self) -> int:
        """Return the bytes of the largest tensor that a sample becomes on its way, in float32, as far as is known."""
        batch = max(self.batch or 1, 1)
        shapes = [tensor.shape for op in self.traced.graph.get_operations() for tensor in op.outputs]
        known = [each.num_elements() for each in shapes if each.rank and each[0] == batch and each.is_fully_defined()]
        return max(1, 4 * max(known, default=1) // batch)

    @property
    def batch(self) -> int | None:
        """Return how many samples one call takes: -1 any number; None where the inputs have no batch axis."""
        return self.inputs[0].shape[0] if self.inputs and all(spec.batched for spec in self.inputs) else None

    def retraced(self, batch: int) -> Any:
        """Return the source traced again for another number of samples in a call."""
        return _trace(self.call, [_with_batch(spec, batch) for spec in self.inputs], self.outputs)

    def reshaped(self, inputs: Sequence[TensorSpec]) -> Contract:
        """Return the same contract with inputs of other shapes, the source traced again. Raises what tracing raises."""
        taken = tuple(inputs)
        traced = _trace(self.call, list(taken), self.outputs)
        batched = all(spec.batched for spec in taken)
        pairs = zip(self.outputs, traced.outputs, strict=True)
        outputs = tuple(_output(spec, tensor, taken, batched) for spec, tensor in pairs)
        return replace(self, inputs=taken, outputs=outputs, traced=traced)


def resolve(job: Job, source: Source) -> tuple[Contract, ...]:
    """Return the contract of each signature, the main one first; the recipe's requests are about that one.

    Raises JobError (kind "recipe") where the recipe names what the model lacks, or does not fit it.
    """
    main, *others = source.signatures
    if empty := [each.key for each in source.signatures if not each.inputs]:
        useful = [each.key for each in source.signatures if each.inputs]
        raise JobError(
            "recipe",
            f"the signature '{empty[0]}' takes no input: there is nothing to run it on",
            f"choose others: [model] signatures = {useful}"
            if useful
            else "export the model with a function of its inputs",
        )
    first = _contract(main, job, source, job.inputs, job.outputs)
    _check_requests(job, first)
    bare = tuple(_contract(each, job, source, (), (), picked=False) for each in others)
    return (first, *bare)


def output_origins(job: Job, source: Source) -> list[str]:
    """Return where the outputs of the product's main signature come from, by the source's names.

    Raises JobError (kind "recipe") for one that the model lacks.
    """
    return [origin for _, origin, _ in _outputs(source.signatures[0], source, job.outputs, job.output_order)]


def _contract(
    signature: Signature,
    job: Job,
    source: Source,
    input_requests: tuple[InputSpec, ...],
    output_requests: tuple[OutputSpec, ...],
    *,
    picked: bool = True,
) -> Contract:
    inputs = _inputs(signature, job, input_requests, job.input_order if picked else ())
    origins = _outputs(signature, source, output_requests, job.output_order if picked else ())
    own = {port.name: port for port in signature.inputs}
    inside = tuple(dict.fromkeys(origin for _, origin, inner in origins if inner))

    def call(feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs by the product's names for inputs by theirs, of the contract's shapes and dtypes."""
        # A cast only where the recipe took other numbers than the model: ids as int32.
        fed = {spec.origin: _cast(feeds[spec.name], own[spec.origin].dtype) for spec in inputs}
        predictions = signature.call(fed, inside)
        # A source in half or double precision gives the float32 that the product gives.
        return {
            name: _cast(predictions[origin], float_type(predictions[origin].dtype.name)) for name, origin, _ in origins
        }

    bare = tuple(TensorSpec(name, (), "", origin=origin) for name, origin, _ in origins)
    traced = _trace(call, list(inputs), bare)
    batched = all(spec.batched for spec in inputs)
    outputs = tuple(_output(spec, tensor, inputs, batched) for spec, tensor in zip(bare, traced.outputs, strict=True))
    loose = all(port.batched and port.shape[0] is None for port in signature.inputs)
    return Contract(signature.key, inputs, outputs, call, traced, loose)


def _trace(call: Any, inputs: list[TensorSpec], outputs: tuple[TensorSpec, ...]) -> Any:
    names = [spec.name for spec in inputs]

    # Positional and flat, so that no order is left to chance.
    def flat(*tensors: Any) -> list[Any]:
        """Return the outputs for the inputs, each in order and of its own shape and dtype."""
        predictions = call(dict(zip(names, tensors, strict=True)))
        # identity: an output that is an input, or the same tensor twice, still gets a tensor of its own
        return [tf.identity(predictions[spec.name]) for spec in outputs]

    specs = [tf.TensorSpec([None if n == DYNAMIC else n for n in spec.shape], spec.dtype) for spec in inputs]
    return tf.function(flat, autograph=False).get_concrete_function(*specs)


def _inputs(
    signature: Signature, job: Job, requests: tuple[InputSpec, ...], order: tuple[str, ...]
) -> tuple[TensorSpec, ...]:
    by_origin = {request.source or request.name: request for request in requests}
    names = [port.name for port in signature.inputs]
    for origin, request in by_origin.items():
        if origin not in names:
            raise _unknown("inputs", request.name, origin, names)
    batch = _batch(signature, job)
    ports = [_with_open_sequence(port) if job.streaming else port for port in signature.inputs]
    specs = [_input(port, by_origin.get(port.name, InputSpec(port.name)), batch) for port in ports]
    _refuse_twice([spec.name for spec in specs], "inputs")
    if not order:
        return tuple(specs)
    by_name = {spec.name: spec for spec in specs}
    for name in order:
        if name not in by_name:
            raise JobError("recipe", f"[model] inputs: the model has no input '{name}'", nearest(name, list(by_name)))
    if left := [name for name in by_name if name not in order]:
        raise JobError(
            "recipe",
            f"[model] inputs leaves out: {', '.join(left)}",
            "add them: it is the order of all inputs, for a model cannot run without one",
        )
    return tuple(by_name[name] for name in order)


def _outputs(
    signature: Signature, source: Source, requests: tuple[OutputSpec, ...], order: tuple[str, ...]
) -> list[tuple[str, str, bool]]:
    """Return (name, origin, whether it lies inside the model) of each output."""
    own = [port.name for port in signature.outputs]
    by_origin = {request.source or request.name: request.name for request in requests}
    by_name = {request.name: request.source or request.name for request in requests}
    if order:
        chosen = [(name, by_name.get(name, name)) for name in order]
    else:
        chosen = [(by_origin.get(name, name), name) for name in own]
        chosen += [(name, origin) for origin, name in by_origin.items() if origin not in own]
    if left := [name for name in by_name if name not in dict(chosen)]:
        raise JobError(
            "recipe",
            f"[[outputs]] {left[0]} is not among [model] outputs",
            f"add it there, or remove it here; there is: {', '.join(order)}",
        )
    _refuse_twice([name for name, _ in chosen], "outputs")
    for name, origin in chosen:
        layer = origin.rpartition(":")[0] or origin
        if origin not in own and origin not in source.inner and layer not in source.inner:
            raise _unknown("outputs", name, origin, own, source.inner)
    return [(name, origin, origin not in own) for name, origin in chosen]


def _batch(signature: Signature, job: Job) -> int:
    """Return how many samples one call takes, -1 for any number."""
    fixed = sorted({port.shape[0] for port in signature.inputs if port.batched and port.shape[0] is not None})
    if not fixed:
        return 1 if job.batch is None else job.batch
    if job.batch is not None and fixed != [job.batch]:
        raise JobError(
            "recipe",
            f"[model] batch = {job.batch}, and the model is made for {' and '.join(map(str, fixed))} in each call",
            "leave batch out, or build the model again without a fixed batch",
        )
    return int(fixed[0])


def _with_open_sequence(port: Port) -> Port:
    """Return the port with an open sequence as one that stays open: a stream has no length."""
    if not port.batched or port.shape[1:2] != (None,):
        return port
    return replace(port, shape=(port.shape[0], DYNAMIC, *port.shape[2:]))


def _input(port: Port, request: InputSpec, batch: int) -> TensorSpec:
    inner = port.shape[1:] if port.batched else port.shape
    if request.shape is not None:
        fits = len(request.shape) == len(inner) and all(
            a in (None, DYNAMIC, b) for a, b in zip(inner, request.shape, strict=True)
        )
        if not fits:
            raise JobError(
                "recipe",
                f"[[inputs]] {request.name}: shape {list(request.shape)} does not fit the model's {list(inner)}",
                "give the shape without the batch axis, or leave it out",
            )
        inner = request.shape
    if None in inner:
        raise JobError(
            "recipe",
            f"input '{request.name}' leaves an axis open: {list(inner)}",
            f'fix it in the recipe: [[inputs]] name = "{request.name}" and shape = [...], without the batch axis; '
            "-1 leaves an axis open on the device, too",
        )
    if request.dtype and request.dtype != port.dtype and np.dtype(port.dtype).kind not in "fi":
        raise JobError(
            "recipe",
            f"[[inputs]] {request.name}: dtype '{request.dtype}' is for an input of numbers, "
            f"and this one is {port.dtype}",
            "leave dtype out",
        )
    shape = (*((batch,) if port.batched else ()), *(int(n) for n in inner if n is not None))
    dtype = request.dtype or float_type(port.dtype)
    return TensorSpec(request.name, shape, dtype, batched=port.batched, origin=port.name)


def _output(spec: TensorSpec, tensor: Any, inputs: tuple[TensorSpec, ...], batched: bool) -> TensorSpec:
    """Return spec with the shape and dtype of tensor, a symbolic one. Raises JobError for text."""
    if tensor.shape.rank is None:
        shape: tuple[int, ...] = ()
    else:
        shape = tuple(DYNAMIC if n is None else int(n) for n in tensor.shape)
    per_sample = batched and bool(shape) and shape[0] == inputs[0].shape[0]
    if not tensor.dtype.is_numpy_compatible or tensor.dtype == tf.string:
        raise JobError(
            "model",
            f"output '{spec.name}' is of type {tensor.dtype.name}, which an app cannot read",
            "name the outputs to take without it: [model] outputs",
        )
    return TensorSpec(spec.name, shape, tensor.dtype.name, batched=per_sample, origin=spec.origin)


def _check_requests(job: Job, contract: Contract) -> None:
    """Refuse labels that do not fit the number of classes, and images for an input that takes no floats."""
    outputs = {spec.name: spec for spec in contract.outputs}
    for output in job.outputs:
        classes = outputs[output.name].shape[-1] if outputs[output.name].shape else 1
        if output.labels is not None and classes not in {output.labels, DYNAMIC}:
            raise JobError(
                "recipe",
                f"[[outputs]] {output.name}: {output.labels} labels for {classes} classes",
                "give one label a line, in the order of the model's classes",
            )
    inputs = {spec.name: spec for spec in contract.inputs}
    for request in job.inputs:
        if request.image and not inputs[request.name].dtype.startswith("float"):
            raise JobError(
                "recipe",
                f"[[inputs]] {request.name}: kind 'image' is normalized to float, "
                f"and the model takes {inputs[request.name].dtype}",
                'use kind = "tensor": this model takes the values as they are',
            )


def _unknown(table: str, name: str, origin: str, own: list[str], inner: tuple[str, ...] = ()) -> JobError:
    key = f"name = '{name}'" if name == origin else f"{name}: source = '{origin}'"
    hint = nearest(origin, [*own, *(each for each in inner if each not in own)])
    return JobError("recipe", f"[[{table}]] {key}: the model has none of that name", hint)


def _refuse_twice(names: list[str], table: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise JobError(
                "recipe", f"two {table} would be named '{name}'", f"give one another name: [[{table}]] name, source"
            )


def _with_batch(spec: TensorSpec, batch: int) -> TensorSpec:
    return TensorSpec(spec.name, (batch, *spec.shape[1:]), spec.dtype, batched=True, origin=spec.origin)


def _cast(tensor: Any, dtype: str) -> Any:
    """Return a tensor, of any shape, in a dtype: itself where it has that."""
    return tensor if tensor.dtype == tf.as_dtype(dtype) else tf.cast(tensor, dtype)
