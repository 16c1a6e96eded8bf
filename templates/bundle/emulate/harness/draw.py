"""What a call found, drawn on its image with Pillow, for a user to check."""

import unicodedata
from dataclasses import dataclass
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
Color = tuple[int, int, int]
_SIDE = 480  # pixels: a smaller image is enlarged, so that words can be read on it
_WHOLE = 720  # pixels: on a larger image words and lines grow with it
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_FONT, _LINE, _DOT = 14, 2, 4  # pixels, on an image of _WHOLE at most


@dataclass(frozen=True)
class Pen:
    """What draws on an image. scale: its pixels by those of the frame; unit: by how much words and lines grow."""

    draw: "ImageDraw"
    size: tuple[int, int]  # width, height
    scale: int
    unit: float


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
    masks = [(form, found, _placed(found, frame)) for form, found in drawn if isinstance(form, MaskForm)]
    for form, _, placed in masks:
        image = _lay(image, _colors(form, placed))
    pen = Pen(ImageDraw.Draw(image), image.size, scale, max(1.0, max(image.size) / _WHOLE))
    for form, decoded, placed in masks:
        if isinstance(decoded.found, Mask):
            _name_classes(pen, decoded.found, placed, background=form.background)
    for _, decoded in drawn:
        if isinstance(decoded.found, Boxes):
            _draw_boxes(pen, decoded.found)
        elif isinstance(decoded.found, Points):
            _draw_points(pen, decoded.found)
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


def _placed(mask: Decoded, frame: Frame) -> Array:
    """Return a mask on its frame, int32 [height, width]."""
    return postprocess.mask_on_frame(mask.array, frame.placement, (frame.width, frame.height))


def _colors(form: MaskForm, placed: Array) -> Array:
    """Return uint8 [height, width, 4], red, green, blue and alpha, of a mask on its frame, int32 [height, width]."""
    argb = postprocess.overlay(placed, background=form.background)
    channels = [(argb >> np.uint32(shift)) & np.uint32(255) for shift in (16, 8, 0, 24)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _lay(image: "Image", colors: Array) -> "Image":
    """Return an image with colours, uint8 [height, width, 4], over it."""
    from PIL import Image

    over = Image.fromarray(colors, "RGBA").resize(image.size, Image.Resampling.NEAREST)
    return Image.alpha_composite(image.convert("RGBA"), over).convert("RGB")


def _name_classes(pen: Pen, found: Mask, placed: Array, *, background: bool) -> None:
    """Write each class of a mask on its frame, int32 [height, width], at the middle one of its pixels."""
    for each in found.classes:
        pixels = np.argwhere(placed == each.index)
        if len(pixels) and not (background and each.index == 0):
            row, column = pixels[len(pixels) // 2]
            color = _color(each.index - background)
            _write(pen, (column * pen.scale, row * pen.scale), _name(each.label, each.index), color)


def _draw_boxes(pen: Pen, found: Boxes) -> None:
    line, halo = round(_LINE * pen.unit), round(pen.unit)
    for box in reversed(found.boxes):  # the best on top
        edges = (box.left, box.top, box.right, box.bottom)
        left, top, right, bottom = (round(float(edge or 0) * pen.scale) for edge in edges)
        color = _color(box.index)
        # Nothing of a dark line is seen on a dark image, so there is a light one around it.
        around = (left - halo, top - halo, right + halo, bottom + halo)
        pen.draw.rectangle(around, outline=_WHITE, width=line + 2 * halo)
        pen.draw.rectangle((left, top, right, bottom), outline=color, width=line)
        _write(pen, (left, top), f"{_name(box.label, box.index)} {float(box.score or 0):.2f}", color)


def _draw_points(pen: Pen, found: Points) -> None:
    radius = round(_DOT * pen.unit)
    dots = [(float(point.x or 0) * pen.scale, float(point.y or 0) * pen.scale) for point in found.points]
    for point, (x, y) in zip(found.points, dots, strict=True):
        corner = (x + radius + 1, y + _FONT * pen.unit / 2)
        _write(pen, corner, _name(point.label, point.index), _color(point.index))
    for point, (x, y) in zip(found.points, dots, strict=True):  # above all words
        dot = (x - radius, y - radius, x + radius, y + radius)
        pen.draw.ellipse(dot, outline=_WHITE, fill=_color(point.index), width=round(pen.unit))


def _write(pen: Pen, corner: tuple[float, float], text: str, color: Color) -> None:
    """Write a line above a corner, or below it at the upper edge, inside the image, on a ground of its colour."""
    from PIL import ImageFont

    font, margin = ImageFont.load_default(_FONT * pen.unit), round(2 * pen.unit)
    left, top, right, bottom = font.getbbox(text)
    width, height = round(right - left) + 2 * margin, round(bottom - top) + 2 * margin
    above = round(corner[1]) - height
    x = max(0, min(round(corner[0]), pen.size[0] - width))
    y = max(0, min(above if above >= 0 else round(corner[1]), pen.size[1] - height))
    pen.draw.rectangle((x, y, x + width - 1, y + height - 1), fill=color)
    pen.draw.text((x + margin - left, y + margin - top), text, fill=_BLACK if sum(color) > 300 else _WHITE, font=font)


def _name(label: str | None, index: int) -> str:
    """Return a label in the letters that Pillow's own font has, or the class's number where it has other ones."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", label or "") if not unicodedata.combining(each))
    return plain if plain and plain.isascii() and plain.isprintable() else f"class {index}"


def _color(index: int) -> Color:
    """Return the colour of a class; the first is black in a mask, and none here."""
    color = int(postprocess.palette(index % 255 + 2)[index % 255 + 1])
    return color >> 16 & 255, color >> 8 & 255, color & 255
