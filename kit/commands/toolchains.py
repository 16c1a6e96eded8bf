"""What is pinned and what is on this machine: toolchains, image, lock, schema, doctor, clean."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kit.commands.command import command, print_json

if TYPE_CHECKING:
    from invoke.context import Context

    from kit.container.image import Image


@command
def toolchains(ctx: Context, json: bool = False, debug: bool = False) -> None:
    """List the pinned toolchains and runtimes: versions, what is present here, and how large."""
    from dataclasses import asdict

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
    from kit.gpu.driver import relock_driver
    from kit.toolchains.toolchain import relock

    for path in relock():
        sys.stdout.write(f"{path}\n")
    for line in (*relock_debian(), relock_driver()):
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
    """Check this machine: engines, Python, cache folder, free space, runtimes, the tools of `kit android`."""
    from dataclasses import asdict

    from kit.android.proof.tool_check import try_tools
    from kit.engine.inventory import HealthRow, health

    rows = [*health(), *(HealthRow(f"android {name}", found, ok) for name, found, ok in try_tools())]
    if json:
        print_json([asdict(row) for row in rows])
    else:
        for row in rows:
            sys.stdout.write(f"{'ok  ' if row.ok else 'MISS'}  {row.what}: {row.found}\n")
    if not any(row.ok for row in rows if row.what.endswith("engine")):
        raise SystemExit(5)


@command
def clean(
    ctx: Context,
    remove: list[str] = [],
    out: str = "dist",
    cache: bool = False,
    json: bool = False,
    debug: bool = False,
) -> None:
    """Say what the kit has in OUT (./dist) and in its cache: size, days since it changed, name. Removes what is named.

    --remove NAME, once for each: dist, venvs, wheels, kotlin, gpu, logs, a name or a pattern as 'tensorflow-2.12*', or
    all; --cache is all of the cache. What a run uses at the moment stays, and so does every file that no build wrote.
    What is removed from the cache is fetched again when it is needed.
    """
    from dataclasses import asdict

    from kit.cleaning import choose, find_entries, remove_entry
    from kit.files import cache_dir
    from kit.toolchains.space import free_bytes

    found = find_entries(Path(out), cache_dir())
    if remove or cache:
        chosen = choose(found, remove) if remove else []
        chosen += [entry for entry in found if cache and not entry.name.startswith("dist/") and entry not in chosen]
        sys.stdout.writelines(f"{remove_entry(entry)}\n" for entry in chosen)
        return
    if json:
        print_json([asdict(entry) | {"path": str(entry.path)} for entry in found])
        return
    sys.stdout.writelines(f"{entry.line}\n" for entry in found)
    total = sum(entry.bytes for entry in found)
    sys.stdout.write(
        f"{total / 1e6:>10,.1f} MB in all; {free_bytes(cache_dir()) / 1e9:,.1f} GB free at {cache_dir()}\n"
    )
