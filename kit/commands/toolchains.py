"""What is pinned and what is on this machine: toolchains, image, lock, schema, doctor, clean."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from kit.commands.command import command, print_json

if TYPE_CHECKING:
    from kit.container.image import Image


@command
def toolchains(ctx: Context, json: bool = False, debug: bool = False) -> None:
    """List the pinned toolchains and runtimes: versions, what is present here, and how large."""
    from kit.engine.inventory import print_toolchains, toolchain_rows

    rows = toolchain_rows()
    print_json([asdict(row) for row in rows]) if json else print_toolchains(rows)


@command
def image(
    ctx: Context, version: str, export: str = "", import_: str = "", pin: bool = False, debug: bool = False
) -> None:
    """Build the image of a toolchain in the Docker engine and print its id. VERSION is auto (the newest), or all.

    --export FILE.tar writes it for a machine without network; --import FILE.tar loads such a file there, if it is
    byte for byte the pinned image. --pin (for maintainers) writes its digests into the kit.
    """
    from kit.container import image_transfer
    from kit.container.client import connect
    from kit.container.image import ensure_image, pin_image
    from kit.errors import RecipeError
    from kit.progress import Reporter
    from kit.toolchains.toolchain import find_toolchain, newest_toolchain
    from kit.toolchains.toolchain import toolchains as pinned

    if (bool(export) + bool(import_) + pin) > 1 or (export and version == "all"):
        raise RecipeError(
            "image: --export, --import and --pin go one at a time, --export with one version",
            "leave the others out: `kit image V --export FILE`",
        )
    chosen = (
        list(pinned().values())
        if version == "all"
        else [newest_toolchain() if version == "auto" else find_toolchain(version)]
    )
    client, notify = connect(), Reporter().note
    if import_:
        toolchain, made = image_transfer.import_image(client, chosen, Path(import_), notify)
        _print_image(toolchain.id, made)
        return
    for toolchain in chosen:
        if export:
            made = image_transfer.export_image(client, toolchain, Path(export), notify)
        elif pin:
            path, made = pin_image(client, toolchain, notify)
            sys.stdout.write(f"{path}\n")
        else:
            made = ensure_image(client, toolchain, notify)
        _print_image(toolchain.id, made)


def _print_image(name: str, made: Image) -> None:
    sys.stdout.write(f"{name}  {made.id}  {made.reference}  {made.size / 1e6:,.0f} MB  on {made.base}\n")


@command
def lock(ctx: Context, debug: bool = False) -> None:
    """Regenerate every lock from its .in file and cut-off date (needs the package index and a Debian mirror)."""
    from kit.container.base_image import relock_debian
    from kit.toolchains.toolchain import relock

    for path in relock():
        sys.stdout.write(f"{path}\n")
    for line in relock_debian():
        sys.stdout.write(f"{line}\n")
    sys.stdout.write("next: `inv image all --pin`, for an image whose lock has changed must be pinned again\n")


@command
def schema(ctx: Context, debug: bool = False) -> None:
    """Regenerate kit/recipe.schema.json from the recipe's types."""
    from kit.files import json_text, write_whole
    from kit.recipe.schema import schema

    target = Path(__file__).parent.parent / "recipe.schema.json"
    write_whole(target, json_text(schema()).encode())
    sys.stdout.write(f"{target}\n")


@command
def doctor(ctx: Context, json: bool = False, debug: bool = False) -> None:
    """Check this machine: engines, Python, cache folder, free space."""
    from kit.engine.inventory import health

    rows = health()
    if json:
        print_json([asdict(row) for row in rows])
    else:
        for row in rows:
            sys.stdout.write(f"{'ok  ' if row.ok else 'MISS'}  {row.what}: {row.found}\n")
    if not any(row.ok for row in rows if row.what.endswith("engine")):
        raise SystemExit(5)


@command
def clean(ctx: Context, cache: bool = False, debug: bool = False) -> None:
    """Remove ./dist; with --cache also every toolchain, wheel and log that dropkit keeps for this user."""
    import shutil

    from kit.files import cache_dir

    for folder in [Path("dist"), *([cache_dir()] if cache else [])]:
        if folder.exists():
            shutil.rmtree(folder)
            sys.stdout.write(f"removed {folder}\n")
