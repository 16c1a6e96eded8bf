"""Models that fail in the worker, each in a way of its own, and what mends it. Runs inside a toolchain's Python.

`python failures.py OUT NAME...`, with kit on PYTHONPATH: TensorFlow is imported once, and each job runs in a child of
its own, as the worker runs it. Writes to OUT what each left, as JSON: its result, its progress, how its process ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kit.shared.job import InputSpec, Job, ModelPart, OutputSpec, dump

PLAIN = Job(
    parts=(ModelPart("model.keras", ".keras", False, "model.keras"),),
    allow_code=True,
    scheme="float32",
    io="float32",
    inputs=(),
    outputs=(),
    calibrate=False,
    evaluate=False,
    golden=2,
)
CODED = replace(PLAIN, code=True)
_LAYER = "import keras, os, signal\nimport numpy as np\nimport tensorflow as tf\nclass Scale(keras.layers.Layer):\n"
_GIVEN = "\nCUSTOM_OBJECTS = {'Scale': Scale}\n"


def layer(*lines: str, shaped: bool = False) -> str:
    """Return the code of a layer `Scale` whose call has these lines; shaped: it says its shape without being called."""
    body = "    def call(self, x):\n" + "".join(f"        {line}\n" for line in lines)
    more = "    def compute_output_shape(self, shape):\n        return shape\n" if shaped else ""
    return _LAYER + body + more + _GIVEN


@dataclass(frozen=True)
class Case:
    """A job that fails, the words of its refusal, and the jobs that follow its next step."""

    model: str  # a function of this module
    code: str = ""
    job: Job = CODED
    says: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    mended: tuple[tuple[str, Job], ...] = field(default=())  # code and job, one for each way that `next` names


GOOD = layer("return x * 2.0")
CASES = {
    "a custom layer that nobody gave": Case(
        "scaled",
        job=PLAIN,
        says=("cannot load the model", "'Scale'"),
        next=("CUSTOM_OBJECTS = {'Scale': Scale}",),
        mended=((GOOD, CODED),),
    ),
    "a helper that the code lacks": Case(
        "scaled",
        layer("return twice(x)"),
        says=("layer 'scale' (Scale)", "custom.py, line 6", "'twice' is not defined"),
        next=("define or import 'twice' in [model] code",),
        mended=(("def twice(x):\n    return x * 2.0\n" + layer("return twice(x)"), CODED),),
    ),
    "an exception in a call": Case(
        "scaled",
        layer("raise ValueError('no such mode')"),
        says=("layer 'scale' (Scale)", "custom.py, line 6", "no such mode"),
        next=("correct custom.py, line 6",),
        mended=((GOOD, CODED),),
    ),
    "a reshape across samples": Case(
        "scaled",
        layer("return tf.reshape(x, [-1, 7])", shaped=True),
        says=("cannot trace the model", "layer 'scale' (Scale)", "custom.py, line 6", "reshapes 8 values", "7"),
        next=("keep the number of samples open in that reshape", "tf.reshape(x, [-1, ...])"),
        mended=((layer("return tf.reshape(x, [-1, 8])"), CODED),),
    ),
    "an if on a tensor": Case(
        "scaled",
        layer("if tf.reduce_sum(x) > 0:", "    return x", "return -x", shaped=True),
        says=("cannot trace the model", "layer 'scale' (Scale)", "custom.py, line 6", "a tensor's value"),
        next=("let TensorFlow choose: tf.where or tf.cond for if",),
        mended=((layer("return tf.where(tf.reduce_sum(x) > 0, x, -x)"), CODED),),
    ),
    "numpy on a tensor": Case(
        "scaled",
        layer("return tf.constant(np.log(np.array(x)))", shaped=True),
        says=("cannot trace the model", "layer 'scale' (Scale)", "custom.py, line 6", "NumPy"),
        next=("calculate with TensorFlow's or keras.ops' operations there",),
        mended=((layer("return tf.math.log(tf.abs(x) + 1.0)"), CODED),),
    ),
    "a variable in a call": Case(
        "scaled",
        layer("return x * tf.Variable(tf.ones([8]))", shaped=True),
        says=("cannot trace the model", "layer 'scale' (Scale)", "custom.py, line 6", "makes a variable in its call"),
        next=("make it in the layer's build(), by self.add_weight",),
        mended=(
            (
                layer("return x * self.factor").replace(
                    "    def call",
                    "    def build(self, shape):\n"
                    "        self.factor = self.add_weight(shape=(8,), initializer='ones')\n"
                    "        for weight in self.variables:\n            pass\n"
                    "    def load_own_variables(self, store):\n        pass\n"
                    "    def call",
                ),
                CODED,
            ),
        ),
    ),
    "a Python function": Case(
        "scaled",
        layer("return tf.ensure_shape(tf.py_function(lambda t: t * 2.0, [x], tf.float32), [None, 8])", shaped=True),
        says=("calls a Python function", "EagerPyFunc", "layer 'scale'"),
        next=("write that step with TensorFlow's operations, not in tf.py_function",),
        mended=((GOOD, CODED),),
    ),
    "an operator that TFLite lacks": Case(
        "scaled",
        layer("return tf.math.igamma(tf.abs(x) + 1.0, tf.abs(x))", shaped=True),
        says=("no TFLite builtin", "Igamma", "layer 'scale'"),
        next=("replace the layer that uses it by one that TFLite has", 'source = "scale"', "allow_flex = true"),
        mended=(
            (GOOD, CODED),
            (
                layer("return tf.math.igamma(tf.abs(x) + 1.0, tf.abs(x))", shaped=True),
                replace(CODED, inputs=(InputSpec("scale", "scale"),)),
            ),
        ),
    ),
    "weights that are NaN": Case(
        "broken",
        job=PLAIN,
        says=("weights hold NaN", "'score/kernel' (1 of 24)"),
        next=("[checks] gate = false",),
        mended=(("", replace(PLAIN, gate=False)),),
    ),
    "outputs that are NaN": Case(
        "scaled",
        layer("return tf.math.log(x - 10.0)", shaped=True),
        says=("nothing but NaN for the output 'score'", "random inputs"),
        next=("[[inputs]] range = [lowest, highest]",),
        mended=((layer("return tf.math.log(x - 10.0)"), replace(CODED, inputs=(InputSpec("x", range=(11.0, 12.0)),))),),
    ),
    "a check in the model": Case(
        "scaled",
        layer(
            "with tf.control_dependencies([tf.debugging.assert_greater(x, 5.0)]):",
            "    return tf.identity(x)",
            shaped=True,
        ),
        says=("cannot be run on random inputs", "a check that the model carries"),
        next=(
            "give values that pass it: [checks] data, or [[inputs]] range = [lowest, highest]; or leave the check out",
        ),
        mended=((GOOD, CODED),),
    ),
    "ids beyond the table": Case(
        "words",
        job=replace(PLAIN, inputs=(InputSpec("ids", range=(0.0, 99.0)),)),
        says=("cannot be run on random inputs", "words", "is not in [0, 10)"),
        next=("feed ids that lie in the table", "[[inputs]] range = [lowest, highest]"),
        mended=(("", replace(PLAIN, inputs=(InputSpec("ids", range=(0.0, 9.0)),))),),
    ),
    "an output misspelled": Case(
        "plain",
        job=replace(PLAIN, outputs=(OutputSpec("scores"),)),
        says=("[[outputs]] name = 'scores'",),
        next=("did you mean 'score'?",),
        mended=(("", replace(PLAIN, outputs=(OutputSpec("score"),))),),
    ),
    "an axis left open": Case(
        "open_axis",
        job=PLAIN,
        says=("input 'x' leaves an axis open",),
        next=(
            'fix it in the recipe: [[inputs]] name = "x" and shape = [...]',
            "-1 leaves an axis open on the device, too",
        ),
        mended=(
            ("", replace(PLAIN, inputs=(InputSpec("x", shape=(5, 3)),))),
            ("", replace(PLAIN, inputs=(InputSpec("x", shape=(-1, 3)),))),
        ),
    ),
    "too little memory": Case(
        "scaled",
        layer("raise MemoryError", shaped=True),
        says=("cannot trace the model", "layer 'scale' (Scale)", "more memory than the job may have"),
        next=("--memory 16g",),
        mended=((GOOD, CODED),),
    ),
}
# Where a worker is killed: when it tells of this stage, step or layer.
DEATHS = (
    "layer 'scale'",
    "trace the model",
    "freeze",
    "convert to float32",
    "prepare",
    "run the float",
    "run the conv",
)


def plain() -> Any:
    """Return `x` [N, 8] -> `score` [N, 3]."""
    import keras

    x = keras.Input((8,), name="x")
    return keras.Model(x, keras.layers.Dense(3, name="score")(x))


def broken() -> Any:
    """Return the plain model with a weight that is NaN."""
    model = plain()
    kernel, bias = model.get_weights()
    kernel[0, 0] = float("nan")
    model.set_weights([kernel, bias])
    return model


def scaled() -> Any:
    """Return the plain model behind a layer `scale` of a class that is not Keras's."""
    import keras

    class Scale(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2.0

    x = keras.Input((8,), name="x")
    return keras.Model(x, keras.layers.Dense(3, name="score")(Scale(name="scale")(x)))


def words() -> Any:
    """Return `ids` [N, 4] -> `score` [N, 3] through a table of ten rows."""
    import keras

    ids = keras.Input((4,), name="ids", dtype="int32")
    rows = keras.layers.Embedding(10, 4, name="words")(ids)
    return keras.Model(ids, keras.layers.Dense(3, name="score")(keras.layers.Flatten(name="flat")(rows)))


def open_axis() -> Any:
    """Return `x` [N, any, 3] -> `score` [N, any, 2]."""
    import keras

    x = keras.Input((None, 3), name="x")
    return keras.Model(x, keras.layers.Conv1D(2, 3, padding="same", name="score")(x))


def ended(write: Callable[[Path], object], code: str, job: Job, killed_at: str = "") -> dict[str, Any]:
    """Run a job as the worker does, in a child; return what it left. write puts the model's files into its folder."""
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name) / "in", Path(name) / "out"
        folder.mkdir()
        out.mkdir()
        with (Path(name) / "lines").open("w+") as stdout, (Path(name) / "log").open("w+") as log:
            child = os.fork()
            if child == 0:
                os.dup2(stdout.fileno(), 1)
                os.dup2(log.fileno(), 2)
                _work(folder, out, write, code, job, killed_at)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            stdout.seek(0)
            log.seek(0)
            result = json.loads((out / "result.json").read_text()) if (out / "result.json").exists() else None
            lines = [line for line in stdout.read().splitlines() if line.startswith("{")]
            return {"status": status, "result": result, "lines": lines, "log": log.read()[-3000:]}


