"""Load a model in the interpreter that is installed, LiteRT's or tflite_runtime's, and run its signatures by name."""

import contextlib
import importlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

from .bundle import Bundle
from .calls import call_of, count_calls
from .errors import INSTALL, MISSING, OR_INSTALL, EmulateError, one_line
from .files import Arrays
from .model import Model
from .signature import Signature, Tensors
from .tensor import Tensor, fits

INTERPRETERS = (
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter"),
)
KERNELS = {"default": "AUTO", "reference": "BUILTIN_REF"}  # by the name of an OpResolverType
Call = Callable[..., Mapping[str, Any]]  # of one array for each input's name; gives one for each output's


class _MismatchError(Exception):
    """What signature.json says of the model file is not so."""


@dataclass(frozen=True)
class Runner:
    """A loaded model: by signature key what runs it."""

    bundle: Bundle
    calls: Mapping[str, Call]
    package: str
    version: str
    threads: int
    kernels: str = "default"


def load_runner(model: Model, threads: int, kernels: str = "default") -> Runner:
    """Return the model in the first interpreter that is installed, nothing of it run yet. Raises EmulateError.

    kernels: a key of KERNELS; an app runs the default ones.
    """
    if model.flex:
        ops = f"TensorFlow's own operators {', '.join(model.flex)}, and no interpreter of pip has them"
        hint = "run it in an app that links select-tf-ops, or build the model without these operators"
        raise EmulateError(f"{model.bundle.assets}: it needs {ops}", hint, MISSING)
    package, module = _import_interpreter()
    version = _version(package, module)
    try:
        # The content and not the path: one read, and no trouble with names in other alphabets.
        resolver = getattr(module.OpResolverType, KERNELS[kernels])
        interpreter = module.Interpreter(
            model_content=model.content, num_threads=threads, experimental_op_resolver_type=resolver
        )
        return Runner(model.bundle, _calls(interpreter, model), package, version, threads, kernels)
    except SystemError as error:
        # tflite-runtime 2.14 imports beside numpy 2, and fails at its first call.
        raise _unfit(package, error) from error
    except _MismatchError as error:
        raise EmulateError(
            f"{model.bundle.assets}: signature.json is not of this model.tflite: {error}", "build the bundle again"
        ) from error
    except (ValueError, RuntimeError) as error:
        message = f"{model.bundle.assets}: {package} {version} cannot run this model: {one_line(error)}"
        raise EmulateError(message, f"build the bundle again{OR_INSTALL}") from error


def ask(runner: Runner, signature: Signature, values: Arrays) -> Arrays:
    """Return the outputs of one call by name, each of its tensor's shape and dtype. Raises EmulateError.

    values: by name one array for each input, [*shape] of its tensor in the tensor's dtype.
    """
    try:
        produced = runner.calls[signature.key](**values)
    except SystemError as error:
        raise _unfit(runner.package, error) from error
    except (ValueError, RuntimeError) as error:
        raise _refusal(runner, signature, values, error) from error
    arrays = {}
    for name, tensor in signature.outputs.items():
        array = arrays[name] = np.asarray(produced[name])
        if array.shape != tensor.shape and not fits(array.shape, tensor.shape):
            shapes = f"{list(array.shape)}, and in signature.json {list(tensor.shape)}"
            raise EmulateError(f"{name} came out as {shapes}", "build the bundle again")
    return arrays


def ask_all(runner: Runner, signature: Signature, inputs: Arrays) -> list[Arrays]:
    """Return the outputs of each call that inputs are enough for, as ask does. Raises EmulateError.

    inputs: by name [N * rows, *sample] of each input in its tensor's dtype.
    """
    count = count_calls(signature, inputs)
    return [ask(runner, signature, call_of(signature.inputs, inputs, index)) for index in range(count)]


@contextlib.contextmanager
def quiet() -> Iterator[TextIO]:
    """Keep what native code writes to stderr (LiteRT's INFO lines, numpy's ABI warning) off the screen.

    Gives what still reaches it.
    """
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with os.fdopen(os.dup(saved), "w") as screen:
            yield screen
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _import_interpreter() -> tuple[str, Any]:
    """Return (package, module) of the first interpreter there is. Raises EmulateError, code 5."""
    for package, module in INTERPRETERS:
        try:
            return package, importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name not in (module, module.partition(".")[0]):
                raise EmulateError(f"{package} needs {error.name}", f"run: {INSTALL}", MISSING) from error
        # A runtime that was built for another numpy or system raises ImportError, AttributeError and more.
        except Exception as error:
            raise _unfit(package, error) from error
    raise EmulateError("no LiteRT interpreter is installed", f"run: {INSTALL}", MISSING)


