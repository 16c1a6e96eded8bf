"""A model file without a bundle, laid out as one: its own signatures, and what its metadata says of its tensors."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kit import __version__
from kit.bundle.layout import HARNESS, Bundle
from kit.bundle.signature import BundleSignature, ClassesEntry, ImageEntry, SignatureEntry, TensorEntry
from kit.emulation.harness import harness_files, write_harness
from kit.errors import ModelError, RecipeError
from kit.files import json_text, temporary_folder
from kit.shared.job import MODEL
from kit.tflite.metadata.decode import read_files, read_metadata
from kit.tflite.metadata.types import SubgraphNote, TensorNote
from kit.tflite.model import Subgraph, Tensor, TfliteFile
from kit.tflite.reader import read_tflite
from kit.toolchains.toolchain import Runtime, runtimes

MAIN = "serving_default"  # of several signatures the main one, where there is one of that name
_DTYPES = ("float32", "float16", "uint8", "int8", "int16", "int32", "int64", "bool")
_FLEX = "CUSTOM:Flex"


@dataclass(frozen=True)
class _Named:
    """A tensor, the name that users know it by, and what the metadata says of it."""

    name: str
    tensor: Tensor
    note: TensorNote | None


def newest_runtime() -> Runtime:
    """Return the newest LiteRT that is pinned: a model file says of none."""
    return [runtime for runtime in runtimes().values() if runtime.id == "litert"][-1]


def refuse_golden(model: Path, arguments: Sequence[str]) -> None:
    """Refuse arguments of the harness that replay golden vectors. Raises RecipeError."""
    if "--" not in arguments or "--golden" in arguments:
        raise RecipeError(
            f"{model}: a model file alone has no golden vectors",
            f"give files: kit emulate {model.name} -- FILES; or build a bundle of it",
        )


@contextmanager
def bare_bundle(model: Path, runtime: Runtime, notify: Callable[[str], None]) -> Iterator[Path]:
    """Give a folder with a model file and the harness, for a block: a bundle without golden vectors.

    Raises ModelError for what is no model file, or has a signature that no interpreter here takes.
    """
    file = read_tflite(model)
    archive = {name: content for name, content in read_files(model).items() if "/" not in name}
    signature, labels = bare_signature(file, model.stem, archive)
    if all(entry.image is None and entry.classes is None for entry in (*signature.inputs, *signature.outputs)):
        notify(f"{model.name} has no metadata of images or labels: its inputs and outputs are arrays")
    with temporary_folder("dropkit-emulate-") as folder:
        bundle = Bundle(folder, re.sub(r"[^\w.-]", "_", model.stem).strip(".") or "model")
        write_harness(folder / HARNESS.parent, harness_files(bundle.id, "", __version__))
        shutil.copyfile(runtime.lock(images=True).path, bundle.requirements)
        bundle.assets.mkdir(parents=True)
        shutil.copyfile(model, bundle.model)
        bundle.signature.write_text(json_text(signature.to_json()), "utf-8")
        for name, texts in labels.items():
            bundle.labels(name).write_text("".join(f"{text}\n" for text in texts), "utf-8")
        yield folder


def bare_signature(
    file: TfliteFile,
    name: str,
    archive: Mapping[str, bytes],
) -> tuple[BundleSignature, dict[str, tuple[str, ...]]]:
    """Return the signature of a model file, and the labels that it names, by the name of their file.

    name: what the model is called; archive: the files behind it. Raises ModelError.
    """
    metadata = read_metadata(file)
    labels: dict[str, tuple[str, ...]] = {}
    entries = []
    for key, graph, inputs, outputs in _callable(file):
        notes = metadata.subgraphs[graph] if metadata and graph < len(metadata.subgraphs) else None
        named = [_named(file.subgraphs[graph], tensors, notes) for tensors in (inputs, outputs)]
        entries.append(
            SignatureEntry(
                key,
                tuple(_input(each) for each in named[0]),
                tuple(_output(each, archive, labels) for each in named[1]),
            )
        )
    if not entries:
        raise ModelError(
            f"{file.path}: none of its signatures has inputs and outputs, and numbers alone",
            "convert it with a signature that takes and gives numbers",
        )
    main = next((entry for entry in entries if entry.key == MAIN), entries[0])
    signature = BundleSignature(
        main,
        id=name,
        version=metadata.version if metadata else "",
        others=tuple(entry for entry in entries if entry is not main),
        resets=any(tensor.is_variable for graph in file.subgraphs for tensor in graph.tensors),
        flex=tuple(code.name.removeprefix("CUSTOM:") for code in file.operator_codes if code.name.startswith(_FLEX)),
        model=MODEL,
    )
    return signature, labels


def _callable(file: TfliteFile) -> Iterator[tuple[str, int, Mapping[str, int], Mapping[str, int]]]:
    """Yield what can be called: key, subgraph, and the tensors of inputs and outputs by name.

    A file without signatures has one without a key: its first subgraph, with the tensors' own names.
    """
    if not file.signatures:
        graph = file.subgraphs[0]
        if _of_numbers(graph, (*graph.inputs, *graph.outputs)):
            yield "", 0, _own_names(graph, graph.inputs), _own_names(graph, graph.outputs)
        return
    for signature in file.signatures:
        used = (*signature.inputs.values(), *signature.outputs.values())
        if signature.inputs and signature.outputs and _of_numbers(file.subgraphs[signature.subgraph], used):
            yield signature.key, signature.subgraph, signature.inputs, signature.outputs


def _of_numbers(graph: Subgraph, indices: Sequence[int]) -> bool:
    return all(graph.tensors[index].dtype in _DTYPES for index in indices)


def _own_names(graph: Subgraph, indices: Sequence[int]) -> dict[str, int]:
    return {graph.tensors[index].name: index for index in indices}


def _named(graph: Subgraph, tensors: Mapping[str, int], notes: SubgraphNote | None) -> list[_Named]:
    """Return tensors with their notes, which are in the order of the subgraph's own inputs and outputs."""
    known = (
        {} if notes is None else {**_by_index(graph.outputs, notes.outputs), **_by_index(graph.inputs, notes.inputs)}
    )
    return [_Named(name, graph.tensors[index], known.get(index)) for name, index in tensors.items()]


