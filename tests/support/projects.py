"""Bundles of short files, and Gradle projects to drop them into."""

from __future__ import annotations

from pathlib import Path

from kit.files import json_text, tree_digests

KTS = 'plugins { id("com.android.application") }\n'


def bundle(
    folder: Path, name: str = "digits", package: str = "com.example.digits", runtime: str = "litert:2.3.0"
) -> Path:
    """Write a bundle of the layout that `build` writes, with short files in it."""
    place = folder / name
    files = {
        f"src/main/assets/{name}/model.tflite": "model of " + name,
        f"src/main/kotlin/{package.replace('.', '/')}/{name.capitalize()}.kt": f"package {package}\n",
        f"src/debug/assets/{name}/golden.bin": "golden",
        "consumer-rules.pro": "-keep class x\n",
        "README.md": "not for the app\n",
    }
    for path, text in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    return seal(place, runtime, package)


def seal(place: Path, runtime: str = "litert:2.3.0", package: str = "com.example.digits", name: str = "") -> Path:
    """Write the manifest of what is in the folder, whose name is the bundle's id where none is given."""
    (place / "bundle.json").unlink(missing_ok=True)
    named = {"id": name or place.name, "version": "1.0.0"}
    manifest = {
        **named,
        "format": 4,
        "key": "0" * 64,
        "kit": "0.1.0",
        "recipe": {"model": named, "android": {"package": package, "runtime": runtime}},
        "source": {"files": [{"file": f"{place.name}.keras", "sha256": "0" * 64}]},
        "toolchain": {
            "tensorflow": "2.19.1",
            "python": "3.11",
            "keras": "3.15.1",
            "legacy_keras": "",
            "locks": {"x86_64": "0" * 64},
        },
        "model": {"sha256": "0" * 64, "bytes": 8, "scheme": "float32", "io": "float32"},
        "signature": {
            **named,
            "model": "model.tflite",
            "signature": "serving_default",
            "inputs": [],
            "outputs": [{"name": "y", "kind": "tensor", "dtype": "float32", "shape": [1, 2]}],
        },
        "files": tree_digests(place),
    }
    (place / "bundle.json").write_text(json_text(manifest))
    return place


def app(folder: Path, text: str = KTS, name: str = "build.gradle.kts") -> Path:
    module = folder / "project" / "app"
    module.mkdir(parents=True)
    (module / name).write_text(text)
    return module
