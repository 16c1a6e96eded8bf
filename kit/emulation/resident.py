"""A process with a bundle's model in it, which runs one file after another: a page asks it again and again.

Knows the process and its lines, nothing of pages. The process ends where it crashes, hangs or is no longer wanted, and
the next question starts another.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.bundle.layout import HARNESS
from kit.emulation.output_check import InputError
from kit.emulation.run import crashed, lock_of
from kit.emulation.scripts import alone
from kit.errors import EngineError, RecipeError
from kit.lifetime.tied import tied
from kit.packages.heic import heic_site
from kit.shared.values import from_json
from kit.toolchains.toolchain import Runtime
from kit.toolchains.venv import runtime_venv

PATIENCE = 120.0  # seconds for one file
_SCRIPT = Path(__file__).with_name("resident_script.py")
_MOST_LINE = 256 << 20  # of one line
_DOCTOR = "run `kit doctor`"


@dataclass(frozen=True)
class InputKind:
    """One input: its name, and what it takes: image, text, audio or tensor."""

    name: str
    kind: str


@dataclass(frozen=True)
class Ready:
    """What a process says once its model is loaded. takes: how the names of files end that it can run."""

    package: str
    takes: tuple[str, ...]
    inputs: tuple[InputKind, ...]


@dataclass(frozen=True)
class FileOutputs:
    """What came of one file. results: as the harness's --json has them, in the script's words; left: calls not made."""

    results: tuple[dict[str, Any], ...]
    errors: tuple[InputError, ...]
    left: int

    @classmethod
    def from_line(cls, line: str) -> FileOutputs:
        """Return what a line of the script says. Raises ValueError, KeyError or TypeError where it says nothing."""
        raw = json.loads(line)
        errors = tuple(from_json(InputError, each) for each in raw["errors"])
        return cls(tuple(dict(result) for result in raw["results"]), errors, int(raw["left"]))


@dataclass
class Resident:
    """A bundle on a runtime, in a process that is started by the first question. words: the script's own.

    folder: a bundle's data with the kit's own harness. A second question waits for the first.
    """

    folder: Path
    runtime: Runtime
    words: Sequence[str]  # a signature's key, how many classes, threads, kernels
    notify: Callable[[str], None]
    _ready: Ready | None = None
    _process: subprocess.Popen[str] | None = None
    # The kernel ends a child with the thread that started it, so one thread lives as long as this does.
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def ready(self) -> Ready:
        """Return what the process says of the model, after starting it where none runs.

        Raises RecipeError where the bundle cannot be run, EngineError where the interpreter crashed.
        """
        return self._thread.submit(self._started).result()

    def ask(self, path: Path, name: str, *, preview: bool) -> FileOutputs:
        """Return what comes of a file. name: what its user calls it; preview: with an image of what is shown.

        Raises RecipeError where the bundle cannot be run, EngineError where the interpreter crashed or hung, or what
        reads HEIC cannot be had.
        """
        self.ready()
        site = heic_site([str(path)], self.notify)
        asked = json.dumps({"path": str(path), "name": name, "preview": preview, "site": str(site or "")})
        try:
            return self._thread.submit(self._asked, asked).result(PATIENCE)
        except TimeoutError as error:
            self._end()
            raise EngineError(
                f"{self.runtime.name} gave no outputs of {name} for {PATIENCE:.0f} s", "give a smaller file"
            ) from error

    def close(self) -> None:
        """End the process, and the thread that waits for it."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._end()
        self._thread.shutdown()

    def _started(self) -> Ready:
        if self._process is not None and self._process.poll() is None and self._ready is not None:
            return self._ready
        python = runtime_venv(self.runtime, lock_of(self.folder, self.runtime), self.notify)
        argv = tied([str(python), str(_SCRIPT), str(self.folder / HARNESS.parent), *self.words])
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env=alone()
        )
        raw = _json_of(self._line())
        if "error" in raw:
            kind = EngineError if raw["code"] == EngineError.code else RecipeError
            raise kind(str(raw["error"]), str(raw["hint"]))
        try:
            self._ready = from_json(Ready, raw)
        except (TypeError, KeyError) as error:
            raise self._silent() from error
        return self._ready

    def _asked(self, question: str) -> FileOutputs:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it ended before: its line says so
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        try:
            return FileOutputs.from_line(self._line())
        except (ValueError, KeyError, TypeError) as error:
            self._end()
            raise self._silent() from error

    def _line(self) -> str:
        """Return the next line that the process says. Raises EngineError where it ended before."""
        assert self._process is not None
        assert self._process.stdout is not None
        if line := self._process.stdout.readline(_MOST_LINE):
            return line
        code = self._process.wait()
        if code < 0 and code != -signal.SIGKILL:
            raise crashed(self.folder, self.runtime.name, code)
        raise self._silent()

    def _silent(self) -> EngineError:
        return EngineError(f"the harness gave no result on {self.runtime.name}", _DOCTOR)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _json_of(line: str) -> dict[str, Any]:
    """Return what a line says, nothing where it is no object."""
    with suppress(ValueError):
        raw = json.loads(line)
        return raw if isinstance(raw, dict) else {}
    return {}
