"""Kill the kit and its workers in every stage of every command, and count lost bundles and strays.

Run as `inv bench --faults N`: N tries in each stage, with each signal to each process in turn; it writes the table into
docs/reliability.md. A stray is what is left after the next command: a folder, a process, or a file beside its target.
"""

from __future__ import annotations

import os
import platform
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from kit.bundle.manifest import faults, read_manifest
from kit.errors import KitError
from kit.files import tree_digests, write_whole

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "examples" / "digits"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table: inv bench --faults -->", "<!-- table end -->"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TARGETS = ("kit", "worker")
_PATIENCE = 900.0  # seconds for a stage to come
_GRACE = 3.0  # seconds in which the processes of a killed run must be gone
_EXPECTED = {"digits", "digits.build.json", "digits.android", "digits.matrix"}
_MODULE = 'plugins { id("com.android.application") }\nandroid { namespace = "com.example" }\n'


@dataclass(frozen=True)
class Stage:
    """A moment of a command: it has come when the command has said `after`, "" for when its first child runs."""

    command: str
    name: str
    after: str


STAGES = (
    Stage("build", "start TensorFlow", ""),
    Stage("build", "load the model", "start TensorFlow ("),
    Stage("build", "convert", "load the model ("),
    Stage("build", "run the float model", "convert to int8 ("),
    Stage("build", "run the converted model", "run the float model ("),
    Stage("build", "run it on LiteRT", "run the converted model ("),
    Stage("build", "write the bundle", "run it on litert"),
    Stage("build", "replay its golden vectors", "write the bundle ("),
    Stage("verify", "build it again", "start TensorFlow ("),
    Stage("matrix", "build a version", ""),
    Stage("android", "compile the Kotlin", "names and counts ("),
    Stage("drop", "write the files", "dropkit.json"),
    Stage("drop", "take them out again", "dropkit.json"),
)


