"""Names of files that come from a package of elsewhere. Knows no format."""

from __future__ import annotations

from kit.errors import EngineError


def safe_name(name: str, origin: str) -> str:
    """Return a name from a package as a path below the root. Raises EngineError where it would leave it."""
    parts = name.split("/")
    if not name or "\0" in name or "\\" in name or any(part in {"", ".", ".."} for part in parts):
        raise EngineError(
            f"{origin}: refused: it holds a file named {name!r}, outside of its place",
            "the package is not what it should be: delete it from the cache and run it again",
        )
    return name
