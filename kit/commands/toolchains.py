"""What is pinned and what is on this machine: toolchains, image, lock, schema, doctor, clean."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kit.commands.command import command, print_json

if TYPE_CHECKING:
    from invoke.context import Context

    from kit.container.image import Image
    from kit.toolchains.toolchain import Packages


@command
def toolchains(ctx: Context, json: bool = False, debug: bool = False) -> None:
    """List the pinned toolchains and runtimes: versions, what is present here, and how large."""
    from dataclasses import asdict

    from kit.engine.inventory import print_toolchains, toolchain_rows

    rows = toolchain_rows()
    print_json([asdict(row) for row in rows]) if json else print_toolchains(rows)


@command
def image(
    ctx: Context,
    version: str,
    platform: str = "",
    export: str = "",
    import_: str = "",
    pin: bool = False,
    debug: bool = False,
) -> None:
    """Build the image of a toolchain in the Docker engine and print its id. VERSION is auto (the newest), or all.

    VERSION quantizer is LiteRT's quantizer, which has an image of its own; all has it, too.

    --platform linux/arm64 or linux/amd64 makes it for another machine than the engine's, as a Mac's engine is.
    --export FILE.tar writes it for a machine without network; --import FILE.tar loads such a file there, if it is
    byte for byte the pinned image. --pin (for maintainers) writes its digests into the kit.
    """
    from kit.container import image_transfer
    from kit.container.base_image import PLATFORMS
    from kit.container.client import connect
    from kit.container.image import ensure_image, ensure_pinned, pin_image
    from kit.errors import RecipeError
    from kit.progress import Reporter

    if (bool(export) + bool(import_) + pin) > 1 or (export and version == "all"):
        raise RecipeError(
            "image: --export, --import and --pin go one at a time, --export with one version",
            "leave the others out: `kit image V --export FILE`",
        )
    machine, chosen = "", _with_images(version)
    if platform:
        if platform not in PLATFORMS:
            raise RecipeError(f"image: --platform {platform!r} is not known", f"there is: {', '.join(PLATFORMS)}")
        machine = PLATFORMS[platform]
    client, notify = connect(), Reporter().note
    if import_:
        packages, made = image_transfer.import_image(
            client, chosen, _with_images("all"), Path(import_), notify, machine
        )
        _print_image(packages.id, made)
        return
    for packages in chosen:
        if export:
            made = image_transfer.export_image(client, packages, Path(export), notify, machine)
        elif pin:
            path, made = pin_image(client, packages, notify, machine)
            sys.stdout.write(f"{path}\n")
        elif machine:
            made = ensure_pinned(client, packages, notify, machine)
        else:
            made = ensure_image(client, packages, notify)
        _print_image(packages.id, made)


def _with_images(version: str) -> list[Packages]:
    """Return what `kit image VERSION` is about."""
    from kit.errors import RecipeError
    from kit.toolchains.toolchain import find_toolchain, newest_toolchain, quantizer
    from kit.toolchains.toolchain import toolchains as pinned

    if version == "all":
        return [*pinned().values(), quantizer()]
    if version == "quantizer":
        return [quantizer()]
    if version == "auto":
        return [newest_toolchain()]
    try:
        return [find_toolchain(version)]
    except RecipeError as error:
        raise RecipeError(error.message, f"{error.hint}; and quantizer, auto, all") from error


def _print_image(name: str, made: Image) -> None:
    sys.stdout.write(f"{name}  {made.id}  {made.reference}  {made.size / 1e6:,.0f} MB  on {made.base}\n")


@command
def lock(ctx: Context, debug: bool = False) -> None:
    """Regenerate every lock from its .in file and cut-off date (needs the package index and a Debian mirror)."""
    from kit.arm64.machine import relock_machine
    from kit.container.base_image import relock_debian
    from kit.gpu.driver import relock_driver
    from kit.toolchains.toolchain import relock

    for path in relock():
        sys.stdout.write(f"{path}\n")
    for line in (*relock_debian(), relock_driver(), relock_machine()):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write("next: `inv image all --platform linux/amd64 --pin`, then the same for linux/arm64: ")
    sys.stdout.write("an image whose lock has changed must be pinned again\n")


@command
def schema(ctx: Context, debug: bool = False) -> None:
    """Regenerate kit/recipe.schema.json from the recipe's types."""
    from kit.files import json_text, write_whole
    from kit.recipe.schema import schema

    target = Path(__file__).parent.parent / "recipe.schema.json"
    write_whole(target, json_text(schema()).encode())
    sys.stdout.write(f"{target}\n")


