"""What a user sees on stderr while something runs: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from kit.bounded import printable

_WIDTH = 24


@dataclass
class Reporter:
    """Tells stages and how far they are. quiet tells nothing."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    quiet: bool = False
    _stage: str = ""
    _since: float = 0.0

    def note(self, text: str) -> None:
        """Say one thing in a line of its own."""
        self._end_stage()
        self._write(f"{printable(text)}\n")

    def stage(self, name: str) -> None:
        """Begin a stage, which ends the one before."""
        self._end_stage()
        name = printable(name)
        self._stage, self._since = name, time.monotonic()
        if self._live:
            self._write(f"\r\x1b[K{name} ...")

    def advance(self, done: int, total: int) -> None:
        """Show how far the stage is, on a terminal."""
        if self._live and self._stage and total:
            filled = _WIDTH * done // total
            self._write(f"\r\x1b[K{self._stage} [{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total}")

    def close(self) -> None:
        """End the last stage."""
        self._end_stage()

    @property
    def _live(self) -> bool:
        return self.stream.isatty()

    def _end_stage(self) -> None:
        if self._stage:
            seconds = time.monotonic() - self._since
            self._write(f"{chr(13) + chr(27) + '[K' if self._live else ''}{self._stage} ({seconds:.1f} s)\n")
            self._stage = ""

    def _write(self, text: str) -> None:
        if not self.quiet:
            self.stream.write(text)
            self.stream.flush()
