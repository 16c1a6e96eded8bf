"""One float32 file made into what is asked for; what is measured of it is measured once, when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from litert_quantizer.quantizer import Quantizer

from kit.quantizer.inside.bias_correction import corrected
from kit.quantizer.inside.calibration_calls import calibration_calls
from kit.quantizer.inside.four_bits import without_least
from kit.quantizer.inside.layer_errors import Pair, by_name, layer_errors
from kit.quantizer.inside.ranges import Ranges, given, kept, measure, settled
from kit.quantizer.inside.schemes import Operator, apply, operators
from kit.quantizer.inside.tensors import Tensors
from kit.shared.calls import Feeds
from kit.shared.quantization import LayerError, Quantization, Quantized, QuantizerJob
from kit.shared.range_grid import Grid


@dataclass(frozen=True)
class Work:
    """The float file, whose tensors have a name each. inputs, out: a job's folders; ranges_file: see ranges.kept."""

    content: bytes
    job: QuantizerJob
    inputs: Path
    out: Path
    ranges_file: Path

    @cached_property
    def calls(self) -> dict[str, Sequence[Feeds]]:
        """Return what the calls of the calibration data take, by signature: each by input name [...], in its dtype."""
        return calibration_calls(self.inputs, self.out)

    @cached_property
    def grid(self) -> Grid:
        """Return what the ranges are rounded to, and which of them the noise of sums may round another way."""
        return Grid(self.job.unsure)

    @cached_property
    def ranges(self) -> Ranges:
        """Return the range of each tensor over the calibration data, of every signature that has any."""
        measured = kept(self.ranges_file, lambda: measure(self.content, self.calls))
        return settled(measured, self.grid, given(self.content))

    @cached_property
    def tensors(self) -> Tensors:
        """Return the float file's interpreter."""
        return Tensors.of(self.content)

    def make(self, wanted: Quantization) -> tuple[bytes, Quantized]:
        """Return a file and what is said of it; no bytes where the quantizer refuses."""
        quantizer = Quantizer(self.content)
        found = list(operators(quantizer._float_model, self.job.layers))
        if unmatched := apply(quantizer, wanted, found):
            return b"", Quantized(unmatched=tuple(unmatched))
        try:
            ranges = self.ranges if wanted.static else None
            made = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
        except Exception as error:  # noqa: BLE001 - it refuses by whatever it stumbles on
            return b"", Quantized(error=" ".join(str(error).split())[:300] or type(error).__name__)
        content = without_least(bytes(made.quantized_model or b""))
        if wanted.bias_correction:
            content = corrected(self.tensors, content, self.calls)
        errors = self._errors(content, found) if self.job.compared else ()
        return content, Quantized(errors=errors, unsure=self.grid.unsure if wanted.static else {})

    def _errors(self, content: bytes, found: Sequence[Operator]) -> tuple[LayerError, ...]:
        """Return the error of each layer of a file, of the main signature."""
        main, calls = next(iter(self.calls.items()))
        pair = Pair(self.tensors, Tensors.of(content), by_name(found))
        return layer_errors(pair, main, ((call, call) for call in calls[: self.job.compared]), found)
