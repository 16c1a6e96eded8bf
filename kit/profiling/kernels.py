"""What runs an operator: XNNPACK's operators by name, which of the file's they are, and why LiteRT runs others itself.

Sources: the names of operators in XNNPACK's library, as LiteRT 2.3.0 has it, and what was run there; "Limitations and
supported operators" of TFLite's XNNPACK delegate.
"""

from __future__ import annotations

from collections.abc import Sequence

from kit.tflite.model import Operator, Subgraph, Tensor

# By an operator of the file what XNNPACK may run for it, where the words are others.
_RUNS: dict[str, tuple[str, ...]] = {
    "ADD": ("Add",),
    "AVERAGE_POOL_2D": ("Average Pooling",),
    "BATCH_MATMUL": ("Batch Matrix Multiply", "Fully Connected", "Dynamic Fully Connected"),
    "CAST": ("Convert", "Copy"),
    "CEIL": ("Ceiling",),
    "CONCATENATION": ("Copy",),
    "CONV_2D": ("Convolution", "Fully Connected"),
    "COS": ("Cosine",),
    "DEPTHWISE_CONV_2D": ("Convolution",),
    "DEQUANTIZE": ("Convert", "Copy"),
    "DIV": ("Divide",),
    "EXPAND_DIMS": ("Static Expand Dims", "Static Reshape", "Copy"),
    "FULLY_CONNECTED": ("Fully Connected", "Dynamic Fully Connected", "Batch Matrix Multiply"),
    "GELU": ("GELU", "ApproxGELU"),
    "LOGISTIC": ("Sigmoid",),
    "MAX_POOL_2D": ("Max Pooling",),
    "MUL": ("Multiply",),
    "NEG": ("Negate",),
    "PAD": ("Constant Pad",),
    "PADV2": ("Constant Pad",),
    "QUANTIZE": ("Convert", "Copy"),
    "REDUCE_MAX": ("Reduce Max",),
    "REDUCE_MIN": ("Reduce Min",),
    "RELU": ("Clamp",),
    "RELU6": ("Clamp",),
    "RELU_0_TO_1": ("Clamp",),
    "RELU_N1_TO_1": ("Clamp",),
    "RESHAPE": ("Static Reshape", "Copy"),
    "ROUND": ("Bankders Rounding", "Bankers Rounding"),
    "RSQRT": ("Reciprocal Square Root",),
    "SIN": ("Sine",),
    "SPLIT": ("Slice", "Copy"),
    "SQRT": ("Square Root",),
    "SQUEEZE": ("Static Reshape", "Copy"),
    "STRIDED_SLICE": ("Slice", "Copy"),
    "SUB": ("Subtract",),
    "TRANSPOSE_CONV": ("Deconvolution",),
}
# What XNNPACK takes in no form, so that types have nothing to do with it.
_TAKEN = {*_RUNS, "ABS", "DEPTH_TO_SPACE", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LEAKY_RELU", "LOG", "MAXIMUM", "MEAN",
          "MINIMUM", "PRELU", "RESIZE_BILINEAR", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SQUARE", "SQUARED_DIFFERENCE",
          "SUM", "TANH", "TRANSPOSE"} - {"PADV2", "REDUCE_MAX", "REDUCE_MIN", "CAST"}  # fmt: skip
_WITH_GRAPHS = {"WHILE", "IF", "CALL_ONCE", "STABLEHLO_WHILE"}
_WHOLE = {"int8", "uint8", "int4", "int2"}


def may_run(operator: str, kernel: str) -> bool:
    """Say whether an operator of the file may be run by one of XNNPACK's, by its name: "Add (ND)"."""
    name = kernel.partition(" (")[0]
    return name in _RUNS.get(operator, ()) or _letters(name) == _letters(operator)


def why_built_in(graph: Subgraph, operator: Operator) -> str:
    """Say why LiteRT runs an operator itself, and not XNNPACK, which does not say so."""
    if operator.name in _WITH_GRAPHS:
        return "runs other graphs"
    if operator.name.startswith("CUSTOM:") or operator.name not in _TAKEN:
        return "XNNPACK has no such operator"
    tensors = [graph.tensors[at] for at in (*operator.inputs, *operator.outputs) if at >= 0]
    return f"XNNPACK does not take it {_form(tensors, len(operator.inputs))}"


def _form(tensors: Sequence[Tensor], inputs: int) -> str:
    """Return what of an operator's tensors, inputs first, XNNPACK may not take."""
    fed, weights, made = tensors[0], tensors[1] if inputs > 1 else None, tensors[-1]
    if weights is not None and weights.sha256 is not None and weights.dtype in _WHOLE and fed.dtype == "float32":
        return f"with {fed.dtype} inputs and {weights.dtype} weights"
    if fed.dtype != made.dtype:
        return f"from {fed.dtype} to {made.dtype}"
    if fed.dtype != "float32":
        return f"in {fed.dtype}"
    if any(-1 in tensor.shape_signature for tensor in tensors):
        return "with an open axis"
    return "in this form"


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
