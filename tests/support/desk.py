"""A bundle on a user's desk: its harness run as a command, its files changed, its errors read."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Desk:
    """A copy of a bundle, the Python that runs its harness, and a folder for inputs."""

    python: Path
    bundle: Path
    inputs: Path

    @property
    def emulate(self) -> Path:
        return self.bundle / "emulate"

    @property
    def assets(self) -> Path:
        (folder,) = (self.bundle / "src" / "main" / "assets").iterdir()
        return folder

    @property
    def golden(self) -> Arrays:
        with np.load(self.emulate / "golden.npz") as file:
            return dict(file)

    def argv(self, *arguments: object) -> list[str]:
        return [str(self.python), str(self.emulate / "emulate.py"), *map(str, arguments)]

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        # Not beside the bundle: it must find its own files from anywhere.
        return subprocess.run(
            self.argv(*arguments),
            cwd=self.inputs,
            env=clean_environment() | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def report(self, *arguments: object) -> dict[str, Any]:
        """Return what --json printed, from a run that went well and said nothing else."""
        done = self.run(*arguments, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def top(self, *arguments: object) -> list[dict[str, Any]]:
        """Return the best class of each sample."""
        return [result["outputs"]["digit"]["top"][0] for result in self.report(*arguments)["results"]]

    def save(self, name: str, **arrays: Any) -> Path:
        path = self.inputs / name
        if path.suffix == ".npy":
            np.save(path, *arrays.values())
        else:
            np.savez(path, **arrays)
        return path

    def image(self, index: int, name: str = "digit.png") -> Path:
        """Save the image of a golden vector."""
        Image.fromarray(self.golden["pixels/image"][index, :, :, 0]).save(self.inputs / name)
        return self.inputs / name

    def change_golden(self, **changes: Any) -> None:
        """Replace arrays of golden.npz, by their key with _ for /; None takes result away."""
        arrays = self.golden | {key.replace("_", "/"): value for key, value in changes.items()}
        self.write_golden({key: array for key, array in arrays.items() if array is not None})

    def write_golden(self, arrays: Arrays) -> None:
        np.savez(self.emulate / "golden.npz", **arrays)  # type: ignore[arg-type]

    def change_signature(self, change: Callable[[dict[str, Any]], object]) -> None:
        path = self.assets / "signature.json"
        signature = json.loads(path.read_text("utf-8"))
        change(signature)
        path.write_text(json.dumps(signature), "utf-8")


def clean_environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return ours | {"PYTHONDONTWRITEBYTECODE": "1"}


def assert_one_clear_line(done: subprocess.CompletedProcess[str], code: int, message: str) -> None:
    """An error is result line on stderr, `emulate: what; next step`, and nothing on stdout."""
    assert (done.returncode, done.stdout) == (code, ""), done
    assert re.fullmatch(r"emulate: [^\n]+; [^\n]+\n", done.stderr), done.stderr
    assert re.search(message, done.stderr), done.stderr