def _by_index(indices: Sequence[int], notes: Sequence[TensorNote]) -> dict[int, TensorNote]:
    return dict(zip(indices, notes, strict=False))


def _entry(named: _Named) -> TensorEntry:
    """Return what any tensor's entry has."""
    from kit.shared.preprocess import QUANTIZED  # of arrays: where a model file alone is run, and nowhere before

    tensor = named.tensor
    shape, affine = tensor.shape_signature or tensor.shape, tensor.quantization
    single = affine is not None and len(affine.scales) == 1 and affine.scales[0] > 0 and tensor.dtype in QUANTIZED
    return TensorEntry(
        name=named.name,
        shape=shape,
        dtype=tensor.dtype,
        scale=affine.scales[0] if affine and single else None,
        zero_point=(affine.zero_points or (0,))[0] if affine and single else None,
        batched=bool(shape) and shape[0] in (1, -1),
    )


def _input(named: _Named) -> TensorEntry:
    entry, note = _entry(named), named.note
    image = _image(entry, note) if note and note.content == "image" else None
    return entry if image is None else replace(entry, kind="image", image=image)


def _image(entry: TensorEntry, note: TensorNote) -> ImageEntry | None:
    """Return how pixels become an input, None where its shape or what the metadata says of it is no image's."""
    channels = entry.shape[3] if len(entry.shape) == 4 and entry.batched else 0
    color = "grayscale" if channels == 1 else "rgb"
    mean, std = note.mean or (0.0,), note.std or (1.0,)
    if (
        channels not in {1, 3}
        or note.color not in {"", color}
        or len(mean) != len(std)
        or len(mean) not in {1, channels}
    ):
        return None
    from kit.shared.preprocess import image_size

    try:
        image_size([abs(size) for size in entry.shape[1:]], color)
    except ValueError:
        return None
    # A file of whole numbers without a scale is fed pixels, as MediaPipe does it.
    plain = entry.scale is None and not entry.dtype.startswith("float")
    return ImageEntry(color, "stretch", (0.0,) if plain else mean, (1.0,) if plain else std)


def _output(named: _Named, archive: Mapping[str, bytes], labels: dict[str, tuple[str, ...]]) -> TensorEntry:
    """Return an output, of classes where the metadata names as many labels. labels: gets them."""
    entry, note = _entry(named), named.note
    names = [file.name for file in note.files if file.kind == "labels" and file.name in archive] if note else []
    if note is None or not names:
        return entry
    texts = tuple(archive[names[0]].decode("utf-8", "replace").rstrip("\r\n").splitlines())
    if len(entry.shape) != 2 or len(texts) != entry.shape[-1]:
        return entry
    labels[names[0]] = texts
    classes = ClassesEntry(names[0], "sigmoid" if note.sigmoid else "none", note.threshold)
    return replace(entry, kind="classes", classes=classes)
