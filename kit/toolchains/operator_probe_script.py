"""Ask a runtime which operators it has. Runs inside the runtime's own venv: numpy and the interpreter, no kit.

Reads lines "NAME VERSION HEX" from stdin, HEX being a .tflite with that one operator code; writes "NAME VERSION yes"
or "no" for each. No operator is run, or even prepared: a runtime looks each code up when it loads the file.
"""

import importlib
import os
import sys
from typing import Any


def interpreter() -> Any:
    """Return the Interpreter class of whichever package this venv has."""
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow.lite.python.interpreter"):
        try:
            return importlib.import_module(name).Interpreter
        except ModuleNotFoundError:
            continue
    raise SystemExit("no interpreter here")


def main() -> None:
    """Reply to every line of stdin."""
    predictions, kind = os.fdopen(os.dup(1), "w"), interpreter()
    os.dup2(2, 1)  # some runtimes greet on stdout
    for line in sys.stdin:
        name, version, content = line.split()
        try:
            kind(model_content=bytes.fromhex(content))
            predictions.write(f"{name} {version} yes\n")
        except ValueError as error:
            if "Didn't find op" not in str(error) and "out of range" not in str(error):
                raise
            predictions.write(f"{name} {version} no\n")
        predictions.flush()


if __name__ == "__main__":
    main()