def _work(folder: Path, out: Path, write: Callable[[Path], object], code: str, job: Job, killed_at: str) -> None:
    from kit.worker.__main__ import main
    from kit.worker.progress import Progress

    tell: Callable[[Progress, dict[str, object]], None] = Progress._tell

    def kill(self: Progress, event: dict[str, object]) -> None:
        tell(self, event)
        if killed_at and any(str(value).startswith(killed_at) for value in event.values()):
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        write(folder)
        if code:
            (folder / "custom.py").write_text(code, "utf-8")
        (folder / "job.json").write_text(dump(job), "utf-8")
        Progress._tell = kill  # type: ignore[method-assign]
        main(folder, out)
    finally:
        os._exit(0)


def saved(model: str) -> Callable[[Path], object]:
    """Return what writes a model of this module as model.keras."""
    return lambda folder: globals()[model]().save(folder / "model.keras")


def all_of(names: set[str]) -> dict[str, Any]:
    """Run the cases of these names with what follows their next steps, and the deaths."""
    cases = {
        name: {
            "refused": ended(saved(case.model), case.code, case.job),
            "mended": [ended(saved(case.model), code, job) for code, job in case.mended],
        }
        for name, case in CASES.items()
        if name in names
    }
    return {"cases": cases, "deaths": {at: ended(saved("scaled"), GOOD, CODED, at) for at in DEATHS if at in names}}


if __name__ == "__main__":
    import keras
    import tensorflow  # noqa: F401 - the children share it

    from kit.worker import pipeline  # noqa: F401

    assert keras.__version__.startswith("3")
    Path(sys.argv[1]).write_text(json.dumps(all_of(set(sys.argv[2:]))), "utf-8")
