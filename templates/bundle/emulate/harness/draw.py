"""What a call found, drawn on its image with Pillow, for a user to check."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import postprocess

from .decode import Decoded
from .errors import EmulateError, one_line
from .files import Array
from .forms import Form, MaskForm
from .found import Boxes, Mask, Points
from .frame import ARRAYS, Frame, image_input, open_image, shown_input
from .inputs import Sample
from .signature import Signature

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

Drawn = tuple[tuple[Form, Decoded], ...]
_SIDE = 480  # pixels: a smaller image is enlarged, so that words can be read on it
_FONT = 14


def can_draw(signature: Signature) -> bool:
    """Say whether a signature takes one image, and gives what can be drawn on it."""
    forms = [tensor.kind for tensor in signature.outputs.values()]
    return image_input(signature) is not None and bool({"boxes", "mask", "keypoints"} & set(forms))


def draw(sample: Sample, signature: Signature, frame: Frame, drawn: Drawn) -> "Image":
    """Return the image of a sample with what was found in it."""
    from PIL import Image, ImageDraw

    path, tensor = Path(sample.source), image_input(signature)
    assert tensor is not None
    image = shown_input(tensor, sample.feed[tensor.name]) if path.suffix.lower() in ARRAYS else open_image(path)
    scale = max(1, -(-_SIDE // max(image.size)))
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    for form, decoded in drawn:
        if isinstance(form, MaskForm) and isinstance(decoded.found, Mask):
            image = _lay(image, _colors(form, decoded.array, frame))
    pen = ImageDraw.Draw(image)
    for _, decoded in drawn:
        if isinstance(decoded.found, Boxes):
            _draw_boxes(pen, decoded.found, scale)
        elif isinstance(decoded.found, Points):
            _draw_points(pen, decoded.found, scale)
    return image


def save(image: "Image", folder: Path, sample: Sample) -> Path:
    """Write an image as a PNG named after its sample, beside those that are there. Raises EmulateError."""
    stem = Path(sample.source).stem + ("" if sample.index is None else f"-{sample.index}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{stem}.png"
        image.save(place)
    except OSError as error:
        hint = "name a folder that can be written: --save-images FOLDER"
        raise EmulateError(f"{folder}: images cannot be written: {one_line(error)}", hint) from error
    return place


def _colors(form: MaskForm, classes: Array, frame: Frame) -> Array:
    """Return uint8 [height, width, 4], red, green, blue and alpha, of a mask, int32 [H, W]."""
    placed = postprocess.mask_on_frame(classes, frame.placement, (frame.width, frame.height))
    argb = postprocess.overlay(placed, background=form.background)
    channels = [(argb >> np.uint32(shift)) & np.uint32(255) for shift in (16, 8, 0, 24)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _lay(image: "Image", colors: Array) -> "Image":
    """Return an image with colours, uint8 [height, width, 4], over it."""
    from PIL import Image

    over = Image.fromarray(colors, "RGBA").resize(image.size, Image.Resampling.NEAREST)
    return Image.alpha_composite(image.convert("RGBA"), over).convert("RGB")


def _draw_boxes(pen: "ImageDraw", found: Boxes, scale: int) -> None:
    for box in reversed(found.boxes):  # the best on top
        left, top, right, bottom = (float(edge or 0) * scale for edge in (box.left, box.top, box.right, box.bottom))
        color = _color(box.index)
        pen.rectangle((left, top, right, bottom), outline=color, width=2)
        _write(pen, (left, top), f"{box.label or f'class {box.index}'} {float(box.score or 0):.2f}", color)


def _draw_points(pen: "ImageDraw", found: Points, scale: int) -> None:
    for point in found.points:
        x, y, color = float(point.x or 0) * scale, float(point.y or 0) * scale, _color(point.index)
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), outline=(0, 0, 0), fill=color)
        _write(pen, (x + 5, y + _FONT / 2), point.label or str(point.index), color)


def _write(pen: "ImageDraw", corner: tuple[float, float], text: str, color: tuple[int, int, int]) -> None:
    """Write a line above a corner, or below it at the upper edge, on a ground of its colour."""
    from PIL import ImageFont

    font = ImageFont.load_default(_FONT)
    x, y = corner[0], corner[1] - _FONT - 4 if corner[1] > _FONT + 4 else corner[1]
    pen.rectangle(pen.textbbox((x + 1, y), text, font=font), fill=color)
    pen.text((x + 1, y), text, fill=(0, 0, 0) if sum(color) > 300 else (255, 255, 255), font=font)


def _color(index: int) -> tuple[int, int, int]:
    """Return the colour of a class; the first is black in a mask, and none here."""
    color = int(postprocess.palette(index % 255 + 2)[index % 255 + 1])
    return color >> 16 & 255, color >> 8 & 255, color & 255
