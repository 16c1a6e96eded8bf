"""LSTMs as TensorFlow's converter fuses them: one operator for all steps, which keeps its state from call to call.

The converter knows such a layer by a mark on the function that Keras 2 makes of it, and freezing takes functions apart.
So the source itself is exported, with its variables, and nothing of its graph is rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from kit.shared.job import Job, JobError
from kit.worker.conversion.calibration import Calibration
from kit.worker.conversion.converter import Origin, convert
from kit.worker.conversion.export import Exported, plain_names, specs
from kit.worker.source.contract import Contract

OPERATOR = "UNIDIRECTIONAL_SEQUENCE_LSTM"


def fused_content(
    job: Job, contracts: Sequence[Contract], origin: Origin, calibration: Calibration, folder: Path
) -> bytes:
    """Convert the source itself.

    Raises JobError as convert does; for several signatures, whose variables would have to stay ones; and where no layer
    became the operator.
    """
    if len(contracts) > 1:
        raise JobError(
            "recipe",
            f"[quantize] fused_lstm is for one signature, and the file would have {len(contracts)}",
            f'name one: [model] signatures = ["{contracts[0].key}"]; or leave fused_lstm out',
        )
    content = convert(folder, job, [_export(contracts[0], folder)], calibration, origin)
    if OPERATOR not in {op["op_name"] for op in tf.lite.Interpreter(model_content=content)._get_ops_details()}:
        raise JobError(
            "recipe",
            "[quantize] fused_lstm: TensorFlow fuses no layer of this model: it fuses an LSTM of Keras 2 with tanh, "
            "sigmoid and a bias",
            "leave fused_lstm out: the steps of other recurrent layers are a loop, and in int8 written out",
        )
    return content


def _export(contract: Contract, folder: Path) -> Exported:
    inputs = plain_names([spec.name for spec in contract.inputs])
    outputs = plain_names([spec.name for spec in contract.outputs])

    def serve(**feeds: Any) -> dict[str, Any]:
        """Return the outputs by exported name for the inputs by theirs, of the contract's shapes and dtypes."""
        predictions = contract.call({name: feeds[word] for word, name in inputs})
        return {word: tf.identity(predictions[name]) for word, name in outputs}

    named = specs(inputs, [spec.shape for spec in contract.inputs], [spec.dtype for spec in contract.inputs])
    function = tf.function(serve, autograph=False).get_concrete_function(**named)
    module = tf.Module()
    module.held = list(function.graph.variables)
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), signatures={contract.key: function}, options=options)
    return Exported(contract.key, tuple(inputs), tuple(outputs))
