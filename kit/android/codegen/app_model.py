"""A bundle's model as an app sees it: what Kotlin is generated from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kit.bundle.labels import bundle_labels
from kit.bundle.layout import EXPECTED_BIN, Bundle, assets_of
from kit.bundle.manifest_entries import Manifest
from kit.bundle.signature import BundleSignature
from kit.updates.terms import UpdateTerms, terms_of


@dataclass(frozen=True)
class AppModel:
    """The signature, and what the recipe says for Android. labels: the texts by output name."""

    signature: BundleSignature
    runtime: str  # "litert:2.3.0"
    package: str | None = None  # None: com.example.<id>
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    header: str = ""  # of each file, lines of a comment
    verify: bool = False  # the bundle has what an accelerator is verified with
    updates: UpdateTerms | None = None  # on which the class takes other models; None: it takes none

    @property
    def id(self) -> str:
        """Return the bundle's id, from which the names of files and classes come."""
        return self.signature.id

    @property
    def version(self) -> str:
        """Return the model's version, as the recipe has it."""
        return self.signature.version

    @staticmethod
    def of_bundle(bundle: Bundle, manifest: Manifest) -> AppModel:
        """Return the model of a bundle that is there. Raises CheckError where labels or key are not as built."""
        labels, recipe = bundle_labels(bundle, manifest.signature), manifest.recipe
        takes = recipe.update_version > 0
        return AppModel(
            manifest.signature,
            manifest.runtime,
            recipe.package,
            labels,
            recipe.header,
            verify=f"{assets_of(bundle.id)}/{EXPECTED_BIN}" in manifest.files,
            updates=terms_of(bundle, manifest.signature, recipe.update_version) if takes else None,
        )
