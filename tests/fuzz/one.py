"""Fuzz one reader until libFuzzer's own options end it: `python one.py READER CORPUS -runs=N ...`.

Runs in a process of its own, with atheris (the dependency group `fuzz`). A finding ends it with exit code 77, a
traceback, and the content in a file.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["kit", "readers", "tomllib", "zipfile", "json", "tflite", "numpy.lib"]):
    from readers import READERS


def main() -> None:
    """Fuzz the reader that the command line names."""
    reader = READERS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, reader.try_on)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
