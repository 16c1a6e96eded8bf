"""What a user sees on stderr while something runs: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from kit.bounded import printable

_WIDTH = 24
_SHORT = 2.0  # seconds of a stage without an estimate


@dataclass
class Reporter:
    """Tells stages and how far they are. quiet tells nothing."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    quiet: bool = False
    _stage: str = ""
    _since: float = 0.0
    _first: tuple[float, int] | None = None  # when the stage first said how far it is, and how far

    def note(self, text: str) -> None:
        """Say one thing in a line of its own."""
        self._end_stage()
        self._write(f"{printable(text)}\n")

    def stage(self, name: str) -> None:
        """Begin a stage, which ends the one before."""
        self._end_stage()
        name = printable(name)
        self._stage, self._since, self._first = name, time.monotonic(), None
        if self._live:
            self._write(f"\r\x1b[K{name} ...")

    def advance(self, done: int, total: int) -> None:
        """Show how far the stage is, on a terminal; and of one that takes more than two seconds, what is left."""
        if self._live and self._stage and total:
            now, filled = time.monotonic(), _WIDTH * done // total
            self._first = self._first or (now, done)
            left = rest(now - self._first[0], done - self._first[1], total - done) if now - self._since > _SHORT else ""
            self._write(f"\r\x1b[K{self._stage} [{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total}{left}")

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


def rest(seconds: float, done: int, left: int) -> str:
    """Return in words how long the rest takes, "" where nothing says so: ", about 40 s left".

    done: what was done in these seconds; left: what is yet to be.
    """
    if done <= 0 or left <= 0:
        return ""
    more = seconds * left / done
    return f", about {more:.0f} s left" if more < 90 else f", about {more / 60:.0f} min left"
