"""What a bundle.json may say: every field that anything is made of, by its type and its pattern. Reads no file.

A bundle may come from anyone, and its fields become paths, packages, Gradle, Kotlin and lines on a terminal. What a
build writes always fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Check = Callable[[Any], bool]
Rule = Any  # a Check, {key: Rule} with "key?" for one that may be missing, [Rule] for a list, or {"*": Rule} for a map

ID = r"[a-z][a-z0-9_]{0,99}"
VERSION = r"[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?"
RUNTIME = r"(litert|tflite|play):[0-9]+(\.[0-9]+){1,3}"
PACKAGE = r"[a-z][A-Za-z0-9_]*(\.[a-z][A-Za-z0-9_]*)+"
_NUMBERS = r"[0-9]+(\.[0-9]+){1,3}"
_MOST_FILES = 10_000
_TYPES = ("float32", "float16", "float64", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "bool")
# Where a bundle has the files that an app gets. %s is its id.
_PLACES = (
    r"src/main/assets/%s/(model\.tflite|signature\.json|(labels|vocabulary)(_[0-9]+)?\.txt|(anchors(_[0-9]+)?|expected)\.bin)",
    r"src/debug/assets/%s/golden\.bin",
    r"src/(main|androidTest)/kotlin/([A-Za-z0-9_]+/)+[A-Za-z0-9_]+\.kt",
    r"(README\.md|report\.html|consumer-rules\.pro)",
    r"emulate/(emulate\.py|constants\.py|((pre|post)process|text|audio|wav)\.py|harness/[a-z_]+\.py|golden\.npz|requirements\.txt)",
    r"provenance/(requirements(-aarch64)?\.lock|quantizer\.lock|samples\.npz|(custom|metrics)\.py|(structure|tensors)\.json|update_key\.pem)",
)


def pattern(text: str) -> Check:
    """Return a check for texts that this regular expression takes whole."""
    return lambda value: isinstance(value, str) and re.fullmatch(text, value) is not None


def text(value: Any) -> bool:
    """Say whether it is text of a bearable length."""
    return isinstance(value, str) and len(value) <= 10_000


def inside(name: Any) -> bool:
    """Say whether it is a path that stays in its folder, on every system."""
    if (
        not isinstance(name, str)
        or not name
        or len(name) > 500
        or not name.isprintable()
        or re.search(r'[\\:"$`]', name)
    ):
        return False
    return not name.startswith("/") and all(part not in {"", ".", ".."} for part in name.split("/"))


def _number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -1 <= value < 1 << 31


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def or_none(check: Check) -> Check:
    """Return a check that None passes, too."""
    return lambda value: value is None or check(value)


_SHA = pattern(r"[0-9a-f]{64}")
_LABELS = or_none(pattern(r"labels(_[0-9]+)?\.txt"))
_SIZE = or_none(lambda value: isinstance(value, list) and len(value) == 2 and all(map(_whole, value)))
_NAME = or_none(text)
_BOXES = {
    "labels": _LABELS,
    "head": pattern("ssd|scores|anchors|yolo|yolo-objectness"),
    "format": pattern("xyxy|yxyx|cxcywh"),
    "size": _SIZE,
    "transposed": _flag,
    "activation": pattern("none|softmax|sigmoid"),
    "background": _flag,
    "variances": [_number],
    "threshold": _number,
    "nms": pattern("class|all|none"),
    "iou": _number,
    "most": _whole,
    "anchors": or_none(pattern(r"anchors(_[0-9]+)?\.bin")),
    "scores": _NAME,
    "classes": _NAME,
    "count": _NAME,
}
_MASK = {
    "labels": _LABELS,
    "activation": pattern("none|softmax|sigmoid"),
    "background": _flag,
    "threshold": _number,
}
_KEYPOINTS = {
    "labels": _LABELS,
    "head": pattern("heatmap|coordinates"),
    "format": pattern("xy|yx"),
    "size": _SIZE,
    "activation": pattern("none|sigmoid"),
    "threshold": _number,
}
_TEXT = {
    "vocabulary": pattern(r"vocabulary(_[0-9]+)?\.txt"),
    "standardize": pattern("lower_and_strip_punctuation|lower|strip_punctuation|none"),
    "split": pattern("whitespace|character|none"),
    "unknown": lambda value: _whole(value) and value in (0, 1),
}
_AUDIO = {"rate": _whole, "window": _whole, "hop": _whole}
_TENSOR = {
    "name": text,
    "shape": [_whole],
    "dtype": lambda value: value in _TYPES,
    "scale?": _number,
    "zero_point?": _number,
    "kind?": pattern("image|tensor|classes|boxes|mask|keypoints|embedding|text|audio|ids"),
    "batched?": _flag,
    "origin?": text,
    "text?": _TEXT,
    "audio?": _AUDIO,
    "labels?": _LABELS,
    "boxes?": _BOXES,
    "mask?": _MASK,
    "keypoints?": _KEYPOINTS,
    "embedding?": {"labels": _LABELS},
    "activation?": pattern("none|softmax|sigmoid"),
    "threshold?": _number,
    "color?": pattern("grayscale|rgb|bgr"),
    "resize?": pattern("stretch|crop|letterbox"),
    "pad_color?": [lambda value: _whole(value) and 0 <= value <= 255],
    "mean?": [_number],
    "std?": [_number],
}
_CALL = {"signature": text, "inputs": [_TENSOR], "outputs": [_TENSOR]}
_SIGNATURE = _CALL | {
    "id": pattern(ID),
    "version": pattern(VERSION),
    "model": pattern(r"model\.tflite"),
    "others?": [_CALL],
    "train?": _CALL,
    "variables?": {"read": text, "assign": text, "tensors": [{"name": text, "shape": [_whole], "dtype": text}]},
    "flex?": [text],
    "resets?": _flag,
}
_MANIFEST = {
    "id": pattern(ID),
    "version": pattern(VERSION),
    "key": text,
    "kit": pattern(r"[0-9A-Za-z.+-]{1,40}"),
    "recipe": {
        "model": {"id": pattern(ID), "version": pattern(VERSION), "code?": text, "structure?": text},
        "android": {
            "runtime": pattern(RUNTIME),
            "package?": pattern(PACKAGE),
            "also?": [pattern(RUNTIME)],
            "update_key?": text,
            "update_version?": lambda value: _whole(value) and value >= 1,
        },
    },
    "source": {"files": [{"file": lambda name: inside(name) and "/" not in name, "sha256": _SHA}]},
    "toolchain": {
        "tensorflow": pattern(_NUMBERS),
        "python": pattern(r"3\.[0-9]{1,2}"),
        "keras": pattern(_NUMBERS),
        "legacy_keras": pattern(f"({_NUMBERS})?"),
        "locks": {"x86_64?": _SHA, "aarch64?": _SHA},
        "quantizer?": pattern(r"(litert-quantizer [0-9A-Za-z.]{1,30})?"),
        "quantizer_lock_sha256?": pattern(r"([0-9a-f]{64})?"),
    },
    "model": {
        "sha256": _SHA,
        "bytes": lambda value: isinstance(value, int) and value >= 0,
        "scheme": text,
        "io": text,
        "unsure?": {"*": lambda value: value is not None and _number(value)},
    },
    "signature": _SIGNATURE,
    "files": {"*": _SHA},
}


def faults_of(manifest: Mapping[str, Any]) -> list[str]:
    """Return a line for each field that is missing or is none that a build writes; the first twenty."""
    found = [line for line, _ in zip(_faults(manifest, _MANIFEST, ""), range(20), strict=False)]
    return found or [line for line, _ in zip(_together(manifest), range(20), strict=False)]


def _faults(value: Any, rule: Rule, place: str) -> Iterator[str]:
    if isinstance(rule, list):
        yield from _of_list(value, rule[0], place)
    elif isinstance(rule, Mapping):
        yield from _of_table(value, rule, place)
    elif not rule(value):
        yield f"{place} is {repr(value)[:80]}"


def _of_list(value: Any, rule: Rule, place: str) -> Iterator[str]:
    if not isinstance(value, list) or len(value) > _MOST_FILES:
        yield f"{place} is no list"
        return
    for i, each in enumerate(value):
        yield from _faults(each, rule, f"{place}[{i}]")


def _of_table(value: Any, rule: Mapping[str, Rule], place: str) -> Iterator[str]:
    if not isinstance(value, dict) or len(value) > _MOST_FILES:
        yield f"{place or 'it'} is no table"
        return
    for key, inner in rule.items():
        name = key.removesuffix("?")
        if key == "*":
            for each in value:
                yield from _faults(value[each], inner, f"{place}[{each[:80]!r}]")
        elif name in value:
            yield from _faults(value[name], inner, f"{place}.{name}".lstrip("."))
        elif name == key:
            yield f"{place}.{name} is missing".lstrip(".")


def shape_faults(signature: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a call gives nothing, or an image is no [batch, height, width, channels] of one mean a channel."""
    calls = [
        ("signature", signature),
        *((f"signature.others[{i}]", v) for i, v in enumerate(signature.get("others", []))),
    ]
    for place, call in calls:
        if not call["outputs"]:
            yield f"{place}.outputs is empty"
        for i, tensor in enumerate(call["inputs"]):
            if tensor.get("kind") == "image":
                yield from _image(f"{place}.inputs[{i}]", tensor)


def _image(place: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield why an input can be no image: its pixels are normalized by one number, or by one for each channel."""
    if len(entry["shape"]) != 4:
        yield f"{place}.shape is {entry['shape']!r}, and its kind is image"
        return
    for key in ("mean", "std"):
        numbers = entry.get(key, [1.0])
        if len(numbers) not in (1, entry["shape"][3]) or None in numbers:
            yield f"{place}.{key} is {numbers!r}, and the image has {entry['shape'][3]} channels"
        elif key == "std" and 0 in numbers:
            yield f"{place}.std is {numbers!r}, and pixels are divided by it"


def _together(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield where fields that each are well do not go together."""
    for place, other in (("recipe.model", manifest["recipe"]["model"]), ("signature", manifest["signature"])):
        for key in ("id", "version"):
            if other[key] != manifest[key]:
                yield f"{place}.{key} is {other[key]!r}, and {key} is {manifest[key]!r}"
    yield from shape_faults(manifest["signature"])
    places = re.compile("|".join(f"({place.replace('%s', manifest['id'])})" for place in _PLACES))
    for name in manifest["files"]:
        if not inside(name) or not places.fullmatch(name):
            yield f"files names {name[:80]!r}, which no bundle has"
