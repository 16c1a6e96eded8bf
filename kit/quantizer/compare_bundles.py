"""Compare two model files tensor by tensor on given inputs. A script that runs in the quantizer's venv: never imported.

Usage: compare_bundles.py ORDER RESULT. ORDER is a kit.shared.quantization.FilePair as JSON; RESULT gets a Quantized
with the error of each layer, or why there is none.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Write the errors."""
    order, result = map(Path, sys.argv[1:3])
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: its shared package needs numpy alone
    os.dup2(2, 1)  # the interpreter greets on stdout
    from kit.quantizer.inside.compared_bundles import compared
    from kit.shared.quantization import FilePair, Quantized, dump, load

    try:
        said = Quantized(errors=compared(load(FilePair, order.read_text("utf-8"))))
    except (ValueError, RuntimeError) as error:
        said = Quantized(" ".join(str(error).split())[:300] or type(error).__name__)
    result.write_text(dump(said), "utf-8")


if __name__ == "__main__":
    main()
