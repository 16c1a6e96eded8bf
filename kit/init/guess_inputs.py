"""What each input may be (image, text, sound, ids or plain numbers), and why. Reads no data.

A guess that cannot be held against the file is marked CHECK, in the recipe and on the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kit.init.description import Description, Shape, Tensor
from kit.init.question import Ask, Question, one_of
from kit.source_model.layer_graph import Layer, LayerGraph, behind
from kit.source_model.text_layer import find_text_layers

CHECK = "CHECK:"
_SOUND = r"wave|audio|sound|speech|pcm|voice|samples?$"
_IMAGE = r"image|img|photo|pict|pixel|frame|face"
_SPECTRUM = r"spec|mel|mfcc|stft|fbank"
_RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000)
_TEXT = ("TextVectorization", "StringLookup")
_SIDE, _STEPS = 224, 64  # of an open axis: of an image, of a sequence
# How Keras's own networks want pixels: the start of the model's name, without "_" and small.
_NETWORKS = {
    "-1..1": "mobilenetv2 mobilenet inceptionv3 inceptionresnetv2 xception nasnet resnet50v2 resnet101v2 resnet152v2",
    "caffe": "vgg16 vgg19 resnet50 resnet101 resnet152",
    "imagenet": "densenet",
    "inside": "efficientnet convnext mobilenetv3 regnet",
}
# (mean, std) of the recipe: model value = (pixel - mean) / std.
NORMALIZATION: dict[str, tuple[list[float], list[float]]] = {
    "0..255": ([], []),
    "0..1": ([0.0], [255.0]),
    "-1..1": ([127.5], [127.5]),
    "imagenet": ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
}
_INSIDE = ("Rescaling", "Normalization", "BatchNormalization")
_ARITHMETIC = ("TrueDivide", "Divide", "Multiply", "Subtract", "TFOpLambda", "Lambda")


@dataclass(frozen=True)
class InputGuess:
    """What an input is taken for. keys: the recipe's, but for name and kind; doubts: what the user has to look at."""

    tensor: Tensor
    kind: str
    reasons: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    keys: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one sample in the file: that of the recipe where the model leaves an axis open."""
        return tuple(self.keys.get("shape") or [size or 1 for size in self.tensor.shape or ()])

    @property
    def said(self) -> bool:
        """Say whether the recipe needs a table for it."""
        return bool(self.keys) or self.kind != "tensor"


def guess_inputs(description: Description, ask: Ask) -> list[InputGuess]:
    """Return what each input may be. Raises ModelError where the model's text layers cannot be read."""
    return [_guess(description, tensor, ask) for tensor in description.inputs]


def _guess(description: Description, tensor: Tensor, ask: Ask) -> InputGuess:
    layers = list(behind(description.graph, tensor.name)) if description.graph is not None else []
    shape = tensor.shape or ()
    if tensor.dtype == "string":
        return _text(description, tensor, layers)
    embeddings = [layer for layer in layers if layer.kind == "Embedding"]
    if embeddings:
        return _opened(_ids(tensor, embeddings), ask)
    whole = tensor.dtype.startswith(("int", "uint", "bool"))
    if not whole and _is_image(tensor.name, shape):
        return _image(description, _opened(InputGuess(tensor, "image"), ask), layers, ask)
    if not whole and _is_sound(tensor.name, shape, layers):
        return _sound(tensor, layers, ask)
    reasons = [f"kind tensor: the app passes numbers of the shape {shown(shape)}, {tensor.dtype}"]
    if len(shape) == 3 and shape[0] in {1, 3} and min(size or 99 for size in shape[1:]) > 4:
        reasons.append(
            "an image with its channels first, it seems: Android's images have them last, so the app has to turn them"
        )
    if re.search(_SPECTRUM, tensor.name.lower()) and len(shape) > 1:
        reasons.append("a spectrogram, by its name: the app has to compute it as in training")
    return _opened(InputGuess(tensor, "tensor", tuple(reasons)), ask)


