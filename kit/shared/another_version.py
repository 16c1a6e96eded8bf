"""The next step where a converter is at fault: what another version of it, or less to convert, may help."""

from __future__ import annotations

ANOTHER = "take another TensorFlow version, by --tensorflow: `kit toolchains` lists them"
LESS = (
    "take another TensorFlow version, by --tensorflow: `kit toolchains` lists them; or end the file before "
    "that: [model] outputs"
)
FLOAT = (
    "take another TensorFlow version, by --tensorflow: `kit toolchains` lists them; or [quantize] scheme = "
    '"float32", which shows whether quantization is the cause; or end the file before that: [model] outputs'
)
NO_RANGES = (
    "take another TensorFlow version, by --tensorflow: `kit toolchains` lists them; or [quantize] scheme = "
    '"dynamic", which measures no ranges; or end the file before that: [model] outputs'
)
