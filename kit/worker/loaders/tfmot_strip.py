"""What tensorflow-model-optimization (tfmot) leaves around layers and is not part of the network, taken away.

Pruning's masks and clustering's centroids are put into the weights, as tfmot's own strip_pruning and strip_clustering
do; the wrappers of quantization stay, for they round. The notes say how sparse the weights are.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kit.shared.job import ModelPart

_QUANTIZED = {"QuantizeWrapper", "QuantizeWrapperV2"}
_STRIPPED = {"ClusterWeights", "PruneLowMagnitude", "QuantizeAnnotate"}
_CLUSTERS = ("cluster_centroids_tf:0", "ori_weights_vars_tf:0", "pulling_indices_tf:0")
_SPARSE = 0.1  # share of zeros from which on a model that was trained for 8 bits is noted as sparse
_FEW = 64  # different values in a layer's weights, up to which they are noted


def stripped(keras: Any, model: Any) -> tuple[Any, list[str]]:
    """Return a model without tfmot's wrappers that only training needs, and what a user should know of its weights."""
    found = list(_layers(model))
    notes = _settled([layer for layer in found if type(layer).__name__ in _STRIPPED])
    notes += _held([layer for layer in found if type(layer).__name__ in _QUANTIZED])
    if not any(type(layer).__name__ in _STRIPPED for layer in found):
        return model, notes
    return _cloned(keras, model), notes


def without_clusters(path: Path, part: ModelPart, to: Path) -> Path:
    """Return an .h5 file whose layers have no variables of tfmot's cluster-preserving training: a copy where any has.

    Their values are in the layers' weights. Keras takes a layer's variables by their order in the file.
    """
    if part.format != ".h5" or not part.legacy_keras:
        return path
    import h5py

    with h5py.File(path, "r") as file:
        found = [name for name, names in _weight_names(file) if any(each.endswith(_CLUSTERS) for each in names)]
    if not found:
        return path
    shutil.copyfile(path, to)
    with h5py.File(to, "r+") as file:
        for name, names in _weight_names(file):
            if name in found:
                left = [each.encode() for each in names if not each.endswith(_CLUSTERS)]
                file["model_weights"][name].attrs["weight_names"] = left
    return to


def _weight_names(file: Any) -> Iterator[tuple[str, list[str]]]:
    for name, group in file.get("model_weights", {}).items():
        names = group.attrs.get("weight_names", ())
        yield name, [each.decode() if isinstance(each, bytes) else str(each) for each in names]


def _layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)


def _cloned(keras: Any, model: Any) -> Any:
    def clone(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return _cloned(keras, layer)
        return layer.layer if type(layer).__name__ in _STRIPPED else layer

    return keras.models.clone_model(model, clone_function=clone)


def _settled(wrappers: Sequence[Any]) -> list[str]:
    """Put masks and centroids into the weights, and return sentences on them."""
    pruned: dict[str, list[np.ndarray]] = {}
    clustered: dict[str, list[np.ndarray]] = {}
    annotated = []
    for wrapper in wrappers:
        for weight, mask in getattr(wrapper, "pruned", ()):
            weight.assign(weight * mask)
            pruned.setdefault(wrapper.layer.name, []).append(weight.numpy())
        for weight, centroids in getattr(wrapper, "clustered", ()):
            weight.assign(_nearest(wrapper, weight.numpy(), centroids.numpy()))
            clustered.setdefault(wrapper.layer.name, []).append(weight.numpy())
        if type(wrapper).__name__ == "QuantizeAnnotate":
            annotated.append(wrapper.layer.name)
    notes = [_zeros("pruned with tfmot", pruned)] if pruned else []
    notes += [_values("clustered with tfmot", clustered)] if clustered else []
    if annotated:
        notes.append(
            f"layers {_listed(annotated)} were annotated for quantization-aware training and not trained so: "
            "tfmot.quantization.keras.quantize_apply makes the model that is"
        )
    return notes


def _nearest(wrapper: Any, weights: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Return each weight's nearest centroid; where zeros were preserved, the one next to zero is zero.

    weights: float32 [..., channels]; centroids: float32 [clusters], or [channels, clusters] by channel.
    """
    if wrapper.by_channel:
        columns = [_of(wrapper, weights[..., at], centroids[at]) for at in range(weights.shape[-1])]
        return np.stack(columns, axis=-1)
    return _of(wrapper, weights, centroids)


def _of(wrapper: Any, weights: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Return each weight's nearest centroid, in weights' shape. weights, centroids: float32 [...] and [clusters]."""
    kept = centroids.copy()
    if wrapper.sparse:
        kept[np.abs(kept).argmin()] = 0
    return np.asarray(kept[np.abs(weights[..., None] - kept).argmin(axis=-1)])


def _held(wrappers: Sequence[Any]) -> list[str]:
    """Return sentences on the weights of layers that were trained for 8 bits: pruning or clusters may be preserved."""
    weights = {each.layer.name: [variable.numpy() for variable in each.taken] for each in wrappers if each.taken}
    notes = []
    if weights and _share(weights) >= _SPARSE:
        notes.append(_zeros("trained for 8 bits", weights))
    few = {
        name: each
        for name, each in weights.items()
        if all(a.size > 4 * _FEW and len(np.unique(a)) <= _FEW for a in each)
    }
    return notes + ([_values("trained for 8 bits", few)] if few else [])


def _share(weights: dict[str, list[np.ndarray]]) -> float:
    """Return the share of zeros. weights: by layer, float32 of any shape."""
    arrays = [array for each in weights.values() for array in each]
    return sum(int((array == 0).sum()) for array in arrays) / max(sum(array.size for array in arrays), 1)


def _zeros(how: str, weights: dict[str, list[np.ndarray]]) -> str:
    """Return a sentence on the zeros. weights: by layer, float32 of any shape."""
    count = sum(array.size for each in weights.values() for array in each)
    parts = ", ".join(f"{name} {_share({name: each}):.0%}" for name, each in weights.items())
    return f"{how}: {_share(weights):.1%} of {count:,} weights are zero ({parts})"


def _values(how: str, weights: dict[str, list[np.ndarray]]) -> str:
    """Return a sentence on how many values there are. weights: by layer, float32 of any shape."""
    parts = ", ".join(f"{name} {max(len(np.unique(a)) for a in each)}" for name, each in weights.items())
    return f"{how}: the weights of a layer take few different values ({parts})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
