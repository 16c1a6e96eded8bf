"""What the worker tells while it works: one JSON object a line. Keeps every other writer off that stream."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence


class Progress:
    """Writes progress to the process's real stdout, and sends what libraries print there to stderr."""

    def __init__(self) -> None:
        sys.stdout.flush()
        # Keras and the converter print to fd 1, also from C++: the protocol gets a copy, they get stderr.
        self._stream = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
        os.dup2(2, 1)
        self._stage = self._step = ""

    @property
    def doing(self) -> str:
        """Return what is being done: the step where the stage has several, else the stage."""
        return self._step or self._stage

    def stage(self, name: str) -> None:
        """Say that a stage begins."""
        self._stage, self._step = name, ""
        self._tell({"stage": name})

    def step(self, name: str) -> None:
        """Say that a step of the stage begins. The user reads it only where the process dies in it."""
        self._step = name
        self._tell({"step": name})

    def layer(self, name: str) -> None:
        """Say which layer is being called, as a message names it: "layer 'dense' (Dense)"."""
        self._tell({"layer": name})

    def suspect(self, layers: Sequence[str]) -> None:
        """Say which layers are in question where the process dies from here on: those with uncommon operations."""
        self._tell({"layers": list(layers)})

    def advance(self, done: int, total: int) -> None:
        """Say how far the stage is; at most about twenty times a stage."""
        if done == total or done % max(1, total // 20) == 0:
            self._tell({"done": done, "total": total})

    def _tell(self, event: dict[str, object]) -> None:
        self._stream.write(json.dumps(event) + "\n")
        self._stream.flush()
