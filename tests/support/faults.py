"""Faults of a converter: real ones that the kit works around, and products that are damaged. In a toolchain's Python.

`python faults.py OUT refused|right NAME...`, with kit on PYTHONPATH, as failures.py: TensorFlow is imported once, and
each job runs in a child of its own. `refused` puts the fault into the child, and then takes the ways that the next step
names beside another TensorFlow version, with the fault still there. `right` runs the job as it is: what another version
does. Writes to OUT what each left.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import step_models as m
from failures import PLAIN, ended
from step_case import DENSE, INT8, SAVED, STEPS, Tried, order, with_data

from kit.shared.job import InputSpec

SETTLE = "settle"  # of the converter: it sets the names in the file
ANOTHER = "take another TensorFlow version, by --tensorflow: `kit toolchains` lists them"
LESS = f"{ANOTHER}; or end the file before that: [model] outputs"
FLOAT = (
    'take another TensorFlow version, by --tensorflow: `kit toolchains` lists them; or [quantize] scheme = "float32", '
    "which shows whether quantization is the cause; or end the file before that: [model] outputs"
)
NO_RANGES = (
    'take another TensorFlow version, by --tensorflow: `kit toolchains` lists them; or [quantize] scheme = "dynamic", '
    "which measures no ranges; or end the file before that: [model] outputs"
)
Damage = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Fault:
    """A job, what is put into its process, what is said then, and what ends well although the fault is there."""

    tried: Tried
    put: Callable[[], None]
    says: str
    next: str = ANOTHER
    ways: tuple[Tried, ...] = ()
    version: str = "2.19.1"  # that has the fault

    @property
    def other(self) -> str:
        """Return a version that has it not, "" where none is known: the ways are what helps then."""
        if self.put is nothing and self.version == "2.21.0":
            return ""
        return "2.21.0" if self.version == "2.19.1" else "2.19.1"


# ---------------------------------------------------------------- what is put into a process


def put_into(module: ModuleType, name: str, value: object) -> None:
    """Let a module have another value of that name."""
    setattr(module, name, value)


def product(before: Damage | None = None, behind: Damage | None = None) -> Callable[[], None]:
    """Return what damages what the converter gives, before the kit sets the names in it, or behind that."""

    def put() -> None:
        from kit.worker.conversion import converter

        settle: Any = getattr(converter, SETTLE)

        def damaged(content: bytes, wanted: Any) -> bytes:
            settled = settle(before(content) if before else content, wanted)
            return behind(settled) if behind else settled

        put_into(converter, SETTLE, damaged)

    return put


def without(module: str, name: str) -> Callable[[], None]:
    """Return what takes a workaround out of the kit's conversion: a function that gives back what it gets."""

    def put() -> None:
        import importlib

        loaded = importlib.import_module(module)
        own = getattr(loaded, name)
        for other in [each for each in sys.modules.values() if getattr(each, name, None) is own]:
            setattr(other, name, lambda given: given)

    return put


def nothing() -> None:
    """Put nothing into the process: the fault is there."""


def still_loops() -> None:
    """Leave loops in a graph that is calibrated for int8."""
    from kit.worker.conversion import limits
    from kit.worker.graph.unroll import Unrolled

    put_into(limits, "unrolled", lambda frozen, _limit: Unrolled(frozen, {}))


def renamed(old: bytes, new: bytes) -> Damage:
    """Return what writes one name of the file for another of the same length."""
    assert len(old) == len(new)

    def damage(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new)

    return damage


