"""What Keras 3 does with sizes that are open in a way that TFLite's converter, or a trace, does not follow.

`keras.ops.repeat` loses the axes that are known, and with them a convolution behind it; a resize asks an open size
whether it is positive. Here both are written so that every known axis stays known. Fixed sizes go Keras's own way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf


@contextmanager
def open_layers() -> Iterator[None]:
    """Let Keras 3 trace its layers for open sizes, during the block. Keras 2 does by itself."""
    import keras
    from keras.src import backend

    module, layer = backend.numpy, keras.layers.UpSampling2D
    repeat, resize = module.repeat, layer._resize_images
    module.repeat, layer._resize_images = _repeating(repeat), _resizing(resize)
    try:
        yield
    finally:
        module.repeat, layer._resize_images = repeat, resize


def _repeating(original: Callable[..., Any]) -> Callable[..., Any]:
    def repeat(x: Any, repeats: Any, axis: Any = None) -> Any:
        """Return x, in its dtype, with each entry along axis repeated: [..., n * repeats, ...] of [..., n, ...]."""
        if not isinstance(repeats, int) or axis is None or not tf.is_tensor(x) or not _is_open(x):
            return original(x, repeats, axis)
        rank = x.shape.rank
        at = axis % rank
        times = [1] * (rank + 1)
        times[at + 1] = repeats
        sizes = [tf.shape(x)[i] if n is None else n for i, n in enumerate(x.shape)]
        sizes[at] *= repeats
        return tf.reshape(tf.tile(tf.expand_dims(x, at + 1), times), sizes)

    return repeat


def _resizing(original: Callable[..., Any]) -> Callable[..., Any]:
    def resize(self: Any, x: Any, height: int, width: int, data_format: str, interpolation: str = "nearest") -> Any:
        """Return images [N, H, W, C] as [N, H * height, W * width, C], in x's dtype."""
        if data_format != "channels_last" or not tf.is_tensor(x) or not _is_open(x):
            return original(self, x, height, width, data_format, interpolation=interpolation)
        sizes = tf.shape(x)[1:3] * tf.constant([height, width])
        return tf.cast(tf.image.resize(x, sizes, method=interpolation), x.dtype)

    return resize


def _is_open(x: Any) -> bool:
    """Say whether x, of any dtype, has a shape with an open axis."""
    return x.shape.rank is not None and None in x.shape
