"""Whether a bundle's code is what this kit writes for its signature: only then it is run without being allowed."""

from __future__ import annotations

from pathlib import Path

from kit.android.codegen.runtime_api import Api
from kit.android.proof.alternate_api import render_other
from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_intact
from kit.bundle.manifest_entries import Manifest
from kit.emulation.harness import own_harness
from kit.errors import CheckError


def refuse_foreign_code(bundle: Bundle, manifest: Manifest, api: Api, scratch: Path) -> None:
    """Raise CheckError where the bundle's Kotlin, or the Python of its harness, is other than this kit writes.

    api is the bundle's own, scratch an empty folder.
    """
    read_intact(bundle.folder)
    kotlin = render_other(bundle, manifest, api, scratch)
    wanted = {path.relative_to(kotlin).as_posix(): path.read_bytes() for path in kotlin.rglob("*.kt")}
    wanted |= {f"emulate/{name}": content for name, content in own_harness(manifest).items()}
    code = {path for path in bundle.folder.rglob("*") if path.suffix in {".kt", ".java", ".py", ".kts", ".pth", ".so"}}
    there = {path.relative_to(bundle.folder).as_posix(): path for path in code if "provenance" not in path.parts}
    strange = sorted(name for name, path in there.items() if wanted.get(name) != path.read_bytes())
    if strange:
        raise CheckError(
            f"{bundle.folder}: {strange[0]} is not what this kit writes for the bundle, and it would run",
            "build the bundle again; or look at its code, and let it run with --allow-code",
        )