def signatures(content: bytes | bytearray) -> dict[str, Any]:
    """Return the signatures of a file by key, as tables that know where they lie."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    found = [model.SignatureDefs(i) for i in range(model.SignatureDefsLength())]
    return {signature.SignatureKey().decode(): signature for signature in found}


def swapped(key: str, one: str, other: str) -> Damage:
    """Return what lets two outputs of a signature change places."""

    def damage(content: bytes) -> bytes:
        data, signature = bytearray(content), signatures(content)[key]
        maps = {signature.Outputs(i).Name().decode(): signature.Outputs(i) for i in range(signature.OutputsLength())}
        for name, from_name in ((one, other), (other, one)):
            table = maps[name]._tab
            struct.pack_into("<I", data, table.Pos + table.Offset(6), maps[from_name].TensorIndex())
        return bytes(data)

    return damage


def one_output(content: bytes) -> bytes:
    """Leave one output in the first subgraph: the signature still has two names."""
    from tensorflow.lite.python import schema_py_generated as schema

    data, table = bytearray(content), schema.Model.GetRootAs(content, 0).Subgraphs(0)._tab
    struct.pack_into("<I", data, table.Vector(table.Offset(8)) - 4, 1)
    return bytes(data)


def newer_operator(content: bytes) -> bytes:
    """Write an operator that no interpreter has."""
    from tensorflow.lite.python import schema_py_generated as schema

    table = schema.Model.GetRootAs(content, 0).OperatorCodes(0)._tab
    data = bytearray(content)
    data[table.Pos + table.Offset(4)] = 127  # "look at the other field", which an older reader has not
    return bytes(data)


def half_the_weights(content: bytes) -> bytes:
    """Halve the numbers of the largest constant: float32."""
    import numpy as np
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    buffers = [model.Buffers(i) for i in range(model.BuffersLength())]
    largest = max(buffers, key=lambda buffer: buffer.DataLength())
    weights = largest.DataAsNumpy()
    at = largest._tab.Vector(largest._tab.Offset(4))
    half = (np.frombuffer(weights.tobytes(), "<f4") / 2).tobytes()
    return content[:at] + half + content[at + len(half) :]


def short_outputs() -> None:
    """Let the product give 16 rows of an open axis, as a converter that takes an open axis for a fixed one."""
    from kit.worker.evaluation.interpreter import Product

    ask = Product.ask
    Product.ask = lambda *args: {name: array[:, :16] for name, array in ask(*args).items()}  # type: ignore[method-assign]


def halved_graphs() -> None:
    """Let a frozen graph be run with halved outputs."""
    from kit.worker.frozen import formats

    compare = formats._compare
    formats._compare = lambda spec, got, wanted: compare(spec, got / 2, wanted)


def no_export() -> None:
    """Let TensorFlow fail where no failure is expected."""
    from kit.worker.conversion import converter

    def convert(*_args: Any) -> bytes:
        raise RuntimeError("Internal: no such pass")

    from kit.worker.conversion import trained_ranges

    put_into(converter, "convert", convert)
    put_into(trained_ranges, "convert", convert)


# ---------------------------------------------------------------- models


def module(call: Callable[[Any], dict[str, Any]], *shape: int | None) -> m.Write:
    """Return what writes a SavedModel of `x` of this shape."""

    def write(folder: Path) -> None:
        import tensorflow as tf

        function = tf.function(call, input_signature=[tf.TensorSpec(shape, tf.float32, name="x")])
        tf.saved_model.save(tf.Module(), str(folder / "model"), signatures={"serving_default": function})

    return write


def sliced(x: Any) -> dict[str, Any]:
    """Return every second number of an axis of six, by a slice with a stride."""
    before = x * 2.0
    return {"before": before, "y": before[:, :, 1:, :, ::2, :]}


def part(x: Any) -> dict[str, Any]:
    """Return a part of six axes, by a slice without a stride."""
    import tensorflow as tf

    before = x * 2.0
    return {"before": before, "y": tf.slice(before, [0] * 6, [1, 1, 2, 2, 2, 1])}


def turned(x: Any) -> dict[str, Any]:
    """Return seven axes in another order."""
    import tensorflow as tf

    before = x * 2.0
    return {"before": before, "y": tf.transpose(before, [0, 2, 1, 4, 3, 6, 5])}


def vectors(x: Any) -> dict[str, Any]:
    """Return the product of two vectors, as Keras's Dot makes it."""
    import tensorflow as tf

    before = x * 2.0
    product = tf.matmul(tf.expand_dims(x, 1), tf.expand_dims(before, 2))
    return {"before": before, "y": tf.squeeze(product, [1])}


def share(x: Any) -> dict[str, Any]:
    """Return each number divided by one of its size."""
    import tensorflow as tf

    before = tf.abs(x) + 0.5
    return {"before": before, "y": x / before}


def noisy(x: Any) -> dict[str, Any]:
    """Return numbers that are drawn anew in each call."""
    import tensorflow as tf

    return {"y": x + tf.random.uniform(tf.shape(x), seed=7) + tf.range(64.0)}


def pairs() -> Any:
    """Return `x` [N, 8] -> `left` and `other`, both [N, 3] and of one layer each."""
    k = m.keras()
    x = k.Input((8,), name="x")
    return k.Model(x, [k.layers.Dense(3, name="left_")(x), k.layers.Dense(3, name="other")(x)])


def scaled_sequence(x: Any) -> dict[str, Any]:
    """Return twice the input: its second axis is open."""
    return {"y": x * 2.0}


# ---------------------------------------------------------------- the faults

