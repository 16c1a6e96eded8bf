"""Load one model with its own code written in each form in which users import Keras, inside a toolchain's Python.

`python code_forms.py FOLDER`, with kit on PYTHONPATH. forms.json there holds the code by the form's name. TensorFlow is
imported once, as the worker does it; each form then runs in a child of its own, because an import is for good.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from load_source import load_report

from kit.shared.job import load_job
from kit.worker.loaders.keras_choice import choose_keras


def loaded(folder: Path, code: str) -> dict[str, Any]:
    """Return what came of loading the folder's model with this code, from a child process."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with tempfile.TemporaryDirectory() as scratch:
                copy = Path(scratch) / "job"
                shutil.copytree(folder, copy)
                (copy / "custom.py").write_text(code, "utf-8")
                outcome: Any = load_report(copy, chosen=True)
        except BaseException:  # noqa: BLE001 - the parent reads it, whatever it is
            outcome = {"crash": traceback.format_exc()[-2000:]}
        with os.fdopen(write, "w") as pipe:
            json.dump(outcome, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    outcome = json.loads(text or '{"crash": "it ended without a word"}')
    assert isinstance(outcome, dict)
    return outcome


def main(folder: Path) -> None:
    choose_keras(load_job((folder / "job.json").read_text("utf-8")))
    import kit.worker.loaders.load  # noqa: F401 - TensorFlow and all that the children share

    forms = json.loads((folder / "forms.json").read_text("utf-8"))
    sys.stdout.write("\n" + json.dumps({name: loaded(folder, code) for name, code in forms.items()}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