@command
def doctor(ctx: Context, fix: bool = False, json: bool = False, debug: bool = False) -> None:
    """Check this machine for all that any command needs: engines, disk, memory, toolchains, the tools of `kit android`.

    A line that begins with MISS says what is missing, the next step, and in brackets which commands need it; the others
    run without. --fix fetches into the cache what the kit fetches itself, and removes what is damaged there: no root is
    needed, and nothing outside of the cache is changed. Exit codes: 0 an engine can build, 5 none can.
    """
    from dataclasses import asdict

    from kit.doctor.checkup import checkup, line
    from kit.progress import Reporter

    reporter = Reporter(quiet=json)
    if fix:
        from kit.doctor.fix import fix_all

        try:
            fix_all(reporter)
        finally:
            reporter.close()
    rows = checkup(reporter)
    reporter.close()
    print_json([asdict(row) for row in rows]) if json else sys.stdout.writelines(f"{line(row)}\n" for row in rows)
    if not any(row.ok for row in rows if row.what.endswith("engine")):
        raise SystemExit(5)


@command
def clean(
    ctx: Context,
    remove: list[str] = [],
    out: str = "dist",
    cache: bool = False,
    yes: bool = False,
    json: bool = False,
    debug: bool = False,
) -> None:
    """Say what the kit has in OUT (./dist) and in its cache: size, days since it changed, name. Removes what is named.

    --remove NAME, once for each: dist, venvs, wheels, kotlin, gpu, arm64, logs, a name or a pattern as
    'tensorflow-2.12*', or all; --cache is all of the cache. What goes is listed first, with sizes; on a terminal it
    goes after a `y`, or with --yes without a question. What a run uses at the moment stays, and so does every file that
    no build wrote.
    What is removed from the cache is fetched again when it is needed.
    """
    from dataclasses import asdict

    from kit.cleaning import choose, find_entries, remove_entry, total_line
    from kit.files import cache_dir
    from kit.progress import Reporter
    from kit.toolchains.space import free_bytes

    reporter = Reporter(quiet=not sys.stderr.isatty())  # a script wants the list alone
    reporter.stage("measure what is there")
    found = find_entries(Path(out), cache_dir(), reporter.advance)
    reporter.close()
    if remove or cache:
        chosen = choose(found, remove) if remove else []
        chosen += [entry for entry in found if cache and not entry.name.startswith("dist/") and entry not in chosen]
        sys.stdout.writelines(f"{entry.line}\n" for entry in chosen)
        sys.stdout.write(f"{total_line(chosen)} to remove\n")
        if chosen and (yes or _agreed()):
            sys.stdout.writelines(f"{remove_entry(entry)}\n" for entry in chosen)
        elif chosen:
            sys.stdout.write("nothing was removed\n")
        return
    if json:
        print_json([asdict(entry) | {"path": str(entry.path)} for entry in found])
        return
    sys.stdout.writelines(f"{entry.line}\n" for entry in found)
    free = f"{free_bytes(cache_dir()) / 1e9:,.1f} GB free at {cache_dir()}"
    sys.stdout.write(f"{total_line(found)} in all; {free}\n")


def _agreed() -> bool:
    """Ask on a terminal; a script, which has none, has said it by --remove."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    sys.stdout.write("remove all of this? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
