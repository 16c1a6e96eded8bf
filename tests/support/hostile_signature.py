"""A signature.json whose every name is a trap for generated code, with every dtype, form and kind that Kotlin knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kit.android.codegen.app_model import AppModel
from kit.bundle.signature import BundleSignature

NASTY = (
    "class",
    "Class",
    "$x ${y}",
    'a"b',
    "back\\slash",
    "\n",
    "",
    "😀",
    "x" * 300,
    "*/ fun evil() /*",
    "[link] @param `code`",
    "main",
    "rotationDegrees",
    "lock",
    "toString",
    "getClass",
    "values",
    "it",
    "9lives",
    "naïve Größe",
    "名前",
    "a/b",
    "a.b",
    "a b",
    "field",
    "\u202ertl",
    "\x01\x1f",
    "_",
    "Outputs",
    "copy",
    "i",
    "other",
    "real",
)


def signed(raw: Mapping[str, Any], id: str = "m") -> BundleSignature:  # noqa: A002
    """Return the signature of what signature.json has."""
    return BundleSignature.from_json({"id": id, "version": "1.0.0", "signature": "serve"} | dict(raw) | {"id": id})


def app_model(
    raw: Mapping[str, Any], labels: Mapping[str, Sequence[str]] | None = None, runtime: str = "litert:2.3.0"
) -> AppModel:
    """Return the model of what signature.json has, in the package com.example.m."""
    return AppModel(signed(raw), runtime, None, labels or {})


def tensor(name: str, dtype: str = "float32", shape: tuple[int, ...] = (1, 3), **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "dtype": dtype,
        "shape": list(shape),
        "kind": "tensor",
        "scale": None,
        "zero_point": None,
    } | more


def image(name: str, dtype: str, color: str, resize: str) -> dict[str, Any]:
    channels = 1 if color == "grayscale" else 3
    more: dict[str, Any] = {"kind": "image", "color": color, "resize": resize, "mean": [127.5], "std": [127.5]}
    affine = {"scale": 0.0078125, "zero_point": 0 if dtype == "int8" else 128} if dtype != "float32" else {}
    return tensor(name, dtype, (1, 6, 4, channels), **more, **affine)


def hostile_signature(*, int16: bool, opened: bool = False) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return (signature, labels by output). int16 and open axes are for the Interpreter alone."""
    dtypes = ["float32", "int32", "int64", "uint8", "int8", "bool", *(["int16"] if int16 else [])]
    inputs = [
        image("photo", "uint8", "rgb", "crop"),
        image("Photo", "int8", "bgr", "stretch"),
        image("by night", "float32", "grayscale", "stretch"),
        *(tensor(name, dtypes[i % len(dtypes)]) for i, name in enumerate(NASTY)),
        tensor("bytes", "uint8", scale=0.25, zero_point=3),
    ]
    outputs = [
        tensor("many", shape=(1, 2500), kind="classes", labels="labels.txt", activation="softmax"),
        tensor(
            "few",
            "int8",
            (1, len(NASTY)),
            kind="classes",
            labels="l2.txt",
            activation="none",
            scale=1e-7,
            zero_point=-128,
        ),
        tensor(
            "sure",
            "uint8",
            (1, 1),
            kind="classes",
            labels=None,
            activation="sigmoid",
            threshold=0.75,
            scale=0.5,
            zero_point=1,
        ),
        tensor("plain scores", "int32", (1, 4), kind="classes", labels=None, activation="none", threshold=2.0),
        tensor("quantized", "int8", scale=0.5, zero_point=-1),
        tensor("alone", "int64", (), batched=False),
        *(tensor(name, dtypes[-1 - i % len(dtypes)]) for i, name in enumerate(NASTY)),
    ]
    others: list[dict[str, Any]] = [
        {
            "signature": key,
            "inputs": [tensor("x"), tensor("bytes", "int8", scale=0.5)],
            "outputs": [tensor("y"), tensor("z", "bool")],
        }
        for key in (
            "run",
            "create",
            "close",
            "classify",
            "await classify",
            "selfTest",
            "Main",
            "\n",
            "*/",
            "😀",
            "read variables",
        )
    ]
    signature: dict[str, Any] = {
        "signature": '$serving "default" */',
        "inputs": inputs,
        "outputs": outputs,
        "others": others,
        "train": {
            "signature": "train",
            "inputs": [tensor("x", shape=(4, 3))],
            "outputs": [tensor("loss", shape=(), batched=False)],
        },
        "variables": {
            "read": "read_variables",
            "assign": "assign_variables",
            "tensors": [tensor(name, dtypes[i % len(dtypes)], (2,)) for i, name in enumerate(NASTY)],
        },
    }
    if opened:
        for one in (inputs[-1], inputs[5], outputs[-1], outputs[4], others[0]["inputs"][0], others[0]["outputs"][1]):
            one["shape"] = [1, -1]
    return signature, {"many": [f"label {i}" for i in range(2500)], "few": list(NASTY)}
