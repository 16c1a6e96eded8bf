"""The bundle's files: what a user drops into an app. Every file is the same bytes on every build."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kit import __version__
from kit.android.codegen.app_model import AppModel
from kit.android.codegen.read_signature import class_name
from kit.android.codegen.runtime_api import COROUTINES, coordinate_of
from kit.android.codegen.write_sources import write_android
from kit.build.bundle_signature import label_files, read_forms, signature_of
from kit.build.checks import Verdict, ignored, sentence
from kit.build.metric_checks import metric_words
from kit.build.metrics import OutputMeasure
from kit.build.plan import Plan
from kit.build.samples import Samples
from kit.build.truth import OutputTruth
from kit.bundle.layout import (
    PROVENANCE,
    PROVENANCE_CODE,
    PROVENANCE_METRICS,
    PROVENANCE_STRUCTURE,
    QUANTIZER_LOCK,
    README,
    SAMPLES,
    TENSORS,
    UPDATE_KEY,
    Bundle,
)
from kit.bundle.metadata import about
from kit.bundle.signature import BundleSignature
from kit.bundle.tensor_table import table_text
from kit.bundle.write_metadata import write_metadata
from kit.charts.scatter import Scatter
from kit.emulation.harness import harness_files, write_harness
from kit.engine import JobFolder
from kit.files import json_text
from kit.metrics.table import title
from kit.recipe.schema import Recipe
from kit.render import render_text
from kit.shared.job import MODEL, Result
from kit.shared.quantization import LayerError
from kit.tflite.inner_names import TensorName, tensor_names, without_inner_names
from kit.tflite.weight_types import WeightTypes
from kit.updates.terms import pem_text, terms_of

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of. job: the folder of the conversion, whose file has all names.

    model: the .tflite that an app gets, with its metadata.
    samples: arrays [N, ...] by name, as `verify` feeds them again."""

    plan: Plan
    result: Result
    job: JobFolder
    model: bytes
    samples: Mapping[str, np.ndarray]
    signature: BundleSignature
    notes: tuple[str, ...] = ()  # on outputs that the recipe says too little of
    truths: Mapping[str, OutputTruth] = field(default_factory=dict)  # of the samples that it is checked on, by output
    framed: bool = False  # these samples are image files, which the model sees a part of
    shown: Samples | None = None  # what it was measured on, where that is data
    chart: Scatter | None = None  # of the search that found it
    layers: tuple[LayerError, ...] = ()  # where it differs from the float file, as far as that was measured
    tensors: tuple[TensorName, ...] = ()  # of the model, also where it has no names

    @property
    def recipe(self) -> Recipe:
        """Return the plan's recipe."""
        return self.plan.recipe

    @staticmethod
    def of(plan: Plan, result: Result, job: JobFolder, samples: Mapping[str, np.ndarray]) -> Parts:
        """Return the parts of a conversion: the signature is made here, once, and the model gets its metadata.

        samples: as kit.build.convert.Data.raw has them, [N, ...], uint8 pixels or values in their own dtype.
        """
        forms = read_forms(plan.recipe, result, plan.labels, plan.anchors)
        signature = signature_of(plan.recipe, result, plan.labels, forms, plan.raw_inputs)
        made = (job.out / MODEL).read_bytes()
        tensors = tensor_names(made)
        if not plan.recipe.quantize.keep_names:
            made = without_inner_names(made)
        model = write_metadata(made, signature, about(plan.recipe), label_files(plan.labels))
        return Parts(plan, result, job, model, samples, signature, forms.notes, tensors=tensors)


@dataclass(frozen=True)
class Judged:
    """What a product was measured at, on the app's runtime where there is one for it, and how it was judged."""

    interpreter: str  # what ran it: "litert:2.3.0"
    golden: Mapping[str, np.ndarray]  # the arrays of golden.npz
    measures: tuple[OutputMeasure, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]  # the worker's, then what the measures say
    weights: WeightTypes
    expected: Mapping[str, np.ndarray] = field(default_factory=dict)  # the sections of expected.bin, empty without it


