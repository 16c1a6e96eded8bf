"""A layer that turns text into ids, as a Keras file describes it: its vocabulary, and what it does to a text.

Of a TextVectorization or a StringLookup in a .keras or .h5 file, or in a structure's JSON. Runs nothing of the file.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.bounded import MOST_JSON, open_zip, read_bounded
from kit.errors import ModelError, RecipeError
from kit.source_model.hdf5 import read_hdf5
from kit.source_model.model_file import NEW_WEIGHTS, SAVED_MODEL, WEIGHTS, ModelFile

MOST_VOCABULARY = 64 << 20  # bytes
_KINDS = ("TextVectorization", "StringLookup")
_OWN = "save it with a vocabulary of its own: TextVectorization(vocabulary=layer.get_vocabulary())"
_IDS = 'use kind = "tensor", and feed what the layer gives'


@dataclass(frozen=True)
class TextLayer:
    """What such a layer does: the words of kit.shared.text.TextForm, and how many ids it gives."""

    vocabulary: tuple[str, ...]  # by id
    standardize: str
    split: str
    unknown: int
    length: int | None  # None: as many as there are tokens


@dataclass(frozen=True)
class FoundText:
    """A layer that reads text, for a user to see. problem: why no app can do what it does, else ""."""

    name: str
    kind: str
    tokens: int  # of its vocabulary, special ones too; 0 where it cannot be read
    standardize: str
    split: str
    length: int | None  # ids of each text: cut, or filled up with 0
    problem: str = ""

    @property
    def sentence(self) -> str:
        """Return what it does, and the keys of a recipe that take its input as text."""
        if self.problem:
            return self.problem
        ids = "one id" if self.split == "none" else f"{self.length or 'as many'} ids"
        padding = "" if self.split == "none" else ", filled up with 0" if self.length else " as it has tokens"
        return (
            f"'{self.name}' ({self.kind}): {self.tokens:,} tokens, standardize {self.standardize}, split {self.split}, "
            f"{ids} of each text{padding}: kind = 'text', source = '{self.name}'"
        )


@dataclass(frozen=True)
class _Place:
    """A layer in the description, and the folder of its assets in a .keras file."""

    name: str  # with the models that it lies in: "backbone/words"
    kind: str
    config: Mapping[str, Any]
    assets: str


def read_text_layer(model: ModelFile, structure: Path | None, name: str) -> TextLayer:
    """Return what the layer of that name does to text.

    structure: the JSON of a file of weights. Raises RecipeError where the name is no such layer's, ModelError where
    the file does not have its vocabulary, or where it does what no app repeats.
    """
    if model.suffix == SAVED_MODEL:
        raise RecipeError(
            f"{model.path}: kind 'text' reads a layer's vocabulary from a Keras file, and this is {model.what}",
            f"save the model as .keras: model.save('name.keras'); or {_IDS}",
        )
    places = list(_layers(config_of(model, structure), "", ""))
    found = next((place for place in places if place.name == name), None)
    if found is None or found.kind not in _KINDS:
        texts = [f'source = "{place.name}"' for place in places if place.kind in _KINDS]
        what = f"is a {found.kind}" if found else "is no layer of the model"
        raise RecipeError(
            f"{model.path}: kind 'text' needs a TextVectorization or a StringLookup, and '{name}' {what}",
            f"name the layer: {' or '.join(texts)}" if texts else _IDS,
        )
    _refuse_unread(model, found)
    return _layer(found, _vocabulary(model, found))


def find_text_layers(model: ModelFile) -> list[FoundText]:
    """Return the layers of a model that read text; none of a SavedModel. Raises ModelError where the file is gone."""
    if model.suffix in {SAVED_MODEL, WEIGHTS, NEW_WEIGHTS}:
        return []
    return [_found(model, place) for place in _layers(config_of(model, None), "", "") if place.kind in _KINDS]


def _found(model: ModelFile, place: _Place) -> FoundText:
    try:
        layer = read_text_layer(model, None, place.name)
    except ModelError as error:
        return FoundText(place.name, place.kind, 0, "", "", None, error.message.removeprefix(f"{model.path}: "))
    return FoundText(place.name, place.kind, len(layer.vocabulary), layer.standardize, layer.split, layer.length)


def config_of(model: ModelFile, structure: Path | None) -> Mapping[str, Any]:
    """Return the model's JSON, which read_model_file has seen already: {} of weights without a structure.

    Raises ModelError where it is gone.
    """
    if model.config and structure is None:
        return model.config
    try:
        if model.suffix in {WEIGHTS, NEW_WEIGHTS}:
            raw: str | bytes = read_bounded(structure, MOST_JSON) if structure else b"{}"
        elif model.suffix == ".keras":
            with open_zip(model.path) as archive:
                raw = archive.read("config.json")
        else:
            raw = read_hdf5(model.path).texts["model_config"]
        config = json.loads(raw)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, RecursionError) as error:
        raise ModelError(f"{model.path}: its description cannot be read: {error}", "copy or save it again") from error
    return config if isinstance(config, dict) else {}


def _layers(config: Mapping[str, Any], inside: str, assets: str) -> Iterator[_Place]:
    """Yield the layers of a model, and those of models inside it.

    Keras numbers the folders of assets by the layers' classes: text_vectorization, text_vectorization_1.
    """
    body = config.get("config")
    layers = body.get("layers") if isinstance(body, dict) else None
    counts: dict[str, int] = {}
    for layer in layers if isinstance(layers, list) else []:
        if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict):
            continue
        kind = str(layer.get("class_name"))
        name = f"{inside}{layer['config'].get('name') or layer.get('name')}"
        stem = _snake(kind.rpartition(">")[2])
        nth = counts.get(stem, 0)
        counts[stem] = nth + 1
        folder = f"{assets}layers/{stem}{f'_{nth}' if nth else ''}"
        yield _Place(name, kind, layer["config"], folder)
        yield from _layers(layer, f"{name}/", f"{folder}/")


def _snake(name: str) -> str:
    """Return a class's name as Keras has it in paths: text_vectorization of TextVectorization."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)).lower()


