"""How images become an input, from what the recipe says and the shape that the model has. Reads no image."""

from __future__ import annotations

from collections.abc import Sequence

from kit.bundle.signature import ImageEntry
from kit.errors import RecipeError
from kit.recipe.schema import Input


def image_entry(tensor: Input, shape: Sequence[int]) -> ImageEntry:
    """Return how images become this input: mean, std, color, resize, pad_color. shape is [H, W, C] or [H, W]."""
    channels = shape[2] if len(shape) == 3 else 1
    if len(shape) not in {2, 3} or channels not in {1, 3}:
        raise RecipeError(
            f"[[inputs]] {tensor.name}: kind 'image' cannot be {list(shape)}: it is [H, W, 1], [H, W, 3] or [H, W]",
            'use kind = "tensor"',
        )
    color = tensor.color or ("rgb" if channels == 3 else "grayscale")
    if (color == "grayscale") != (channels == 1):
        raise RecipeError(
            f"[[inputs]] {tensor.name}: color '{color}' does not fit {channels} channels", "leave color out"
        )
    mean, std = tensor.mean or [0.0], tensor.std or [1.0]
    if len(mean) not in {1, channels}:
        raise RecipeError(
            f"[[inputs]] {tensor.name}: {len(mean)} means for {channels} channels",
            "give one for each channel, or one",
        )
    pad_color = tensor.pad_color or [0]
    if len(pad_color) not in {1, channels}:
        raise RecipeError(
            f"[[inputs]] {tensor.name}: pad_color has {len(pad_color)} values for {channels} channels",
            "give red, green and blue, or one value",
        )
    return ImageEntry(color, tensor.resize or "stretch", tuple(mean), tuple(std), tuple(pad_color))
