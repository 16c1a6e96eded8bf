"""Kill the kit, its workers and its containers in every stage of every command; count lost bundles and strays.

A bundle is lost if it is not whole, the old or the new one, right after the kill or after the next command. A stray is
what is left after the next command: a folder, a process, a container, or a file beside its target.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice

from docker.errors import APIError

from benchmarks.faults.kept import Row
from benchmarks.faults.world import World, content, words_of
from kit.files import tree_digests

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_PATIENCE = 900.0  # seconds for a stage to come
_GRACE = 3.0  # seconds in which the processes of a killed run must be gone


@dataclass(frozen=True)
class Stage:
    """A moment of a command: it has come when the command has said `after`, "" for when its worker runs."""

    command: str
    name: str
    after: str


IN_WORKER = (
    Stage("build", "start TensorFlow", ""),
    Stage("build", "load the model", "start TensorFlow ("),
    Stage("build", "convert", "load the model ("),
    Stage("build", "run the float model", "convert to int8 ("),
    Stage("build", "run the converted model", "run the float model ("),
)
STAGES = {
    "local": (
        *IN_WORKER,
        Stage("build", "run it on LiteRT", "run the converted model ("),
        Stage("build", "write the bundle", "run it on litert"),
        Stage("build", "replay its golden vectors", "write the bundle ("),
        Stage("verify", "build it again", "start TensorFlow ("),
        Stage("matrix", "build a version", ""),
        Stage("android", "compile the Kotlin", "names and counts ("),
        Stage("drop", "write the files", "partial"),
        Stage("drop", "take them out again", "partial"),
    ),
    # The other stages of a build run on the host with this engine, too.
    "docker": IN_WORKER,
}
TARGETS = {"local": ("kit", "worker"), "docker": ("kit", "worker", "container")}


@dataclass
class Count:
    """What was seen of one stage and one fault."""

    engine: str
    stage: Stage
    fault: str
    tries: int = 0
    lost: int = 0
    strays: int = 0
    slow: int = 0  # tries in which processes or containers were still there after _GRACE

    def row(self) -> Row:
        """Return it as the cells of a table."""
        place = (self.engine, self.stage.command, self.stage.name, self.fault)
        return [*place, self.tries, self.lost, self.strays, self.slow]


HEAD = ("engine", "command", "stage", "fault", "tries", "bundles lost", "strays left", "still running after 3 s")


def count_kills(world: World, stage: Stage, tries: int) -> list[Row]:
    """Return the counts of each fault in a stage of this world's engine, in the order of HEAD."""
    first = STAGES[world.engine].index(stage)
    kinds = [(number, target) for target in TARGETS[world.engine] for number in SIGNALS]
    counts: dict[str, Count] = {}
    # Not the same fault first in each stage: few tries still see all of them.
    for number, target in islice(cycle(kinds), first, first + tries):
        fault = f"{number.name} to {target}"
        count = counts.setdefault(fault, Count(world.engine, stage, fault))
        _try(world, stage, number, target, count)
        print(*count.row(), file=sys.stderr, flush=True)
    return [counts[fault].row() for fault in sorted(counts)]


def _try(world: World, stage: Stage, number: signal.Signals, target: str, count: Count) -> None:
    removes = stage.name == "take them out again"
    if stage.command == "drop":
        world.run("remove" if not removes and (world.module / "dropkit.json").exists() else "drop")
        if not removes and (world.module / "dropkit.json").exists():
            world.run("remove")
    process = world.start("remove" if removes else stage.command)
    _wait(world, stage, process)
    _kill(world, process, number, target)
    process.wait()
    count.tries += 1
    count.lost += world.lost()
    end = time.monotonic() + _GRACE
    while (running := bool(world.processes())) and time.monotonic() < end:
        time.sleep(0.05)
    count.slow += running
    if stage.command == "drop":
        world.run("drop")
        whole = tree_digests(world.module)
        world.run("remove")
        count.strays += len(tree_digests(world.module)) - 1  # the build file
        count.lost += not whole
    else:
        world.run("toolchains")
    count.lost += world.lost()
    strays = world.strays()
    count.strays += len(strays)
    if strays:
        print(f"  left: {strays}", file=sys.stderr)


def _kill(world: World, process: subprocess.Popen[bytes], number: signal.Signals, target: str) -> None:
    """Send a signal to the kit, its newest worker or tool, or the main process of its container."""
    found = [process.pid]
    if target != "kit" and world.engine == "docker":
        found = _in_containers(world)[-1 if target == "worker" else 0 :][:1] or found
    elif target != "kit":
        found = world.processes(of=process.pid)[-1:] or found
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _in_containers(world: World) -> list[int]:
    """Return the processes of the world's containers, each container's main one first."""
    pids: list[int] = []
    for each in world.containers():
        with suppress(APIError):  # it does not run, or runs no more
            top = world.client.api.top(each["id"])
            rows = top["Processes"] or ()  # none where it has just ended
            pids += sorted(int(row[top["Titles"].index("PID")]) for row in rows)
    return pids


def _wait(world: World, stage: Stage, process: subprocess.Popen[bytes]) -> None:
    """Wait until a stage has come, and a random moment more."""
    came: Callable[[], bool] = {
        "": lambda: _worker_runs(world, process.pid),
        "partial": lambda: any(world.module.glob(".dropkit.partial-*")),
    }.get(stage.after, lambda: stage.after.encode() in content(world.said))
    end = time.monotonic() + _PATIENCE
    while not came() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(world.random.uniform(0, 0.05 if stage.command == "drop" else 0.5))


def _worker_runs(world: World, kit: int) -> bool:
    if world.engine == "docker":
        return any(each["state"] == "running" for each in world.containers())
    return any("worker" in words_of(pid) for pid in world.processes(of=kit))
