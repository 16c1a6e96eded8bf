"""Quantize a float32 file in every way that is asked for. A script that runs in the quantizer's venv: never imported.

Usage: quantize_file.py IN OUT ORDER RESULTS. IN and OUT are a job's folders, see kit.shared.job: OUT has the float32
file, IN the calibration data. ORDER is a file of a QuantizerJob, see kit.shared.quantization. RESULTS gets for the
request i <i>.tflite and then <i>.json: where that is not there, the script died on it. ranges.json beside RESULTS keeps
what was measured, for the next order.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from kit.quantizer.inside.schemes import Operator
    from kit.shared.quantization import LayerError, Quantization, Quantized, QuantizerJob

    Calls = dict[str, Sequence[dict[str, np.ndarray]]]  # by signature, each by input name [...] in its dtype

_CORRECTED = 64  # calls that the means of bias correction are taken of


def main() -> None:
    """Make what every request without a result asks for."""
    inputs, out, order, results = map(Path, sys.argv[1:5])
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: its shared package needs numpy alone
    os.dup2(2, 1)  # the interpreter greets on stdout
    import logging

    from kit.shared.job import MODEL
    from kit.shared.quantization import QuantizerJob, dump, load

    logging.disable(logging.WARNING)  # a later rule takes the place of an earlier one: that is what they are for
    job = load(QuantizerJob, order.read_text("utf-8"))
    work = _Work((out / MODEL).read_bytes(), (inputs, out, results.parent / "ranges.json"), job)
    for number, wanted in enumerate(job.requests):
        done = results / f"{number}.json"
        if not done.exists():
            content, said = work.make(wanted)
            if content:
                (results / f"{number}.tflite").write_bytes(content)
            done.write_text(dump(said), "utf-8")


class _Work:
    """The float file with what is measured of it once, when it is needed."""

    def __init__(self, content: bytes, places: tuple[Path, Path, Path], job: QuantizerJob) -> None:
        from kit.quantizer.inside.unique_names import with_unique_names

        self.content, self.job = with_unique_names(content), job
        self.inputs, self.out, self.kept_ranges = places
        self._calls: Calls | None = None
        self._ranges: Any = None
        self._tensors: Any = None

    def make(self, wanted: Quantization) -> tuple[bytes, Quantized]:
        """Return a file and what is said of it; no bytes where the quantizer refuses."""
        from litert_quantizer.quantizer import Quantizer

        from kit.quantizer.inside.schemes import apply, operators
        from kit.shared.quantization import Quantized

        quantizer = Quantizer(self.content)
        found = list(operators(quantizer._float_model, self.job.layers))
        unmatched = tuple(apply(quantizer, wanted, found))
        if unmatched:
            return b"", Quantized(unmatched=unmatched)
        try:
            ranges = self.ranges() if wanted.static else None
            made = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
            content = bytes(made.quantized_model or b"")
        except Exception as error:  # noqa: BLE001 - it refuses by whatever it stumbles on
            return b"", Quantized(error=" ".join(str(error).split())[:300] or type(error).__name__)
        if wanted.bias_correction:
            from kit.quantizer.inside.bias_correction import corrected

            calls = {key: rows[:_CORRECTED] for key, rows in self.calls().items()}
            content = corrected(self.tensors(), content, calls)
        return content, Quantized(errors=self.errors(content, found) if self.job.compared else ())

    def errors(self, content: bytes, found: Sequence[Operator]) -> tuple[LayerError, ...]:
        """Return the error of each layer of a file, of the main signature."""
        from kit.quantizer.inside.layer_errors import layer_errors
        from kit.quantizer.inside.tensors import Tensors

        main = next(iter(self.calls()))
        calls = self.calls()[main][: self.job.compared]
        return layer_errors(self.tensors(), Tensors.of(content), main, calls, found)

    def ranges(self) -> Any:
        """Return the range of each tensor over the calibration data, of every signature that has any."""
        from kit.quantizer.inside.ranges import kept, measure

        if self._ranges is None:
            self._ranges = kept(self.kept_ranges, lambda: measure(self.content, self.calls()))
        return self._ranges

    def tensors(self) -> Any:
        """Return the float file's interpreter."""
        from kit.quantizer.inside.tensors import Tensors

        if self._tensors is None:
            self._tensors = Tensors.of(self.content)
        return self._tensors

    def calls(self) -> Calls:
        """Return what the calls of the calibration data take, by signature: each by input name [...], in its dtype."""
        from kit.quantizer.inside.calibration_calls import calibration_calls

        if self._calls is None:
            self._calls = calibration_calls(self.inputs, self.out)
        return self._calls


if __name__ == "__main__":
    main()
