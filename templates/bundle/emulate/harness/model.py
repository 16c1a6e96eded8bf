"""The model file and what signature.json says of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bundle import Bundle
from .errors import broken
from .files import read_bytes
from .signature import Signature, Variables

FORMAT = 1  # of signature.json


@dataclass(frozen=True)
class Model:
    """A bundle's model, its signatures checked against nothing but themselves yet."""

    bundle: Bundle
    content: bytes  # of the .tflite file
    version: str
    main: Signature
    others: tuple[Signature, ...]
    train: Signature | None
    variables: Variables | None
    flex: tuple[str, ...]  # TensorFlow's own operators in it
    resets: bool = False  # an operator keeps state: it is reset before each call

    @property
    def runnable(self) -> tuple[Signature, ...]:
        """The signatures that take an INPUT."""
        return (self.main, *self.others, *([] if self.train is None else [self.train]))

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """All signatures, those of the variables last."""
        kept = self.variables
        return (*self.runnable, *([] if kept is None else [kept.read, kept.assign]))


def read_model(bundle: Bundle) -> Model:
    """Return the bundle's model and signatures. Raises EmulateError."""
    path = bundle.signature
    try:
        return _model(bundle, json.loads(read_bytes(path)))
    except KeyError as error:
        raise broken(path, f"it has no {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise broken(path, str(error)) from error


def _model(bundle: Bundle, document: Mapping[str, Any]) -> Model:
    """Return the model of a signature.json. Raises KeyError, ValueError, TypeError, AttributeError, EmulateError."""
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']!r}, and this harness reads {FORMAT}")
    folder = bundle.assets
    variables = Variables.from_json(document["variables"], folder) if document.get("variables") else None
    train = Signature.from_json(document["train"], folder) if document.get("train") else None
    if train and (variables is None or "loss" not in train.outputs):
        raise ValueError(f"{train.key}: without variables, or an output 'loss', nothing can be trained")
    return Model(
        bundle=bundle,
        content=_content(folder / document["model"]),
        version=str(document["version"]),
        main=Signature.from_json(document, folder, main=True),
        others=tuple(Signature.from_json(entry, folder) for entry in document.get("others") or []),
        train=train,
        variables=variables,
        flex=tuple(map(str, document.get("flex") or [])),
        resets=document.get("resets") is True,
    )


def _content(path: Path) -> bytes:
    content = read_bytes(path)
    if content[4:8] != b"TFL3":
        raise broken(path, f"its {len(content)} bytes are not a TFLite model")
    return content
