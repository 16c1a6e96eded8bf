"""What a browser sends: at most so many bytes, of a kind that the model takes, in a temporary file for one question.

A name that comes with it is shown and says how the file is read; no path is made of it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from werkzeug.exceptions import ClientDisconnected

from kit.bounded import open_zip, printable
from kit.files import temporary_folder

MIB = 1 << 20
MOST_BYTES = 64 * MIB  # of a file
MOST_NAME = 200  # characters
TYPE = "application/octet-stream"  # what a page of another origin cannot send without being asked first
_PART = 1 << 16


class RefusedError(Exception):
    """A request that is refused: HTTP's status, what is wrong, and the next step."""

    def __init__(self, status: int, error: str, hint: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.hint = hint

    def to_json(self) -> dict[str, str]:
        """Return what a page shows of it."""
        return {"error": self.error, "hint": self.hint}


@dataclass(frozen=True)
class Upload:
    """A file that was sent. name: what its user calls it."""

    path: Path
    name: str


def ending_of(name: str, takes: Collection[str]) -> str:
    """Return how the file's name ends, one of `takes`. Raises RefusedError for any other."""
    ending = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if ending in takes:
        return ending
    what = f"it ends in {ending}" if ending else "its name has no ending"
    raise RefusedError(415, f"{name}: {what}, and this model takes {', '.join(takes)}", "give a file of such a kind")


def shown_name(name: str) -> str:
    """Return a name without what is no text, of a bearable length."""
    text = printable(name) or "file"
    half = MOST_NAME // 2
    return text if len(text) <= MOST_NAME else f"{text[: half - 3]}...{text[-half:]}"  # its end says what it is


def refuse_size(length: int | None, name: str) -> None:
    """Refuse what says no size, is empty, or is larger than is borne. Raises RefusedError."""
    if length is None:
        raise RefusedError(411, f"{name}: the request does not say how large it is", "send Content-Length")
    if length > MOST_BYTES:
        raise RefusedError(
            413,
            f"{name}: it has {length / MIB:.1f} MiB, and this page takes {MOST_BYTES // MIB} MiB at most",
            "give a smaller file, or run it with `kit emulate BUNDLE -- FILE`",
        )
    if length == 0:
        raise RefusedError(400, f"{name}: it is empty", "give another file")


@contextmanager
def received(stream: IO[bytes], length: int, name: str, ending: str) -> Iterator[Upload]:
    """Give a file with what a request sends, for a block. ending: one of ours, with which the file is named.

    Raises RefusedError where it is cut short, or a zip file that would unpack to more than is borne.
    """
    with temporary_folder("dropkit-page-") as folder:
        path = folder / f"file{ending}"
        left = length
        with path.open("wb") as file, suppress(ClientDisconnected):
            while left and (part := stream.read(min(left, _PART))):
                file.write(part)
                left -= len(part)
        if left:
            raise RefusedError(400, f"{name}: {left:,} bytes of it did not come", "send it again")
        if ending == ".npz":
            _refuse_swollen(path, name)
        yield Upload(path, name)


def _refuse_swollen(path: Path, name: str) -> None:
    try:
        open_zip(path).close()
    except zipfile.BadZipFile:
        return  # the harness has words for it
    except (OSError, ValueError) as error:
        raise RefusedError(422, f"{name}: {error}", "give a file that unpacks to less") from error
