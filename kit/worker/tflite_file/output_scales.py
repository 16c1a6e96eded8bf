"""The scale under each output of an int8 file whose outputs are float."""

from __future__ import annotations

from typing import Any

from tensorflow.lite.python import schema_py_generated as schema


def dequantized(content: bytes) -> dict[tuple[str, str], float]:
    """Return the scale under each output that a DEQUANTIZE makes, by signature and name."""
    model = schema.Model.GetRootAs(content, 0)
    found = {}
    for at in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(at)
        graph = model.Subgraphs(signature.SubgraphIndex())
        operators = [graph.Operators(i) for i in range(graph.OperatorsLength())]
        taken = {op.Outputs(0): op.Inputs(0) for op in operators if _is(model, op, schema.BuiltinOperator.DEQUANTIZE)}
        for i in range(signature.OutputsLength()):
            output = signature.Outputs(i)
            if (tensor := taken.get(output.TensorIndex())) is not None:
                quantization = graph.Tensors(tensor).Quantization()
                if quantization is not None and quantization.ScaleLength() == 1:
                    found[signature.SignatureKey().decode(), output.Name().decode()] = float(quantization.Scale(0))
    return found


def _is(model: Any, operator: Any, kind: int) -> bool:
    code = model.OperatorCodes(operator.OpcodeIndex())
    return bool(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) == kind)
