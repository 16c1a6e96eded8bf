"""Which files an INPUT of the command line stands for: itself, those in a folder, or those that match a pattern."""

import glob
from pathlib import Path

from .errors import EmulateError, one_line, refused
from .signature import Signature

TABLES = (".npz", ".csv")  # of all inputs
ARRAYS = (".npy", ".raw", ".bin")  # of one input
# By its name, a file may be any other.
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".avif", ".heic", ".heif", ".gif", ".tif", ".tiff")


def input_files(given: Path, signature: Signature) -> list[Path]:
    """Return the files that an INPUT stands for, in the order of their names. Raises EmulateError where there is none.

    A name with *, ? or [ in it is a pattern, unless there is a file of that very name.
    """
    try:
        if given.exists():
            if not (given.is_dir() or given.is_file()):  # to open a pipe waits for who writes into it
                raise EmulateError(f"{given}: it is a pipe or a device", "send it through stdin: - for the INPUT")
            return _in_folder(given, signature) if given.is_dir() else [given]
        if glob.has_magic(str(given)):
            return _matching(given)
    except OSError as error:
        raise refused(given, one_line(error)) from error
    raise EmulateError(f"{given}: there is no such file", "check the name")


def readable(signature: Signature) -> tuple[str, ...]:
    """Return how the names of files end that are read in a folder for this signature, in lower case."""
    if len(signature.inputs) > 1:
        return TABLES
    (tensor,) = signature.inputs.values()
    own = {"image": IMAGES, "audio": (".wav",)}.get(tensor.kind, ())
    return (*own, *TABLES, *ARRAYS)


def _in_folder(folder: Path, signature: Signature) -> list[Path]:
    """Return the files that are read in a folder: not those in its folders, nor hidden ones."""
    endings = readable(signature)
    entries = [entry for entry in folder.iterdir() if entry.suffix.lower() in endings]
    if files := sorted(entry for entry in entries if not entry.name.startswith(".") and entry.is_file()):
        return files
    raise EmulateError(
        f"{folder}: no file in this folder ends in {', '.join(endings)}", "name a folder that has such files"
    )


def _matching(pattern: Path) -> list[Path]:
    """Return the files that match a pattern as a shell reads it, but for ** which is any number of folders."""
    found = map(Path, glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - it may be an absolute one
    if files := sorted(path for path in found if not path.is_dir()):
        return files
    raise EmulateError(f"{pattern}: no file matches this pattern", "check the name")
