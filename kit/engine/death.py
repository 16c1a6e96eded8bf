"""What to say of a conversion process that died: in which stage, with which layers in question, of what, what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.bounded import MOST_OUT, MOST_OUT_FILES, printable
from kit.errors import ModelError
from kit.process import Exit, tail
from kit.shared.another_version import LESS, NO_RANGES

_QUOTED = 6  # lines of the log in the message
_MOST = 120  # characters of a name in a message
# What Python's fault handler leaves in the log of the model's own code: the innermost line comes first.
_CODE = re.compile(r'File "[^"]*/(custom\.py)", line (\d+)')

# What a library says in the log where memory, or a thread for lack of it, was refused; it then ends the process itself.
_STARVED = re.compile(
    r"bad_alloc|[Cc]annot allocate memory|pthread_create\(\) failed|^MemoryError|failed to map segment", re.MULTILINE
)


@dataclass
class Trail:
    """How far a worker came, by what it reported last."""

    stage: str = "start Python"
    step: str = ""
    layer: str = ""  # that was called last, while the model was loaded or traced
    layers: tuple[str, ...] = ()  # with operations that are not in every model

    def note(self, event: dict[str, Any]) -> None:
        """Take one line of the worker's progress, as kit.worker.progress writes it."""
        if "stage" in event:
            self.stage, self.step, self.layer = _plain(event["stage"]), "", ""
        elif "step" in event:
            self.step, self.layer = _plain(event["step"]), ""
        elif "layer" in event:
            self.layer = _plain(event["layer"])
        elif "layers" in event:
            self.layers, self.layer = tuple(_plain(name) for name in event["layers"][:5]), ""

    @property
    def doing(self) -> str:
        """Return what the worker was at: "load the model", "convert to int8: prepare the converted model"."""
        return f"{self.stage}: {self.step}" if self.step and self.step != self.stage else self.stage


def death(log: Path, ended: Exit, engine: str, trail: Trail) -> ModelError:
    """Return the error of a worker that left no result, with the last lines of its log."""
    found = _CODE.search(tail(log, 40)) if ended.status < 0 or ended.status > 128 else None
    code = f"{found[1]}, line {found[2]}" if found else ""
    quoted = "\n".join(f"  | {printable(line)[:500]}" for line in tail(log, _QUOTED).splitlines())
    return ModelError(
        f"the conversion process died while it was to '{trail.doing}'{_place(trail, code)} ({engine} engine): "
        f"{ended.cause}\n{quoted}\n  whole log: {log}",
        _next(ended, trail, code, starved=bool(_STARVED.search(tail(log, 80)))),
    )


def _place(trail: Trail, code: str) -> str:
    if code or trail.layer:
        return f", in {', '.join(filter(None, (trail.layer, code)))}"
    if trail.layers:
        return f"; in question: {', '.join(trail.layers)}"
    return ""


def _next(ended: Exit, trail: Trail, code: str, *, starved: bool) -> str:
    less = "; or fewer samples: [quantize] count, [checks] data" if trail.stage.startswith(("convert", "run")) else ""
    if ended.too_large:
        return f"a job may leave {MOST_OUT >> 30} GB in {MOST_OUT_FILES} files: fewer evaluation samples, [checks] data"
    if ended.timed_out:
        return f"give it more time, as in --timeout 7200{less}"
    if ended.out_of_memory or starved or (ended.status == -9 and not code):
        held = "; or fewer samples, whose outputs lie in memory: [checks] data" if trail.stage.startswith("run") else ""
        return f"give it more memory, as in --memory 16g{held}"
    if code:
        return f"correct {code}: the process ends there"
    if trail.layer:
        return f"replace {trail.layer} in the model, and save it again"  # loading calls it, whatever outputs are chosen
    return NO_RANGES if "int8" in trail.stage else LESS


def _plain(text: Any) -> str:
    return printable(str(text))[:_MOST]
