"""From an exported SavedModel to the bytes of a .tflite file. Knows the converter's options; measures nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from kit.shared.another_version import FLOAT, LESS
from kit.shared.job import Job, JobError
from kit.shared.layers import layer_of
from kit.worker.conversion.calibration import Calibration, resizing
from kit.worker.conversion.export import Exported
from kit.worker.conversion.float_front_end import front_end, front_ends_in_float
from kit.worker.conversion.settled_ranges import on_grid
from kit.worker.conversion.signature_names import settle
from kit.worker.evaluation.kernel_errors import explained, operator_of
from kit.worker.graph.fake_quant import is_trained
from kit.worker.graph.freeze import Frozen
from kit.worker.graph.subgraph import nodes_of
from kit.worker.tflite_file.dynamic_file import with_exact_weights
from kit.worker.tflite_file.float16_file import has_doubtful, with_exact_constants
from kit.worker.tflite_file.int8_file import mended
from kit.worker.tflite_file.short_names import with_short_names

Arrays = Mapping[str, np.ndarray]
_PYTHON = {"EagerPyFunc", "PyFunc", "PyFuncStateless"}


@dataclass(frozen=True)
class Origin:
    """Where an op that the converter refuses comes from: the graphs that were exported, and the model's layers."""

    graphs: Sequence[Frozen]
    layers: Sequence[str]
    loops: tuple[str, ...] = ()  # nodes of loops that were written out, step by step

    def placed(self, op: str, named: Sequence[str]) -> str:
        """Return an op with the places in the model that it comes from: "Erf (in layer 'gelu': model/gelu/Erf)".

        named: the nodes that the converter names; where it names none, all nodes that have the op.
        """
        nodes = named or [node.name for frozen in self.graphs for node in nodes_of(frozen.graph) if node.op == op]
        places = [self._place(name) for name in dict.fromkeys(nodes)]
        return f"{op} (in {', '.join(places[:3])})" if places else op

    def layer_of(self, node: str) -> str:
        """Return the layer that a node belongs to by its name, "" for none."""
        return layer_of(node, self.layers)

    def layers_of(self, nodes: Sequence[str]) -> list[str]:
        """Return the layers that nodes belong to, each once."""
        return list(dict.fromkeys(filter(None, map(self.layer_of, nodes))))

    @staticmethod
    def cut(layer: str) -> str:
        """Return the lines of a recipe that start the file behind a layer."""
        name = re.sub(r"[^A-Za-z0-9_]+", "_", layer)
        return f'[[inputs]] name = "{name}" and source = "{layer}" start the file behind it'

    def _place(self, node: str) -> str:
        layer = self.layer_of(node)
        return f"layer '{layer}': {node}" if layer else node


