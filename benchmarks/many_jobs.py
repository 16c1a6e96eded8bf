"""Run worker jobs one after another: `python -m benchmarks.many_jobs LIST`, in a toolchain. Each is a child process.

A single one runs in the process itself.

LIST has a line for each job, its input folder and its output folder with a tab between them, all of one Keras. A child
begins where TensorFlow is imported, which takes an emulated CPU a minute: what it does is what `python -m kit.worker`
does. A job that leaves no result is for the caller to find. A child that waits for a lock which a thread of its parent
held when it began would wait for ever: it is ended, and another one begun.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

EVERY, IDLE = 1, 120  # seconds between two looks at a child, and how many that find it as it was end it
TIMES = 3  # that a job is begun


def main(jobs: list[tuple[Path, Path]]) -> None:
    """Run each job in a child of this process."""
    from kit.shared.job import JOB, load_job
    from kit.worker.__main__ import main as work
    from kit.worker.loaders.keras_choice import choose_keras

    choose_keras(load_job((jobs[0][0] / JOB).read_text("utf-8")))
    import tensorflow  # noqa: F401 - for the children

    if len(jobs) == 1:
        said = os.dup(1)  # the worker takes stdout for its own lines
        work(*jobs[0])
        os.write(said, f"{jobs[0][1]}\n".encode())
        return
    for inputs, out in jobs:
        for _ in range(TIMES):
            if child := os.fork():
                if _ended(child):
                    break
                continue
            try:
                work(inputs, out)
            finally:
                os._exit(0)
        print(out, flush=True)


def _ended(child: int) -> bool:
    """Wait for a child's end; False where it had to be ended, for it did nothing."""
    idle, before = 0, [""]
    while idle < IDLE:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(EVERY)
        used = Path("/proc", str(child), "stat").read_text("utf-8").rpartition(")")[2].split()[11:13]  # CPU time
        idle, before = (idle + 1 if used == before else 0), used
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


if __name__ == "__main__":
    lines = Path(sys.argv[1]).read_text("utf-8").splitlines()
    main([(Path(inputs), Path(out)) for inputs, _, out in (line.partition("\t") for line in lines)])