def shown(shape: Shape) -> str:
    """Return a shape for a user: [any, 9]."""
    return f"[{', '.join('any' if size is None else str(size) for size in shape)}]"


def _is_image(name: str, shape: Shape) -> bool:
    if re.search(_SPECTRUM, name.lower()):
        return False
    if len(shape) == 3:
        return shape[2] in {1, 3} and all(size is None or size > 4 for size in shape[:2])
    return len(shape) == 2 and bool(re.search(_IMAGE, name.lower())) and all(size and size > 4 for size in shape)


def _is_sound(name: str, shape: Shape, layers: Sequence[Layer]) -> bool:
    long = [size for size in shape if size != 1]
    if len(shape) not in {1, 2} or len(long) != 1:
        return False
    spectral = any(layer.kind in {"STFTSpectrogram", "MelSpectrogram"} for layer in layers)
    named = bool(re.search(_SOUND, name.lower())) and (long[0] is None or long[0] >= 400)
    return spectral or named or (long[0] or 0) in _RATES


def _text(description: Description, tensor: Tensor, layers: Sequence[Layer]) -> InputGuess:
    """Return a guess of an input of text. One that no app can feed has kind "": the worker says why."""
    texts = [layer for layer in layers if layer.kind in _TEXT]
    found = {text.name: text for text in find_text_layers(description.source)}
    usable = [found[layer.name] for layer in texts if layer.name in found and not found[layer.name].problem]
    if len(usable) != 1 or len(texts) != len(layers):
        return InputGuess(tensor, "")
    layer = usable[0]
    reasons = [f"kind text: the model begins with the {layer.kind} '{layer.name}', {layer.tokens:,} tokens"]
    keys: dict[str, Any] = {"source": layer.name}
    doubts = []
    if layer.length is None and layer.split != "none":
        keys["shape"] = [_STEPS]
        doubts.append(f"the model takes any number of tokens: longer texts are cut at {_STEPS}")
    return InputGuess(tensor, "text", tuple(reasons), tuple(doubts), keys)


def _ids(tensor: Tensor, embeddings: Sequence[Layer]) -> InputGuess:
    rows = [layer.config.get("input_dim") for layer in embeddings]
    sizes = [size for size in rows if type(size) is int]
    keys: dict[str, Any] = {} if tensor.dtype == "int32" else {"dtype": "int32"}
    if sizes and min(sizes) > 1:
        keys["range"] = [0, min(sizes) - 1]
    reason = f"ids of the embedding '{embeddings[0].name}'" + (f", which has {min(sizes):,} rows" if sizes else "")
    return InputGuess(tensor, "tensor", (f"kind tensor: {reason}; the app passes whole numbers",), keys=keys)


def _opened(guess: InputGuess, ask: Ask) -> InputGuess:
    """Return a guess with a size for each open axis."""
    shape = guess.tensor.shape or ()
    if None not in shape:
        return guess
    default = _SIDE if guess.kind == "image" else _STEPS
    closed = [size or default for size in shape]

    def problem(reply: str) -> str:
        sizes = _sizes(reply)
        fits = len(sizes) == len(shape) and all(own in (None, size) for own, size in zip(shape, sizes, strict=True))
        return "" if fits else f"{len(shape)} whole numbers that fit {shown(shape)}"

    reply = ask(
        Question(f"'{guess.tensor.name}' is {shown(shape)}: which shape has it in the app?", str(closed), problem)
    )
    doubt = "the model takes any size, and the app gets this one; -1 for an axis leaves it open in the app, too"
    return replace(guess, keys=guess.keys | {"shape": _sizes(reply)}, doubts=(*guess.doubts, doubt))


def _sizes(reply: str) -> list[int]:
    words = re.split(r"[\s,x\[\]]+", reply.strip().lower())
    return [int(word) for word in words if word.isdigit() and 0 < int(word) < 2**31]


