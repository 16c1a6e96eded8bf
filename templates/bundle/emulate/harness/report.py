"""What a run found: what --json prints, as values. Keys may come, none goes: scripts and `kit build` read them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .benchmark import Benchmark
    from .checks import Replay
    from .entries import InputError, Result
    from .numbers import Json
    from .variables import Variable


class Interpreter(NamedTuple):
    """What ran the model."""

    name: str  # pip's: "ai-edge-litert"
    version: str
    threads: int
    app: str  # what the app links: "litert:2.3.0"
    kernels: str = "default"  # or "reference"


@dataclass(frozen=True)
class Report:
    """All that one run of emulate.py found; None is what was not asked for."""

    bundle: str
    version: str
    kit: str
    runtime: Interpreter
    replay: Replay | None = None
    loaded: str | None = None
    results: tuple[Result, ...] | None = None
    errors: tuple[InputError, ...] = ()
    benchmark: Benchmark | None = None
    variables: tuple[tuple[str, Variable], ...] | None = None  # by name
    saved: str | None = None

    @property
    def found_nothing(self) -> bool:
        """Whether all that was asked for are INPUTs, and none can be used."""
        return not any((self.replay, self.results, self.benchmark, self.variables, self.saved))

    def to_json(self) -> Json:
        runtime = self.runtime._asdict()
        plain: Json = {"bundle": self.bundle, "version": self.version, "kit": self.kit, "runtime": runtime}
        plain |= {} if self.replay is None else self.replay.to_json()
        variables: Json = {name: variable.to_json() for name, variable in self.variables or ()}
        parts: Json = {
            "loaded": self.loaded,
            "results": None if self.results is None else [result.to_json() for result in self.results],
            "errors": [error.to_json() for error in self.errors] or None,
            "benchmark": None if self.benchmark is None else asdict(self.benchmark),
            "variables": None if self.variables is None else variables,
            "saved": self.saved,
        }
        return plain | {key: part for key, part in parts.items() if part is not None}
