"""Fuzz one reader until libFuzzer's own options end it: `python one.py READER CORPUS -runs=N ...`.

Runs in a process of its own, with atheris (the dependency group `fuzz`). A finding ends it with exit code 77, a
traceback, and the content in a file. What an input takes is measured as CPU time of this process, so that a busy
machine makes no finding; libFuzzer's -timeout, in wall time, ends what hangs.
"""

from __future__ import annotations

import sys
import time

import atheris

with atheris.instrument_imports(include=["kit", "readers", "tomllib", "zipfile", "json", "tflite", "numpy.lib"]):
    from readers import READERS, SECONDS


def main() -> None:
    """Fuzz the reader that the command line names."""
    reader = READERS[sys.argv.pop(1)]

    def try_on(content: bytes) -> None:
        before = time.process_time()
        reader.try_on(content)
        took = time.process_time() - before
        assert took <= SECONDS, f"it takes {took:.1f} s of CPU time, over {SECONDS} s"

    atheris.Setup(sys.argv, try_on)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
