"""Into an app: prove a bundle's Android side (android), put it into a project (drop), sign a newer model (sign)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kit.commands.command import command, print_json
from kit.errors import RecipeError

if TYPE_CHECKING:
    from invoke.context import Context

    from kit.android.install.app_module import Dropped


@command
def android(
    ctx: Context,
    bundle: str,
    api: str = "",
    accelerator: str = "",
    older_kotlin: bool = False,
    allow_code: bool = False,
    json: bool = False,
    debug: bool = False,
) -> None:
    """Prove a bundle's Android side without a phone; write its AAR and a test APK to <bundle>.android.

    The Kotlin is compiled and its golden test runs on a JVM against the real LiteRT library; metadata is read back,
    MediaPipe runs it where a task fits, and the model is taken out of a signed APK and run again.
    --api compiled-model, interpreter or play-services proves the Kotlin for that API instead of the recipe's.
    --accelerator gpu also runs the class and its golden vectors on LiteRT's GPU accelerator over a software Vulkan
    driver (Linux, x86_64; 55 MB are fetched once), in float32 and in float16.
    --older-kotlin compiles an app against the AAR with Kotlin 2.1 and 2.2, too, and fetches them once (188 MB).
    A bundle's Kotlin or Python that this kit would write otherwise runs with --allow-code only.
    Exit codes: 0 all proved, 2 usage, 4 a step failed, 5 a step could not run here: it says what is missing.
    """
    from kit.android.codegen.runtime_api import check_api
    from kit.android.proof.run import How, judge, print_proof, prove, to_json
    from kit.bundle.manifest import unchanged
    from kit.progress import Reporter

    if accelerator not in {"", "gpu"}:
        raise RecipeError(f"--accelerator {accelerator!r} is not known", "write --accelerator gpu, or leave it out")
    reporter = Reporter()
    try:
        with unchanged(Path(bundle)):
            how = How(allow_code=allow_code, older_kotlin=older_kotlin, gpu=bool(accelerator))
            proof = prove(Path(bundle), reporter.stage, api=check_api(api) if api else None, how=how)
    finally:
        reporter.close()
    print_json(to_json(proof)) if json else print_proof(proof)
    judge(proof)


@command
def drop(
    ctx: Context,
    bundle: str,
    into: str = "android_stub",
    remove: bool = False,
    ai_pack: bool = False,
    variants: str = "",
    write: bool = False,
    force: bool = False,
    dry_run: bool = False,
    json: bool = False,
    debug: bool = False,
) -> None:
    """Copy a bundle into an Android project; with --remove take it out again (BUNDLE may then be its id).

    --into is a Gradle module or a project with one; twice is the same as once, and several bundles live side by side.
    Lines that the project's own build files need are printed; --write writes them, too. A file that a user has changed
    is neither overwritten nor removed, but with --force. Both keep a copy of each such file in the module's
    dropkit.backup. --dry-run says what would be done, and changes nothing. --ai-pack puts the model into a Play AI
    pack, with --variants GROUP=BUNDLE,... another bundle's for each group of devices. Exit codes: 0 done, 2 a file is
    in the way, the module is none or another one of the app has the bundle, 4 a bundle is not as it was built, or the
    app links another runtime.
    """
    from dataclasses import asdict

    from kit.android.install import app_module
    from kit.android.install.ai_pack import parse_variants

    name = Path(bundle).resolve().name
    others = parse_variants(variants) if variants or ai_pack else None
    how = app_module.How(force=force, write=write, dry_run=dry_run)
    place = Path(into)
    done = app_module.remove(name, place, how) if remove else app_module.drop(Path(bundle), place, others, how)
    if json:
        print_json(asdict(done) | {"module": str(done.module)})
    else:
        sys.stdout.writelines(f"{line}\n" for line in (_dry(done, remove) if dry_run else _done(done, remove)))


@command
def sign(
    ctx: Context, bundle: str, key: str = "", version: int = 0, out: str = "", json: bool = False, debug: bool = False
) -> None:
    """Sign a bundle's model as an update that apps of an older bundle take over the air: <bundle>.update.zip.

    --key is the private key (PEM, ECDSA P-256, without a password) of the recipe's [android] update_key. The update's
    version is the bundle's [android] update_version, or --version; an app takes one that is above its own. --out is
    the file to write. Exit codes: 0 written, 2 usage or a key of no use, 4 the bundle is not as it was built, or its
    class has another key.
    """
    from kit.bundle.manifest import unchanged
    from kit.updates.keys import MAKE
    from kit.updates.sign import sign as write_update

    if not key:
        raise RecipeError("--key is missing: an update is signed", f"--key key.pem; a new one: {MAKE}")
    folder = Path(bundle)
    with unchanged(folder):
        done = write_update(folder, Path(key), Path(out) if out else None, version)
    if json:
        print_json(done.manifest.to_json() | {"path": str(done.path)})
        return
    size = f"{done.path.stat().st_size:,} B"
    sys.stdout.write(f"{done.path}: update {done.manifest.version} of {done.manifest.id}, {size}\n")


def _done(done: Dropped, removed: bool) -> list[str]:
    what = f"{done.id} is {'out of' if removed else 'in'} {done.module}"
    counts = f"{len(done.written)} files written, {len(done.removed)} removed, {done.unchanged} as they were"
    return [f"{what}: {counts}", *(f"edited: {file}" for file in done.edited), *_more(done, "is")]


def _dry(done: Dropped, removed: bool) -> list[str]:
    """Return what would be done. Nothing was."""
    what = f"{done.id} would be {'out of' if removed else 'in'} {done.module}; nothing was changed"
    changes = [f"would write: {path}" for path in done.written] + [f"would remove: {path}" for path in done.removed]
    return [what, *changes, *(f"would edit: {file}" for file in done.edited), *_more(done, "would be")]


def _more(done: Dropped, verb: str) -> list[str]:
    kept = [f"what was there before {verb} in {done.backup}"] if done.backup else []
    return [*kept, *(f"note: {line}" for line in done.notes), *(f"next: {line}" for line in done.needs)]
