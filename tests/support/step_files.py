"""Cases of what lies inside a model, of model files, and of streams: see step_case.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import step_models as m
from failures import PLAIN
from step_case import SAVED, SEQUENCE, STATE, STREAM, WITHOUT, Case, Tried, case, order, rebuilt

from kit.shared.job import InputSpec, Job, ModelPart, OutputSpec


def started(source: str, **more: Any) -> Job:
    return replace(PLAIN, inputs=(InputSpec("from", source, **more),))


def ended_at(source: str, job: Job = PLAIN) -> Job:
    return replace(job, output_order=("out",), outputs=(OutputSpec("out", source),))


INSIDE = {
    "a start on no way out": case(
        m.saves(m.shared), order(started("dead"), "score"), "no output depends on it",
        "name a layer on the way to the outputs, or remove that [[inputs]]", order(started("both"), "score"),
        order(PLAIN, "score"),
    ),
    "a start behind a layer that runs twice": case(
        m.saves(m.shared), started("twice"), "is not run once in a call of the model",
        "name a layer that runs once on the way to the outputs", started("both"),
    ),
    "a start behind a mask": case(
        m.saves(m.masked), started("mask"), "also makes a mask",
        "name the layer before it, or one behind those that use the mask", started("first"), started("lstm"),
    ),
    "a start behind a tensor that is not there": case(
        m.saves(m.pair_layer), started("pair:3"), "gives 3 tensors, and 'pair:3' would be one more",
        "name one from 'pair' to 'pair:2'",
        replace(PLAIN, inputs=tuple(InputSpec(f"from{i}", f"pair:{i}") for i in range(3))),
    ),
    "an end behind a tensor that is not there": case(
        m.saves(m.pair_layer), ended_at("pair:3"), "gives 3 tensors, and 'pair:3' would be one more",
        "name one from 'pair' to 'pair:2'", ended_at("pair:2"), ended_at("pair"),
    ),
    "a start behind text": case(
        m.module("lowered"), replace(started("low"), parts=SAVED.parts), "which no app can feed",
        "name a layer behind it, which gives numbers", replace(started("hashed", range=(0, 4)), parts=SAVED.parts),
    ),
}  # fmt: skip
JOIN = replace(
    PLAIN, parts=tuple(ModelPart(f"{name}.keras", ".keras", False, f"{name}.keras") for name in ("pre", "net"))
)


def joins(other: str) -> Case:
    """Return the case of a second model that does not take what the first gives."""
    says, step = {
        "misnamed": ("'features' has nothing to feed it", "give the outputs of the one the names of the inputs of the"),
        "short": ("'left' does not fit 'left'", "save one of them again, so that it gives what the other takes: the s"),
    }[other]
    parts = (JOIN.parts[0], ModelPart(f"{other}.keras", ".keras", False, f"{other}.keras"))
    right = (Tried(m.joined("pre", "net"), JOIN),)
    return Case(Tried(m.joined("pre", other), replace(JOIN, parts=parts)), says, step, right)


WORDS = """
import keras, tensorflow as tf
class Ids(keras.layers.Layer):
    def call(self, text):
        return tf.one_hot(tf.strings.to_hash_bucket_fast(text, 8), 8)
    def compute_output_spec(self, text):
        return keras.KerasTensor((None, 8))
class Net(keras.Model):
    def call(self, text, training=None, mask=None):
        ids = tf.one_hot(tf.strings.to_hash_bucket_fast(text, 8), 8)
        return [self.get_layer(name)(ids) for name in ("score", "other")]
def build_model():
    text = keras.Input((), dtype="string", name="text")
    ids = Ids()(text)
    return Net(text, [keras.layers.Dense(3, name="score")(ids), keras.layers.Dense(2, name="other")(ids)])
"""
WEIGHTS = replace(
    PLAIN, parts=(ModelPart("model.weights.h5", "weights", False, "model.weights.h5"),), code=True, allow_code=True
)
BUILDS = """
import keras
def build_model():
    x = keras.Input((8,), name="x")
    return keras.Model(x, [keras.layers.Dense(3, name="score")(x), keras.layers.Dense(2, name="other")(x)])
