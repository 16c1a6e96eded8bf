"""Byte-code for a toolchain. Runs inside its container, as a script: standard library only, nothing of kit.

Usage: python bytecode.py WHEELS.tar OUT SHARD SHARDS [BASE.tar]. Writes OUT/SHARD.tar with the byte-code of that part
of the Python files in the layer of wheels and in the standard library, at the paths where Python looks for it
($PYTHONPYCACHEPREFIX). The standard library is that of BASE.tar, a base for another processor, else this Python's own.
Byte-code is the same for all processors. Source of the format: PEP 552, unchecked hashes.
"""

from __future__ import annotations

import importlib.util
import io
import marshal
import os
import sys
import sysconfig
import tarfile
import warnings
from collections.abc import Callable

# Never imported by a job; and what is installed beside the standard library is not part of it.
_LEFT_OUT = {
    "__pycache__",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "site-packages",
    "test",
    "tests",
}
_UNCHECKED = (1).to_bytes(4, "little")


def main(wheels: str, out: str, shard: int, shards: int, base: str = "") -> None:
    """Compile each shards-th file, starting at shard.

    In one process and one order: what marshal writes depends on the objects shared with code compiled before.
    """
    warnings.simplefilter("ignore")
    with (
        tarfile.open(wheels, mode="r:") as tar,
        tarfile.open(base or wheels, mode="r:") as below,
        tarfile.open(f"{out}/{shard}.tar", mode="w:") as result,
    ):
        names = {f"/{m.name}": m for m in tar if m.isreg() and m.name.endswith(".py")}
        reads: dict[str, Callable[[], bytes]] = {path: _reader(tar, member) for path, member in names.items()}
        reads |= _library_of(below) if base else {path: _file_reader(path) for path in _standard_library()}
        for path in sorted(reads)[shard::shards]:
            source = reads[path]()
            try:
                code = compile(source, path, "exec", dont_inherit=True, optimize=0)
            except (SyntaxError, ValueError) as error:
                # Templates, and files for another Python: nobody imports them here.
                sys.stderr.write(f"{path}: {error}\n")
                continue
            data = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source) + marshal.dumps(code)
            info = tarfile.TarInfo(importlib.util.cache_from_source(path).lstrip("/"))
            info.size = len(data)
            result.addfile(info, io.BytesIO(data))


def _reader(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        file = tar.extractfile(member)
        assert file is not None
        return file.read()

    return read


def _file_reader(path: str) -> Callable[[], bytes]:
    def read() -> bytes:
        with open(path, "rb") as file:  # noqa: PTH123  what need not be imported is not
            return file.read()

    return read


def _standard_library() -> list[str]:
    found = []
    for folder, below, names in os.walk(sysconfig.get_path("stdlib")):
        below[:] = [name for name in below if name not in _LEFT_OUT]
        found += [f"{folder}/{name}" for name in names if name.endswith(".py")]
    return found


def _library_of(base: tarfile.TarFile) -> dict[str, Callable[[], bytes]]:
    """Return how to read each Python file of a base's standard library, as _standard_library() finds them there."""
    library = sysconfig.get_path("stdlib")
    members = {f"/{member.name}": member for member in base}
    found = {}
    for path in members:
        folder, _, name = path.removeprefix(f"{library}/").rpartition("/")
        if not path.startswith(f"{library}/") or not name.endswith(".py") or _LEFT_OUT & set(folder.split("/")):
            continue
        there = path
        while there in members and members[there].issym():
            there = os.path.normpath(os.path.join(os.path.dirname(there), members[there].linkname))  # noqa: PTH118, PTH120
        if there in members and members[there].isreg():
            found[path] = _reader(base, members[there])
    return found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