SIX, ROWS = (1, 2, 3, 2, 3, 2), m.numbers(40, 8)
SLICED, TURNED, VECTORS = module(sliced, *SIX), module(turned, *SIX, 2), module(vectors, None, 8)
PART = with_data(module(part, *SIX), x=m.numbers(40, *SIX[1:]))
SHARED = with_data(module(share, None, 8), x=ROWS)
INT8_SAVED = replace(SAVED, scheme="int8", calibrate=True)
LSTM = with_data(m.saves(m.sequence("lstm")), x=STEPS)
PAIRS = m.saves(pairs)
KEPT = replace(PLAIN, keep=("left_/kernel", "other/kernel"))
OPEN = module(scaled_sequence, 1, None, 3)
FAULTS = {
    "a slice of six axes": Fault(
        Tried(SLICED, SAVED), nothing, "operator STRIDED_SLICE cannot be prepared", LESS,
        (Tried(SLICED, order(SAVED, "before")),), "2.21.0",
    ),
    "a slice of six axes in 8 bits": Fault(
        Tried(PART, INT8_SAVED), nothing, "the converter refuses the model: while it measures ranges, operator SLICE",
        FLOAT, (Tried(PART, SAVED), Tried(PART, order(INT8_SAVED, "before"))), "2.21.0",
    ),
    "a transpose of seven axes": Fault(
        Tried(TURNED, SAVED), nothing, "the conversion process died while it was to 'convert to float32: prepare", LESS,
        (Tried(TURNED, order(SAVED, "before")),), "2.18.1",
    ),
    "a product of two vectors": Fault(
        Tried(VECTORS, SAVED), without("kit.worker.graph.dot_product", "with_summed_products"),
        "the converter refuses the model: 'tfl.batch_matmul' op found invalid output rank", LESS,
        (Tried(VECTORS, order(SAVED, "before")),), "2.15.1",
    ),
    "a division in 8 bits": Fault(
        Tried(SHARED, INT8_SAVED), without("kit.worker.conversion.converter", "mended"), "operator DIV fails", FLOAT,
        (Tried(SHARED, SAVED), Tried(SHARED, order(INT8_SAVED, "before"))), "2.21.0",
    ),
    "a loop in 8 bits": Fault(
        Tried(LSTM, INT8), still_loops, "the conversion process died while it was to 'convert to int8", NO_RANGES,
        (Tried(LSTM, replace(PLAIN, scheme="dynamic")),),
    ),
    "an operator that no interpreter has": Fault(
        Tried(DENSE, PLAIN), product(behind=newer_operator), "Didn't find op for builtin opcode", LESS,
    ),
    "a failure that nobody knows": Fault(Tried(DENSE, PLAIN), no_export, "cannot convert", LESS),
    "a signature that is lost": Fault(
        Tried(DENSE, PLAIN), product(renamed(b"serving_default", b"serving_delault")), "lacks the signature",
    ),
    "a name that is lost": Fault(
        Tried(DENSE, PLAIN), product(renamed(b"score", b"spore")), "of the produced file lacks ",
    ),
    "one tensor for two names": Fault(
        Tried(DENSE, PLAIN), product(one_output), "shares a tensor between two names",
    ),
    "two names that change places": Fault(
        Tried(PAIRS, PLAIN), product(behind=swapped("serving_default", "left_", "other")), "is the model's '",
    ),
    "weights that are changed": Fault(
        Tried(DENSE, PLAIN), product(behind=half_the_weights), "of the produced file differs by ",
    ),
    "random numbers of another kind": Fault(
        Tried(module(noisy, 4, 64), SAVED), product(behind=half_the_weights), "is drawn from another distribution",
    ),
    "a variable that is lost": Fault(
        Tried(PAIRS, KEPT), product(behind=renamed(b"other_kernel", b"left__kernel")),
        "the produced file holds 1 variables",
    ),
    "two variables that change places": Fault(
        Tried(PAIRS, KEPT), product(behind=swapped("read_variables", "left_/kernel", "other/kernel")),
        "does not hold what is assigned to it",
    ),
    "a frozen graph of something else": Fault(
        Tried(DENSE, replace(PLAIN, freeze=True)), halved_graphs, "of the frozen graph differs by ",
    ),
    "an open axis that is taken for a fixed one": Fault(
        Tried(OPEN, replace(SAVED, inputs=(InputSpec("x", shape=(-1, 3)),))), short_outputs,
        "with other sizes of its open axes",
        "give the sizes in the recipe: [[inputs]] shape, [model] batch",
        (Tried(OPEN, replace(SAVED, inputs=(InputSpec("x", shape=(12, 3)),))),),
    ),
}  # fmt: skip


def left(tried: Tried, put: Callable[[], None] | None) -> dict[str, Any]:
    """Return what a job left, with a fault in its process or without."""
    return ended(lambda folder: [put and put(), tried.write(folder)], tried.code, tried.job)


def main(target: Path, how: str, *names: str) -> None:
    """Write what each job left, and its ways."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        fault = FAULTS[name]
        tried = (fault.tried, *fault.ways) if how == "refused" else (fault.tried,)
        found[name] = [left(each, fault.put if how == "refused" else None) for each in tried]
    target.write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    from kit.worker import pipeline  # noqa: F401 - the children share TensorFlow

    main(Path(sys.argv[1]), *sys.argv[2:])
