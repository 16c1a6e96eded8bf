"""dist/<id>.search.json: every candidate of a search with what was measured, for a script to read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from kit.build.metrics import OutputMeasure
from kit.bundle.latency import Latency
from kit.files import json_bytes, writable, write_whole
from kit.search.found import Found
from kit.search.trials import Trial
from kit.shared.quantization import LayerError


@dataclass(frozen=True)
class Row:
    """One candidate. bytes: of its file, 0 for none; verdict: "chosen", "keeps", or what it does not keep.

    cost: of a call, in multiply-adds of float32, by the model of kit.tflite.cost; 0 where it was not measured.
    latency: of a call, as this machine measured it on the app's runtime with one thread: another each time, and no part
    of any choice; None where it was not measured.
    chosen_on, reported_on: what was measured on either half of the data, a value of OutputMeasure's fields each.
    """

    name: str
    recipe: str
    bytes: int
    cost: float
    latency: Latency | None
    verdict: str
    chosen_on: tuple[OutputMeasure, ...] = ()
    reported_on: tuple[OutputMeasure, ...] = ()
    errors: tuple[LayerError, ...] = ()  # of layers, the worst first


def write_search(found: Found, bundle: Path) -> Path:
    """Write the record beside a bundle, whole or not at all; return its place."""
    rows = [_row(trial, found) for trial in sorted(found.trials, key=lambda each: (each.size == 0, each.size))]
    place = bundle.with_name(f"{bundle.name}.search.json")
    with writable(bundle.parent):
        write_whole(place, json_bytes({"candidates": [asdict(row) for row in rows]}))
    return place


def _row(trial: Trial, found: Found) -> Row:
    halves = trial.halves
    verdict = "chosen" if trial is found.chosen else "keeps" if trial.keeps else trial.why
    return Row(
        trial.candidate.name,
        trial.candidate.lines(),
        trial.size,
        trial.cost,
        trial.latency,
        verdict,
        halves.chosen_on if halves else (),
        halves.reported_on if halves else (),
        trial.errors,
    )
