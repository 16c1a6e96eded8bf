"""LiteRT's C library with its profiler on: a model compiled for the CPU as an app compiles it, called and timed inside.

Imported by profile_script, in the runtime's venv. Source: LiteRT's headers litert/c/litert_compiled_model.h,
litert_profiler.h, litert_profiler_event.h, litert_tensor_buffer.h and litert_layout.h, of 2.3.0.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from ctypes import Structure, byref, c_bool, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kit.profiling.events import Event

CPU = 1  # kLiteRtHwAcceleratorCpu
_WRITE = 1  # kLiteRtTensorBufferLockModeWrite
_MOST_AXES = 8  # LITERT_TENSOR_MAX_RANK


class _Layout(Structure):
    """LiteRtLayout. rank: its lowest seven bits."""

    _fields_ = [("rank", c_uint32), ("dimensions", c_int32 * _MOST_AXES), ("strides", c_uint32 * _MOST_AXES)]


class _TensorType(Structure):
    """LiteRtRankedTensorType."""

    _fields_ = [("element", c_int), ("layout", _Layout)]


class _Event(Structure):
    """ProfiledEventData, as the library has it: three numbers of memory, and not the two of the header for C."""

    _fields_ = [
        ("tag", c_char_p),
        ("type", c_int),
        ("start", c_uint64),
        ("elapsed", c_uint64),
        ("memory", c_int64 * 6),
        ("first", c_uint64),
        ("second", c_uint64),
        ("source", c_int),
    ]


@dataclass(frozen=True)
class CompiledModel:
    """A model that LiteRT compiled for the CPU. kept: what has to live as long as it does."""

    library: ctypes.CDLL
    environment: c_void_p
    model: c_void_p
    compiled: c_void_p
    profiler: c_void_p
    kept: tuple[object, ...]

    @staticmethod
    def of(path: Path, threads: int) -> CompiledModel:
        """Compile a file. Raises RuntimeError where LiteRT does not, FileNotFoundError where its library is missing."""
        library = _library()
        environment, model, options, compiled, profiler = (c_void_p() for _ in range(5))
        _check(library.LiteRtCreateEnvironment(0, None, byref(environment)), "make an environment")
        _check(library.LiteRtCreateModelFromFile(environment, str(path).encode(), byref(model)), "load the model")
        _check(library.LiteRtCreateOptions(byref(options)), "make options")
        _check(library.LiteRtSetOptionsHardwareAccelerators(options, CPU), "ask for the CPU")
        kept = [_option(library, options, "runtime_options_string", "enable_profiling = true\n")]
        kept.append(_option(library, options, "xnnpack", f"num_threads = {threads}\n"))
        code = library.LiteRtCreateCompiledModel(environment, model, options, byref(compiled))
        _check(code, "compile the model for the CPU")
        _check(library.LiteRtCompiledModelGetProfiler(compiled, byref(profiler)), "turn the profiler on")
        return CompiledModel(library, environment, model, compiled, profiler, tuple(kept))

    def call_of(self, key: str, values: Mapping[str, np.ndarray]) -> Callable[[], None]:
        """Return what calls a signature on inputs that are written once. Raises RuntimeError, KeyError.

        values: by input name, of the tensor's shape and dtype.
        """
        index, signature = self._signature(key)
        names, made_names = self._names(signature, "Input"), self._names(signature, "Output")
        arrays = [np.ascontiguousarray(values[name]).reshape(values[name].shape) for name in names]
        types = [self._type(signature, place, "Input") for place in range(len(names))]
        for place, (kind, array) in enumerate(zip(types, arrays, strict=True)):
            self._resize(index, place, kind, array.shape)
        layouts = (_Layout * len(made_names))()
        count = c_size_t(len(made_names))
        asked = self.library.LiteRtGetCompiledModelOutputTensorLayouts
        _check(asked(self.compiled, c_size_t(index), count, layouts, c_bool(True)), "size its outputs")
        inputs = [self._buffer(kind, index, place, "Input") for place, kind in enumerate(types)]
        for buffer, array in zip(inputs, arrays, strict=True):
            self._write(buffer, array)
        outputs = []
        for place, layout in enumerate(layouts):
            kind = self._type(signature, place, "Output")
            kind.layout = layout
            outputs.append(self._buffer(kind, index, place, "Output"))
        given, made = (c_void_p * len(inputs))(*inputs), (c_void_p * len(outputs))(*outputs)
        run, counts = self.library.LiteRtRunCompiledModel, (c_size_t(len(inputs)), c_size_t(len(outputs)))
        at = c_size_t(index)

        def call() -> None:
            """Run it. Raises RuntimeError."""
            _check(run(self.compiled, at, counts[0], given, counts[1], made), "run the model")

        return call

    def profiled(self, call: Callable[[], None]) -> list[Event]:
        """Call once, and return what the profiler saw of it. Raises RuntimeError."""
        _check(self.library.LiteRtStartProfiler(self.profiler), "start the profiler")
        call()
        _check(self.library.LiteRtStopProfiler(self.profiler), "stop the profiler")
        count = c_int()
        _check(self.library.LiteRtGetNumProfilerEvents(self.profiler, byref(count)), "count events")
        events = (_Event * count.value)()
        _check(self.library.LiteRtGetProfilerEvents(self.profiler, count, events), "read events")
        return [
            Event(event.tag.decode(), event.type, event.start, event.elapsed, event.first, event.second)
            for event in events
        ]

    def _signature(self, key: str) -> tuple[int, c_void_p]:
        """Return a signature's place, and its handle. Raises RuntimeError where there is none of that key."""
        count = c_size_t()
        _check(self.library.LiteRtGetNumModelSignatures(self.model, byref(count)), "count signatures")
        for index in range(count.value):
            signature, name = c_void_p(), c_char_p()
            _check(self.library.LiteRtGetModelSignature(self.model, c_size_t(index), byref(signature)), "find it")
            _check(self.library.LiteRtGetSignatureKey(signature, byref(name)), "read a signature's key")
            if key in {"", (name.value or b"").decode()}:
                return index, signature
        raise RuntimeError(f"LiteRT finds no signature {key!r} in the model")

    def _names(self, signature: c_void_p, kind: str) -> list[str]:
        """Return the names of a signature's inputs or outputs. kind: "Input" or "Output"."""
        count, found = c_size_t(), []
        _check(getattr(self.library, f"LiteRtGetNumSignature{kind}s")(signature, byref(count)), "count tensors")
        for place in range(count.value):
            name = c_char_p()
            code = getattr(self.library, f"LiteRtGetSignature{kind}Name")(signature, c_size_t(place), byref(name))
            _check(code, "read a tensor's name")
            found.append((name.value or b"").decode())
        return found

    def _type(self, signature: c_void_p, place: int, kind: str) -> _TensorType:
        """Return the type of an input or output in the file, in which -1 is an open axis."""
        tensor, found = c_void_p(), _TensorType()
        get = getattr(self.library, f"LiteRtGetSignature{kind}TensorByIndex")
        _check(get(signature, c_size_t(place), byref(tensor)), "find a tensor")
        _check(self.library.LiteRtGetRankedTensorType(tensor, byref(found)), "read a tensor's type")
        return found

    def _resize(self, index: int, place: int, kind: _TensorType, shape: Sequence[int]) -> None:
        """Give an input with open axes its sizes, in the model and in its type."""
        if -1 not in kind.layout.dimensions[: len(shape)]:
            return
        sizes = (c_int * len(shape))(*shape)
        resize = self.library.LiteRtCompiledModelResizeInputTensor
        code = resize(self.compiled, c_size_t(index), c_size_t(place), sizes, c_size_t(len(shape)))
        _check(code, "give an input its size")
        kind.layout.dimensions[: len(shape)] = list(shape)

    def _buffer(self, kind: _TensorType, index: int, place: int, way: str) -> c_void_p:
        """Return a buffer for an input or an output, of the size that the model wants."""
        needed, buffer = c_void_p(), c_void_p()
        wanted = getattr(self.library, f"LiteRtGetCompiledModel{way}BufferRequirements")
        _check(wanted(self.compiled, c_size_t(index), c_size_t(place), byref(needed)), "size a buffer")
        make = self.library.LiteRtCreateManagedTensorBufferFromRequirements
        _check(make(self.environment, byref(kind), needed, byref(buffer)), "make a buffer")
        return buffer

    def _write(self, buffer: c_void_p, values: np.ndarray) -> None:
        """Write an input. values: of the tensor's shape and dtype. Raises RuntimeError."""
        size, place = c_size_t(), c_void_p()
        _check(self.library.LiteRtGetTensorBufferSize(buffer, byref(size)), "size a buffer")
        if size.value < values.nbytes:
            raise RuntimeError(f"an input is {values.nbytes} bytes, and LiteRT has room for {size.value}")
        _check(self.library.LiteRtLockTensorBuffer(buffer, byref(place), _WRITE), "write an input")
        ctypes.memmove(place, values.ctypes.data, values.nbytes)
        _check(self.library.LiteRtUnlockTensorBuffer(buffer), "write an input")