"""
FILES = {
    "a build_model that is no function of the code": Case(
        Tried(m.weights, WEIGHTS, "from functools import partial\nbuild_model = partial(int, 'wide')\n"),
        "build_model() fails: ", "correct [model] code", (Tried(m.weights, WEIGHTS, BUILDS),),
    ),
    "models inside models": Case(
        Tried(m.nested(120), PLAIN), "its parts are nested deeper than Python can follow",
        "save a model with fewer models inside models", (Tried(m.nested(20), PLAIN),),
    ),
    "a text that no layer reads": Case(
        Tried(m.weights, WEIGHTS, WORDS), "the input 'text' is text, which TFLite models in an app do not take",
        "feed ids: turn text into numbers in the app, before the model", (Tried(m.weights, WEIGHTS, BUILDS),),
    ),
    "a variable that a call makes": rebuilt(
        m.module("made"), SAVED, "2 variables could not be frozen",
        "the model makes variables of its own inside its call: make them in build(), or keep them out of it",
        m.module("scale"), m.module("twice"),
    ),
    "outputs of other names than the inputs behind": joins("misnamed"),
    "outputs of other shapes than the inputs behind": joins("short"),
    "a key that no Keras has": Case(
        Tried(m.unknown_key, PLAIN), "cannot load the model",
        "save it again with the code that trained it: model.export('folder'), and [model] path = 'folder'",
        (Tried(m.exported(m.dense()), SAVED),),
    ),
    "a layer with code": case(
        m.saves(m.lambda_layer), replace(PLAIN, allow_code=False), "",
        "let that code run: in a container (--engine docker), or with [model] allow_code = true", PLAIN,
    ),
    "a signature without inputs": Case(
        Tried(m.module("scale", "nothing"), SAVED), "the signature 'nothing' takes no input",
        "choose others: [model] signatures = ['scale']",
        (Tried(m.module("scale", "nothing"), replace(SAVED, signatures=("scale",))),),
    ),
    "no inputs at all": rebuilt(
        m.module("nothing"), SAVED, "the signature 'nothing' takes no input",
        "export the model with a function of its inputs", m.module("scale"),
    ),
    "no signatures": rebuilt(
        m.module(unsigned=True), SAVED, "the SavedModel has no signatures",
        "save it with signatures=, or a Keras model by model.export(folder)", m.module("scale"), m.exported(m.dense()),
    ),
    "a shape of any length": rebuilt(
        m.module("unranked"), SAVED, "has a shape of any length",
        "give it a shape in the tf.TensorSpec that the SavedModel is saved with", m.module("ranked"),
    ),
    "a type that is no number": rebuilt(
        m.module("handle"), SAVED, "which no app can hold", "export the model with a signature of numbers alone",
        m.module("scale"),
    ),
    "a Python function": rebuilt(
        m.module("python"), SAVED, "a Python function that is not in the file",
        "write that step with TensorFlow's operations, or do it in the app", m.module("twice"),
    ),
    "a file that is read": rebuilt(
        m.module("read"), SAVED, "it reads or writes files when it runs",
        "save the model without that; or trust it with what this user may do: [model] allow_code = true",
        m.module("scale"),
    ),
    "a file that is written": Case(
        Tried(m.module("scale", "printed"), SAVED), "it asks for more than computing",
        "save the model without that; or trust it with what this user may do: [model] allow_code = true",
        (
            Tried(m.module("scale"), SAVED),
            # Trusted, it is loaded; what it prints no app has, so that signature stays out.
            Tried(
                m.module("scale", "printed"),
                replace(SAVED, allow_code=True, trusted=True, signatures=("scale",)),
            ),
        ),
    ),
    "a lookup of text": Case(
        Tried(m.module("scale", "texts"), replace(SAVED, signatures=("texts", "scale"))), "is text",
        "do the lookup in the app and feed ids, or leave the signature out: [model] signatures = ['scale']; or start "
        'the file behind the table: [[inputs]] name = "ids", source = "vocabulary/None_Lookup/LookupTableFindV2" and '
        "shape = []",
        (
            Tried(m.module("scale", "texts"), replace(SAVED, signatures=("scale",))),
            Tried(m.module("scale", "texts"), replace(SAVED, signatures=("texts",), inputs=(
                InputSpec("ids", "vocabulary/None_Lookup/LookupTableFindV2", shape=(), range=(0, 2)),
            ))),
        ),
    ),
    "a start behind a lookup": case(
        m.module("texts"),
        replace(SAVED, inputs=(InputSpec("ids", "vocabulary/None_Lookup/LookupTableFindV2", range=(0, 2)),)),
        "the model does not say which shape",
        'say it: [[inputs]] name = "ids" and shape = [...], without the batch axis; [] is one number',
        replace(SAVED, inputs=(
            InputSpec("ids", "vocabulary/None_Lookup/LookupTableFindV2", shape=(), range=(0, 2)),
        )),
    ),
    "a SavedModel that lost a file": rebuilt(
        m.without_its_variables, SAVED, "cannot load the SavedModel",
        "or copy or export the folder again, if a file of it is missing or damaged", m.module("scale"),
    ),
    "names of classes": rebuilt(
        m.module("named"), SAVED, "is text, which TFLite models in an app do not give",
        "do the lookup in the app and read ids", m.module("numbered"),
    ),
}  # fmt: skip
TWO = replace(SAVED, streaming=True)
STREAMS = {
    "a stream of two signatures": Case(
        Tried(m.recurrent_module, replace(TWO, signatures=("whole", "row"))),
        "[model] streaming is for one signature",
        'choose the one that takes a sequence: [model] signatures = ["whole"]',
        (Tried(m.recurrent_module, replace(TWO, signatures=("whole",))),),
    ),
    "a stream of any batch": case(
        SEQUENCE, replace(STREAM, batch=-1), "needs a fixed number of samples in a call",
        "leave [model] batch out: one sample in each call", STREAM,
    ),
    "a stream of images without a size": case(
        m.saves(m.two_open_axes), replace(STREAM, inputs=(InputSpec("x", shape=(-1, -1, 3)),)),
        "leaves another axis open than the sequence's", 'fix it: [[inputs]] name = "x" and shape = [...]',
        replace(STREAM, inputs=(InputSpec("x", shape=(-1, 4, 3)),)),
    ),
    "a stream that no one step is long enough for": case(
        m.saves(m.sequence("valid", "gru")), STREAM, "cannot be run on one step", WITHOUT, PLAIN
    ),
    "a stream of two lengths": case(
        m.saves(m.two_sequences), replace(STREAM, inputs=(InputSpec("a", shape=(5, 3)), InputSpec("b", shape=(7, 3)))),
        "needs sequences of one length", f"give all the same length: [[inputs]] shape; or {WITHOUT}",
        replace(STREAM, inputs=(InputSpec("a", shape=(6, 3)), InputSpec("b", shape=(6, 3)))),
        replace(PLAIN, inputs=(InputSpec("a", shape=(5, 3)), InputSpec("b", shape=(7, 3)))),
    ),
    "a stream that is one long row": case(
        m.saves(m.one_row), order(STREAM, "flat"), "for a whole sequence and",
        f"take outputs that lie before it: [model] outputs; or {WITHOUT}", ended_at("steps", STREAM), PLAIN,
    ),
    "a stream that looks at several steps": case(
        m.saves(m.sequence("window", "gru")), STREAM, "looks at several steps",
        "a stream can have recurrent layers that run forward, and layers that work on each step alone (no convolution",
        PLAIN,
    ),
    "a stream with a state of its own": case(
        m.saves(m.stateful), replace(STATE, streaming=True), "keeps a state itself",
        "leave streaming out and keep that state: [variables] keep",
        STATE,
    ),
    "a stream of steps that are written out": Case(
        Tried(m.saves(m.sequence("gru", unroll=True)), STREAM), "",
        f"build recurrent layers with unroll=False; or {WITHOUT}",
        (Tried(m.saves(m.sequence("gru", unroll=False)), STREAM),
         Tried(m.saves(m.sequence("gru", unroll=True)), PLAIN)),
    ),
    "a stream from its end": Case(
        Tried(m.saves(m.sequence("both_ways")), STREAM), "reads its sequence from the end",
        f"build the model with forward layers alone (no Bidirectional, no go_backwards); or {WITHOUT}",
        (Tried(SEQUENCE, STREAM), Tried(m.saves(m.sequence("both_ways")), PLAIN)),
    ),
    "a stream with a computed begin": Case(
        Tried(m.saves(m.computed_state()), STREAM), "begins with a state that the model computes",
        f"build the layer without initial_state, and let the app assign its state; or {WITHOUT}",
        (Tried(m.saves(m.computed_state(given=False)), STREAM), Tried(m.saves(m.computed_state()), PLAIN)),
    ),
}  # fmt: skip
