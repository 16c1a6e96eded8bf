"""The second quantizer: LiteRT's own, on the float32 file. Its packages are pinned like a toolchain's."""
