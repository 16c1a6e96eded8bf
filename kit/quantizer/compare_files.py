"""Compare a finished file with the float32 one, tensor by tensor. A script that runs in the quantizer's venv: never
imported.

Usage: compare_files.py IN OUT PRODUCT ORDER RESULT. IN and OUT are the folders of a job to float32, see kit.shared.job;
PRODUCT the folder of what another job wrote, of the same model and data. ORDER is a file of a QuantizerJob without
requests, see kit.shared.quantization. RESULT gets a Quantized with the error of each layer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Write the errors."""
    inputs, out, product, order, result = map(Path, sys.argv[1:6])
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: its shared package needs numpy alone
    os.dup2(2, 1)  # the interpreter greets on stdout
    from kit.quantizer.inside.compared_files import compared
    from kit.shared.quantization import Quantized, QuantizerJob, dump, load

    errors = compared(load(QuantizerJob, order.read_text("utf-8")), inputs, out, product)
    result.write_text(dump(Quantized(errors=errors)), "utf-8")


if __name__ == "__main__":
    main()