def _library() -> ctypes.CDLL:
    """Return LiteRT's C library of this Python's wheel. Raises FileNotFoundError where it has none with a profiler."""
    spec = importlib.util.find_spec("ai_edge_litert")
    places: Sequence[str] = (spec.submodule_search_locations or []) if spec else []
    for path in (Path(place, "libLiteRt.so") for place in places):
        if path.is_file():
            library = ctypes.CDLL(str(path))
            if hasattr(library, "LiteRtGetProfilerEvents"):
                return library
    raise FileNotFoundError("LiteRT's wheel for this system has no C library with a profiler")


def _option(library: ctypes.CDLL, options: c_void_p, name: str, text: str) -> tuple[object, ...]:
    """Give options of one kind, TOML, to a compilation; return what has to live as long."""
    opaque, payload = c_void_p(), ctypes.create_string_buffer(text.encode())
    freed = ctypes.CFUNCTYPE(None, c_void_p)(lambda _: None)  # Python frees it
    make = library.LiteRtCreateOpaqueOptions
    _check(make(name.encode(), ctypes.cast(payload, c_void_p), freed, byref(opaque)), f"set {name}")
    _check(library.LiteRtAddOpaqueOptions(options, opaque), f"set {name}")
    return payload, freed


def _check(code: int, what: str) -> None:
    """Raise RuntimeError where a function of the library did not end well."""
    if code:
        raise RuntimeError(f"LiteRT could not {what}: status {code}")
