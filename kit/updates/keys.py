"""Keys of ECDSA P-256 from PEM files, through the library cryptography, which is loaded here alone.

It is imported inside the functions: most commands need no key.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kit.bounded import MOST_TEXT, read_bounded
from kit.errors import RecipeError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

CURVE = "secp256r1"  # the library's name of P-256
MAKE = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem"
PUBLIC = "openssl pkey -in key.pem -pubout -out key.pub.pem"


def public_key(path: Path) -> bytes:
    """Return the public key of a PEM file, X.509 SubjectPublicKeyInfo, DER. Raises RecipeError for any other file."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _read(path)
    if b"PRIVATE KEY" in content:
        raise RecipeError(
            f"{path}: it is a private key, which belongs into no bundle", f"name its public key: {PUBLIC}"
        )
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise RecipeError(f"{path}: no public key in PEM", f"take that of a private key: {PUBLIC}") from error
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != CURVE:
        raise _another_kind(path)
    return der_of(key)


def private_key(path: Path) -> EllipticCurvePrivateKey:
    """Return the private key of a PEM file. Raises RecipeError for any other file, and for one behind a password."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _read(path)
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError as error:  # the library's word for a key behind a password
        raise RecipeError(
            f"{path}: the key is encrypted, and `sign` asks for no password",
            "decrypt it for this run, and remove the copy: openssl pkey -in KEY -out COPY",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise RecipeError(f"{path}: no private key in PEM", f"name the private key; a new one: {MAKE}") from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != CURVE:
        raise _another_kind(path)
    return key


def der_of(key: EllipticCurvePublicKey) -> bytes:
    """Return a public key as DER."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign_bytes(key: EllipticCurvePrivateKey, content: bytes) -> bytes:
    """Return the signature of ECDSA with SHA-256, DER; the same bytes each time. Source: RFC 6979."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return key.sign(content, ECDSA(SHA256(), deterministic_signing=True))


def _another_kind(path: Path) -> RecipeError:
    return RecipeError(f"{path}: the key is not of ECDSA P-256, which is what apps check", f"make a key of it: {MAKE}")


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, MOST_TEXT)
    except OSError as error:
        raise RecipeError(f"{path}: no key can be read there: {error.strerror}", f"make a key: {MAKE}") from error
