"""What int8 costs and gives for a recurrent layer, by its kind and length: `inv bench --recurrent`.

Writes the table of docs/recurrent.md. Each model is trained, built in float32 (which keeps the loop) and in int8 (which
writes it out), and both files are run by turns in one process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.operators import ENV, ROOT, RUNTIME, VERSION
from benchmarks.page_part import PagePart
from kit.tflite.reader import tflite_path
from kit.toolchains.toolchain import find_runtime, find_toolchain
from kit.toolchains.venv import runtime_venv, toolchain_venv

PART = PagePart(
    ROOT / "docs" / "recurrent.md", "<!-- recurrent: written by inv bench --recurrent -->", "<!-- end of recurrent -->"
)
KINDS = ("LSTM", "GRU", "Bidirectional LSTM")
LENGTHS = (10, 50, 100, 200)
MODEL_REFUSED = 3  # the exit code
RUNS = ROOT / "benchmarks" / "recurrent_runs.py"


@dataclass(frozen=True)
class Row:
    """One kind and length: bytes of the files, int8's time as a share of float's, its correlation with Keras.

    0 bytes of int8 are a length that is refused.
    """

    kind: str
    length: int
    plain: int
    small: int
    dynamic: int
    time: float
    correlation: float

    def line(self) -> str:
        """Return it as a row of the table."""
        sizes = " | ".join(f"{size / 1000:,.1f}" for size in (self.plain, self.dynamic))
        made = f"{self.small / 1000:,.1f} | {self.time:.2f} | {self.correlation:.4f}" if self.small else "refused | | "
        return f"| {self.kind} | {self.length} | {sizes} | {made} |"


def measured(kind: str, length: int, folder: Path) -> Row:
    """Train, build and run one model. Raises SystemExit where one of these fails."""
    runtime = find_runtime(RUNTIME)
    litert = runtime_venv(runtime, runtime.lock(images=False), print)
    python = toolchain_venv(find_toolchain(VERSION), print)
    _run([str(python), str(RUNS), "train", kind, str(length), str(folder)])
    files = {scheme: _built(scheme, folder) for scheme in ("float32", "dynamic", "int8")}
    sizes = {scheme: file.stat().st_size if file else 0 for scheme, file in files.items()}
    if files["int8"] is None:
        return Row(kind, length, sizes["float32"], 0, sizes["dynamic"], 0.0, 0.0)
    said = _run([str(litert), str(RUNS), "run", str(files["float32"]), str(files["int8"]), str(folder)])
    found = json.loads(said.splitlines()[-1])
    time, correlation = found["time"], found["correlation"]
    return Row(kind, length, sizes["float32"], sizes["int8"], sizes["dynamic"], time, correlation)


def _built(scheme: str, folder: Path) -> Path | None:
    """Build a scheme and return the file; None where the loop has too many steps for it."""
    recipe = folder / f"{scheme}.toml"
    data = "representative = 'calibration.npz'\n" if scheme == "int8" else ""
    recipe.write_text(
        f"[model]\npath = 'model.keras'\nid = '{scheme}'\n[toolchain]\ntensorflow = '{VERSION}'\n"
        f"[quantize]\nscheme = '{scheme}'\n{data}",
        "utf-8",
    )
    argv = [sys.executable, "-m", "kit", "build", str(recipe), "--engine", "local", "--out", str(folder / "dist")]
    done = subprocess.run(argv, env=ENV, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == MODEL_REFUSED and "more than" in done.stderr:
        return None
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return tflite_path(folder / "dist" / scheme)


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, env=ENV, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout


def main() -> None:
    """Measure all and write the table."""
    rows = []
    for kind in KINDS:
        for length in LENGTHS:
            with TemporaryDirectory(prefix="dropkit-bench-") as folder:
                rows.append(measured(kind, length, Path(folder)))
            print(rows[-1].line(), flush=True)
    head = (
        "| 64 units | steps | float32 kB | dynamic kB | int8 kB | int8 time / float32 | correlation with Keras |\n"
        "|---|---:|---:|---:|---:|---:|---:|\n"
    )
    PART.write(head + "\n".join(row.line() for row in rows))


if __name__ == "__main__":
    main()
