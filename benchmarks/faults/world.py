"""A world to break: folders for a bundle, temporary files and an Android module, and the processes that use them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bundle.manifest import faults, read_manifest
from kit.container.client import OWNER_LABEL, connect
from kit.errors import KitError
from kit.lifetime.processes import stat_fields

if TYPE_CHECKING:
    import docker

ROOT = Path(__file__).parent.parent.parent
DIGITS = ROOT / "examples" / "digits"
PAGE = 4096  # bytes
_EXPECTED = {"digits", "digits.build.json", "digits.android", "digits.matrix"}
_MODULE = 'plugins { id("com.android.application") }\nandroid { namespace = "com.example" }\n'


@dataclass
class World:
    """The folders of one run of this benchmark, all below root, and the kit's environment."""

    root: Path
    engine: str = "local"
    version: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - when to kill

    def __post_init__(self) -> None:
        for folder in (self.scratch, self.module, self.dist):
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

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of this world's commands."""
        return {**os.environ, "TMPDIR": str(self.scratch)}

    def argv(self, command: str) -> list[str]:
        """Return a command; each build is of another version, so that none is up to date."""
        recipe = self.root / "recipe.toml"
        if command in {"build", "matrix"}:
            self.version += 1
            text = (DIGITS / "recipe.toml").read_text("utf-8").replace('"1.0.0"', f'"1.0.{self.version}"')
            for name in ("digits.keras", "samples.npz", "test.npz", "labels.txt"):
                text = text.replace(f'"{name}"', f'"{DIGITS / name}"')
            recipe.write_text(text, "utf-8")
        out, engine = ["--out", str(self.dist)], ["--engine", self.engine]
        arguments = {
            "build": [str(recipe), *engine, *out],
            "matrix": [str(recipe), "--tensorflow", "2.19.1", *engine, *out],
            "verify": [str(self.bundle), *engine, "--model", str(DIGITS / "digits.keras")],
            "android": [str(self.bundle)],
            "drop": [str(self.bundle), "--into", str(self.module)],
            "remove": [str(self.bundle), "--into", str(self.module), "--remove"],
            "toolchains": ["--json"],
        }[command]
        return [sys.executable, "-m", "kit", "drop" if command == "remove" else command, *arguments]

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start a command, its stderr in a file."""
        with self.said.open("wb") as file:
            return subprocess.Popen(
                self.argv(command),
                cwd=ROOT,
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
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
        return is_lost(self.bundle)

    def processes(self, *, of: int = 0) -> list[int]:
        """Return the live processes of this world, or those below one of them."""
        found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in found if self._is_ours(pid) and (not of or (pid != of and of in _ancestors(pid)))]

    def _is_ours(self, pid: int) -> bool:
        with suppress(OSError):
            place = Path("/proc", str(pid))
            words = (place / "environ").read_bytes() + (place / "cmdline").read_bytes()
            return os.fsencode(self.scratch) in words and stat_fields(pid)[0] != "Z"
        return False

    @cached_property
    def client(self) -> docker.DockerClient:
        """The engine that its containers run on."""
        return connect()

    def containers(self) -> list[dict[str, str]]:
        """Return the id and state of each container whose folders are this world's."""
        if self.engine != "docker":
            return []
        found = self.client.api.containers(all=True, filters={"label": OWNER_LABEL})
        own = [each for each in found if any(str(self.scratch) in mount["Source"] for mount in each["Mounts"])]
        return [{"id": each["Id"], "state": each["State"]} for each in own]

    def strays(self) -> list[str]:
        """Return what is there and should not be."""
        left = [*strays_in(self.scratch, self.dist, self.module)]
        left += [f"container {each['id']}" for each in self.containers()]
        return left + [f"process {pid}" for pid in self.processes()]


def is_lost(bundle: Path) -> bool:
    """Say whether a bundle is not there whole."""
    try:
        return bool(faults(bundle, read_manifest(bundle)))
    except KitError:
        return True


def strays_in(scratch: Path, dist: Path, module: Path) -> Iterator[str]:
    """Yield the names of what is in a world's folders and should not be."""
    yield from (path.name for path in scratch.iterdir())
    yield from (path.name for path in dist.iterdir() if path.name not in _EXPECTED)
    yield from (path.name for path in dist.rglob("*.partial-*") if path.parent != dist)
    yield from (path.name for path in module.rglob("*.partial-*"))


def words_of(pid: int) -> str:
    """Return a process's command, its words divided by NUL; "" where it is gone."""
    return content(Path("/proc", str(pid), "cmdline")).decode("utf-8", "replace")


def content(path: Path) -> bytes:
    """Return a file's content; nothing where it is not there."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def taken(folder: Path) -> tuple[int, int]:
    """Return how many bytes the files below a folder take, in whole pages, and how many files and folders they are.

    What comes and goes meanwhile may be missed.
    """
    size, number = 0, 0
    for place, folders, files in os.walk(folder):
        number += len(folders) + len(files)
        for name in files:
            with suppress(OSError):
                size += -(-Path(place, name).lstat().st_size // PAGE) * PAGE
    return size, number


def _ancestors(pid: int) -> Iterator[int]:
    with suppress(OSError, IndexError):
        while pid > 1:
            yield pid
            pid = int(stat_fields(pid)[1])