@dataclass
class World:
    """The folders of one run of this benchmark, all below root, and the kit's environment."""

    root: Path
    version: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - when to kill

    def __post_init__(self) -> None:
        for folder in (self.scratch, self.module):
            folder.mkdir(parents=True)
        (self.module / "build.gradle.kts").write_text(_MODULE, "utf-8")

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    @property
    def module(self) -> Path:
        return self.root / "app"

    @property
    def bundle(self) -> Path:
        return self.dist / "digits"

    def argv(self, command: str) -> list[str]:
        """Return a command; each build is of another version, so that none is up to date."""
        recipe = self.root / "recipe.toml"
        if command in {"build", "matrix"}:
            self.version += 1
            text = (DIGITS / "recipe.toml").read_text("utf-8").replace('"1.0.0"', f'"1.0.{self.version}"')
            for name in ("digits.keras", "samples.npz", "test.npz", "labels.txt"):
                text = text.replace(f'"{name}"', f'"{DIGITS / name}"')
            recipe.write_text(text, "utf-8")
        out, local = ["--out", str(self.dist)], ["--engine", "local"]
        arguments = {
            "build": [str(recipe), *local, *out],
            "matrix": [str(recipe), "--tensorflow", "2.19.1", *local, *out],
            "verify": [str(self.bundle), *local, "--model", str(DIGITS / "digits.keras")],
            "android": [str(self.bundle)],
            "drop": [str(self.bundle), "--into", str(self.module)],
            "remove": [str(self.bundle), "--into", str(self.module), "--remove"],
            "toolchains": ["--json"],
        }[command]
        return [sys.executable, "-m", "kit", "drop" if command == "remove" else command, *arguments]

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start a command, its stderr in a file."""
        with self.said.open("wb") as file:
            env = {**os.environ, "TMPDIR": str(self.scratch)}
            return subprocess.Popen(
                self.argv(command), cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True
            )

    def run(self, command: str) -> None:
        """Run a command that must succeed."""
        if self.start(command).wait():
            raise SystemExit(f"{command}: {self.said.read_text('utf-8')}")

    @property
    def said(self) -> Path:
        return self.root / "stderr"

    def lost(self) -> bool:
        """Say whether the bundle is not there whole."""
        try:
            return bool(faults(self.bundle, read_manifest(self.bundle)))
        except KitError:
            return True

    def processes(self, *, of: int = 0) -> list[int]:
        """Return the live processes of this world, or those below one of them."""
        found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in found if self._is_ours(pid) and (not of or (pid != of and of in _ancestors(pid)))]

    def _is_ours(self, pid: int) -> bool:
        with suppress(OSError):
            place = Path("/proc", str(pid))
            words = (place / "environ").read_bytes() + (place / "cmdline").read_bytes()
            return os.fsencode(self.scratch) in words and _field(pid, 0) != "Z"
        return False

    def strays(self) -> list[str]:
        """Return what is there and should not be."""
        left = [path.name for path in self.scratch.iterdir()]
        left += [name for path in self.dist.iterdir() if (name := path.name) not in _EXPECTED]
        left += [path.name for path in self.dist.rglob("*.partial-*") if path.parent != self.dist]
        left += [path.name for path in self.module.rglob("*.partial-*")]
        return left + [f"process {pid}" for pid in self.processes()]


@dataclass
class Count:
    """What was seen of one stage and one fault."""

    tries: int = 0
    lost: int = 0
    strays: int = 0
    slow: int = 0  # processes that were still there after _GRACE


def main(tries: int) -> int:
    """Try, print, write the page; return 1 where anything was lost or left."""
    with TemporaryDirectory(prefix="faults-") as folder:
        world = World(Path(folder))
        world.run("build")
        counts = {stage: list(_stage(world, stage, tries)) for stage in STAGES}
    lines = list(_table(counts))
    print("\n".join(lines))
    circumstances = f"N = {tries}, local engine, {platform.system()} {platform.machine()}. Containers are not tried."
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    write_whole(
        PAGE, f"{before}{BEGIN}\n\n{circumstances}\n\n{chr(10).join(lines)}\n\n{END}{rest.partition(END)[2]}".encode()
    )
    return int(any(count.lost or count.strays for row in counts.values() for _, count in row))


def _stage(world: World, stage: Stage, tries: int) -> Iterator[tuple[str, Count]]:
    """Yield the counts of each fault in a stage."""
    # Not the same fault first in each stage: few tries still see all of them.
    first = STAGES.index(stage)
    faults_of = [(number, target) for target in TARGETS for number in SIGNALS]
    counts: dict[str, Count] = {}
    for number, target in islice(cycle(faults_of), first, first + tries):
        count = counts.setdefault(f"{number.name} to {target}", Count())
        _try(world, stage, number, target, count)
        print(f"{stage.command}: {stage.name}: {number.name} to {target}: {count}", file=sys.stderr, flush=True)
    yield from sorted(counts.items())


def _try(world: World, stage: Stage, number: signal.Signals, target: str, count: Count) -> None:
    removes = stage.name == "take them out again"
    if stage.command == "drop":
        world.run("remove" if not removes and (world.module / "dropkit.json").exists() else "drop")
        if not removes and (world.module / "dropkit.json").exists():
            world.run("remove")
    process = world.start("remove" if removes else stage.command)
    _wait(world, stage, process)
    children = world.processes(of=process.pid)
    for pid in [process.pid] if target == "kit" or not children else children[-1:]:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    process.wait()
    count.tries += 1
    count.lost += world.lost()
    time.sleep(_GRACE)
    count.slow += len(world.processes())
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


def _wait(world: World, stage: Stage, process: subprocess.Popen[bytes]) -> None:
    """Wait until a stage has come, and a random moment more."""
    came: Callable[[], bool] = {
        "": lambda: any("worker" in _words(pid) for pid in world.processes(of=process.pid)),
        "dropkit.json": lambda: b"pending" in _content(world.module / "dropkit.json"),
    }.get(stage.after, lambda: stage.after.encode() in _content(world.said))
    end = time.monotonic() + _PATIENCE
    while not came() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(world.random.uniform(0, 0.01 if stage.command == "drop" else 0.5))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _words(pid: int) -> str:
    return _content(Path("/proc", str(pid), "cmdline")).decode("utf-8", "replace")


def _field(pid: int, number: int) -> str:
    """Return a field of a process's stat, counted from its state."""
    return Path("/proc", str(pid), "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[number]


def _ancestors(pid: int) -> Iterator[int]:
    with suppress(OSError, IndexError):
        while pid > 1:
            yield pid
            pid = int(_field(pid, 1))


def _table(counts: dict[Stage, list[tuple[str, Count]]]) -> Iterator[str]:
    yield "| command | stage | fault | tries | bundles lost | strays left | processes after 3 s |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: |"
    for stage, row in counts.items():
        for fault, count in row:
            cells = (stage.command, stage.name, fault, count.tries, count.lost, count.strays, count.slow)
            yield f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
