"""Metadata as the bytes of metadata_schema.fbs: each table's fields in the schema's order."""

from __future__ import annotations

from collections.abc import Sequence

from kit.tflite.metadata.flatbuffer import Floats, Item, Scalar, Table, Text, Vector, lay
from kit.tflite.metadata.types import AssociatedFile, Metadata, SubgraphNote, TensorNote

IDENTIFIER = b"M001"
FILE_KINDS = ("unknown", "descriptions", "labels", "value labels", "score calibration", "vocabulary", "index")
COLORS = ("", "rgb", "grayscale")
FEATURE, IMAGE, AUDIO = 1, 2, 4  # ContentProperties
NORMALIZATION, CALIBRATION, THRESHOLDING = 1, 2, 3  # ProcessUnitOptions


def encode(metadata: Metadata) -> bytes:
    """Return the FlatBuffer of ModelMetadata."""
    root = Table(
        (
            _text(metadata.name),
            _text(metadata.description),
            _text(metadata.version),
            Vector(tuple(_subgraph(each) for each in metadata.subgraphs)),
            _text(metadata.author),
            _text(metadata.license),
            None,  # associated files of the whole model
            Text(metadata.min_parser_version),
        )
    )
    return lay(root, IDENTIFIER)


def _subgraph(note: SubgraphNote) -> Table:
    inputs, outputs = (Vector(tuple(map(_tensor, each))) for each in (note.inputs, note.outputs))
    return Table((_text(note.name), None, inputs, outputs))


def _tensor(note: TensorNote) -> Table:
    stats = Table((Floats(note.high), Floats(note.low))) if note.low else None
    units = _units(note)
    return Table(
        (
            Text(note.name),  # MediaPipe reads it unasked, also where it is empty
            _text(note.description),
            None,  # names of dimensions
            _content(note),
            Vector(units) if units else None,
            stats,
            _files(note.files),
        )
    )


def _content(note: TensorNote) -> Table | None:
    if not note.content:
        return None
    if note.content == "feature":
        return Table((Scalar("B", FEATURE), Table(())))
    if note.content == "audio":
        return Table((Scalar("B", AUDIO), Table((Scalar("I", note.rate), Scalar("I", 1)))))
    size = Table(tuple(Scalar("I", each) for each in note.size)) if note.size else None
    return Table((Scalar("B", IMAGE), Table((Scalar("b", COLORS.index(note.color)), size))))


def _units(note: TensorNote) -> tuple[Table, ...]:
    units: list[tuple[int, Table]] = []
    if note.std:
        units.append((NORMALIZATION, Table((Floats(note.mean), Floats(note.std)))))
    if note.sigmoid:  # of the score itself (identity), and 0 where a class has no parameters
        units.append((CALIBRATION, Table((Scalar("b", 0), Scalar("f", 0.0)))))
    if note.threshold is not None:
        units.append((THRESHOLDING, Table((Scalar("f", note.threshold),))))
    return tuple(Table((Scalar("B", kind), options)) for kind, options in units)


def _files(files: Sequence[AssociatedFile]) -> Item | None:
    tables = (
        Table((Text(each.name), _text(each.description), Scalar("b", FILE_KINDS.index(each.kind)))) for each in files
    )
    return Vector(tuple(tables)) if files else None


def _text(value: str) -> Text | None:
    return Text(value) if value else None
