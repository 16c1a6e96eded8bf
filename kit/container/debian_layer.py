"""Debian packages as one layer: CPython and the libraries that it and TensorFlow's wheels need.

No maintainer script runs and no root is needed: a package's files are put in place, and that is all. Sources
of the format: a merged /usr as in https://wiki.debian.org/UsrMerge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from kit.container.layers import Entry, Layer, file_entry, write_layer
from kit.packages.debian_package import package_members

PATH = "/usr/bin"

# What no job reads, as patterns of paths below the root, each with its reason.
TRIM = {
    "usr/share/man/*": "manual pages",
    "usr/share/info/*": "manual pages",
    "usr/share/locale/*": "translations",
    "usr/share/lintian/*": "for Debian's own checks",
    "usr/share/bug/*": "for bug reports",
    "usr/share/applications/*": "for desktops",
    "usr/share/pixmaps/*": "for desktops",
    "usr/share/binfmts/*": "for a kernel that this is not the system of",
    "usr/lib/binfmt.d/*": "for a kernel that this is not the system of",
    "usr/share/gdb/*": "for debuggers",
    "usr/share/gcc/*": "for debuggers",
    "usr/share/base-files/*": "templates for maintainer scripts",
    "usr/lib/*/gconv/*": "character sets other than UTF-8, for programs other than Python",
    "*/__pycache__/*": "the byte-code has a layer of its own",
    "etc/update-motd.d/*": "for logins",
    "etc/issue*": "for logins",
}

_OURS = {
    "etc/passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\nkit:x:4321:4321:kit:/tmp:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nkit:x:4321:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/sbin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "usr/bin/python3": "python3.11",
}
# The places to mount on, and the one to write to.
_FOLDERS = {"dev": 0o755, "out": 0o755, "proc": 0o755, "sys": 0o755, "tmp": 0o1777}
_MERGED = ("bin", "sbin", "lib", "lib64")


def write_debian_layer(target: Path, debs: Sequence[Path]) -> Layer:
    """Write the layer with the files of these packages, whose hashes kit.packages.debian_mirror has checked.

    Raises EngineError for what is no Debian package, for a path that leaves its place, for a device
    or another special file, and for one path with two contents.
    """
    origin = "dropkit"
    entries = [Entry(name, origin, mode) for name, mode in _FOLDERS.items()]
    entries += [Entry(name, origin, link=link) for name, link in _LINKS.items()]
    entries += [file_entry(name, text.encode(), origin) for name, text in _OURS.items()]
    entries += [entry for path in debs for entry in _package(path)]
    return write_layer(target, entries, f"debian: {len(debs)} locked packages")


def _package(path: Path) -> Iterator[Entry]:
    for member in package_members(path):
        name = _merged(member.name)
        if name in _MERGED or not _is_wanted(name):
            continue
        if member.link:
            yield Entry(name, path.name, link=member.link)
        else:
            # No setuid: a container with no-new-privileges has no use for it.
            yield file_entry(name, member.read(), path.name, 0o755 if member.executable else 0o644)


def _merged(name: str) -> str:
    """Return a path of a system with /lib apart as it is where /lib is a link to /usr/lib."""
    top, slash, _ = name.partition("/")
    return f"usr/{name}" if slash and top in _MERGED else name


def _is_wanted(name: str) -> bool:
    if fnmatchcase(name, "usr/share/doc/*/*"):
        return name.endswith("/copyright")
    return not any(fnmatchcase(name, pattern) for pattern in TRIM)
