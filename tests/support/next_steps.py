"""Jobs that the worker refuses, and the jobs that do what the next step says. Runs inside a toolchain's Python.

`python next_steps.py OUT NAME...`, with kit on PYTHONPATH, as failures.py: TensorFlow is imported once, and each job
runs in a child of its own. Writes to OUT what each left.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import step_models as m
from failures import CODED, PLAIN, ended, layer
from step_case import (
    BOX,
    BOX_TRAIN,
    DENSE,
    HEAD,
    INT8,
    ROWS,
    SAVED,
    SEQUENCE,
    STATE,
    STEPS,
    STREAM,
    TRAIN,
    Case,
    Tried,
    case,
    named_apart,
    order,
    rebuilt,
    with_data,
)
from step_files import FILES, INSIDE, STREAMS

from kit.shared.job import InputSpec, OutputSpec

SPARSE = "import numpy\narray = numpy.ones((40, 8), 'float32')\narray[3, 2] = numpy.nan\n"
FINITE = "array[numpy.isfinite(array).reshape(len(array), -1).all(axis=1)]"


def sparse(folder: Path) -> None:
    """Write samples of which one has NaN."""
    scope: dict[str, Any] = {}
    exec(SPARSE, scope)  # noqa: S102 - as finite
    DENSE(folder)
    m.calibration(x=scope["array"])(folder)


def finite(folder: Path) -> None:
    """Write the samples that the printed expression leaves of those with NaN."""
    scope: dict[str, Any] = {}
    exec(SPARSE, scope)  # noqa: S102 - the printed line is Python
    DENSE(folder)
    m.calibration(x=eval(FINITE, scope))(folder)  # noqa: S307


TEXTS = layer("return tf.strings.as_string(x)", shaped=True)
NAMES = {
    "an order that leaves an input out": case(
        m.saves(m.dense(2)), replace(PLAIN, input_order=("x",)), "leaves out: z",
        "add them: it is the order of all inputs", replace(PLAIN, input_order=("z", "x")),
    ),
    "an output beside the chosen ones": case(
        DENSE, replace(order(PLAIN, "score"), outputs=(OutputSpec("other"),)), "other is not among [model] outputs",
        "add it there, or remove it here; there is: score",
        replace(order(PLAIN, "score", "other"), outputs=(OutputSpec("other"),)), order(PLAIN, "score"),
    ),
    "two outputs of one name": case(
        DENSE, replace(PLAIN, outputs=named_apart(("score", "other"))), "two outputs would be named 'score'",
        "give one another name: [[outputs]] name, source", replace(PLAIN, outputs=named_apart(("second", "other"))),
    ),
    "an input that is none": case(
        DENSE, replace(PLAIN, inputs=(InputSpec("y"),)), "the model has none of that name", "there is: x",
        replace(PLAIN, inputs=(InputSpec("x"),)),
    ),
    "another batch than the model's": Case(
        Tried(m.saves(m.dense(batch=4)), replace(PLAIN, batch=2)), "the model is made for 4 in each call",
        "leave batch out, or build the model again without a fixed batch",
        (Tried(m.saves(m.dense(batch=4)), PLAIN), Tried(DENSE, replace(PLAIN, batch=2))),
    ),
    "another shape than the model's": case(
        DENSE, replace(PLAIN, inputs=(InputSpec("x", shape=(9,)),)), "does not fit the model's [8]",
        "give the shape without the batch axis, or leave it out", replace(PLAIN, inputs=(InputSpec("x", shape=(8,)),)),
        PLAIN,
    ),
    "whole numbers for flags": case(
        m.saves(m.flags), replace(PLAIN, inputs=(InputSpec("flags", dtype="int32"),)), "this one is bool",
        "leave dtype out", PLAIN,
    ),
    "an image of ids": case(
        m.saves(m.ids), replace(PLAIN, inputs=(InputSpec("ids", image=True, range=(0, 9)),)), "the model takes int32",
        'use kind = "tensor": this model takes the values as they are',
        replace(PLAIN, inputs=(InputSpec("ids", range=(0, 9)),)),
    ),
    "labels of other classes": case(
        DENSE, replace(PLAIN, outputs=(OutputSpec("score", classes=True, labels=2),)), "2 labels for 3 classes",
        "give one label a line, in the order of the model's classes",
        replace(PLAIN, outputs=(OutputSpec("score", classes=True, labels=3),)),
    ),
    "an output of text": Case(
        Tried(m.saves(m.worded), CODED, TEXTS), "is of type string",
        "name the outputs to take without it: [model] outputs",
        (Tried(m.saves(m.worded), order(CODED, "score"), TEXTS),),
    ),
    "a layer that no call comes by": Case(
        Tried(m.net, replace(CODED, outputs=(OutputSpec("spare"),)), m.NET), "is not on the way from inputs to outputs",
        "name a layer that the outputs depend on: `kit inspect` lists the layers of the file",
        (Tried(m.net, replace(CODED, outputs=(OutputSpec("inside", "score"),)), m.NET),),
    ),
    "an output of another size each time": case(
        m.module("places"), SAVED, "has another shape from sample to sample", "leave it out: [model] outputs",
        order(SAVED, "y"),
    ),
    "two signatures with a fused layer": case(
        m.module("scale", "twice"), replace(SAVED, fused_lstm=True), "fused_lstm is for one signature",
        'name one: [model] signatures = ["scale"]; or leave fused_lstm out', SAVED,
    ),
}  # fmt: skip
DATA = {
    "int8 without data": case(
        with_data(DENSE, x=ROWS), replace(PLAIN, scheme="int8"), "needs representative data",
        "give [quantize] representative; a model that was trained for 8 bits has ranges, and this one has none", INT8,
    ),
    "int8 without data of a signature": Case(
        Tried(with_data(m.module("scale", "twice"), x=ROWS[:, :3]), replace(SAVED, scheme="int8", calibrate=True)),
        "nothing for the signature 'twice'", "add the arrays 'twice/x'; or choose signatures: [model] signatures",
        (
            Tried(
                with_data(m.module("scale", "twice"), x=ROWS[:, :3], twice__x=ROWS[:, :3]),
                replace(SAVED, scheme="int8", calibrate=True),
            ),
            Tried(
                with_data(m.module("scale", "twice"), x=ROWS[:, :3]),
                replace(SAVED, scheme="int8", calibrate=True, signatures=("scale",)),
            ),
        ),
    ),
    "an input without samples": rebuilt(
        with_data(m.saves(m.dense(2)), x=ROWS), INT8, "the model's input 'z' is missing",
        "save an array of that name, too; there is: x", with_data(m.saves(m.dense(2)), x=ROWS, z=ROWS),
    ),
    "no samples": rebuilt(
        with_data(DENSE, x=ROWS[:0]), INT8, "holds no samples", "give an array of shape [N, ...]",
        with_data(DENSE, x=ROWS),
    ),
    "samples of another shape": rebuilt(
        with_data(DENSE, x=ROWS[:, :5]), INT8, "has samples of shape [5], the model takes [8]",
        "give an array of shape [N, ...] with one sample a row", with_data(DENSE, x=ROWS),
    ),
    "samples with NaN": rebuilt(
        sparse,
        INT8, "holds NaN or infinity", f"leave those samples out, as in {FINITE}", finite,
    ),
    "fractions for ids": rebuilt(
        with_data(m.saves(m.ids), ids=m.numbers(40, 4)), INT8, "holds values that int32 cannot",
        "give whole numbers in its range", with_data(m.saves(m.ids), ids=m.numbers(40, 4, low=0, high=9).round()),
    ),
    "samples of another name": rebuilt(
        with_data(DENSE, y=ROWS), INT8, "'y' is no input of the model", "there is: x", with_data(DENSE, x=ROWS)
    ),
}  # fmt: skip
LOG = layer("return tf.math.log(x - 10.0)", shaped=True)


def scaled(folder: Path) -> None:
    from failures import saved

    saved("scaled")(folder)


def broken(folder: Path) -> None:
    from failures import saved

    saved("broken")(folder)


def seen(low: float, high: float) -> m.Write:
    """Return what writes the scaled model and test data in a range."""
    return m.each(scaled, m.evaluation(x=m.numbers(20, 8, low=low, high=high)))


def logged(low: float, high: float) -> m.Write:
    """Return what writes a model of logarithms and test data in a range."""
    return m.each(m.module("logged"), m.evaluation(x=m.numbers(20, 3, low=low, high=high)))


EVALUATED = replace(CODED, evaluate=True)
VALUES = {
    "weights that are NaN": Case(
        Tried(broken, PLAIN), "the model's weights hold NaN",
        "give a checkpoint from before that; or, where no output needs those weights, write [checks] gate = false",
        (Tried(DENSE, PLAIN), Tried(broken, replace(PLAIN, gate=False))),
    ),
    "data that gives NaN": Case(
        Tried(seen(0, 1), EVALUATED, LOG), "nothing but NaN for the output 'score' on the recipe's data",
        "give data in the range that the model was trained on; or leave that output out: [model] outputs",
        (Tried(seen(11, 12), EVALUATED, LOG),),
    ),
    "random numbers that give NaN": Case(
        Tried(scaled, CODED, LOG), "nothing but NaN for the output 'score' on random inputs",
        "say what the inputs hold: [[inputs]] range = [lowest, highest]; or give data: [checks] data",
        (Tried(scaled, replace(CODED, inputs=(InputSpec("x", range=(11.0, 12.0)),)), LOG),
         Tried(seen(11, 12), EVALUATED, LOG)),
    ),
    "random numbers that the model fails on": Case(
        Tried(m.module("logged"), SAVED), "cannot be run on random inputs",
        "say what its inputs hold: [[inputs]] range = [lowest, highest]; or give data: [checks] data",
        (Tried(m.module("logged"), replace(SAVED, inputs=(InputSpec("x", range=(1.0, 2.0)),))),
         Tried(logged(1, 2), replace(SAVED, evaluate=True))),
    ),
    "data that the model fails on": Case(
        Tried(logged(-2, -1), replace(SAVED, evaluate=True)), "cannot be run on the recipe's data",
        "correct the data: ids have to lie in the model's tables, lengths in its axes",
        (Tried(logged(1, 2), replace(SAVED, evaluate=True)),),
    ),
}  # fmt: skip
KEPT_RANGE = (
    layer("return tf.quantization.fake_quant_with_min_max_vars(x, self.low, self.high)")
    .replace(
        "    def call",
        "    def build(self, shape):\n"
        "        self.low = self.add_weight(shape=(), initializer=keras.initializers.Constant(-1.0), name='low')\n"
        "        self.high = self.add_weight(shape=(), initializer=keras.initializers.Constant(1.0), name='high')\n"
        "        self.factor = self.add_weight(shape=(8,), initializer='ones', name='factor')\n"
        "    def load_own_variables(self, store):\n        pass\n"
        "    def call",
    )
    .replace("return tf.quantization", "x = x * self.factor\n        return tf.quantization")
)


def bits(number: int) -> str:
    return layer(f"return tf.quantization.fake_quant_with_min_max_vars(x, -1.0, 1.0, num_bits={number})", shaped=True)


QUANTIZED = replace(CODED, scheme="int8", calibrate=True)
CONVERTED = {
    "ranges of 4 bits": Case(
        Tried(with_data(scaled, x=ROWS), QUANTIZED, bits(4)), "was trained for 4 bits",
        'use scheme = "float32", "float16" or "dynamic", or train it for 8 bits',
        (
            *(Tried(scaled, replace(CODED, scheme=scheme), bits(4)) for scheme in ("float32", "float16", "dynamic")),
            Tried(with_data(scaled, x=ROWS), QUANTIZED, bits(8)),
        ),
    ),
    "a range that is kept": Case(
        Tried(with_data(scaled, x=ROWS), replace(QUANTIZED, keep=("scale/*",)), KEPT_RANGE),
        "is a range that training learned", "name the weights alone: keep = ['layer/kernel', 'layer/bias']",
        (Tried(with_data(scaled, x=ROWS), replace(QUANTIZED, keep=("score/kernel", "score/bias")), KEPT_RANGE),),
    ),
    "a gradient that TFLite lacks": case(
        m.saves(m.image_net), replace(HEAD, keep=("conv/*",)), "TFLite has no gradient",
        "keep only variables that come after it, such as the last layer's; or leave [variables.train] out", HEAD,
        replace(HEAD, keep=("conv/*",), train=None),
    ),
    "a step that is too long": case(
        m.saves(m.image_net), replace(BOX, train=replace(BOX_TRAIN, learning_rate=1e3)),
        "the train signature does not learn", "try a smaller [variables.train] learning_rate",
        BOX,
    ),
    "training in int8": Case(
        Tried(
            with_data(m.saves(m.image_net), image=m.numbers(40, 8, 8, 1)), replace(HEAD, scheme="int8", calibrate=True)
        ),
        "needs float arithmetic",
        'use scheme = "float32", "float16" or "dynamic"; variables kept without train go with int8, too',
        (
            *(Tried(m.saves(m.image_net), replace(HEAD, scheme=name)) for name in ("float32", "float16", "dynamic")),
            Tried(
                with_data(m.saves(m.image_net), image=m.numbers(40, 8, 8, 1)),
                replace(HEAD, scheme="int8", calibrate=True, train=None),
            ),
        ),
    ),
    "training without a batch": case(
        m.module("alone"), replace(SAVED, keep=("w",), train=replace(TRAIN, loss="mean_squared_error")),
        "needs inputs with a batch axis", "leave [variables.train] out", replace(SAVED, keep=("w",)),
    ),
    "training what no output needs": case(
        m.saves(m.image_net), replace(HEAD, keep=("box/*",)), "the output 'digit' depends on no kept variable",
        "keep variables of layers that it depends on: [variables] keep; or name another output first: [model] outputs",
        HEAD, replace(BOX, output_order=("box", "digit")),
    ),
    "a batch of any size in a loop": case(
        m.saves(m.sequence("gru", steps=None)),
        replace(PLAIN, batch=-1, inputs=(InputSpec("x", shape=(-1, 3)),)),
        "cannot be converted with this open axis", "give [model] batch = 1, or leave it out",
        replace(PLAIN, batch=1, inputs=(InputSpec("x", shape=(-1, 3)),)),
        replace(PLAIN, inputs=(InputSpec("x", shape=(-1, 3)),)),
    ),
    "a fused layer that is none": case(
        SEQUENCE, replace(PLAIN, fused_lstm=True), "TensorFlow fuses no layer of this model",
        "leave fused_lstm out: the steps of other recurrent layers are a loop, and in int8 written out", PLAIN,
    ),
    "an open loop in int8": Case(
        Tried(
            with_data(m.saves(m.sequence("lstm", steps=None)), x=STEPS),
            replace(INT8, inputs=(InputSpec("x", shape=(-1, 3)),)),
        ),
        "is a loop, which int8 takes only written out",
        'use scheme = "dynamic": 8-bit weights, and the loop calculates in float; or, where the model leaves the '
        "length open, give a fixed one: [[inputs]] shape; or let a forward layer take one step a call",
        (
            Tried(
                m.saves(m.sequence("lstm", steps=None)),
                replace(PLAIN, scheme="dynamic", inputs=(InputSpec("x", shape=(-1, 3)),)),
            ),
            Tried(
                with_data(m.saves(m.sequence("lstm", steps=None)), x=STEPS),
                replace(INT8, inputs=(InputSpec("x", shape=(6, 3)),)),
            ),
            Tried(with_data(m.saves(m.sequence("lstm", steps=None)), x=STEPS), replace(INT8, streaming=True)),
        ),
    ),
    "a mask in 8 bits": case(
        with_data(m.saves(m.masked_input), rows=STEPS), replace(INT8, io="int8"), "has -9 where a step is missing",
        'leave io out, or write io = "float32": what is behind the mask calculates in 8 bits all the same', INT8,
    ),
    "a state of the model's own": Case(
        Tried(m.saves(m.stateful), PLAIN), "changes from call to call", "keep it as a variable: [variables] keep = [",
        (Tried(m.saves(m.stateful), STATE), Tried(SEQUENCE, PLAIN)),
    ),
    "a frozen stream": case(
        SEQUENCE, replace(STREAM, freeze=True), "these formats hold the model", "leave [model] streaming out",
        replace(PLAIN, freeze=True),
    ),
}  # fmt: skip
CASES: dict[str, Case] = NAMES | DATA | VALUES | CONVERTED | INSIDE | FILES | STREAMS


def outcome(tried: Tried) -> dict[str, Any]:
    """Return what a job left."""
    return ended(tried.write, tried.code, tried.job)


if __name__ == "__main__":
    import keras
    import tensorflow  # noqa: F401 - the children share it

    from kit.worker import pipeline  # noqa: F401

    assert keras.__version__.startswith("3")
    found = {
        name: {"wrong": outcome(CASES[name].wrong), "right": [outcome(tried) for tried in CASES[name].right]}
        for name in sys.argv[2:]
    }
    Path(sys.argv[1]).write_text(json.dumps(found), "utf-8")
