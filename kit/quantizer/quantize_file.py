"""Quantize a float32 file in every way that is asked for. Runs on the quantizer's packages, in an engine.

Usage: python -m kit.quantizer.quantize_file IN OUT, see kit.shared.quantization. Where OUT has no <i>.json for a
request, the script died on it. ranges.json in OUT keeps what was measured, for the next order.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path


def main() -> None:
    """Make what every request without a result asks for."""
    inputs, out = map(Path, sys.argv[1:3])
    os.dup2(2, 1)  # the interpreter greets on stdout
    logging.disable(logging.WARNING)  # a later rule takes the place of an earlier one: that is what they are for
    from kit.quantizer.inside.unique_names import with_unique_names
    from kit.quantizer.inside.work import Work
    from kit.shared.job import MODEL
    from kit.shared.quantization import EXACT, KEPT, ORDER, QuantizerJob, dump, load, made_name, said_name

    job = load(QuantizerJob, (inputs / ORDER).read_text("utf-8"))
    content = with_unique_names((inputs / EXACT / MODEL).read_bytes())
    work = Work(content, job, inputs, out / KEPT[0])
    for number, wanted in enumerate(job.requests):
        done = out / said_name(number)
        if not done.exists():
            made, said = work.make(wanted)
            if made:
                (out / made_name(number)).write_bytes(made)
            done.write_text(dump(said), "utf-8")


if __name__ == "__main__":
    main()