def write_runnable(folder: Path, parts: Parts) -> Bundle:
    """Write what it takes to run the model into an empty folder: assets and harness, no golden vectors."""
    bundle = Bundle(folder, parts.recipe.model.id)
    bundle.assets.mkdir(parents=True)
    bundle.model.write_bytes(parts.model)
    for file, content in label_files(parts.plan.labels).items():
        bundle.labels(file).write_bytes(content)
    for anchors in parts.plan.anchors.values():
        (bundle.assets / anchors.file).write_bytes(anchors.content)
    for file, content in parts.plan.raw_inputs.files.items():
        (bundle.assets / file).write_bytes(content)
    bundle.signature.write_text(json_text(parts.signature.to_json()), "utf-8", newline="\n")
    write_harness(bundle.harness.parent, harness_files(bundle.id, parts.recipe.android.runtime, __version__))
    bundle.requirements.write_text(parts.plan.runtime_lock.text, "utf-8", newline="\n")
    return bundle


def write_bundle(folder: Path, parts: Parts, judged: Judged) -> Bundle:
    """Write everything but the manifest into an empty folder."""
    from kit.bundle.golden_bin import golden_bytes  # numpy: a command that builds nothing should not load it
    from kit.shared.npz import save_npz

    bundle, plan, recipe = write_runnable(folder, parts), parts.plan, parts.recipe
    beyond = [sentence(verdict) for verdict in ignored(judged.verdicts)]
    readme = _values(parts) | {"gate": recipe.checks.gate, "beyond": beyond, "metrics": list(_reached(judged))}
    readme |= {"samples": f"{parts.result.samples:,}", "interpreter": judged.interpreter}
    (folder / README).write_text(render_text("bundle/README.md.j2", readme), "utf-8", newline="\n")
    save_npz(bundle.golden_npz, judged.golden)
    (folder / PROVENANCE).mkdir()
    app = replace(_app_model(bundle, parts), verify=bool(judged.expected))
    if judged.expected:
        bundle.expected_bin.write_bytes(golden_bytes(judged.expected))
    write_android(folder, app, bundle.golden_npz)
    # What `verify` needs to build the same model again, beside the model files.
    for lock in plan.toolchain.locks().values():
        (folder / PROVENANCE / lock.path.name).write_text(lock.text, "utf-8", newline="\n")
    if recipe.quantize.by_litert:
        (folder / QUANTIZER_LOCK).write_text(plan.quantizer.lock.text, "utf-8", newline="\n")
    save_npz(folder / SAMPLES, parts.samples)
    (folder / TENSORS).write_text(table_text(parts.tensors, parts.result.layers), "utf-8", newline="\n")
    own = recipe.file(recipe.checks.code) if recipe.checks.code else None
    for place, path in (
        (PROVENANCE_CODE, plan.code),
        (PROVENANCE_STRUCTURE, plan.structure),
        (PROVENANCE_METRICS, own),
    ):
        if path is not None:
            shutil.copyfile(path, folder / place)
    for path in (p for p in folder.rglob("*") if p.is_file()):
        path.chmod(0o644)
    return bundle


def _app_model(bundle: Bundle, parts: Parts) -> AppModel:
    """Return the model as the app sees it; writes the key with which the class checks updates, where there is one."""
    plan, android = parts.plan, parts.recipe.android
    texts = {name: labels.texts for name, labels in plan.labels.items()}
    app = AppModel(parts.signature, android.runtime, android.package, texts, android.header or "")
    if plan.update_key is None:
        return app
    (bundle.folder / UPDATE_KEY).write_text(pem_text(plan.update_key), "ascii", newline="\n")
    return replace(app, updates=terms_of(bundle, parts.signature, android.update_version or 1))


def _reached(judged: Judged) -> Iterator[tuple[str, str]]:
    """Yield each metric of each output with its values in words."""
    for measure in judged.measures:
        for metric in measure.metrics:
            yield f"{title(metric.name, metric.k)} ({measure.name})", metric_words(metric)


def _values(parts: Parts) -> dict[str, object]:
    """Return what the templates of the README and the harness say."""
    recipe = parts.recipe
    return {
        "bundle_id": recipe.model.id,
        "version": recipe.model.version,
        "runtime": recipe.android.runtime,
        "coordinate": coordinate_of(recipe.android.runtime),
        "coroutines": COROUTINES,
        "class_name": class_name(recipe.model.id),
        "kit_version": __version__,
        "tensorflow": parts.result.tensorflow,
        "scheme": recipe.quantize.scheme,
        "signature": parts.signature,
    }