def _refuse_unread(model: ModelFile, place: _Place) -> None:
    """Raise ModelError for what text.py does not do: other outputs than ids, pairs of words, functions of one's own."""
    for key, value, known in _words(place):
        if value not in known:
            listed = ", ".join("none" if each is None else repr(each) for each in known)
            shown = value if isinstance(value, str | int | bool) else "a function or list of its own"
            raise ModelError(
                f"{model.path}: the layer '{place.name}' ({place.kind}) has {key} = {shown!r}, and {listed} is read",
                _IDS,
            )


def _words(place: _Place) -> Iterator[tuple[str, Any, Sequence[Any]]]:
    """Yield the keys of a layer that change ids: its value, and those that text.py knows."""
    config = place.config
    yield "output_mode", config.get("output_mode", "int"), ("int",)
    yield "encoding", str(config.get("encoding", "utf-8")).lower(), ("utf-8", "utf8", "utf_8")
    if place.kind == _KINDS[0]:
        standardize = (None, "lower_and_strip_punctuation", "lower", "strip_punctuation")
        yield "ngrams", config.get("ngrams"), (None,)
        yield "ragged", config.get("ragged", False), (False,)
        yield "standardize", config.get("standardize"), standardize
        yield "split", config.get("split"), (None, "whitespace", "character")
    else:
        yield "invert", config.get("invert", False), (False,)
        yield "num_oov_indices", config.get("num_oov_indices", 1), (1,)
        yield "mask_token", config.get("mask_token"), (None, "")


def _layer(place: _Place, vocabulary: Sequence[str]) -> TextLayer:
    config = place.config
    length = config.get("output_sequence_length")
    return TextLayer(
        vocabulary=tuple(vocabulary),
        standardize=str(config.get("standardize") or "none"),
        split=str(config.get("split") or "none"),
        unknown=_unknown(place),
        length=length if type(length) is int else None,
    )


def _unknown(place: _Place) -> int:
    """Return the id of unknown tokens: id 0 before it is padding's, where there is one."""
    return 1 if place.kind == _KINDS[0] or place.config.get("mask_token") is not None else 0


def _vocabulary(model: ModelFile, place: _Place) -> list[str]:
    """Return the tokens by id, the special ones too, as the configuration or the assets have them."""
    own = place.config.get("vocabulary")
    special = ["", _oov(place)] if _unknown(place) else [_oov(place)]
    if isinstance(own, list) and own and all(isinstance(token, str) for token in own):
        return own if own[: len(special)] == special else [*special, *own]
    if own is not None:
        raise ModelError(f"{model.path}: the vocabulary of '{place.name}' is none of its own", _OWN)
    if model.suffix != ".keras":
        raise ModelError(
            f"{model.path}: the vocabulary of '{place.name}' is not in it: .keras files alone keep what adapt() learns",
            f"save the model as .keras; or {_OWN}",
        )
    tokens = _saved(model, place)
    size = place.config.get("vocabulary_size")
    # A line may end within a token, and Keras itself then reads another vocabulary than it wrote.
    if (type(size) is int and size != len(tokens)) or tokens[: len(special)] != special:
        raise ModelError(
            f"{model.path}: the vocabulary of '{place.name}' has {len(tokens)} lines in the file, which are not its "
            f"{size if type(size) is int else 'own'} tokens: one of them holds a line's end",
            _OWN,
        )
    return tokens


def _oov(place: _Place) -> str:
    return str(place.config.get("oov_token") or "[UNK]")


def _saved(model: ModelFile, place: _Place) -> list[str]:
    """Return the lines of a layer's vocabulary.txt in a .keras file."""
    member = f"assets/{place.assets}/vocabulary.txt"
    try:
        with open_zip(model.path) as archive:
            if archive.getinfo(member).file_size > MOST_VOCABULARY:
                raise ValueError(f"it is larger than {MOST_VOCABULARY:,} bytes")
            lines = archive.read(member).decode("utf-8").split("\n")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{model.path}: the vocabulary of '{place.name}' cannot be read: {error}", _OWN) from error
    if all(line.endswith("\r") for line in lines[:-1]):  # Windows writes them so
        lines = [line.removesuffix("\r") for line in lines]
    return lines
