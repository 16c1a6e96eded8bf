"""The tools of the proof on this machine: the JDK, Debian's Android tools, the Kotlin compiler. Runs none of them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from kit.android.proof.step import MissingToolError, Notify
from kit.errors import EngineError
from kit.files import cache_dir
from kit.lifetime.locks import keep_shared
from kit.toolchains.download import complaint, run_download
from kit.toolchains.space import KOTLIN_BYTES, need_space
from kit.toolchains.stamp import damage, sentence, write_stamp

KOTLIN = "2.4.20"
# What `npm view kotlin-compiler@2.4.20 dist.integrity` says.
KOTLIN_SHA512 = "IF5IVM7LpPhA/ntHQQpaVt1yxpaaQovtEVYLyqWMuaLr0XelLPPm7/sM6HLhtcRjjjoSsK7I7lP2kzYJkMy73w=="
# The AAR is compiled as this Kotlin would: an app's compiler reads no library of a Kotlin more than one step newer.
OLDEST_KOTLIN = "2.1"
# Compilers that an app may have, by version: npm's dist.integrity of each. The tests compile an app with them.
OLDER_COMPILERS = {
    "2.1.21": "PvXicARwvQ6O0KBTnJnXOnxSjWbNnRBeKnucK7MM4aOVF3pMHY5llC6Ibh+tAORSuq81Gn/X7WmYkOKkp0/23g==",
    "2.2.21": "nY7ifXZsAfCTJFagHmDQuJRJSr1W/WBUrJnLTfq78/g8u+LMM97pAqspg3ANDFLBH8+de1XdRtofpaLEr3kZiQ==",
}
OLDEST_JAVA = 17

# All at once: Debian's and Ubuntu's names of packages.
INSTALL = (
    "apt-get install default-jdk-headless npm libjna-java junit4 libhamcrest-java aapt zipalign apksigner"
    " android-framework-res"
)
CHECK_REGISTRY = "check the network and npm's registry settings: `npm config get registry`"
_JARS = {"jna": "jna.jar", "junit": "junit4.jar", "hamcrest": "hamcrest.jar"}
_FRAMEWORK = Path("usr/share/android-framework-res/framework-res.apk")
_checked: set[Path] = set()  # by this process: once is enough


@dataclass(frozen=True)
class Kotlin:
    """The compiler's own folder of jars."""

    lib: Path

    @property
    def stdlib(self) -> Path:
        """Return the jar that every compiled file needs."""
        return self.lib / "kotlin-stdlib.jar"

    @property
    def coroutines(self) -> Path:
        """Return the jar of kotlinx-coroutines that comes with the compiler."""
        return self.lib / "kotlinx-coroutines-core-jvm.jar"

    @property
    def compiler(self) -> list[Path]:
        """Return the class path of the compiler itself."""
        return [self.lib / "kotlin-compiler.jar", self.stdlib, self.lib / "annotations-13.0.jar", self.coroutines]


def find_program(name: str) -> Path:
    """Return the path of a program. Raises MissingToolError."""
    found = shutil.which(name)
    if found is None:
        raise MissingToolError(f"{name} is not on this machine", INSTALL)
    return Path(found)


def find_java(program: str = "java") -> Path:
    """Return java or javac of a JDK that is new enough: $JAVA_HOME's, else the PATH's. Raises MissingToolError."""
    home = os.environ.get("JAVA_HOME", "")
    own = Path(home) / "bin" / program
    path = own if home and own.exists() else find_program(program)
    reported = subprocess.run([str(path), "-version"], capture_output=True, text=True, check=False)
    number = re.search(r"(\d+)(?:\.\d+)*", reported.stdout + reported.stderr)
    if number is None or int(number[1]) < OLDEST_JAVA:
        raise MissingToolError(
            f"{path} is older than Java {OLDEST_JAVA}", f"{INSTALL}, or set JAVA_HOME to a newer JDK"
        )
    return path


def find_jar(name: str) -> Path:
    """Return a jar of a Java library by its key: jna, junit or hamcrest. Raises MissingToolError."""
    return _find_file(Path("usr/share/java") / _JARS[name])


def find_framework() -> Path:
    """Return Android's own resources, which aapt2 links against. Raises MissingToolError."""
    return _find_file(_FRAMEWORK)


def _find_file(relative: Path) -> Path:
    path = Path("/") / relative
    if not path.exists():
        raise MissingToolError(f"{path} is not on this machine", INSTALL)
    return path


def kotlin(notify: Notify, version: str = KOTLIN) -> Kotlin:
    """Return a pinned Kotlin compiler, fetched by npm into the cache where it is missing.

    version: KOTLIN or one of OLDER_COMPILERS. Raises MissingToolError where npm is not here, EngineError where it
    cannot fetch the pinned one.
    """
    folder = cache_dir() / "kotlin" / version
    lib = folder / "package" / "lib"
    if not keep_shared(folder) or (folder not in _checked and _faults(folder)):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{version}.lock")):
            if faults := _faults(folder):
                if folder.exists():
                    notify(sentence(f"the Kotlin compiler {version}", faults))
                _fetch_kotlin(folder, notify)
    keep_shared(folder)
    _checked.add(folder)
    return Kotlin(lib)


def has_kotlin(version: str = KOTLIN) -> bool:
    """Say whether a pinned Kotlin compiler is in the cache."""
    return (cache_dir() / "kotlin" / version / ".complete").exists()


def _faults(folder: Path) -> list[str]:
    return damage(folder) if (folder / ".complete").exists() else [".complete"]


def _fetch_kotlin(folder: Path, notify: Notify) -> None:
    version = folder.name
    find_program("npm")
    need_space(folder.parent, KOTLIN_BYTES, f"the Kotlin compiler {version}")
    notify(f"fetching the Kotlin compiler {version} (94 MB, once)")
    sha512 = KOTLIN_SHA512 if version == KOTLIN else OLDER_COMPILERS[version]
    fetch_npm_package("kotlin-compiler", version, sha512, folder)


def fetch_npm_package(name: str, version: str, sha512: str, folder: Path) -> None:
    """Fetch a package by npm, and put what is in it into a folder, with a stamp: whole or not at all.

    sha512 is in base64, as npm states it. Raises MissingToolError where npm is not here, EngineError where it cannot
    fetch the package or fetches another one.
    """
    npm = find_program("npm")
    prefix = f".{folder.name}-"
    for stray in folder.parent.glob(f"{prefix}*"):  # of a run that was killed: the lock has one holder
        shutil.rmtree(stray, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as scratch:
        # A cache of its own: npm's would keep what a broken registry sent, and needs a home folder.
        argv = [str(npm), "pack", "--loglevel=error", "--cache", f"{scratch}/npm", "--pack-destination", scratch]
        done = run_download([*argv, f"{name}@{version}"], os.environ, Path(scratch))
        packed = next(Path(scratch).glob("*.tgz"), None)
        if done.returncode or packed is None:
            raise EngineError(
                f"npm cannot fetch {name} {version}:{complaint(done.stderr)}",
                CHECK_REGISTRY,
            )
        if b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode() != sha512:
            raise EngineError(f"{name} {version} is not the pinned one", CHECK_REGISTRY)
        unpacked = Path(scratch) / "unpacked"
        with tarfile.open(packed) as archive:
            archive.extractall(unpacked, filter="data")
        write_stamp(unpacked)
        (unpacked / ".complete").touch()
        unpacked.rename(folder)
