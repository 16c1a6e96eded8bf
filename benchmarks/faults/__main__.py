"""Count what faults do, and write the tables into docs/reliability.md: `inv bench --faults N`.

N tries in each stage, with each signal to each process in turn, on both engines where a container engine runs; N tries
with each full disk.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.faults import disks, kills
from benchmarks.faults.disks import Full, count_full_disks
from benchmarks.faults.kills import Count, count_kills
from benchmarks.faults.world import ROOT, World
from kit.container.client import probe
from kit.files import write_whole

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table: inv bench --faults -->", "<!-- table end -->"


def main(tries: int) -> int:
    """Try, print, write the page; return 1 where anything was lost, left or unclear."""
    with TemporaryDirectory(prefix="faults-") as folder, ThreadPoolExecutor(2) as pool:
        local = pool.submit(_kills, Path(folder, "local"), "local", tries)
        others = pool.submit(_others, Path(folder), tries)
        counts, (more, full) = local.result(), others.result()
    counts += more
    engines = "local and docker engine" if more else "local engine alone: no container engine runs"
    text = "\n\n".join(
        [
            f"N = {tries}, {engines}, {platform.system()} {platform.machine()}.",
            _table(kills.HEAD, [count.row() for count in counts]),
            _table(disks.HEAD, [each.row() for each in full]),
        ]
    )
    print(text)
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    write_whole(PAGE, f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}".encode())
    bad = any(count.lost or count.strays for count in counts) or any(e.lost or e.strays or e.unclear for e in full)
    return int(bad)


def _others(folder: Path, tries: int) -> tuple[list[Count], list[Full]]:
    """Return the counts of the docker engine, where one runs, and those of the full disks."""
    counts = [] if isinstance(probe(), str) else _kills(folder / "docker", "docker", tries)
    world = World(folder / "disks")
    world.run("build")
    return counts, list(count_full_disks(world, tries))


def _kills(folder: Path, engine: str, tries: int) -> list[Count]:
    world = World(folder, engine)
    world.run("build")
    return list(count_kills(world, tries))


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    numbers = [all(isinstance(row[column], int) for row in rows) for column in range(len(head))]
    ruler = ["---:" if number else "---" for number in numbers]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in [head, ruler, *rows])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
