"""What a runtime's library asks of an app: the lowest Android, a flag of Gradle, pages of 16 KB. By its name alone.

Sources: LiteRT's page "LiteRT for Android" (lowest SDK by version) and issues 8 (16 KB), 3729 (SDK) and 8474
(namespace); TensorFlow's issues 96602 (16 KB) and 72352 (16 KB in the client of Play services). 2.3 has its AAR's SDK.
"""

from __future__ import annotations


def least_sdk(runtime: str) -> int:
    """Return the lowest minSdk with which Gradle links a runtime: "litert:2.3.0" -> 24."""
    kind, version = _split(runtime)
    if kind != "litert" or version < (1, 4):
        return 21
    return 26 if version == (1, 4, 0) else 24 if version >= (2,) else 21


def shares_namespace(runtime: str) -> bool:
    """Say whether two AARs of a runtime have one namespace, which AGP 9 refuses: LiteRT's since 2.1.6."""
    kind, version = _split(runtime)
    return kind == "litert" and version >= (2, 1, 6)


def has_large_pages(runtime: str) -> bool:
    """Say whether all 64-bit libraries of a runtime are aligned to pages of 16 KB."""
    kind, version = _split(runtime)
    return kind == "play" or (kind == "litert" and version >= (1, 4))


def _split(runtime: str) -> tuple[str, tuple[int, ...]]:
    kind, _, version = runtime.partition(":")
    return kind, tuple(int(part) for part in version.split("."))
