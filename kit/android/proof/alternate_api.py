"""The Kotlin of the other API, rendered from what a bundle says of itself. The bundle stays as it is."""

from __future__ import annotations

from pathlib import Path

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.runtime_api import Api
from kit.android.codegen.write_sources import render_bindings
from kit.bundle.layout import Bundle
from kit.bundle.manifest_entries import Manifest


def render_other(bundle: Bundle, manifest: Manifest, api: Api, folder: Path) -> Path:
    """Write the Kotlin and its golden test for an API below folder; return it. Raises RecipeError, ModelError."""
    render_bindings(folder, AppModel.of_bundle(bundle, manifest), api, bundle.golden_npz)
    return folder