def _version(package: str, module: Any) -> str:
    """Return a package's version, by its own word where it has one: importlib.metadata takes as long as all of ours."""
    own = getattr(sys.modules[module.__name__.partition(".")[0]], "__version__", None)
    if isinstance(own, str):
        return own
    from importlib.metadata import version

    return version(package)


def _calls(interpreter: Any, model: Model) -> dict[str, Call]:
    """Return what runs each signature, held against signature.json. Raises _MismatchError where the two differ."""
    # tflite-runtime leaves XNNPACK out, and with it the kernels that an app runs, where a signature's runner
    # has to allocate by itself; and it refuses to once there is a runner. Not with open axes: they are of
    # size 1 here, and a convolution over too small an image ends LiteRT 1's process.
    if all(signature.fixed for signature in model.signatures):
        interpreter.allocate_tensors()
    keys = sorted(interpreter.get_signature_list())
    if not keys and not model.main.key:
        return {model.main.key: _plain_call(interpreter, model)}
    calls: dict[str, Call] = {}
    for signature in model.signatures:
        if signature.key not in keys:
            raise _MismatchError(f"it has no signature {signature.key!r}, only {keys}")
        runner = interpreter.get_signature_runner(signature.key)
        calls[signature.key] = _reset_before(runner, interpreter) if model.resets else runner
        _check_tensors(signature.inputs, runner.get_input_details())
        _check_tensors(signature.outputs, runner.get_output_details())
    return calls


def _plain_call(interpreter: Any, model: Model) -> Call:
    """Return what runs a file without signatures, by its tensors' own names. Raises ValueError where they differ."""
    inputs = {str(detail["name"]): detail for detail in interpreter.get_input_details()}
    outputs = {str(detail["name"]): detail for detail in interpreter.get_output_details()}
    _check_tensors(model.main.inputs, inputs)
    _check_tensors(model.main.outputs, outputs)
    shapes: dict[str, tuple[int, ...]] = {}

    def call(**values: np.ndarray) -> Mapping[str, Any]:
        """Run it. values: of each input's shape and dtype, as signature.json has them."""
        given = {name: value.shape for name, value in values.items()}
        if given != shapes:
            for name, shape in given.items():
                interpreter.resize_tensor_input(inputs[name]["index"], shape)
            interpreter.allocate_tensors()
            shapes.update(given)
        if model.resets:
            interpreter.reset_all_variables()
        for name, value in values.items():
            interpreter.set_tensor(inputs[name]["index"], value)
        interpreter.invoke()
        return {name: interpreter.get_tensor(detail["index"]) for name, detail in outputs.items()}

    return call


def _reset_before(runner: Call, interpreter: Any) -> Call:
    """Return a runner for which every call is the first: what operators keep is as built."""

    def call(**values: np.ndarray) -> Mapping[str, Any]:
        """Run it. values: of each input's shape and dtype, as signature.json has them."""
        interpreter.reset_all_variables()
        return runner(**values)

    return call


def _check_tensors(tensors: Tensors, details: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare signature.json with the model file. Raises _MismatchError where they differ."""
    if set(tensors) != set(details):
        raise _MismatchError(f"signature.json names {sorted(tensors)}, the file {sorted(details)}")
    for name, tensor in tensors.items():
        _check_tensor(tensor, details[name])


def _check_tensor(tensor: Tensor, found: Mapping[str, Any]) -> None:
    name, (scale, zero_point) = tensor.name, found["quantization"]
    shape, dtype = [int(size) for size in found["shape_signature"]], np.dtype(found["dtype"]).name
    if shape != list(tensor.shape) or dtype != tensor.dtype:
        raise _MismatchError(f"{name} is {tensor} in signature.json, {dtype} {shape} in the file")
    same = math.isclose(scale, tensor.scale or 0.0, rel_tol=1e-6)
    if not same or (tensor.scale and zero_point != tensor.zero_point):
        ours = f"scale {tensor.scale}, zero point {tensor.zero_point}"
        raise _MismatchError(f"{name} has {ours} in signature.json, {scale}, {zero_point} in the file")


def _refusal(runner: Runner, signature: Signature, values: Arrays, error: Exception) -> EmulateError:
    """Return the error for a call that the interpreter refused. values: by input name, of any shape and dtype."""
    sizes = "" if signature.fixed else " of " + ", ".join(f"{name} {list(values[name].shape)}" for name in values)
    message = f"{runner.package} {runner.version} cannot run {signature.key}{sizes}: {one_line(error)}"
    hint = f"{'give another size, or ' if sizes else ''}build the bundle again{OR_INSTALL}"
    return EmulateError(f"{runner.bundle.assets}: {message}", hint)


def _unfit(package: str, error: BaseException) -> EmulateError:
    message = f"{package} does not work with numpy {np.__version__} and this Python: {one_line(error)}"
    return EmulateError(message, f"run: {INSTALL}", MISSING)
