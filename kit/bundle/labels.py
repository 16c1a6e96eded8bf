"""The labels of a bundle's outputs, read from its assets. Knows nothing of a user's own labels files."""

from __future__ import annotations

from kit.bundle.layout import Bundle
from kit.bundle.signature import BundleSignature
from kit.errors import CheckError, RecipeError
from kit.recipe.labels import read_labels


def bundle_labels(bundle: Bundle, signature: BundleSignature) -> dict[str, tuple[str, ...]]:
    """Return the labels by output name, for the outputs of the main signature that have some.

    Raises CheckError where a file is missing, or is not as a build writes it: one label a line, in UTF-8.
    """
    labels = {}
    for output in signature.outputs:
        if output.labels is None:
            continue
        path = bundle.labels(output.labels)
        try:
            texts = tuple(read_labels(path))
        except RecipeError as error:
            raise CheckError(error.message, "build the bundle again") from error
        # Readers in Kotlin and in the harness take the lines as they are: no mark of the encoding, no blanks around.
        if path.read_bytes() != "".join(f"{text}\n" for text in texts).encode():
            raise CheckError(f"{path}: not one label a line, as a build writes them", "build the bundle again")
        labels[output.name] = texts
    return labels
