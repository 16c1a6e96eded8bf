"""The glue of the other API, rendered from what a bundle says of itself. The bundle stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.android.codegen.runtime_api import Api
from kit.android.codegen.write_sources import render_glue


def render_other(bundle: Path, manifest: Mapping[str, Any], api: Api, folder: Path) -> Path:
    """Write the Kotlin and its golden test for an API below folder; return it. Raises RecipeError, ModelError."""
    facts, name = manifest["signature"], str(manifest["id"])
    assets = bundle / "src/main/assets" / name
    render_glue(
        folder,
        id=name,
        version=str(manifest["version"]),
        package=manifest["recipe"]["android"].get("package"),
        api=api,
        signature=facts,
        labels={
            output["name"]: (assets / output["labels"]).read_text("utf-8").splitlines()
            for output in facts["outputs"]
            if output.get("labels")
        },
        golden=bundle / "emulate" / "golden.npz",
    )
    return folder
