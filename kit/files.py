"""Files that appear whole or not at all, and their digests. Knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import platformdirs

from kit.errors import OutputError


def cache_dir() -> Path:
    """Return the folder for toolchains, wheels and logs: $DROPKIT_CACHE, or this user's cache folder."""
    named = os.environ.get("DROPKIT_CACHE")
    return Path(named).expanduser().resolve() if named else platformdirs.user_cache_path("dropkit")


def sha256_file(path: Path) -> str:
    """Return the file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes in hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_tree(path: Path) -> str:
    """Return one SHA-256 in hex for a file, or for every relative path and content of a folder."""
    if path.is_file():
        return sha256_file(path)
    digest = hashlib.sha256()
    for relative, sha256 in tree_digests(path).items():
        digest.update(f"{relative}\0{sha256}\n".encode())
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    return sum(each.stat().st_size for each in ([path] if path.is_file() else path.rglob("*")) if each.is_file())


def tree_digests(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below root, by POSIX path relative to it, sorted."""
    files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    return {name: sha256_file(root / name) for name in files if "__pycache__" not in name}


def json_text(value: Any) -> str:
    """Return JSON that is the same text for the same value: sorted keys, two spaces, final newline."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a new folder beside target; when the block ends well it becomes target, else it is gone.

    The old target stays until the new one is whole. Raises OutputError where the place cannot be written
    or is full.
    """
    with writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
    try:
        with writable(target.parent):
            yield staging
            staging.chmod(0o755)
            _sync_tree(staging)
            _swap(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_place(target: Path, marker: str, what: str) -> None:
    """Make target's folder; refuse to take the place of anything but an older `what`, which has a file `marker`."""
    with writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        strange = target.exists() and not (target / marker).exists()
        if strange and (not target.is_dir() or any(target.iterdir())):
            raise OutputError(
                f"{target}: something that is no {what} is in the way",
                "choose another folder with --out, or another [model] id, or remove it",
            )


def write_whole(target: Path, data: bytes) -> None:
    """Write a file beside target, flush it to disk and rename it into place."""
    with writing_whole(target) as file:
        file.write(data)


@contextlib.contextmanager
def writing_whole(target: Path) -> Iterator[BinaryIO]:
    """Give a new file beside target; when the block ends well it becomes target, else it is gone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.partial-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def writable(place: Path) -> Iterator[None]:
    """Turn the system's refusals to write below place into one OutputError that names it."""
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: ("the disk is full", "free some space, or choose another folder with --out"),
            errno.EFBIG: ("the file would be larger than is allowed there", "choose another folder with --out"),
            errno.EDQUOT: (
                "the disk quota is used up",
                "free some space, or choose another folder with --out",
            ),
            errno.EROFS: ("the file system is read-only", "choose another folder with --out"),
            errno.EACCES: (
                "no permission to write there",
                "change its permissions, or choose another with --out",
            ),
            errno.EPERM: (
                "no permission to write there",
                "change its permissions, or choose another with --out",
            ),
            errno.ENOTDIR: (
                "a part of that path is a file, not a folder",
                "choose another folder with --out",
            ),
            errno.ENAMETOOLONG: ("that name is too long", "choose a shorter one"),
            errno.EEXIST: ("a part of that path is a file, not a folder", "choose another folder with --out"),
        }
        if error.errno not in reasons:
            raise
        reason, hint = reasons[error.errno]
        raise OutputError(f"{place}: cannot write: {reason}", hint) from error


def _sync_tree(root: Path) -> None:
    """Flush every file of a folder to disk: a delayed 'disk full' must come before the rename, not after."""
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _swap(staging: Path, target: Path) -> None:
    """Put staging in target's place. A folder cannot replace a full one, so the old one steps aside first."""
    if not target.exists():
        staging.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent)) / "old"
    try:
        target.rename(aside)
        staging.rename(target)
    finally:
        # An interrupt can come before, between or after the renames: without a new one the old one goes back.
        if aside.exists() and not target.exists():
            aside.rename(target)
        shutil.rmtree(aside.parent, ignore_errors=True)
