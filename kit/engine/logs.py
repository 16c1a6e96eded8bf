"""The logs that workers leave in the cache: one for each model and version, few enough and small enough."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from kit.files import cache_dir, write_whole

MOST_LOGS, MOST_BYTES = 200, 256 << 20


def keep_log(log: Path, name: str) -> Path:
    """Put a job's log into the cache, in place of that name's last one, and return where it is.

    That is where it was, for a cache that cannot be written: a log is no result. The oldest logs go, beyond
    MOST_LOGS of them or MOST_BYTES in all.
    """
    kept = cache_dir() / "logs" / f"{name}.log"
    try:
        write_whole(kept, log.read_bytes())
    except OSError:
        return log
    _prune(kept.parent)
    return kept


def _prune(folder: Path) -> None:
    with suppress(OSError):  # another process may prune at the same time
        newest_first = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
        total = 0
        for number, path in enumerate(newest_first):
            total += path.stat().st_size
            if number >= MOST_LOGS or (number and total > MOST_BYTES):
                path.unlink(missing_ok=True)
