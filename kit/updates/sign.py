"""Make an update of a bundle: model, expected outputs, manifest and its signature in one zip, the same bytes each time.

The generated class reads it: templates/android/runtime/UpdateManifest.kt and UpdateContents.kt have the other side.
"""

from __future__ import annotations

import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

from kit.bundle.layout import EXPECTED_BIN, Bundle
from kit.bundle.manifest import read_intact
from kit.errors import CheckError, RecipeError
from kit.files import json_bytes, sha256_file, writable, writing_whole
from kit.shared.job import MODEL
from kit.updates.keys import PUBLIC, der_of, private_key, sign_bytes
from kit.updates.terms import terms_of

FORMAT = 1
MANIFEST, SIGNATURE = "update.json", "update.sig"
MOST_VERSION = 2**31 - 1  # an Int of the class
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class UpdateManifest:
    """update.json: what is signed. signature and labels are the digests of kit.updates.terms.

    expected_*: of expected.bin, with which an app verifies an accelerator for this model; None where the bundle has
    none. It is left out then, and read by no class of an older kit.
    """

    id: str
    version: int
    model_sha256: str
    model_bytes: int
    signature: str
    labels: str
    expected_sha256: str | None = None
    expected_bytes: int | None = None
    format: int = FORMAT

    def to_json(self) -> dict[str, str | int]:
        """Return the document of update.json: no key is null."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Signed:
    """An update that was written."""

    path: Path
    manifest: UpdateManifest


def sign(bundle: Path, key: Path, out: Path | None = None, version: int = 0) -> Signed:
    """Write the update of a bundle; out is its file, by default <bundle>.update.zip. version 0 is the bundle's own.

    Raises RecipeError for a key of no use, a version that no class takes or a bundle whose class takes no updates,
    CheckError where the bundle is not as it was built, or its class has another key.
    """
    signer = private_key(key)
    manifest = read_intact(bundle)
    there, own = Bundle(bundle, manifest.id), manifest.recipe.update_version
    if not own:
        raise RecipeError(
            f"{bundle}: its class has no key, so apps with it take no update",
            f'[android] update_key = "key.pub.pem", and build it again; the key: {PUBLIC}',
        )
    terms = terms_of(there, manifest.signature, own)
    if der_of(signer.public_key()).hex() != terms.key:
        raise CheckError(
            f"{key}: it does not belong to the public key in {bundle}: no app with its class would take the update",
            "sign with the key of [android] update_key; or name this one's public key there, and build again",
        )
    verified = there.expected_bin.exists()
    update = UpdateManifest(
        id=manifest.id,
        version=_checked(version or own),
        model_sha256=sha256_file(there.model),
        model_bytes=there.model.stat().st_size,
        signature=terms.signature,
        labels=terms.labels,
        expected_sha256=sha256_file(there.expected_bin) if verified else None,
        expected_bytes=there.expected_bin.stat().st_size if verified else None,
    )
    content = json_bytes(update.to_json())
    path = out or bundle.with_name(f"{bundle.name}.update.zip")
    small = {MANIFEST: content, SIGNATURE: sign_bytes(signer, content)}
    if verified:
        small[EXPECTED_BIN] = there.expected_bin.read_bytes()
    _write(path, small, there.model)
    return Signed(path, update)


def _checked(version: int) -> int:
    """Return a version that a class may take: above 1, the lowest that one can have itself. Raises RecipeError."""
    if not 2 <= version <= MOST_VERSION:
        raise RecipeError(
            f"version {version} is none that an app takes: it has to be above that of its own model, 1 or more",
            "raise [android] update_version and build again, or give one: --version 2",
        )
    return version


def _write(path: Path, small: dict[str, bytes], model: Path) -> None:
    with writable(path.parent), writing_whole(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, content in small.items():
            archive.writestr(_entry(name), content)
        # By its own size: the archive then knows whether it needs 64 bits, which readers on old phones lack.
        entry = _entry(MODEL)
        entry.file_size = model.stat().st_size
        with model.open("rb") as source, archive.open(entry, "w") as target:
            while part := source.read(1 << 20):
                target.write(part)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.create_system = 3
    entry.external_attr = 0o100644 << 16
    return entry
