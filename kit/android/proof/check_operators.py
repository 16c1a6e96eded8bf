"""The step that holds the model's operators against those of the app's runtime."""

from __future__ import annotations

from pathlib import Path

from kit.android.proof.step import Step, step
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest
from kit.toolchains.operator_support import check_fit


def fit_step(bundle: Path) -> Step:
    """Return how the model's operators stand to the runtime that the bundle was built for."""
    manifest = read_manifest(bundle)
    model = Bundle(bundle, manifest.id).model
    return step("operators", lambda: check_fit(model, manifest.runtime))
