"""Full disks: a command writes to a small disk, which is full after some bytes or after some files.

The disk is a tmpfs in a mount namespace of its own, so that nothing else on the machine sees it. How much fits is drawn
at random, from nothing to a little more than the command needs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.faults.kept import Row
from benchmarks.faults.world import PAGE, ROOT, World, is_lost, strays_in, taken

_EXIT_CODES = {2, 5}  # of an output or a temporary folder that cannot be written, of a cache that cannot
# Arguments: where the disk is mounted, its options, a folder for what is there before, the status's file, a folder for
# what is on the disk after the next command; then the command.
_SCRIPT = """
place=$1 options=$2 before=$3 status=$4 after=$5; shift 5
cp -a "$place/." "$before/" && mount -t tmpfs -o "$options" tmpfs "$place" && cp -a "$before/." "$place/" || exit 99
"$PYTHON" -m kit "$@"
echo $? > "$status"
mount -o remount,size=1g,nr_inodes=100000 "$place"
"$PYTHON" -m kit toolchains --json
cp -a "$place/." "$after/"
"""
HEAD = ("command", "full disk", "tries", "did not fit", "bundles lost", "strays left", "unclear messages")


@dataclass(frozen=True)
class Disk:
    """A command, and which of a world's folders lies on the small disk."""

    command: str
    place: str
    name: str


DISKS = (
    Disk("build", "dist", "the output folder"),
    Disk("build", "scratch", "the temporary folder"),
    Disk("matrix", "dist", "the output folder"),
    Disk("drop", "module", "the Android project"),
)


@dataclass
class Full:
    """What was seen of one command and one disk."""

    disk: Disk
    tries: int = 0
    refused: int = 0
    lost: int = 0
    strays: int = 0
    unclear: int = 0

    def row(self) -> Row:
        """Return it as the cells of a table."""
        return [self.disk.command, self.disk.name, self.tries, self.refused, self.lost, self.strays, self.unclear]


def count_full_disks(world: World, disk: Disk, tries: int) -> list[Row]:
    """Return the counts of a disk, in the order of HEAD. Raises SystemExit where none can be mounted."""
    full = Full(disk)
    most, most_files = _needs(world, disk)
    for number in range(tries):
        size, files = taken(getattr(world, disk.place))
        if number % 2 == 0:
            limits = f"size={size + PAGE + _pages(world.random.uniform(0, 1.1) * most)}"
        else:  # there is space, and no room for another file
            limits = f"size=1g,nr_inodes={files + 2 + world.random.randint(0, most_files + 2)}"
        _try(world, disk, limits, full)
        print(*full.row(), limits, file=sys.stderr, flush=True)
    return [full.row()]


def _try(world: World, disk: Disk, limits: str, full: Full) -> None:
    with TemporaryDirectory(prefix="faults-disk-") as folder:
        status, before, after = (Path(folder, name) for name in ("status", "before", "after"))
        before.mkdir()
        after.mkdir()
        place = str(getattr(world, disk.place))
        done = _in_disk(world, disk.command, [place, limits, str(before), str(status), str(after)])
        if not status.exists():
            raise SystemExit(f"no disk can be mounted here: {done}")
        full.tries += 1
        ended = int(status.read_text("utf-8"))
        full.refused += ended != 0
        if ended and not _is_clear(ended, done, getattr(world, disk.place)):
            full.unclear += 1
            print(f"  exit code {ended}: {done}", file=sys.stderr)
        places = {name: getattr(world, name) for name in ("scratch", "dist", "module")} | {disk.place: after}
        full.lost += is_lost(places["dist"] / "digits")
        strays = [*strays_in(**places)]
        if disk.command == "drop" and ended:  # all or nothing: the module is as it was
            strays += sorted(_paths(after) ^ _paths(before))
        full.strays += len(strays)
        if strays:
            print(f"  left: {strays}", file=sys.stderr)


def _in_disk(world: World, command: str, arguments: Sequence[str]) -> str:
    """Run a command on its small disk, and the next one on the same with space; return what they said."""
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", _SCRIPT, "sh", *arguments, *world.argv(command)[3:]],  # noqa: S607 - on the PATH
        cwd=ROOT,
        env={**world.environment, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip()


def _is_clear(status: int, said: str, place: Path) -> bool:
    """Say whether a refusal has a documented exit code, names the folder, has a next step, and is no traceback."""
    named = str(place) in said or "TMPDIR" in said
    return status in _EXIT_CODES and named and "next: " in said and not re.search(r"Traceback|bug:", said)


def _needs(world: World, disk: Disk) -> tuple[int, int]:
    """Return how many bytes and how many files a command adds to a folder at most."""
    place: Path = getattr(world, disk.place)
    size, files = taken(place)
    most, most_files = 0, 0
    process = world.start(disk.command)
    while process.poll() is None:
        now, number = taken(place)
        most, most_files = max(most, now - size), max(most_files, number - files)
        time.sleep(0.01)
    if process.returncode:
        raise SystemExit(f"{disk.command}: {world.said.read_text('utf-8')}")
    if disk.command == "drop":
        now, number = taken(place)
        most, most_files = now - size, number - files
        world.run("remove")
    return most, most_files


def _paths(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _pages(size: float) -> int:
    return -(-int(size) // PAGE) * PAGE
