"""Compare a finished file with the float32 one, tensor by tensor. Runs on the quantizer's packages, in an engine.

Usage: python -m kit.quantizer.compare_files IN OUT, see kit.shared.quantization: of one model and its data.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Write the errors."""
    inputs, out = map(Path, sys.argv[1:3])
    os.dup2(2, 1)  # the interpreter greets on stdout
    from kit.quantizer.inside.compared_files import compared
    from kit.shared.quantization import ORDER, Quantized, QuantizerJob, dump, load, said_name

    errors = compared(load(QuantizerJob, (inputs / ORDER).read_text("utf-8")), inputs)
    (out / said_name(0)).write_text(dump(Quantized(errors=errors)), "utf-8")


if __name__ == "__main__":
    main()
