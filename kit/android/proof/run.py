"""Prove a bundle without a phone: steps in the order of their cost, one table, and what an app can take with it.

Not proved: Gradle's sync, R8, a device.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

from kit.android.codegen.runtime_api import COMPILED_MODEL, Api, api_for, coordinate_of, runtime_for
from kit.android.proof.aar import check_consumer, write_maven
from kit.android.proof.alternate_api import render_other
from kit.android.proof.apk import build_apk, check_apk
from kit.android.proof.check_mediapipe import mediapipe_step
from kit.android.proof.check_metadata import metadata_step
from kit.android.proof.check_operators import fit_step
from kit.android.proof.check_signature import check_signature
from kit.android.proof.gpu_golden import GPU, GPU_RUNNER, gpu_golden
from kit.android.proof.jvm import (
    RUNNER,
    RUNTIME,
    Compiled,
    compare_outputs,
    compile_bindings,
    fresh,
    harness_outputs,
    run_golden,
)
from kit.android.proof.kotlin_sources import Bindings, find_bindings
from kit.android.proof.own_code import refuse_foreign_code
from kit.android.proof.step import Notify, Step, step
from kit.android.proof.tools import KOTLIN, OLDER_COMPILERS
from kit.bundle.layout import GOLDEN_BIN, Bundle
from kit.bundle.manifest import read_intact, read_manifest
from kit.bundle.manifest_entries import Manifest
from kit.errors import CheckError, EngineError, RecipeError
from kit.files import Product, check_place, json_text, replacing, temporary_folder, tree_digests

Check = Callable[[Path], Step]
COMPILES = "Kotlin compiles"
PROOF = Product("Android proof", "proof.json")
CHECKS: tuple[Check, ...] = (metadata_step, fit_step, mediapipe_step)


@dataclass(frozen=True)
class How:
    """How a bundle is proved.

    older_kotlin: apps of OLDER_COMPILERS have to compile against the library, too; gpu: the golden vectors run on
    LiteRT's GPU accelerator, too.
    """

    allow_code: bool = True
    older_kotlin: bool = False
    gpu: bool = False


@dataclass(frozen=True)
class Proof:
    """What was proved of a bundle, and where its library and test APK are; out is None where there are none."""

    id: str
    api: str
    steps: tuple[Step, ...]
    out: Path | None

    @property
    def failed(self) -> list[Step]:
        """Return the steps that did not pass."""
        return [each for each in self.steps if each.verdict == "fail"]

    @property
    def missing(self) -> list[Step]:
        """Return the steps that could not run on this machine."""
        return [each for each in self.steps if each.verdict == "missing"]


def prove(
    bundle: Path,
    notify: Notify,
    *,
    api: Api | None = None,
    checks: Sequence[Check] = CHECKS,
    keep: bool = True,
    how: How = How(),
) -> Proof:
    """Run every step and return what each found.

    With another api than the bundle's own, that API's Kotlin is rendered from the bundle's signature and proved in its
    place; nothing of it is kept. checks are steps that need no compiler, run after the bundle's own. With keep,
    <bundle>.android gets the library, the APK and proof.json, unless a step failed. Raises RecipeError where the
    folder is no bundle, or where its class knows no GPU and one is asked for. The steps run its code: without
    how.allow_code that must be what this kit writes for it, else CheckError.
    """
    bundle = bundle.resolve()
    manifest = read_manifest(bundle)
    there, runtime = Bundle(bundle, manifest.id), manifest.runtime
    own = api_for(runtime, manifest.signature)
    api = api or own
    if how.gpu and api != COMPILED_MODEL:
        raise RecipeError(
            f"{manifest.id}: --accelerator gpu is for a class of CompiledModel, and this one runs {api} on the CPU",
            "leave --accelerator out",
        )
    linked = runtime_for(api, runtime, own)
    out = bundle.with_name(f"{bundle.name}.android")
    if keep and api == own:
        check_place(out, PROOF)
    with temporary_folder("dropkit-android-") as scratch:
        if not how.allow_code:
            refuse_foreign_code(there, manifest, own, scratch / "own")
        result = fresh(scratch / "result")
        kotlin = None if api == own else render_other(there, manifest, api, scratch / "other")
        work = _Work(bundle, kotlin, manifest, coordinate_of(linked), scratch, result, notify, how)
        proof = Proof(manifest.id, api, tuple(_steps(work, checks, notify)), None)
        if not keep or kotlin or proof.failed:
            return proof
        kept = to_json(proof) | {"files": tree_digests(result)}
        (result / PROOF.marker).write_text(json_text(kept), "utf-8", newline="\n")
        with replacing(out, PROOF) as folder:
            shutil.copytree(result, folder, dirs_exist_ok=True)
    return Proof(proof.id, proof.api, proof.steps, out)


@dataclass(frozen=True)
class _Work:
    """What the steps share."""

    bundle: Path
    kotlin: Path | None
    manifest: Manifest
    coordinate: str
    scratch: Path
    result: Path
    notify: Notify
    how: How

    @property
    def bindings(self) -> Bindings:
        return find_bindings(self.bundle, self.kotlin)

    @property
    def compiled(self) -> Compiled:
        return Compiled(self.scratch / "main", self.scratch / "tests")

    @property
    def apk(self) -> Path:
        return self.result / f"{self.manifest.id}.apk"


def _steps(work: _Work, checks: Sequence[Check], notify: Notify) -> Iterator[Step]:
    cheap: list[tuple[str, Callable[[], str]]] = [
        ("files", lambda: _intact(work)),
        ("names and counts", lambda: check_signature(Bundle(work.bundle, work.manifest.id), work.bindings)),
    ]
    for name, do in cheap:
        notify(name)
        yield step(name, do)
    for check in checks:
        yield check(work.bundle)
    notify(COMPILES)
    compiles = step(COMPILES, lambda: _compile(work))
    yield compiles
    for name, act in [*_CLASSES, *([(GPU, _gpu)] if work.how.gpu else [])]:
        if compiles.verdict == "pass":
            notify(name)
            yield step(name, lambda act=act: act(work))  # type: ignore[misc]
        else:
            yield Step(name, "missing", "not run: it needs the compiled Kotlin", compiles.hint)


def _intact(work: _Work) -> str:
    return f"{len(read_intact(work.bundle).files)} files as they were written"


def _compile(work: _Work) -> str:
    bindings = work.bindings
    runners = (RUNNER, GPU_RUNNER) if work.how.gpu else (RUNNER,)
    compile_bindings(bindings, work.scratch, work.notify, runners)
    return f"{len(bindings.sources) + len(bindings.tests)} files, no warning from Kotlin {KOTLIN}"


def _golden(work: _Work) -> str:
    count, recorded = run_golden(work.compiled, work.bindings.assets, work.scratch, work.notify)
    same = compare_outputs(recorded, harness_outputs(work.bundle, work.scratch, work.notify))
    return f"{count} tests on {RUNTIME}; {same}"


def _flipped(work: _Work) -> str:
    """Run the same test on golden vectors with one byte flipped: a test that passes then tests nothing."""
    bindings = work.bindings
    folder = fresh(work.scratch / "flipped")
    path = folder / bindings.id / GOLDEN_BIN
    shutil.copytree(bindings.assets[1], folder, dirs_exist_ok=True)
    content = bytearray(path.read_bytes())
    content[-1] ^= 0x40
    path.write_bytes(content)
    try:
        run_golden(work.compiled, [bindings.assets[0], folder], work.scratch, work.notify)
    except CheckError as refused:
        if refused.message.startswith("the JVM "):
            raise
        return f"refused: {shorten(refused.message.splitlines()[0], 160, placeholder=' ...')}"
    raise CheckError("the golden test passes on vectors with a flipped byte", "build the bundle again")


def _library(work: _Work) -> str:
    version = work.manifest.version
    aar = write_maven(work.result / "m2", work.bindings, work.compiled.main, version, work.coordinate)
    older = tuple(OLDER_COMPILERS) if work.how.older_kotlin else ()
    return check_consumer(aar, work.bindings, work.scratch, work.notify, older)


def _package(work: _Work) -> str:
    build_apk(work.bindings, work.apk, fresh(work.scratch / "apk"))
    assets = check_apk(work.apk, work.bindings, fresh(work.scratch / "unpacked"))
    count, _outputs = run_golden(work.compiled, [assets], work.scratch, work.notify)
    return f"{work.apk.stat().st_size:,} B, signed v2 and v3; its stored model, taken out, passes {count} tests again"


def _gpu(work: _Work) -> str:
    wanted = harness_outputs(work.bundle, work.scratch, work.notify)
    return gpu_golden(work.compiled, work.bindings, Bundle(work.bundle, work.manifest.id), wanted, work.notify)


_CLASSES: tuple[tuple[str, Callable[[_Work], str]], ...] = (
    ("golden test on the JVM", _golden),
    ("a flipped byte is found", _flipped),
    ("library (AAR)", _library),
    ("APK", _package),
)


def judge(proof: Proof) -> None:
    """Raise CheckError where a step failed; EngineError where one could not run, and none failed."""
    if proof.failed:
        worst = proof.failed[0]
        names = ", ".join(each.name for each in proof.failed)
        raise CheckError(f"{proof.id}: refused by: {names}\n  {worst.detail}", worst.hint)
    if proof.missing:
        hints = dict.fromkeys(each.hint for each in proof.missing if each.hint)
        names = ", ".join(each.name for each in proof.missing)
        raise EngineError(f"{proof.id}: could not run here: {names}", "; ".join(hints))


def to_json(proof: Proof) -> dict[str, Any]:
    """Return what --json prints, and what proof.json holds: nothing in it hangs on the machine's paths."""
    document: dict[str, Any] = {"id": proof.id, "api": proof.api, "steps": [asdict(each) for each in proof.steps]}
    return document if proof.out is None else document | {"files": tree_digests(proof.out)}


def print_proof(proof: Proof) -> None:
    """Print one table: each step, how it ended, and what it found."""
    import sys

    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=f"{proof.id}, {proof.api}", title_justify="left")
    for column in ("step", "", "found"):
        table.add_column(column)
    colors = {"pass": "green", "fail": "red", "missing": "yellow"}
    for each in proof.steps:
        found = each.detail + (f"\nnext: {each.hint}" if each.hint else "")
        table.add_row(escape(each.name), f"[{colors[each.verdict]}]{each.verdict}[/]", escape(found))
    Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False).print(table)
    if proof.out:
        sys.stdout.write(f"kept in: {proof.out}\n")
    sys.stdout.write("not proved here: Gradle's sync, R8, a device\n")
