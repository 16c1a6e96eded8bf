"""The page of `emulate --serve` beside bare calls: from sending an image to its outputs, over one invoke.

`python -m benchmarks.page BUNDLE [ROUNDS]` prints the rows of one bundle of an image model.
"""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from benchmarks.cost.rows import HERE, line
from kit.bundle.layout import only_bundle
from kit.bundle.manifest import read_manifest
from kit.emulation.run import lock_of
from kit.toolchains.toolchain import find_runtime
from kit.toolchains.venv import runtime_venv

GOAL = 3.0  # times the bare call
SIZES = ((224, 224), (640, 480))  # of a JPEG
CALLS = 20  # of each, by turns, in a round
WARM = 3  # requests that are not timed


def page_rows(bundle: Path, rounds: int) -> list[str]:
    """Return the rows of the table: a JPEG of each size, over a bare call."""
    runtime = find_runtime(read_manifest(bundle).runtime)
    python = runtime_venv(runtime, lock_of(bundle, runtime), print)
    pipe = subprocess.PIPE
    bare = [str(python), str(HERE / "bare_call.py"), str(only_bundle(bundle).model)]
    serve = [sys.executable, "-m", "kit", "emulate", str(bundle), "--serve"]
    with (
        subprocess.Popen(bare, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as caller,
        subprocess.Popen(serve, stdout=pipe, text=True) as server,
    ):
        assert server.stdout is not None
        assert caller.stdout is not None
        try:
            caller.stdout.readline()
            address = server.stdout.readline().strip()
            return [_row(address, caller, size, rounds) for size in SIZES]
        finally:
            caller.kill()
            server.terminate()


def _row(address: str, caller: subprocess.Popen[str], size: tuple[int, int], rounds: int) -> str:
    image = _jpeg(size)
    for _ in range(WARM):
        _asked(address, image)
    ratios = []
    for number in range(rounds):
        pairs = [(_asked(address, image), _called(caller)) for _ in range(CALLS)]
        page, bare = (statistics.median(each) for each in zip(*pairs, strict=True))
        print(f"page, round {number + 1}: {1000 * page:.1f} ms, a bare call {1000 * bare:.1f} ms", flush=True)
        ratios.append(page / bare)
    return line(f"the page's outputs of a JPEG of {size[0]}x{size[1]} / a bare call: wall time", ratios, GOAL)


def _jpeg(size: tuple[int, int]) -> bytes:
    """Return a JPEG that looks like a photograph to a decoder: smooth, with some noise."""
    width, height = size
    rng = np.random.default_rng(7)
    ramp = np.linspace(0, 200, width)[None, :, None] + rng.integers(0, 40, (height, width, 3))
    content = io.BytesIO()
    Image.fromarray(ramp.astype(np.uint8)).save(content, "JPEG", quality=90)
    return content.getvalue()


def _asked(address: str, image: bytes) -> float:
    """Send an image as the page does; return the seconds to its outputs."""
    place = urlsplit(address)
    begin = time.perf_counter()
    connection = HTTPConnection(place.netloc)
    headers = {"Content-Type": "application/octet-stream"}
    connection.request("POST", f"{place.path}run?name=a.jpg&preview=0", image, headers)
    reply = json.loads(connection.getresponse().read())
    seconds = time.perf_counter() - begin
    connection.close()
    if not reply["models"][0]["results"]:
        raise SystemExit(f"the page gave no outputs: {reply}")
    return seconds


def _called(caller: subprocess.Popen[str]) -> float:
    assert caller.stdin is not None
    assert caller.stdout is not None
    caller.stdin.write("\n")
    caller.stdin.flush()
    return float(caller.stdout.readline())


if __name__ == "__main__":
    print("\n".join(page_rows(Path(sys.argv[1]), int((sys.argv[2:] or ["3"])[0]))))
