"""Quantize a float32 file in every way that is asked for. A script that runs in the quantizer's venv: never imported.

Usage: quantize_file.py IN OUT ORDER RESULTS. IN and OUT are a job's folders, see kit.shared.job: OUT has the float32
file, IN the calibration data. ORDER is a file of a QuantizerJob, see kit.shared.quantization. RESULTS gets for the
request i <i>.tflite and then <i>.json: where that is not there, the script died on it. ranges.json beside RESULTS keeps
what was measured, for the next order.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path


def main() -> None:
    """Make what every request without a result asks for."""
    inputs, out, order, results = map(Path, sys.argv[1:5])
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: its shared package needs numpy alone
    os.dup2(2, 1)  # the interpreter greets on stdout
    logging.disable(logging.WARNING)  # a later rule takes the place of an earlier one: that is what they are for
    from kit.quantizer.inside.unique_names import with_unique_names
    from kit.quantizer.inside.work import Work
    from kit.shared.job import MODEL
    from kit.shared.quantization import QuantizerJob, dump, load

    job = load(QuantizerJob, order.read_text("utf-8"))
    content = with_unique_names((out / MODEL).read_bytes())
    work = Work(content, job, inputs, out, results.parent / "ranges.json")
    for number, wanted in enumerate(job.requests):
        done = results / f"{number}.json"
        if not done.exists():
            made, said = work.make(wanted)
            if made:
                (results / f"{number}.tflite").write_bytes(made)
            done.write_text(dump(said), "utf-8")


if __name__ == "__main__":
    main()
