"""Pinned sets of packages as data: read a hashed lock, and regenerate it. Knows nothing of what the packages do."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kit.errors import EngineError

_REQUIREMENT = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)\s*(?:;[^\\#]*?)?((?:\s*--hash=sha256:[0-9a-f]{64})+)\s*"
)
_MARKER = re.compile(r"(?m)^[A-Za-z0-9][^;\s]*\s*;")


@dataclass(frozen=True)
class Pin:
    """One package at one version, and the SHA-256 of every file that may stand for it."""

    name: str
    version: str
    sha256: frozenset[str]


@dataclass(frozen=True)
class Lock:
    """A pip requirements file in which every requirement is one exact version with hashes."""

    path: Path
    text: str

    @cached_property
    def pins(self) -> tuple[Pin, ...]:
        """Return the pins in the order of the file. Raises EngineError for a requirement that is not pinned."""
        # One string, not lines: a requirement must keep its --hash continuations.
        joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*$", "", self.text))
        return tuple(self._pin(line) for line in joined.splitlines() if line.strip())

    @cached_property
    def sha256(self) -> str:
        """Return the digest of the lock's text: the toolchain's identity."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def _pin(self, line: str) -> Pin:
        found = _REQUIREMENT.fullmatch(line.strip())
        if not found:
            raise EngineError(
                f"{self.path}: not an exact version with its sha256: {line.strip()[:60]!r}",
                "restore the file from version control, or regenerate it with `inv lock`",
            )
        hashes = frozenset(re.findall(r"sha256:([0-9a-f]{64})", found[3]))
        return Pin(re.sub(r"[-_.]+", "-", found[1]).lower(), found[2], hashes)


def read_lock(path: Path) -> Lock:
    """Read a lock and check that every requirement in it is pinned and hashed."""
    try:
        lock = Lock(path, path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(
            f"{path}: the lock cannot be read: {error}", "restore it from version control, or install dropkit again"
        ) from error
    if not lock.pins:
        raise EngineError(f"{path}: the lock is empty", "restore it from version control, or run `inv lock`")
    return lock


def lock_for(lock: Lock, environment: Mapping[str, str]) -> Lock:
    """Return a lock with the requirements alone that an environment needs by their markers, and without these.

    environment: every variable of a marker. Source: https://packaging.python.org/specifications/dependency-specifiers/.
    """
    if not _MARKER.search(lock.text):
        return lock
    from packaging.markers import Marker

    kept = []
    for block in re.split(r"(?m)^(?=[A-Za-z0-9])", re.sub(r"(?m)^\s*#.*\n?", "", lock.text)):
        found = re.match(r"([^;\s]+)\s*;([^\\#\n]*)", block)
        if found is None:
            kept.append(block)
        elif Marker(found[2].strip()).evaluate(dict(environment)):
            kept.append(f"{found[1]} {block[found.end() :]}")
    return Lock(lock.path, "".join(kept))


def compile_lock(source: Path, target: Path, arguments: Sequence[str], cutoff: str) -> None:
    """Resolve source (a requirements.in) into target, a fully hashed lock, as the index stood on cutoff."""
    argv = [
        uv(),
        "pip",
        "compile",
        source.name,
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--quiet",
        "--no-emit-index-url",
        "--exclude-newer",
        f"{cutoff}T00:00:00Z",
        *arguments,
    ]
    done = subprocess.run(argv, cwd=source.parent, capture_output=True, text=True, check=False, env=uv_env())
    if done.returncode:
        raise EngineError(
            f"{source}: cannot be resolved:\n{done.stderr.strip()}",
            "check the network, and the index that $UV_DEFAULT_INDEX names: uv reads no settings of pip",
        )
    target.write_text(done.stdout, "utf-8")


def uv() -> str:
    """Return the path of the uv program that was installed with dropkit."""
    from uv import find_uv_bin

    return str(find_uv_bin())


def uv_env() -> dict[str, str]:
    """Return the environment for uv: ours, without a virtual environment that it might take for its target."""
    return {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}}
