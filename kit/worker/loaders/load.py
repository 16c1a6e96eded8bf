"""From the job's model files to a Source: which loader each file needs, and how several are joined."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kit.shared.job import STRUCTURE, Job, ModelPart
from kit.worker.loaders import keras_model, saved_model, weights
from kit.worker.loaders.chained import join
from kit.worker.loaders.keras_choice import keras_of
from kit.worker.loaders.tfmot_layers import tfmot_objects
from kit.worker.source.custom_objects import Custom, load_custom
from kit.worker.source.model import Source


def load(folder: Path, job: Job) -> Source:
    """Load the job's model files. Raises JobError (kind "model") where one cannot be loaded."""
    custom = load_custom(folder, job)
    sources = [_load(folder, job, part, custom, first=i == 0) for i, part in enumerate(job.parts)]
    return sources[0] if len(sources) == 1 else join(sources, [part.name or part.file for part in job.parts])


def _load(folder: Path, job: Job, part: ModelPart, custom: Custom, *, first: bool) -> Source:
    path = folder / part.file
    if part.format == "SavedModel":
        starts = [request.source or request.name for request in job.inputs] if first else []
        return saved_model.load(path, job.signatures, only_main=len(job.parts) > 1, trusted=job.trusted, starts=starts)
    if part.legacy_keras:
        custom = replace(custom, objects={**tfmot_objects(keras_of(legacy=True)), **custom.objects})
    requests = job.inputs if first else ()  # the recipe speaks of the inputs of the whole
    if part.format == "weights":
        structure = (folder / STRUCTURE).read_text("utf-8") if job.structure else None
        return weights.load(path, part, structure, custom, replace(job, inputs=requests))
    return keras_model.load(path, part, custom, requests, allow_code=job.allow_code, trusted=job.trusted)
