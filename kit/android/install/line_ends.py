"""Whether a file is as a drop wrote it. Git may give text other line ends at a checkout: that is no change by hand."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from kit.files import sha256_bytes

_BINARY = {".tflite", ".bin"}


def is_as_written(path: str, place: Path, shas: set[str | None]) -> bool:
    """Say whether what lies at a place has one of these digests; text with any line ends, other files exactly."""
    if not place.is_file():
        return False
    content = place.read_bytes()
    return any(sha256_bytes(form) in shas for form in _forms(path, content))


def is_same(path: str, place: Path, data: bytes) -> bool:
    """Say whether what lies at a place is this content: as an app reads it exactly, as a compiler reads it for text."""
    if not place.is_file():
        return False
    content = place.read_bytes()
    return content == data or (not _is_asset(path) and _is_text(path) and _plain(content) == _plain(data))


def is_asset_with_other_line_ends(path: str, place: Path, data: bytes) -> bool:
    """Say whether it is a text that the app reads, and a checkout has given it other line ends."""
    if not (_is_asset(path) and _is_text(path) and place.is_file()):
        return False
    content = place.read_bytes()
    return content != data and _plain(content) == _plain(data)


def _forms(path: str, content: bytes) -> list[bytes]:
    plain = _plain(content)
    return [content, plain, plain.replace(b"\n", b"\r\n")] if _is_text(path) else [content]


def _is_text(path: str) -> bool:
    return PurePosixPath(path).suffix not in _BINARY


def _is_asset(path: str) -> bool:
    return "/assets/" in path


def _plain(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")
