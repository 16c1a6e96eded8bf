"""What --save-images draws, pixel by pixel beside images that were looked at (tests/support/drawn)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from desk import Desk
from drawn_world import DRAWINGS, OUTPUTS, REFERENCES, build, draw
from PIL import Image

REMEDY = "look at {path}; if it is right: uv run python tests/support/drawn_world.py"


@pytest.mark.parametrize("kind", OUTPUTS)
def test_what_is_drawn_is_what_was_looked_at(
    tmp_path: Path, toolchain_python: Path, runtime_python: Path, kind: str
) -> None:
    desk = Desk(runtime_python, build(toolchain_python, kind, tmp_path), tmp_path)
    for drawing in DRAWINGS:
        if drawing.kind == kind:
            path = draw(drawing, desk)
            with Image.open(path) as drawn, Image.open(REFERENCES / f"{drawing.name}.png") as reference:
                assert (drawn.size, drawn.mode) == (reference.size, reference.mode), drawing.name
                off = np.asarray(drawn).astype(int) - np.asarray(reference)
            assert not off.any(), f"{drawing.name}: {np.count_nonzero(off.any(-1))} pixels; {REMEDY.format(path=path)}"


def test_each_image_that_was_looked_at_is_drawn() -> None:
    assert {path.stem for path in REFERENCES.iterdir()} == {drawing.name for drawing in DRAWINGS}
