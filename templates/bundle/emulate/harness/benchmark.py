"""How long one call takes here."""

import time
from dataclasses import dataclass

import numpy as np

from .files import Arrays
from .interpreter import Runner, ask
from .signature import Signature

WARM_UP = 10


@dataclass(frozen=True)
class Benchmark:
    """The time of one call, with its copies in and out."""

    median_ms: float
    p90_ms: float
    runs: int
    warm_up: int
    threads: int


def benchmark(runner: Runner, signature: Signature, values: Arrays, runs: int) -> Benchmark:
    """Return the time of one call, with its copies in and out, in milliseconds. Raises EmulateError.

    values: by name one array for each input, of its tensor's shape and dtype.
    """
    ask(runner, signature, values)
    call = runner.calls[signature.key]
    for _ in range(WARM_UP - 1):
        call(**values)
    times = []
    for _ in range(runs):
        start = time.perf_counter_ns()
        call(**values)
        times.append((time.perf_counter_ns() - start) / 1e6)
    median, p90 = np.percentile(times, [50, 90]).round(4).tolist()
    return Benchmark(median, p90, runs, WARM_UP, runner.threads)
