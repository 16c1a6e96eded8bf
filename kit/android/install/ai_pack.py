"""A Play AI pack: a bundle's model in a Gradle module of its own, with another variant for each group of devices.

Play installs the pack together with the app, so that the app finds its assets where its own are, and the generated
class is the same. Each variant is a bundle: built, measured and proved by itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from kit.android.install.edits import Edit, Need
from kit.android.install.gradle_project import APPLICATION, SETTINGS, UNKNOWN, Module
from kit.bundle.layout import EXPECTED_BIN, assets_of
from kit.bundle.manifest import read_intact
from kit.bundle.manifest_entries import Manifest
from kit.errors import CheckError, RecipeError
from kit.render import render_text
from kit.shared.job import MODEL

TARGETING = "device_targeting_config.xml"  # the user's own: which devices a group has
OTHER = "other"  # Play's name for the devices of no group
FLAG = "android.experimental.enableDeviceTargetingConfigApi=true"
_SPACE = "{http://schemas.android.com/apk/config}"
_HINT = "a variant is named as GROUP=BUNDLE, several with a comma between: high_ram=dist16/flowers"


@dataclass(frozen=True)
class Pack:
    """Where a bundle's assets go. Paths are relative to the app's module."""

    name: str
    place: str
    variants: Mapping[str, Path]

    def files(self, of_app: Mapping[str, bytes], bundle_id: str) -> dict[str, bytes]:
        """Return what app and pack get: the model goes into the pack, and into debug builds, which no Play delivers."""
        assets = f"{assets_of(bundle_id)}/"
        moved = {path.removeprefix(assets): data for path, data in of_app.items() if path.startswith(assets)}
        files = {path: data for path, data in of_app.items() if not path.startswith(assets)}
        files |= {f"src/debug/assets/{bundle_id}/{name}": data for name, data in moved.items()}
        base = f"{bundle_id}#group_{OTHER}" if self.variants else bundle_id
        files |= {f"{self.place}/src/main/assets/{base}/{name}": data for name, data in moved.items()}
        for group, bundle in self.variants.items():
            folder = f"{self.place}/src/main/assets/{bundle_id}#group_{group}"
            files |= {f"{folder}/{name}": (bundle / assets / name).read_bytes() for name in moved}
        return files | {
            f"{self.place}/build.gradle.kts": render_text("drop/pack.gradle.kts.j2", {"name": self.name}).encode()
        }


def plan_pack(bundle: Path, manifest: Manifest, variants: Mapping[str, Path], module: Module) -> Pack:
    """Return the pack of a bundle and of its variants by device group, for an app's module.

    Raises RecipeError where the module is no app or a group is declared nowhere, CheckError where a variant is not as
    it was built, or the bundle's class could not read it.
    """
    if module.kind not in {APPLICATION, UNKNOWN}:
        raise RecipeError(
            f"{module.build.path}: no application, and an AI pack belongs to one", "name the app's module"
        )
    _check_groups(variants, module.folder / TARGETING)
    for group, other in variants.items():
        _check_variant(bundle, manifest, group, other)
    name = pack_name(manifest.id)
    return Pack(name, os.path.relpath(settings_file(module.folder).parent / name, module.folder), variants)


def parse_variants(text: str) -> dict[str, Path]:
    """Return the bundles of --variants, as "high_ram=dist16/flowers", by device group. Raises RecipeError."""
    found: dict[str, Path] = {}
    for part in filter(None, text.split(",")):
        group, equals, path = part.partition("=")
        if not equals or not path or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", group):
            raise RecipeError(f"--variants: {part!r} is no variant", _HINT)
        if group == OTHER or group in found:
            why = "is the bundle itself" if group == OTHER else "comes twice"
            raise RecipeError(f"--variants: the group {group!r} {why}", _HINT)
        found[group] = Path(path)
    return found


def pack_name(bundle_id: str) -> str:
    """Return the name of a bundle's pack: the module's folder, and what Play calls it."""
    return f"{bundle_id}_pack"


def settings_file(module: Path) -> Path:
    """Return the settings of the Gradle build that a module belongs to. Raises RecipeError where there is none."""
    for folder in module.absolute().parents:
        for name in SETTINGS:
            if (folder / name).is_file():
                return folder / name
    raise RecipeError(
        f"{module}: no {' or '.join(SETTINGS)} above it, and an AI pack is a module of the project",
        "name a module of a whole project with --into",
    )


def pack_needs(module: Path, packs: Mapping[str, bool], gone: str | None) -> list[Need]:
    """Return the lines that the project lacks for its packs, and the one that it has too many.

    packs says by name whether it has variants; gone is the name of a pack that was taken out.
    """
    if not packs and not gone:
        return []
    settings = settings_file(module)
    text = settings.read_bytes().decode("utf-8", "replace")
    lines = [f'include(":{name}")' for name in packs if not _includes(text, name)]
    needs = [Need(settings, f"add: {line}", Edit(line)) for line in lines]
    if gone and _includes(text, gone):
        alone = re.search(rf"""^include\(":{gone}"\)\r?\n""", text, re.M)
        edit = Edit("", *alone.span()) if alone else None
        needs.append(Need(settings, f'take out: include(":{gone}")', edit))
    properties = settings.parent / "gradle.properties"
    if any(packs.values()) and FLAG not in (properties.read_text("utf-8", "replace") if properties.is_file() else ""):
        needs.append(Need(properties, f"add: {FLAG}", Edit(FLAG)))
    return needs


def _includes(settings: str, name: str) -> bool:
    return re.search(rf"""["']:{name}["']""", settings) is not None


def _check_groups(variants: Mapping[str, Path], targeting: Path) -> None:
    """Refuse a group that the app's own file does not declare: Play would deliver its variant to nobody."""
    if not variants:
        return
    try:
        root = ElementTree.fromstring(targeting.read_text("utf-8"))  # noqa: S314 - the user's own file
    except FileNotFoundError:
        declared: set[str] = set()
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{targeting}: unreadable: {error}", "write it as Play's page on device targeting says"
        ) from error
    else:
        declared = {str(group.get("name")) for group in root.iter(f"{_SPACE}device-group")}
    if missing := sorted(set(variants) - declared):
        there = f"declares {', '.join(sorted(declared))}" if declared else "declares none"
        raise RecipeError(
            f"{targeting} {there}, and {', '.join(missing)} is no group in it",
            "say there which devices it has: "
            f'<config:device-group name="{missing[0]}"><config:device-selector ram-min-bytes="8000000000"/>'
            "</config:device-group> in <config:device-targeting-config "
            'xmlns:config="http://schemas.android.com/apk/config">',
        )


def _check_variant(bundle: Path, manifest: Manifest, group: str, other: Path) -> None:
    """Refuse a variant that the base's class cannot read: its tensors or labels are others."""
    theirs = read_intact(other)
    if theirs.id != manifest.id:
        raise CheckError(
            f"{other} is {theirs.id!r}, and the variants of {manifest.id!r} have its id",
            "give it that [model] id",
        )
    if theirs.runtime != manifest.runtime:
        raise CheckError(
            f"{other} is built for {theirs.runtime}: an app links one runtime",
            f"build both for {manifest.runtime}",
        )
    assets = f"{assets_of(manifest.id)}/"
    own = {f"{assets}{name}" for name in (MODEL, EXPECTED_BIN)} & manifest.files.keys() & theirs.files.keys()
    for name in sorted({name for of in (manifest, theirs) for name in of.files if name.startswith(assets)} - own):
        if manifest.files.get(name) != theirs.files.get(name):
            raise CheckError(
                f"{other}: {name.removeprefix(assets)} is not as {bundle} has it, and one class reads every variant",
                f"build the variant of {group} with the same tensors, labels, [quantize] io and [android] verify; "
                "scheme may differ where io is float32",
            )
