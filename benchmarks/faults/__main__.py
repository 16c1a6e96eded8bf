"""Count what faults do, and write the tables into docs/reliability.md: `inv bench --faults N`.

N tries in each stage, with each signal to each process in turn, on both engines where a container engine runs; N tries
with each full disk, and two with each fault of each download.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.faults import disks, kills, networks
from benchmarks.faults.broken_server import FAULTS, serve
from benchmarks.faults.disks import count_full_disks
from benchmarks.faults.kept import Kept, Row
from benchmarks.faults.kills import count_kills
from benchmarks.faults.world import ROOT, World
from benchmarks.page_part import PagePart
from kit.container.client import probe

_DOWNLOADS = 2  # tries: a package and an index by turns
_BAD = ("bundles lost", "strays left", "made of wrong bytes", "left half-written", "unclear messages")
PART = PagePart(ROOT / "docs" / "reliability.md", "<!-- table: inv bench --faults -->", "<!-- table end -->")

T = TypeVar("T")


def main(arguments: Sequence[str]) -> int:
    """Try, print, write the page; return 1 where anything was lost, left or unclear."""
    parser = argparse.ArgumentParser(prog="inv bench --faults", description=__doc__)
    parser.add_argument("tries", type=int)
    parser.add_argument("--all", action="store_true", help="count what earlier runs have counted, too")
    options = parser.parse_args(arguments)
    kept, tries = Kept(options.tries, options.all), options.tries
    with TemporaryDirectory(prefix="faults-") as folder, ThreadPoolExecutor(2) as pool:
        local = pool.submit(_kills, kept, Path(folder), "local", tries)
        others = pool.submit(_others, kept, Path(folder), tries)
        killed, (more, full) = local.result(), others.result()
    broken = _networks(kept, tries)
    killed += more
    engines = "local and docker engine" if more else "local engine alone: no container engine runs"
    what = f"N = {tries}, {engines}, {platform.system()} {platform.machine()}, of {', '.join(kept.commits())}."
    text = "\n\n".join([what, _table(kills.HEAD, killed), _table(disks.HEAD, full), _table(networks.HEAD, broken)])
    print(text)
    PART.write(text)
    tables = ((kills.HEAD, killed), (disks.HEAD, full), (networks.HEAD, broken))
    return int(any(_is_bad(head, row) for head, rows in tables for row in rows))


def _others(kept: Kept, folder: Path, tries: int) -> tuple[list[Row], list[Row]]:
    """Return the rows of the docker engine, where one runs, and those of the full disks."""
    killed = [] if isinstance(probe(), str) else _kills(kept, folder, "docker", tries)
    full: list[Row] = []
    world = cache(lambda: _built(World(folder / "disks")))
    for disk in disks.DISKS:
        full += kept.rows(f"{disk.command}: {disk.name}", partial(_count, world, count_full_disks, disk, tries))
    return killed, full


def _kills(kept: Kept, folder: Path, engine: str, tries: int) -> list[Row]:
    rows: list[Row] = []
    world = cache(lambda: _built(World(folder / engine, engine)))
    for stage in kills.STAGES[engine]:
        part = f"{engine}: {stage.command}: {stage.name}"
        rows += kept.rows(part, partial(_count, world, count_kills, stage, tries))
    return rows


def _networks(kept: Kept, tries: int) -> list[Row]:
    """Return the rows of the downloads. One at a time: they change this process's environment."""
    with serve() as server:
        names = [kind.name for kind in networks.downloads(server)]
    rows: list[Row] = []
    for name in names:
        for fault in FAULTS:
            count = partial(networks.count_broken_downloads, name, fault, min(tries, _DOWNLOADS))
            rows += kept.rows(f"{name}: {fault}", count)
    return rows


def _count(world: Callable[[], World], count: Callable[[World, T, int], list[Row]], what: T, tries: int) -> list[Row]:
    """Count one thing in a world that is made where something is counted at all."""
    return count(world(), what, tries)


def _built(world: World) -> World:
    """Return a world with a bundle in it."""
    world.run("build")
    return world


def _is_bad(head: Sequence[str], row: Row) -> bool:
    """Say whether something was lost, wrong, left or unclear."""
    return any(row[head.index(name)] for name in _BAD if name in head)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    numbers = [all(isinstance(row[column], int) for row in rows) for column in range(len(head))]
    ruler = ["---:" if number else "---" for number in numbers]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in [head, ruler, *rows])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
