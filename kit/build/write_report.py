"""report.html of a bundle: from what a build knows to what kit.report shows.

Nothing is in it that another run or another machine would measure otherwise: no times, no paths, no architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.runtime_api import COROUTINES, coordinate_of
from kit.build.kotlin_usage import bindings_of, usage
from kit.build.layer_table import layer_name, worst_layers
from kit.build.write_bundle import Parts
from kit.bundle.layout import KOTLIN, REPORT, Bundle
from kit.bundle.manifest_entries import Manifest
from kit.bundle.replay_report import PASS, ReplayReport
from kit.files import size_of
from kit.report.numbers import steady
from kit.report.page import Kotlin, LayerRow, Page, RuntimeRow, render_page
from kit.shared.quantization import PERFECT, LayerError
from kit.toolchains.operator_support import misfits, versions_needed
from kit.toolchains.toolchain import find_runtime, runtimes

if TYPE_CHECKING:
    import numpy as np


def write_report(bundle: Bundle, parts: Parts, manifest: Manifest, predictions: Mapping[str, np.ndarray]) -> None:
    """Write the page into a bundle that is whole but for its manifest.

    predictions: output/<name> [N, ...] of all samples, raw, as kit.build.trial.run_trial gives them.
    """
    text = render_page(_page(bundle, parts, manifest, predictions))
    place = bundle.folder / REPORT
    place.write_text(text, "utf-8", newline="\n")
    place.chmod(0o644)


def _page(bundle: Bundle, parts: Parts, manifest: Manifest, predictions: Mapping[str, np.ndarray]) -> Page:
    """Return the page's values. predictions: what the file gave, [N, ...] by name, in its dtypes."""
    # numpy: a command that builds nothing should not load it
    from kit.build.report_samples import inputs_of, outputs_of
    from kit.report import rows
    from kit.report.samples import changes, histograms, shown_samples

    recipe = parts.recipe
    outputs, most = outputs_of(parts, predictions), recipe.report.samples
    measured, (verdict, good) = rows.measured_rows(manifest), rows.verdict(manifest)
    sizes = sum(size_of(recipe.file(name)) for name in recipe.model.paths), len(parts.model)
    samples = shown_samples(inputs_of(parts), outputs, most) if most else ()
    return Page(
        title=recipe.model.id,
        version=recipe.model.version,
        description=recipe.model.description or "",
        verdict=verdict,
        good=good,
        tiles=tuple(rows.tiles(manifest, measured, sizes)),
        measured_on=rows.measured_on(manifest),
        checks=rows.check_rows(manifest),
        measured=measured,
        samples=samples,
        samples_note=_which(len(samples), parts.result.samples),
        changes=changes(outputs),
        histograms=histograms(outputs),
        layers=_layers(parts.layers),
        signature=rows.signature_rows(manifest),
        runtimes=_runtimes(bundle, manifest),
        variables=rows.variables(manifest),
        provenance=rows.provenance(manifest),
        kotlin=_kotlin(bundle, parts),
        chart=parts.chart,
        notes=tuple(steady(note) for note in manifest.notes),
    )


def _which(shown: int, samples: int) -> str:
    if not shown:
        return "The recipe shows none: [report] samples = 0."
    if shown == samples:
        return f"All {samples:,}, the worst first." if samples > 1 else "The one that there is."
    order = "those that became wrong, whose class changed, that differ most"
    return f"The worst {shown:,} of {samples:,}, the worst first: {order}."


def _layers(errors: tuple[LayerError, ...]) -> tuple[LayerRow, ...]:
    """Return the layers that add most error, the worst first."""
    worst = worst_layers(errors)
    most = max((error.added for error in worst), default=1.0)
    return tuple(
        LayerRow(
            layer_name(error),
            error.operator,
            "exact" if error.snr >= PERFECT else f"{error.snr:.1f} dB",
            f"{error.added:.1%}",
            round(error.added / most, 3),
            error.reason,
        )
        for error in worst
    )


def _runtimes(bundle: Bundle, manifest: Manifest) -> tuple[RuntimeRow, ...]:
    """Return every pinned runtime, the app's first, and what the file needs that it lacks."""
    needed, flex = versions_needed(bundle.model), manifest.signature.flex
    own, found = find_runtime(manifest.runtime).name, []
    also = {find_runtime(each).name for each in manifest.recipe.also}  # else there would be no bundle
    for name in sorted(runtimes(), key=lambda name: name != own):
        lacks = [str(misfit) for misfit in misfits(needed, name)]
        words = f"lacks {'; '.join(lacks)}" if lacks else "has every operator"
        if flex and not lacks:
            words = "has every operator, with select-tf-ops linked"
        if name == own:
            words += f"; {_replayed(manifest.emulation)}"
        elif name in also:
            words = "works on it: the golden vectors were replayed on it and pass"
        found.append(RuntimeRow(name, words, not lacks, name == own))
    return tuple(found)


def _replayed(emulation: ReplayReport) -> str:
    if emulation.verdict == PASS:
        return "the golden vectors were replayed on it and pass"
    return f"golden vectors: {emulation.verdict}" + (f", {emulation.why}" if emulation.why else "")


def _kotlin(bundle: Bundle, parts: Parts) -> Kotlin:
    """Return what is copied into an app, with the class that was generated."""
    android = parts.recipe.android
    texts = {name: labels.texts for name, labels in parts.plan.labels.items()}
    bindings = bindings_of(AppModel(parts.signature, android.runtime, android.package, texts))
    place = KOTLIN / bindings.package_path / f"{bindings.name}.kt"
    lines = [
        f'implementation("{coordinate_of(android.runtime)}")',
        f'implementation("{COROUTINES}")',
        'androidResources { noCompress += listOf("tflite", "bin") }',
    ]
    text = (bundle.folder / place).read_text("utf-8")
    return Kotlin("\n".join(lines) + "\n", usage(bindings), place.as_posix(), text)
