"""How far long work is, as a bar on a terminal. Says nothing elsewhere, and nothing of what is soon done."""

import time
from typing import TextIO

_WIDTH = 24
_SOON = 1.0  # seconds without a bar
_OFTEN = 0.1  # seconds from one to the next


class Bar:
    """A line that is written anew. screen: where it stands, if that is a terminal."""

    def __init__(self, screen: TextIO) -> None:
        self._screen, self._live = screen, screen.isatty()
        self._begin = self._last = time.monotonic()
        self._shown = False

    def advance(self, done: int, left: int) -> None:
        """Show how many calls are done and, as far as that is known, left."""
        now = time.monotonic()
        if not self._live or now - self._begin < _SOON or now - self._last < _OFTEN:
            return
        self._last, self._shown, total = now, True, done + left
        filled = _WIDTH * done // total
        rest = f", about {(now - self._begin) * left / done:.0f} s left" if left else ""
        self._screen.write(f"\r\x1b[Krun [{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total}{rest}")
        self._screen.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._shown:
            self._screen.write("\r\x1b[K")
            self._screen.flush()
