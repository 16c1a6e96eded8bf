"""What the harness reports of a bundle's golden vectors: `emulate --golden --json` prints it, bundle.json keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PASS, NOT_RUN = "pass", "not run"


@dataclass(frozen=True)
class OutputReplay:
    """One output: the largest difference from its golden vectors. worst is None where one is not finite."""

    unit: str  # steps (of quantization, or whole numbers), or absolute
    worst: float | None
    allowed: float
    worst_vector: int
    passed: bool

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> OutputReplay:
        """Return an output of the report."""
        worst = raw["worst_steps" if raw["unit"] == "steps" else "worst"]
        return OutputReplay(str(raw["unit"]), worst, raw["allowed"], raw["worst_vector"], bool(raw["pass"]))

    def sentence(self, name: str, vectors: str = "golden vector") -> str:
        """Say how it differs."""
        unit = " steps" if self.unit == "steps" else ""
        how = "holds other or unlike many values" if self.worst is None else f"differs by {self.worst:.4g}{unit}"
        return f"{name} {how} in {vectors} {self.worst_vector}, and {self.allowed:.4g} is allowed"


@dataclass(frozen=True)
class ReplayReport:
    """The whole report. text: as JSON, with more than is read here."""

    verdict: str = ""
    text: str = "{}"
    why: str = ""  # of a replay that was not run
    outputs: Mapping[str, OutputReplay] = field(default_factory=dict)  # of the main signature

    @staticmethod
    def not_run(why: str) -> ReplayReport:
        """Return the report of a file that no runtime from pip can run."""
        return ReplayReport.from_json({"verdict": NOT_RUN, "why": why})

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> ReplayReport:
        """Return the report. Raises TypeError or KeyError where it is none."""
        outputs = {name: OutputReplay.from_json(output) for name, output in raw.get("outputs", {}).items()}
        return ReplayReport(str(raw.get("verdict", "")), json.dumps(raw), str(raw.get("why", "")), outputs)

    def to_json(self) -> dict[str, Any]:
        """Return the report as the harness wrote it."""
        return dict(json.loads(self.text))

    def faults(self) -> Iterator[str]:
        """Yield a sentence for each part that did not pass."""
        raw = self.to_json()
        for key, vectors in {"": raw, **raw.get("signatures", {})}.items():
            of = f" of signature '{key}'" if key else ""
            for kind, outputs in _outputs(vectors):
                for name, output in outputs.items():
                    if not output["pass"]:
                        yield OutputReplay.from_json(output).sentence(f"output '{name}'{of}", kind)
            for kind in ("pixels", "texts", "sounds"):
                for name, raws in vectors.get(kind, {}).items():
                    if not raws["pass"]:
                        yield f"the {kind} of input '{name}'{of} become other values in {raws['different']} places"
        state, train = raw.get("state", {"pass": True}), raw.get("train", {"pass": True})
        if not state["pass"]:
            kept = sorted({*state["read"], *state["assigned"], *state["restored"]})
            of = f": {', '.join(kept)}" if kept else ", or change the outputs after they were put back"
            yield f"variables do not hold what is assigned to them{of}"
        if not train["pass"]:
            yield f"training takes the loss from {train['first']} to {train['last']} in {train['steps']} steps"


def _outputs(vectors: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the outputs of a signature's vectors of each kind, by name."""
    yield "golden vector", vectors["outputs"]
    yield "edge vector", vectors.get("edges", {}).get("outputs", {})
