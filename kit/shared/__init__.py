"""What the host, the worker and a bundle's harness all run: copied into a toolchain or a bundle as it is."""
