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
from typing import Any, BinaryIO, NamedTuple

from kit.bounded import MOST_JSON, read_bounded
from kit.errors import OutputError
from kit.lifetime.exchange import exchange
from kit.lifetime.locks import new_file
from kit.lifetime.scratch import REPLACED, note_place, partial_folder, sweep_partials, temporary_base

FULL = {errno.ENOSPC, errno.EDQUOT}  # of an OSError
_HARDLY_ANY = 1 << 20  # bytes
_PART = 1 << 17  # bytes of a file that are read at a time


def cache_dir() -> Path:
    """Return the folder for toolchains, wheels and logs: $DROPKIT_CACHE, or this user's cache folder.

    Raises OutputError where there is neither.
    """
    import platformdirs

    named = os.environ.get("DROPKIT_CACHE")
    try:
        return Path(named).expanduser().resolve() if named else platformdirs.user_cache_path("dropkit")
    except RuntimeError as error:  # no HOME, and a user that the system does not know, as in some containers
        raise OutputError(
            "this user has no home folder, so there is no place for the cache", "set DROPKIT_CACHE to a folder"
        ) from error


def refuse_odd_path(place: Path, unfit: str, variable: str) -> None:
    """Raise OutputError where a folder's path has one of these characters, or is no UTF-8.

    For folders in which TensorFlow or an engine works, which do not take them. variable: what moves the folder.
    """
    try:
        str(place).encode("utf-8")
        found = next((repr(character) for character in unfit if character in str(place)), "")
    except UnicodeEncodeError:
        found = "bytes that are no UTF-8"
    if found:
        raise OutputError(
            f"{place}: TensorFlow cannot work in a folder whose path has {found}", f"set {variable} to another folder"
        )


def sha256_file(path: Path) -> str:
    """Return the file's SHA-256 in hex."""
    return _sha256(str(path))


def _sha256(path: str) -> str:
    # hashlib.file_digest makes a buffer of 256 kB for each file, which takes longer than most files of a tree.
    digest = hashlib.sha256()
    with Path(path).open("rb", buffering=0) as file:
        while part := file.read(_PART):
            digest.update(part)
    return digest.hexdigest()


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
    """Return the SHA-256 of every file below root, by POSIX path relative to it, sorted; not of Python's caches.

    A link to a file counts as that file, one to a folder as nothing. What is no folder has no files.
    """
    if not root.is_dir():
        return {}
    return {name: _sha256(f"{root}/{name}") for name in sorted(_files(str(root), ""))}


def _files(folder: str, prefix: str) -> Iterator[str]:
    """Yield the files below a folder. pathlib would take as long to list a tree as it takes to read it."""
    try:
        entries = list(os.scandir(folder))
    except PermissionError:
        return
    for entry in entries:
        if "__pycache__" in entry.name:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path, f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield prefix + entry.name


def json_text(value: Any) -> str:
    """Return JSON that is the same text for the same value: sorted keys, two spaces, final newline."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class Product(NamedTuple):
    """A kind of folder that is written whole: what it is called, and the JSON file that marks it.

    That file has the product's own files under "files": by POSIX path relative to the folder.
    """

    what: str  # "bundle"
    marker: str  # "bundle.json"


def json_bytes(value: Any) -> bytes:
    """Return json_text in UTF-8. A byte of a path that is no UTF-8 becomes an escape, which JSON reads back."""
    return json_text(value).encode("utf-8", "backslashreplace")


@contextlib.contextmanager
def replacing(target: Path, product: Product | None = None) -> Iterator[Path]:
    """Give a new folder beside target; when the block ends well it becomes target, else it is gone.

    The old target stays until the new one is whole, and there is no moment without one of them. Raises OutputError
    where the place cannot be written or is full, or where the old one holds a file that is not the product's.
    """
    with writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial_folder(target) as staging:
            yield staging
            staging.chmod(0o755)
            _sync_tree(staging)
            if product is not None:
                _refuse_foreign(target, product)
            _swap(staging, target)


def check_place(target: Path, product: Product) -> None:
    """Make target's folder; refuse to take the place of anything but an older product with nothing else in it."""
    with writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep_partials(target.parent)
        strange = target.exists() and not (target / product.marker).exists()
        if strange and (not target.is_dir() or any(target.iterdir())):
            raise OutputError(
                f"{target}: something that is no {product.what} is in the way",
                "choose another folder with --out, or another [model] id, or remove it",
            )
        _refuse_foreign(target, product)


