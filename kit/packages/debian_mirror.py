"""Debian packages by their hash, from whatever mirror this machine knows. Names no host, opens no package."""

from __future__ import annotations

import hashlib
import http.client
import lzma
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.errors import EngineError
from kit.files import cache_dir, sha256_file, write_whole
from kit.lifetime.locks import keep_shared
from kit.toolchains.download import Pace, stalled_words

SUITE = "bookworm"
APT = Path("/etc/apt")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TIMEOUT = 20.0  # seconds without a byte
_MOST = 256 << 20  # bytes of a file; the largest index has 50 MB
_LINE = re.compile(r"(\S+) (\S+) (amd64|arm64|all) (pool/\S+\.deb) (\d+) ([0-9a-f]{64})")


@dataclass(frozen=True)
class Deb:
    """One Debian package at one version."""

    name: str
    version: str
    architecture: str
    path: str  # on a mirror: "pool/main/z/zlib/zlib1g_1.2.13_amd64.deb"
    size: int  # bytes
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.architecture} {self.path} {self.size} {self.sha256}"


def read_debs(lock: Path) -> tuple[Deb, ...]:
    """Return the packages of a lock, in its order. Raises EngineError for a line without a hash."""
    try:
        lines = [line for line in lock.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]
    except OSError as error:
        raise EngineError(f"{lock}: the lock cannot be read: {error.strerror}", "install dropkit again") from error
    found = [_LINE.fullmatch(line.strip()) for line in lines]
    if not lines or not all(found):
        wrong = next((line for line, match in zip(lines, found, strict=True) if not match), "(it is empty)")
        raise EngineError(
            f"{lock}: not a package with its version, path, size and sha256: {wrong[:60]!r}",
            "restore the file from version control, or regenerate it with `inv lock`",
        )
    return tuple(Deb(m[1], m[2], m[3], m[4], int(m[5]), m[6]) for m in found if m)


def mirrors(apt: Path) -> tuple[str, ...]:
    """Return the addresses of Debian mirrors: $DROPKIT_DEBIAN_MIRROR, else those in apt's sources."""
    named = os.environ.get("DROPKIT_DEBIAN_MIRROR")
    if named:
        return (named.rstrip("/"),)
    found: list[str] = []
    for path in sorted([apt / "sources.list", *apt.glob("sources.list.d/*")]):
        try:
            text = path.read_text("utf-8", errors="replace") if path.suffix in {".list", ".sources"} else ""
        except OSError:
            continue
        found += _one_line_style(text) if path.suffix == ".list" else _deb822_style(text)
    return tuple(dict.fromkeys(uri.rstrip("/") for uri in found))


def fetch_debs(debs: Sequence[Deb], notify: Callable[[str], None]) -> tuple[Path, ...]:
    """Return the packages as files in the cache, downloading what it lacks; each has its locked SHA-256.

    Raises EngineError where no mirror has one, or what it has differs from the lock.
    """
    folder = cache_dir() / "debs"
    paths = [folder / f"{deb.sha256[:16]}-{deb.path.rpartition('/')[2]}" for deb in debs]
    keep_shared(folder)
    missing = [(deb, path) for deb, path in zip(debs, paths, strict=True) if not _is_whole(deb, path)]
    if missing:
        megabytes = sum(deb.size for deb, _ in missing) / 1e6
        notify(f"downloading {len(missing)} Debian packages, {megabytes:.0f} MB (once)")
        sources = _known_mirrors()
        for deb, path in missing:
            write_whole(path, _download(deb, sources))
    return tuple(paths)


def lock_debs(source: Path, target: Path, architecture: str) -> str:
    """Write the lock of the packages that source names, as the mirror has them now; say how it was checked.

    A line of source is a package's name, and behind it a suite where that is not SUITE. The index is checked against
    the suite's Release file, and the signature of that by gpgv where it and Debian's keyring are installed. Raises
    EngineError for a package that its suite lacks.
    """
    lines = [line.split("#")[0].split() for line in source.read_text("utf-8").splitlines()]
    wanted = {words[0]: (words[1:] or [SUITE])[0] for words in lines if words}
    mirror = _known_mirrors()[0]
    suites = sorted(set(wanted.values()))
    debs: list[Deb] = []
    for suite in suites:
        release, checked = _release(mirror, suite)
        debs += _of_suite(mirror, suite, release, architecture, [n for n, where in wanted.items() if where == suite])
    written = [f"# name version architecture path size sha256; Debian {', '.join(suites)}, main; written by `inv lock`"]
    written += [str(deb) for deb in sorted(debs, key=lambda deb: deb.name)]
    write_whole(target, ("\n".join(written) + "\n").encode())
    return checked


def _of_suite(mirror: str, suite: str, release: str, architecture: str, names: Sequence[str]) -> list[Deb]:
    """Return packages as a suite has them. Raises EngineError where its index is not the one of its Release file."""
    index = f"main/binary-{architecture}/Packages.xz"
    expected = re.search(rf"(?m)^ ([0-9a-f]{{64}}) +\d+ {re.escape(index)}$", release)
    data = _get(f"{mirror}/dists/{suite}/{index}")
    if not expected or hashlib.sha256(data).hexdigest() != expected[1]:
        raise EngineError(
            f"{mirror}: {index} is not the one that its Release file states",
            "set DROPKIT_DEBIAN_MIRROR to another mirror's address",
        )
    known = {deb.name: deb for deb in _index(lzma.decompress(data).decode("utf-8"))}
    lacking = [name for name in names if name not in known]
    if lacking:
        raise EngineError(
            f"{mirror}: {suite} has no package {', '.join(lacking)} for {architecture}",
            "set DROPKIT_DEBIAN_MIRROR to another mirror's address",
        )
    return [known[name] for name in names]