def _sound(tensor: Tensor, layers: Sequence[Layer], ask: Ask) -> InputGuess:
    long = next(size for size in tensor.shape or () if size != 1)
    rate = long if long in _RATES else 16000
    for layer in layers:
        rate = layer.config.get("sampling_rate") or rate
    given = f"{long:,}" if long else "any number of"
    reply = ask(
        Question(
            f"'{tensor.name}' takes {given} samples of sound: how many a second?",
            str(rate),
            lambda text: "" if text.isdigit() and 1000 <= int(text) <= 768_000 else "a whole number, 1000 to 768000",
        )
    )
    keys: dict[str, Any] = {"rate": int(reply)} | ({} if long else {"window": int(reply)})
    reason = f"kind audio: one axis of {given} samples, " + (
        "its name says sound" if re.search(_SOUND, tensor.name.lower()) else "as many as a second of sound has"
    )
    doubts = (f"no model file says its rate; {reply} is right only where training used {reply} samples a second",)
    return InputGuess(tensor, "audio", (reason,), doubts, keys)


def _image(description: Description, guess: InputGuess, layers: Sequence[Layer], ask: Ask) -> InputGuess:
    shape = guess.tensor.shape or ()
    channels = "one channel, gray" if len(shape) == 2 or shape[2] == 1 else "three channels, red, green and blue"
    reason = f"kind image: height, width and {channels}"
    inside = next((f"the layer '{layer.name}' ({layer.kind})" for layer in layers if layer.kind in _INSIDE), "")
    computed = next((f"'{layer.name}' ({layer.kind})" for layer in layers if layer.kind in _ARITHMETIC), "")
    network, how = _network(description.graph)
    if inside or how == "inside":
        why = f"{inside or network} normalizes pixels inside the model, so mean and std stay away"
        return replace(guess, reasons=(reason, why))
    if how == "caffe":
        keys = guess.keys | {"mean": [103.939, 116.779, 123.68], "std": [1.0, 1.0, 1.0], "color": "bgr"}
        doubt = f"mean, std and color are those of Keras's preprocess_input of {network}; training may have others"
        return replace(guess, reasons=(reason,), doubts=(*guess.doubts, doubt), keys=keys)
    if computed:
        why = f"{computed} calculates with the pixels, which looks like a normalization of the model's own"
        default = "0..255"
    else:
        why = f"{network} of Keras takes pixels so" if network else "the model does not say how pixels were normalized"
        default = how or "0..1"
    words = list(NORMALIZATION) if len(shape) == 3 and shape[2] == 3 else ["0..255", "0..1", "-1..1"]
    reply = ask(
        Question(
            f"'{guess.tensor.name}': what did training make of pixels ({why})? {', '.join(words)}",
            default,
            one_of(*words),
        )
    )
    return normalized(replace(guess, reasons=(reason,)), reply, f"{why}; this makes pixels {reply}")


def normalized(guess: InputGuess, word: str, why: str, *, sure: bool = False) -> InputGuess:
    """Return the guess of an image with the mean and std of a word of NORMALIZATION."""
    mean, std = NORMALIZATION[word]
    keys = {key: given for key, given in guess.keys.items() if key not in {"mean", "std"}}
    keys |= {"mean": mean, "std": std} if mean else {}
    if sure:
        return replace(guess, reasons=(*guess.reasons, why), keys=keys)
    doubt = f"{why}. 0..1 is mean 0, std 255; -1..1 is mean 127.5, std 127.5; 0..255 is neither key"
    return replace(guess, doubts=(*guess.doubts, doubt), keys=keys)


def _network(graph: LayerGraph | None) -> tuple[str, str]:
    """Return the network of Keras's applications that a model is or begins with, and how it wants pixels."""
    for name in _names(graph):
        plain = name.lower().replace("_", "")
        found = [(word, how) for how, words in _NETWORKS.items() for word in words.split() if plain.startswith(word)]
        if found:
            return f"'{name}'", max(found, key=lambda each: len(each[0]))[1]
    return "", ""


def _names(graph: LayerGraph | None) -> Iterator[str]:
    if graph is not None:
        yield graph.name
        yield from (layer.name for layer in graph.layers.values() if layer.inner is not None)