def _refuse_foreign(target: Path, product: Product) -> None:
    """Refuse to replace a folder with files in it that no build wrote: they would be lost."""
    if foreign := foreign_files(target, product):
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise OutputError(
            f"{target}: not replaced, for no build wrote these files in it: {', '.join(foreign[:3])}{more}",
            "move them to another folder, or choose another one with --out",
        )


def foreign_files(folder: Path, product: Product) -> list[str]:
    """Return the paths in a folder that are not the product's own, sorted; Python's caches and empty folders are none.

    Raises OutputError where the marker does not say which are its own: nothing tells them from the user's then.
    """
    marker = folder / product.marker
    try:
        content = read_bounded(marker, MOST_JSON)
        own, there = {*json.loads(content)["files"], product.marker}, set(_paths(folder))
        # Another process may put its own in the folder's place, or take it away, between the two.
        return sorted(there - own) if read_bounded(marker, MOST_JSON) == content else foreign_files(folder, product)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise OutputError(
            f"{folder}: {product.marker} is damaged: it does not say which files there are its own",
            f"move what is yours out of it, remove the folder, and make the {product.what} again",
        ) from error


def _paths(folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        if Path(root).name != "__pycache__":
            yield from (Path(root, name).relative_to(folder).as_posix() for name in [*names, *links])


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Give a new folder for temporary files, which is gone after the block.

    Raises OutputError that names the temporary folder and the variable which moves it, where it is full or closed.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    except OSError as error:
        raise temporary_full(error.strerror or str(error)) from error
    with made as folder:
        try:
            yield Path(folder)
        except OSError as error:
            if is_lack_of_space(error, Path(folder)):
                raise temporary_full("the disk is full") from error
            raise


def is_lack_of_space(error: OSError, place: Path) -> bool:
    """Say whether an error came from a full disk at place. What shutil raises of several files has no number."""
    return (error.errno in FULL or isinstance(error, shutil.Error)) and is_full(place)


def is_full(place: Path) -> bool:
    """Say whether hardly anything can be written below a folder: no space, or no inodes."""
    try:
        found = os.statvfs(place)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _HARDLY_ANY or (found.f_files > 0 and found.f_favail < 1)


def temporary_full(reason: str) -> OutputError:
    """Return the error of a temporary folder that cannot be written."""
    return OutputError(
        f"{temporary_base()}: cannot write temporary files: {reason}",
        "free some space there, or set TMPDIR to another folder",
    )


def write_whole(target: Path, data: bytes) -> None:
    """Write a file beside target, flush it to disk and rename it into place."""
    with writing_whole(target) as file:
        file.write(data)


@contextlib.contextmanager
def writing_whole(target: Path) -> Iterator[BinaryIO]:
    """Give a new file beside target; when the block ends well it becomes target, else it is gone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    note_place(target.parent)
    partial, handle = new_file(f".{target.name}.partial-", target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            # Before the handle is closed: it is the lock that keeps a sweep away.
            partial.chmod(0o644)
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


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
        number = errno.ENOSPC if isinstance(error, shutil.Error) and is_full(_there(place)) else error.errno
        if number not in reasons:
            raise
        reason, hint = reasons[number]
        raise OutputError(f"{place}: cannot write: {reason}", hint) from error


def _there(place: Path) -> Path:
    return next(folder for folder in (place, *place.absolute().parents) if folder.exists())


def _sync_tree(root: Path) -> None:
    """Flush every file of a folder to disk: a delayed 'disk full' must come before the rename, not after."""
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _swap(staging: Path, target: Path) -> None:
    """Put staging in target's place. What was there is then in staging's, or gone."""
    if exchange(staging, target):
        return
    try:
        if os.path.lexists(target):
            _step_aside(staging, target)
        else:
            staging.rename(target)
    except OSError as error:
        # Another process has put one there meanwhile, or taken it away.
        if not staging.exists() or error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
            raise
        _swap(staging, target)


def _step_aside(staging: Path, target: Path) -> None:
    """Do it by two renames. A run that is killed between them leaves what the next one puts back: REPLACED."""
    with partial_folder(target) as partial:
        aside = partial / REPLACED
        try:
            target.rename(aside)
            staging.rename(target)
        finally:
            # An interrupt can come before, between or after the renames: without a new one the old one goes back.
            if aside.exists() and not target.exists():
                aside.rename(target)