def _one_line_style(text: str) -> Iterator[str]:
    """Yield Debian's addresses from lines such as "deb [signed-by=KEYRING] URI bookworm main"."""
    for line in text.splitlines():
        match = re.match(r"deb\s+(\[[^]]*\]\s+)?(\S+)\s", line)
        if match and _is_debian(match[2], match[1] or ""):
            yield match[2]


def _deb822_style(text: str) -> Iterator[str]:
    """Yield Debian's addresses from stanzas of "Types: deb", "URIs: ..." (see sources.list(5))."""
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields = {
            match[1].lower(): " ".join(match[2].split())
            for match in re.finditer(r"(?m)^([A-Za-z-]+):((?:.*)(?:\n[ \t]+.*)*)", stanza)
        }
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            yield from (uri for uri in fields.get("uris", "").split() if _is_debian(uri, fields.get("signed-by", "")))


def _is_debian(uri: str, signed_by: str) -> bool:
    """Say whether an apt source is Debian's main archive, on whatever host: by its path or its keyring."""
    parts = urllib.parse.urlsplit(uri)
    last = parts.path.rstrip("/").rpartition("/")[2]
    if parts.scheme not in {"http", "https", "file"} or "security" in last:
        return False
    return last == "debian" or "debian-archive" in signed_by


def _known_mirrors() -> tuple[str, ...]:
    known = mirrors(APT)
    if not known:
        raise EngineError(
            "Debian packages are needed, and this machine names no Debian mirror",
            "set DROPKIT_DEBIAN_MIRROR to any Debian mirror's address (it ends before /pool and /dists)",
        )
    return known


def _is_whole(deb: Deb, path: Path) -> bool:
    return path.is_file() and path.stat().st_size == deb.size and sha256_file(path) == deb.sha256


def _download(deb: Deb, sources: Sequence[str]) -> bytes:
    refused = []
    for mirror in sources:
        try:
            data = _get(f"{mirror}/{deb.path}")
        except EngineError as error:
            refused.append(error.message)
            continue
        if len(data) == deb.size and hashlib.sha256(data).hexdigest() == deb.sha256:
            return data
        refused.append(f"{mirror}/{deb.path}: refused: its SHA-256 is not the locked one")
    raise EngineError(
        f"the Debian package {deb.name} {deb.version} cannot be had:\n  " + "\n  ".join(refused),
        "check the network and proxy, or set DROPKIT_DEBIAN_MIRROR to another mirror's address",
    )


def _get(address: str) -> bytes:
    """Return what an address holds. Takes the proxies and certificates of the environment, as urllib does."""
    try:
        # Mirrors know dropkit's requests by nothing: some refuse urllib's own name.
        request = urllib.request.Request(address, headers={"User-Agent": "dropkit"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310  the user's own apt source
            return _read(response)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise EngineError(f"{address}: {reason}", "check the network and proxy") from error


def _read(response: http.client.HTTPResponse) -> bytes:
    """Return what a server sends. Raises OSError where it sends too much, too little, or hardly anything for long."""
    content, pace = bytearray(), Pace()
    while piece := response.read1(1 << 16):
        content += piece
        if len(content) > _MOST:
            raise OSError(f"it sends more than {_MOST >> 20} MB")
        if pace.is_stalled(len(content)):
            raise OSError(stalled_words())
    announced = response.headers.get("Content-Length")
    if announced is not None and announced.isdecimal() and int(announced) != len(content):
        raise OSError(f"it was cut short: {len(content):,} of {int(announced):,} bytes came")
    return bytes(content)


def _release(mirror: str, suite: str) -> tuple[str, str]:
    """Return the text of a suite's InRelease file, and how far its signature was checked."""
    signed = _get(f"{mirror}/dists/{suite}/InRelease")
    gpgv = shutil.which("gpgv")
    if not gpgv or not _KEYRING.exists():
        return signed.decode("utf-8"), "Release's signature was NOT checked: no gpgv or no keyring of Debian"
    with tempfile.TemporaryDirectory() as folder:
        path, plain = Path(folder) / "InRelease", Path(folder) / "Release"
        path.write_bytes(signed)
        argv = [gpgv, "--keyring", str(_KEYRING), "--output", str(plain), str(path)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EngineError(
                f"{mirror}: Release is not signed by Debian:\n{done.stderr.strip()}",
                "set DROPKIT_DEBIAN_MIRROR to another mirror's address",
            )
        # Only what the signature covers.
        return plain.read_text("utf-8"), "Release's signature is good"


def _index(text: str) -> Iterator[Deb]:
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"(?m)^(Package|Version|Architecture|Filename|Size|SHA256): (.*)$", stanza))
        if len(fields) == 6:
            yield Deb(fields["Package"], fields["Version"], fields["Architecture"], fields["Filename"],
                      int(fields["Size"]), fields["SHA256"])  # fmt: skip
