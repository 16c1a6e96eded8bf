"""One float32 file made into what is asked for; what is measured of it is measured once, when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ai_edge_litert.tools import flatbuffer_utils
from litert_quantizer.quantizer import Quantizer

from kit.quantizer.inside.bias_correction import corrected
from kit.quantizer.inside.calibration_calls import calibration_calls
from kit.quantizer.inside.four_bits import without_least
from kit.quantizer.inside.input_scales import tidied
from kit.quantizer.inside.layer_errors import Pair, by_name, layer_errors
from kit.quantizer.inside.moments import Moments, dense_inputs, kept_roots, measure_roots, settled_moments
from kit.quantizer.inside.ranges import Ranges, given, kept, measure, settled
from kit.quantizer.inside.schemes import Operator, apply, operators, scaled_layers
from kit.quantizer.inside.tensors import Tensors
from kit.shared.calls import Feeds
from kit.shared.quantization import KEPT, LayerError, Quantization, Quantized, QuantizerJob
from kit.shared.range_grid import Grid


@dataclass(frozen=True)
class Work:
    """The float file, whose tensors have a name each. inputs: a job's folder IN; ranges_file: see ranges.kept."""

    content: bytes
    job: QuantizerJob
    inputs: Path
    ranges_file: Path

    @cached_property
    def calls(self) -> dict[str, Sequence[Feeds]]:
        """Return what the calls of the calibration data take, by signature: each by input name [...], in its dtype."""
        return calibration_calls(self.inputs)

    @cached_property
    def grid(self) -> Grid:
        """Return what the ranges are rounded to, and which of them the noise of sums may round another way."""
        return Grid(self.job.unsure)

    @cached_property
    def given(self) -> set[str]:
        """Return the names of the tensors that are no sums."""
        return given(self.content)

    @cached_property
    def ranges(self) -> Ranges:
        """Return the range of each tensor over the calibration data, of every signature that has any."""
        measured = kept(self.ranges_file, lambda: measure(self.content, self.calls))
        return settled(measured, self.grid, self.given)

    @cached_property
    def tensors(self) -> Tensors:
        """Return the float file's interpreter."""
        return Tensors.of(self.content)

    @cached_property
    def dense(self) -> dict[str, str]:
        """Return the name of what each dense layer is fed that OSCAR can take, by its scope."""
        return dense_inputs(flatbuffer_utils.read_model_from_bytearray(bytearray(self.content)))

    @cached_property
    def moment_grid(self) -> Grid:
        """Return what the roots of mean squares are rounded to, and which of them may be rounded another way."""
        return Grid(self.job.unsure)

    @cached_property
    def moments(self) -> Moments:
        """Return the mean square of each channel that a dense layer is fed; of no layer inside of a loop."""
        place = self.ranges_file.with_name(KEPT[1])
        roots = kept_roots(place, lambda: measure_roots(self.content, self.calls, set(self.dense.values())))
        return settled_moments(roots, self.moment_grid, self.given)

    @cached_property
    def scalable(self) -> list[str]:
        """Return the scopes of the dense layers that OSCAR takes."""
        return [scope for scope, name in self.dense.items() if name in self.moments]

    def make(self, wanted: Quantization) -> tuple[bytes, Quantized]:
        """Return a file and what is said of it; no bytes where the quantizer refuses."""
        quantizer = Quantizer(self.content)
        found = list(operators(quantizer._float_model, self.job.layers))
        scaled = scaled_layers(wanted, found, self.scalable if wanted.scaled else ())
        if unmatched := apply(quantizer, wanted, found, scaled):
            return b"", Quantized(unmatched=tuple(unmatched))
        if wanted.scaled and not scaled:
            return b"", Quantized(error="it has no dense layer that rounding 'oscar' takes")
        try:
            measured = self.ranges if wanted.static else self.moments if wanted.scaled else None
            made = quantizer.quantize(measured, enable_progress_bar=False, enable_progress_report=False)
        except Exception as error:  # noqa: BLE001 - it refuses by whatever it stumbles on
            return b"", Quantized(error=" ".join(str(error).split())[:300] or type(error).__name__)
        content = without_least(bytes(made.quantized_model or b""))
        if wanted.scaled:
            content = tidied(content, self.content)
        if wanted.bias_correction:
            content = corrected(self.tensors, content, self.calls)
        errors = self._errors(content, found) if self.job.compared else ()
        return content, Quantized(errors=errors, unsure=self._unsure(wanted))

    def _unsure(self, wanted: Quantization) -> dict[str, float]:
        """Return what the noise of sums may have rounded another way, of what a request was made by."""
        grids = [self.grid] * wanted.static + [self.moment_grid] * wanted.scaled
        return {name: taken for grid in grids for name, taken in grid.unsure.items()}

    def _errors(self, content: bytes, found: Sequence[Operator]) -> tuple[LayerError, ...]:
        """Return the error of each layer of a file, of the main signature."""
        main, calls = next(iter(self.calls.items()))
        pair = Pair(self.tensors, Tensors.of(content), by_name(found))
        return layer_errors(pair, main, ((call, call) for call in calls[: self.job.compared]), found)
