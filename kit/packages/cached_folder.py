"""Folders of the cache that appear whole or not at all, and are made again where damaged. Knows no packages."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from kit.errors import EngineError
from kit.lifetime.locks import keep_shared
from kit.lifetime.scratch import partial_folder, remove
from kit.toolchains.space import need_space
from kit.toolchains.stamp import STAMP, damage, sentence, write_stamp

Notify = Callable[[str], None]


def stamp_faults(folder: Path) -> list[str]:
    """Return what of a folder is missing, or not as its stamp has it."""
    return damage(folder) if (folder / STAMP).exists() else [STAMP]


@dataclass(frozen=True)
class Content:
    """What a folder is to have. faults: names what of a folder is missing, or not as it was filled."""

    what: str  # in messages
    bytes: int  # on disk, about
    fill: Callable[[Path], None]
    faults: Callable[[Path], list[str]] = stamp_faults


def ensure(folder: Path, content: Content, notify: Notify) -> None:
    """Fill a folder where the cache lacks it or has it damaged, and keep it from `clean` while this process lives.

    Raises EngineError where it cannot be written, and what content.fill raises; nothing is left of it then.
    """
    # Kept before it is looked at: `clean` could remove it between the two.
    if keep_shared(folder) and not content.faults(folder):
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if faults := content.faults(folder):  # another process may have made it meanwhile
                if folder.exists():
                    notify(sentence(folder.name, faults))
                need_space(folder.parent, content.bytes, content.what)
                _fill(folder, content)
            keep_shared(folder)
    except OSError as error:
        raise EngineError(
            f"{folder.parent}: cannot be written: {error.strerror}", "set DROPKIT_CACHE to a folder with space"
        ) from error


def unpack_layer(layer: Path, folder: Path) -> None:
    """Unpack a layer that kit.container wrote, and remove it."""
    with tarfile.open(layer, mode="r:") as tar:
        # "tar": the Debian's own links are absolute, and "data" would refuse them; nothing is written through one.
        tar.extractall(folder, filter="tar")
    layer.unlink()


def _fill(folder: Path, content: Content) -> None:
    with partial_folder(folder) as staging:
        content.fill(staging)
        staging.chmod(0o755)
        # Not flushed file by file: there are thousands, and the stamp finds what a fall of the system would take.
        write_stamp(staging)
        remove(folder)
        staging.rename(folder)