def convert(
    folder: Path,
    job: Job,
    exported: Sequence[Exported],
    calibration: Calibration,
    source: Origin,
) -> bytes:
    """Convert an exported SavedModel to the job's scheme, with the signatures' real names in the contract's order.

    A graph with the ranges of training takes those for int8, and what has none stays in float; another's are measured
    on the calibration. Raises JobError (kind "model") where the converter refuses.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[each.key for each in exported])
    if (loaded := converter._trackable_obj) is not None:
        # Before 2.18. The converter reads the folder itself, and wants of what it loaded only where nodes come from.
        converter._trackable_obj = SimpleNamespace(graph_debug_info=loaded.graph_debug_info)
    if len(exported) > 1:
        converter.experimental_enable_resource_variables = True
    if job.scheme != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if job.scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    builtins = tf.lite.OpsSet.TFLITE_BUILTINS
    if job.scheme == "int8":
        words = {each.key: {name: word for word, name in each.inputs} for each in exported}
        if not any(is_trained(frozen.graph) for frozen in source.graphs):
            converter.representative_dataset = lambda: _rows(calibration.rows, words)
            builtins = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(job.io)
    converter.target_spec.supported_ops = [builtins, *([tf.lite.OpsSet.SELECT_TF_OPS] if job.allow_flex else [])]
    try:
        with resizing(), on_grid(calibration.grid), front_ends_in_float():
            content = bytes(converter.convert())
            spectra = front_end(content) if job.scheme == "dynamic" else []
            if spectra or (job.scheme == "float16" and has_doubtful(content)):
                converter.optimizations, converter.target_spec.supported_types = [], []
                single = bytes(converter.convert())
                content = (
                    with_exact_weights(content, single, set(spectra))
                    if spectra
                    else with_exact_constants(content, single)
                )
    except Exception as error:
        raise _refusal(error, job, source) from error
    content = settle(mended(content) if job.scheme == "int8" else content, exported)
    # Last: it writes equal vectors once, and what is set in one place would be set in all of them.
    return with_short_names(content, source.loops) if job.scheme == "int8" else content


def _rows(
    calibration: Sequence[tuple[str, Arrays]], words: Mapping[str, Mapping[str, str]]
) -> Iterator[dict[str, np.ndarray] | tuple[str, dict[str, np.ndarray]]]:
    """Yield one call at a time by input name: the converter's order of inputs is not the model's.

    calibration: the rows of a Calibration; shapes and dtypes stay.
    """
    for key, call in calibration:
        feeds = {words[key][name]: array for name, array in call.items()}
        yield feeds if len(words) == 1 else (key, feeds)


def _named(op: str, text: str) -> list[str]:
    """Return the nodes of an op that the converter's message names, in its order."""
    lines = [line for line in text.splitlines() if f"'tf.{op}' op is neither" in line]
    return list(dict.fromkeys(re.findall(rf'fused\["{op}:", "([^"@]+)', "\n".join(lines))))


def _refusal(error: Exception, job: Job, source: Origin) -> JobError:
    text = str(error)
    ops = sorted(set(re.findall(r"tf\.(\w+)' op is neither a custom op nor a flex op", text)))
    if job.train and any("Grad" in op or "Backprop" in op for op in ops):
        return JobError(
            "recipe",
            f"[variables.train]: TFLite has no gradient of what lies behind the kept variables: {', '.join(ops)}",
            "keep only variables that come after it, such as the last layer's; or leave [variables.train] out",
        )
    if python := [op for op in ops if op in _PYTHON]:
        return JobError(
            "model",
            "it calls a Python function, which no file for an app has: "
            + source.placed(python[0], _named(python[0], text)),
            "write that step with TensorFlow's operations, not in tf.py_function or tf.numpy_function",
        )
    if ops:
        named = {op: _named(op, text) for op in ops}
        layers = source.layers_of([node for nodes in named.values() for node in nodes])
        return JobError(
            "model",
            f"no TFLite builtin does what the model needs: {'; '.join(source.placed(op, named[op]) for op in ops)}",
            "replace the layer that uses it by one that TFLite has"
            + (f"; where it only prepares the input, let the app do it: {source.cut(layers[-1])}" if layers else "")
            + ("" if job.allow_flex else "; or set [model] allow_flex = true, and the app has to link select-tf-ops"),
        )
    if "element_shape to be static" in text:
        return JobError(
            "model",
            "a recurrent layer cannot be converted with this open axis: TFLite's lists need a fixed batch",
            "give [model] batch = 1, or leave it out; an open axis of the sequence alone often works",
        )
    hint = LESS if job.scheme == "float32" else FLOAT
    return JobError("model", f"the converter refuses the model: {_shown(text, source)}", hint)


def _shown(text: str, source: Origin) -> str:
    """Return the converter's message as operator, layer and cause."""
    if operator := operator_of(text):  # calibration runs the graph
        plain = operator.replace("_", "").lower()
        nodes = [node.name for frozen in source.graphs for node in nodes_of(frozen.graph) if node.op.lower() == plain]
        layers = source.layers_of(nodes)
        where = f" (one of the layers {', '.join(layers[:5])})" if layers else ""
        return f"while it measures ranges, {explained(text)}{where}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = next((line for line in lines if "error:" in line), lines[0] if lines else "it does not say why")
    where, _, cause = telling.rpartition("error: ")
    if cause.startswith("loc("):
        place, _, cause = cause.rpartition("): ")
        where += place
    layers = source.layers_of(re.findall(r'"([^"@:]+)(?:@[^"]*)?"', where))
    return (f"layer '{layers[-1]}': " if layers else "") + cause[:240]
