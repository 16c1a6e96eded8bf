"""On which terms the class of a bundle takes another model: its key, its version, and digests of what it relies on.

The generated class holds them as constants, and `kit sign` writes the same digests into an update. So a key that comes
into signature.json later has to be left out where it says nothing new, or no app takes an update any more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.bounded import MOST_TEXT, read_bounded
from kit.bundle.layout import UPDATE_KEY, Bundle
from kit.bundle.signature import BundleSignature
from kit.errors import CheckError
from kit.files import tree_digests

# Of the model alone, and the same for every model that a class can run.
_NOT_OF_THE_CONTRACT = ("format", "version", "model")
_OF_THE_SOURCE = "origin"  # what the source model calls a tensor: no app sees it
# The assets that the class reads, or was made of, whichever model runs.
_BESIDE_THE_MODEL = re.compile(r"(labels|vocabulary)(_[0-9]+)?\.txt|anchors(_[0-9]+)?\.bin")
PEM = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----")


@dataclass(frozen=True)
class UpdateTerms:
    """What a class takes of an update, the digests as SHA-256 in hex."""

    version: int  # of the model in the bundle; an update's has to be above it
    key: str  # ECDSA P-256, X.509 SubjectPublicKeyInfo, DER in hex
    signature: str  # of names, order, types, shapes, quantization and what values mean
    labels: str  # of labels, vocabularies and anchors


def terms_of(bundle: Bundle, signature: BundleSignature, version: int) -> UpdateTerms:
    """Return the terms of a bundle whose assets and key are written. Raises CheckError where the key is damaged."""
    return UpdateTerms(
        version, read_key(bundle.folder / UPDATE_KEY).hex(), contract_digest(signature), labels_digest(bundle)
    )


def contract_digest(signature: BundleSignature) -> str:
    """Return the SHA-256 of the contract in hex: all of signature.json that generated code relies on.

    Scales and zero points are in it, for they are constants of the class: see docs/android.md.
    """
    document = {key: value for key, value in signature.to_json().items() if key not in _NOT_OF_THE_CONTRACT}
    text = json.dumps(_without_origins(document), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def labels_digest(bundle: Bundle) -> str:
    """Return one SHA-256 in hex of the names and contents of labels, vocabularies and anchors."""
    digest = hashlib.sha256()
    for name, sha256 in tree_digests(bundle.assets).items():
        if _BESIDE_THE_MODEL.fullmatch(name):
            digest.update(f"{name}\0{sha256}\n".encode())
    return digest.hexdigest()


def pem_text(der: bytes) -> str:
    """Return a public key as PEM, always in the same lines. Source: RFC 7468."""
    text = base64.b64encode(der).decode()
    return "\n".join([PEM[0], *(text[at : at + 64] for at in range(0, len(text), 64)), PEM[1], ""])


def read_key(path: Path) -> bytes:
    """Return the public key of a bundle, DER. Raises CheckError where it is none that a build writes."""
    try:
        text = read_bounded(path, MOST_TEXT).decode("ascii")
        der = base64.b64decode("".join(text.splitlines()[1:-1]), validate=True)
        if text == pem_text(der):
            return der
    except (OSError, ValueError, binascii.Error):
        pass
    raise CheckError(f"{path}: no public key that a build writes", "build the bundle again")


def _without_origins(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_origins(inner) for key, inner in value.items() if key != _OF_THE_SOURCE}
    return [_without_origins(inner) for inner in value] if isinstance(value, list | tuple) else value
