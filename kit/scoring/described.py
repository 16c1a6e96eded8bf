"""What says of a model's outputs: a bundle, or the signature of a model file alone laid out as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.bundle.layout import Bundle
from kit.bundle.manifest import read_manifest
from kit.emulation.bare import bare_bundle, newest_runtime
from kit.scoring.score import Wanted, asked_of


@contextmanager
def described(bundle: Path) -> Iterator[tuple[Bundle, Wanted]]:
    """Give what says of a model's outputs, for a block, and the metrics that its recipe asked for."""
    if bundle.is_file():
        with bare_bundle(bundle, newest_runtime(), lambda _: None) as folder:
            (assets,) = (folder / "src" / "main" / "assets").iterdir()
            yield Bundle(folder, assets.name), {}
    else:
        manifest = read_manifest(bundle)
        outputs = manifest.measures.outputs if manifest.measures else ()
        yield Bundle(bundle, manifest.id), asked_of({output.name: output.metrics for output in outputs})
