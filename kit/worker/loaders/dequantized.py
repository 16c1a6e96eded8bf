"""Keras 3 models with weights that Keras itself quantized, or with LoRA: the same model with one float kernel a layer.

The converter cannot read Keras's int8 and int4 layers, and quantizes better itself. Layers are Dense, EinsumDense and
Embedding, the ones that `quantize` and `enable_lora` know. Source of the formulas: those layers in Keras 3.15.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kit.shared.job import JobError

UNQUANTIZED = "save the model before model.quantize(), and convert that file: [quantize] scheme says the rest"


def with_float_weights(keras: Any, model: Any, text: str, objects: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the model, or its float copy where layers are quantized or have LoRA, and a note on that, else "".

    text is the model's description. Raises JobError (kind "model") for a quantization that cannot be undone.
    """
    layers = [] if keras.__version__.startswith("2") else model._flatten_layers(include_self=False)
    modes = {str(layer.quantization_mode) for layer in layers if getattr(layer, "quantization_mode", None)}
    adapted = any(getattr(layer, "lora_enabled", False) for layer in layers)
    if not modes and not adapted:
        return model, ""
    if not isinstance(model, keras.Sequential) and not getattr(model, "inputs", None):
        if modes:
            raise JobError(
                "model", f"a subclassed model that Keras quantized ({', '.join(sorted(modes))})", UNQUANTIZED
            )
        return model, ""
    with keras.utils.custom_object_scope(objects):
        copy = type(model).from_config(_float_config(json.loads(text)["config"]))
    if not copy.built:
        copy.build(model.inputs[0].shape)
    for old, new in zip(layers, copy._flatten_layers(include_self=False), strict=True):
        _copy(old, new)
    what = f"its weights were quantized by Keras ({', '.join(sorted(modes))}) and are float32 again" if modes else ""
    return copy, what or "what LoRA learned is added to the weights"


def holds_int8(path: Path) -> bool:
    """Say whether a .keras or .h5 file has weights of Keras's own int8 or int4, wherever its layers are."""
    found = False

    def look(_name: str, item: Any) -> None:
        nonlocal found
        found = found or (isinstance(item, h5py.Dataset) and item.dtype == np.int8)

    with suppress(OSError, KeyError), ExitStack() as stack:
        opened: Any = path
        if zipfile.is_zipfile(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
            opened = stack.enter_context(archive.open("model.weights.h5"))
        stack.enter_context(h5py.File(opened, "r")).visititems(look)
    return found


def _float_config(value: Any) -> Any:
    """Return a configuration without quantization and LoRA."""
    if isinstance(value, list):
        return [_float_config(each) for each in value]
    if not isinstance(value, dict):
        return "float32" if isinstance(value, str) and "_from_float" in value else value
    own = value.get("config")
    if isinstance(own, dict) and "source_name" in own:
        return "float32"
    if value.get("class_name") == "DTypePolicyMap":
        return "float32"
    dropped = ("quantization_config", "lora_rank", "lora_alpha", "gptq_unpacked_column_size")
    return {key: _float_config(each) for key, each in value.items() if key not in dropped}


def _copy(old: Any, new: Any) -> None:
    """Give a float layer what its counterpart holds, without the variables of layers inside."""
    if getattr(old, "quantization_mode", None) is None and not getattr(old, "lora_enabled", False):
        store: dict[str, Any] = {}
        old.save_own_variables(store)
        new.load_own_variables(store)
        return
    if hasattr(old, "_embeddings"):
        new._embeddings.assign(_embeddings(old))
        reverse = getattr(new, "reverse_embeddings", None)
        if reverse is not None:
            reverse.assign(_reverse(old))
        return
    new._kernel.assign(_kernel(old))
    if new.bias is not None:
        new.bias.assign(old.bias)


def _kernel(layer: Any) -> Any:
    """Return a Dense's or EinsumDense's kernel as float32 of its own shape, what LoRA added included."""
    mode, kernel = layer.quantization_mode, getattr(layer, "_kernel", None)
    if mode in {None, "float8"}:
        made = _array(kernel)
    elif mode == "int8":
        adjust = getattr(layer, "_adjust_scale_for_dequant", lambda scale: scale)
        made = _array(kernel) / _array(adjust(layer.kernel_scale))
    elif mode == "int4":
        columns = getattr(layer, "_int4_unpacked_column_size", None) or layer._orig_output_dim
        made = _grouped(layer, _nibbles(kernel, columns), "kernel", axis=0)
    else:
        raise JobError(
            "model", f"layer '{layer.name}' was quantized by Keras ({mode}), and has no float weights", UNQUANTIZED
        )
    if layer.lora_enabled:
        delta = np.matmul(_array(layer.lora_kernel_a), _array(layer.lora_kernel_b))
        made = made.reshape(getattr(layer, "original_kernel_shape", made.shape)) + _factor(layer) * delta
    return made.reshape(getattr(layer, "original_kernel_shape", None) or made.shape).astype(np.float32)


def _embeddings(layer: Any) -> Any:
    """Return an Embedding's table [input_dim, output_dim] as float32, what LoRA added included."""
    if layer.quantization_mode is None:
        made = _array(layer._embeddings)
    elif layer.quantization_mode == "int8":
        made = _array(layer._embeddings) / _array(layer.embeddings_scale)[:, None]
    else:
        made = _grouped(layer, _nibbles(layer._embeddings, layer.output_dim), "embeddings", axis=1)
    if layer.lora_enabled:
        made = made + _factor(layer) * np.matmul(_array(layer.lora_embeddings_a), _array(layer.lora_embeddings_b))
    return made.astype(np.float32)


def _reverse(layer: Any) -> Any:
    """Return a ReversibleEmbedding's second table [output_dim, input_dim] as float32: an array, or its variable."""
    if layer.quantization_mode is None:
        return layer.reverse_embeddings
    if layer.quantization_mode != "int8":
        raise JobError("model", f"layer '{layer.name}' was quantized by Keras ({layer.quantization_mode})", UNQUANTIZED)
    return _array(layer.reverse_embeddings) / _array(layer.reverse_embeddings_scale)


def _grouped(layer: Any, values: Any, name: str, *, axis: int) -> Any:
    """Return int4 values [rows, columns] as float32.

    There is one scale a channel, or a scale and zero point for each group along the axis.
    """
    scale = _array(getattr(layer, f"{name}_scale"))
    zero = getattr(layer, f"{name}_zero", None)
    if zero is None:
        return values / (scale if axis == 0 else scale[:, None])
    groups = _array(layer.g_idx).astype(int)
    return (values - np.take(_array(zero), groups, axis)) * np.take(scale, groups, axis)


def _nibbles(packed: Any, columns: int) -> Any:
    """Return float32 [rows, columns] of int8 [rows, half of them]: the low four bits of a byte are the first value."""
    raw = np.asarray(packed).astype(np.int8)
    both = np.stack([(raw << 4) >> 4, raw >> 4], axis=-1).reshape(*raw.shape[:-1], -1)
    return both[..., :columns].astype(np.float32)


def _factor(layer: Any) -> float:
    return float(layer.lora_alpha) / float(layer.lora_rank)


def _array(variable: Any) -> Any:
    """Return a variable's value as float32 of its shape."""
    return np.asarray(variable).astype(np.float32)
