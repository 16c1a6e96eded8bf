"""Screenshots of pages: stored ones, an eighth of the size, and how far another is from them; their HTML is checked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from PIL import Image
from worlds import SUPPORT

PAGES = SUPPORT / "pages"
SERIOUS = {"serious", "critical"}
SMALLER = 8  # times, on each side
FAR, MOST_FAR = 56, 0.003  # levels of 255 that a block is another by, and the share of blocks that may be


def smaller(path: Path) -> Image.Image:
    """Return a screenshot whose pixels are the means of squares."""
    with Image.open(path) as image:
        return image.convert("RGB").reduce(SMALLER)


def another(stored: Image.Image, seen: Image.Image) -> str:
    """Say how a screenshot is another than the stored one, "" where it is none."""
    if stored.width != seen.width or abs(stored.height - seen.height) > 2:
        return f"{seen.size} pixels, and {stored.size} are stored"
    height = min(stored.height, seen.height)
    one, other = (np.asarray(image, np.int16)[:height] for image in (stored, seen))
    far = float((np.abs(one - other).max(-1) > FAR).mean())
    return f"{far:.1%} of it is another" if far > MOST_FAR else ""


def store(image: Image.Image, path: Path) -> None:
    """Keep a screenshot, in few colours."""
    path.parent.mkdir(exist_ok=True)
    image.quantize(256).save(path, optimize=True)


def validate(tools: Path, *pages: Path) -> None:
    """Check the HTML of pages."""
    argv = [str(tools / "node_modules" / ".bin" / "html-validate"), "--config", str(PAGES / ".htmlvalidate.json")]
    done = subprocess.run([*argv, *map(str, pages)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
