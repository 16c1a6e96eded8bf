"""A bundle's emulate.py beside a bare loop over the interpreter, two processes beside one, a replay beside its imports.

The loop does the same work: it has to print the same rows, or nothing is measured. All run as they would for a user: no
variable of Python's is set, which may forbid to keep what is compiled, and what is compiled is there.

`python -m benchmarks.harness DIGITS MOBILENET [ROUNDS]` prints the rows of a bundle of the example and of one of an
image model with uint8 inputs, as `inv bench --only harness` does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.cost.meter import Spent, spend
from benchmarks.cost.rows import DIGITS, HERE, line
from kit.bundle.layout import HARNESS, only_bundle
from kit.bundle.manifest import read_manifest
from kit.emulation.run import lock_of
from kit.toolchains.toolchain import find_runtime
from kit.toolchains.venv import runtime_venv

DIGITS_COUNT, PHOTOS, SIZE = 5000, 200, (1280, 720)
LOOP, JPEGS, TWO, REPLAY = 1.4, 1.1, 0.55, 1.2  # the goals
REPLAYS = 5  # in a round: one takes a fifth of a second
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def harness_rows(digits: Path, images: Path, rounds: int) -> list[str]:
    """Return the rows of the table. digits, images: bundles."""
    with TemporaryDirectory(prefix="dropkit-bench-") as temporary:
        many, album = Path(temporary) / "many.npz", Path(temporary) / "album"
        with np.load(DIGITS / "test.npz") as arrays:
            np.savez(many, image=np.resize(arrays["image"], (DIGITS_COUNT, *arrays["image"].shape[1:])))
        _album(album)
        python = _python(images)
        for bundle in (digits, images):
            spend([str(python), "-m", "compileall", "-q", str((bundle / HARNESS).parent)], ENVIRONMENT)
        small = {
            "harness": _emulate(python, digits, "--jobs", "1", "--csv", "--", str(many)),
            "loop": _bare(python, digits, many),
        }
        large = {
            "harness": _emulate(python, images, "--jobs", "1", "--csv", "--", str(album)),
            "loop": _bare(python, images, album),
            "two": _emulate(python, images, "--jobs", "2", "--csv", "--", str(album)),
        }
        replay = {"harness": _emulate(python, digits), "loop": [str(python), str(HERE / "bare_loop.py")]}
        spent = {
            "digits": _by_turns("digits", small, rounds),
            "photos": _by_turns("photos", large, rounds),
            "replay": _by_turns("replay", replay, REPLAYS * rounds),
        }
        _check_rows(spent["digits"], many)
        _check_rows(spent["photos"], album)
        return [
            line(f"emulate.py over {DIGITS_COUNT:,} digits / a bare loop: CPU time",
                 _ratios(spent["digits"], "harness", "loop", "cpu"), LOOP),
            line(f"over {PHOTOS} JPEGs of {SIZE[0]}x{SIZE[1]} / a bare loop: CPU time",
                 _ratios(spent["photos"], "harness", "loop", "cpu"), JPEGS),
            line("the same by two processes / by one: wall time",
                 _ratios(spent["photos"], "two", "harness", "wall"), TWO),
            line("the golden vectors' replay / the imports alone: CPU time",
                 _ratios(spent["replay"], "harness", "loop", "cpu"), REPLAY),
        ]  # fmt: skip


def _python(bundle: Path) -> Path:
    runtime = find_runtime(read_manifest(bundle).runtime)
    return runtime_venv(runtime, lock_of(bundle, runtime), print)


def _emulate(python: Path, bundle: Path, *words: str) -> list[str]:
    return [str(python), str(bundle / HARNESS), *words]


def _bare(python: Path, bundle: Path, path: Path) -> list[str]:
    return [str(python), str(HERE / "bare_loop.py"), str(only_bundle(bundle).signature.parent), str(path)]


def _check_rows(rounds: Sequence[dict[str, Spent]], path: Path) -> None:
    """Raise SystemExit where commands did not print the same rows of what they read."""
    for spent in rounds:
        rows = {name: [line for line in run.printed.splitlines() if str(path) in line] for name, run in spent.items()}
        if any(own != rows["loop"] or not own for own in rows.values()):
            raise SystemExit(f"{path}: {' and '.join(rows)} do not print the same rows")


def _album(folder: Path) -> None:
    """Write JPEGs that look like photographs to a decoder: smooth, with some noise."""
    folder.mkdir()
    rng = np.random.default_rng(7)
    ramp = np.linspace(0, 200, SIZE[0])[None, :, None] + rng.integers(0, 40, (SIZE[1], SIZE[0], 3))
    for number in range(PHOTOS):
        Image.fromarray(np.roll(ramp, 5 * number, 1).astype(np.uint8)).save(folder / f"{number:03}.jpg", quality=90)


def _by_turns(name: str, commands: dict[str, list[str]], rounds: int) -> list[dict[str, Spent]]:
    """Run commands by turns, so that a busy machine is busy for all of them."""
    found = []
    for number in range(rounds):
        found.append({each: spend(argv, ENVIRONMENT, memory=False) for each, argv in commands.items()})
        words = [f"{each} {spent.wall:.2f} s, CPU {spent.cpu:.2f} s" for each, spent in found[-1].items()]
        print(f"harness, {name}, round {number + 1}: {'; '.join(words)}", flush=True)
    return found


def _ratios(rounds: Sequence[dict[str, Spent]], one: str, other: str, kind: str) -> list[float]:
    return [getattr(spent[one], kind) / getattr(spent[other], kind) for spent in rounds]


if __name__ == "__main__":
    digits, images, *more = sys.argv[1:]
    print("\n".join(harness_rows(Path(digits), Path(images), int((more or ["3"])[0]))))
