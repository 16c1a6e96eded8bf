"""The Kotlin of a bundle, found by its layout. Reads package and class names, compiles nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kit.bundle.layout import DEBUG_ASSETS, KOTLIN, KOTLIN_TESTS, MAIN_ASSETS, only_bundle
from kit.errors import CheckError

_AGAIN = "build the bundle again"


@dataclass(frozen=True)
class Bindings:
    """The class of a bundle's model and its test. Its Kotlin may lie in another folder than the bundle's assets."""

    bundle: Path
    kotlin: Path
    package: str  # as Kotlin writes it, with backticks where a part is a keyword
    model: str
    test: str

    @property
    def jvm_package(self) -> str:
        """Return the package as the JVM and Maven have it."""
        return self.package.replace("`", "")

    @property
    def sources(self) -> list[Path]:
        """Return the app's files, sorted."""
        return sorted((self.kotlin / KOTLIN).rglob("*.kt"))

    @property
    def shows_runtime(self) -> bool:
        """Say whether a type of the runtime is in a public signature: CompiledModel's accelerators are LiteRT's own."""
        return any(path.name == "CompiledModelEngine.kt" for path in self.sources)

    @property
    def tests(self) -> list[Path]:
        """Return the files of the instrumented test, sorted."""
        return sorted((self.kotlin / KOTLIN_TESTS).rglob("*.kt"))

    @property
    def id(self) -> str:
        """Return the bundle's id, which its assets' folder is named after."""
        return only_bundle(self.bundle).id

    @property
    def module(self) -> str:
        """Return a name of Kotlin's module that no other bundle has."""
        return f"{self.jvm_package}.{self.id}"

    @property
    def assets(self) -> list[Path]:
        """Return the folders that a debug app packs as assets: the app's own, then the golden vectors."""
        return [self.bundle / MAIN_ASSETS, self.bundle / DEBUG_ASSETS]


def find_bindings(bundle: Path, kotlin: Path | None = None) -> Bindings:
    """Return a bundle's Kotlin, or that below another folder with the same layout.

    Raises CheckError where there is none, or the test is not of the class.
    """
    kotlin = kotlin or bundle
    for test in sorted((kotlin / KOTLIN_TESTS).rglob("*GoldenTest.kt")):
        model = test.stem.removesuffix("GoldenTest")
        for source in sorted((kotlin / KOTLIN).rglob(f"{model}.kt")):
            named = re.search(r"^package\s+(\S+)", source.read_text("utf-8"), re.MULTILINE)
            if named:
                return Bindings(bundle, kotlin, named[1], model, test.stem)
    raise CheckError(f"{kotlin}: there is no Kotlin class with its golden test in src", _AGAIN)
