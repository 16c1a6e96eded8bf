"""Scripts on a runtime's Python, each a process. One that is started early imports its packages while others work."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kit.lifetime.tied import tied

_WAITING = Path(__file__).with_name("waiting_script.py")
_IMPORTS = ("numpy", "ai_edge_litert.interpreter", "tflite_runtime.interpreter")  # what there is of these


def _nobody(*_: int) -> None:
    """Tell nobody."""


def last_line(text: str) -> str:
    """Return the last line of what a process said, its last 300 characters at most; "" where it said nothing."""
    return " ".join(text.strip().splitlines()[-1:])[-300:]


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Scripts:
    """Runs scripts, in processes that wait for one where there are any.

    running: those of all threads; over: whether they were ended; advance: takes how far a script is and how far it
    has to go; cores: how many a script may use.
    """

    waiting: dict[Path, list[subprocess.Popen[str]]] = field(default_factory=dict)  # by the Python
    running: set[subprocess.Popen[str]] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    advance: Callable[[int, int], None] = _nobody
    cores: int = field(default_factory=usable_cores)

    def run(self, python: Path, words: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a script with its arguments; return its exit code and what it said, but for how far it was."""
        argv = [str(word) for word in words]
        if waiting := self.waiting.get(python):
            process, said = waiting.pop(0), json.dumps(argv) + "\n"
        else:
            process, said = _started([str(python), *argv]), ""
        errors: list[str] = []
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        reader = threading.Thread(target=lambda stream: errors.append(stream.read()), args=(process.stderr,))
        try:
            reader.start()
            self.running.add(process)
            if self.over.is_set():  # it was ended while this one started
                process.kill()
            with suppress(BrokenPipeError):  # it ended before: its exit code says so
                process.stdin.write(said)
                process.stdin.close()
            kept = [line for line in process.stdout if not self._progress(line)]
            code = process.wait()
        finally:
            process.kill()  # where this was interrupted
            process.wait()
            self.running.discard(process)
            reader.join()
        return subprocess.CompletedProcess(argv, code, "".join(kept), "".join(errors))

    def start(self, python: Path) -> None:
        """Start a process that waits for a script."""
        self.waiting.setdefault(python, []).append(_started([str(python), str(_WAITING), *_IMPORTS]))

    def end(self) -> None:
        """End the scripts that run in other threads, and those that one of them would run next."""
        self.over.set()
        for process in list(self.running):
            process.kill()

    def _progress(self, line: str) -> bool:
        """Pass on how far a script is; say whether that is what the line says."""
        if not line.startswith('{"done": '):
            return False
        event = json.loads(line)
        self.advance(event["done"], event["total"])
        return True


def _started(argv: Sequence[str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(tied(argv), stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=alone())


@contextmanager
def side_by_side(scripts: Scripts, number: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads that run scripts. What ends the block early (a signal, Ctrl-C, an error) ends the scripts, too."""
    with ThreadPoolExecutor(number) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            scripts.end()
            raise


@contextmanager
def scripts_ahead(python: Path, number: int, advance: Callable[[int, int], None] = _nobody) -> Iterator[Scripts]:
    """Start processes on a Python that wait for a script each. Those that none was for end with this block."""
    scripts = Scripts(advance=advance)
    try:
        for _ in range(number):
            scripts.start(python)
        yield scripts
    finally:
        for process in (each for waiting in scripts.waiting.values() for each in waiting):
            process.kill()
            process.communicate()


def alone() -> dict[str, str]:
    """Return this environment without what would change which packages a script finds."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "DROPKIT_LOCKED": "1",  # the harness: no package is to be installed
    }
