"""Write a bundle's metadata into its model file: from its signature to bytes, in one call."""

from __future__ import annotations

from collections.abc import Mapping

from kit.bundle.metadata import About, calibrations, describe
from kit.bundle.signature import BundleSignature
from kit.tflite.metadata.attach import attach
from kit.tflite.metadata.encode import encode
from kit.tflite.reader import read_tflite


def write_metadata(model: bytes, signature: BundleSignature, about: About, labels: Mapping[str, bytes]) -> bytes:
    """Return the model file with its metadata, the same bytes for the same arguments.

    labels: the content of each labels file by its name there. What the converter wrote is all
    in it, byte for byte, in one piece. Raises ModelError where model is no whole .tflite file.
    """
    metadata = describe(read_tflite(model), signature, about)
    return attach(model, encode(metadata), {**labels, **calibrations(signature)})
