"""android_stub's list of the bundles in it: Kotlin that runs each model and says what is shown of its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kit.android.codegen.kotlin_model import Call
from kit.android.install.state import DroppedBundle
from kit.bounded import MOST_TEXT, read_bounded
from kit.render import render_text

REGISTRY = PurePosixPath("src/main/kotlin/dropkit/stub/Bundles.kt")  # of android_stub: other apps have none
# What the stub draws, by the end of the function that gives it: kit/android/codegen/decoders.py names it so.
_SEEN = {
    "Boxes()": 'Seen(found.joinToString("\\n"), found.map { Mark(it.left, it.top, it.right, it.bottom, it.label) })',
    "Points()": 'Seen(found.joinToString("\\n"), found.map { Mark(it.x, it.y, it.x, it.y, it.label) })',
    "Mask()": "Seen(found.toString(), colors = found.colors(found.onFrame()))",
}
_WORDS = "Seen(found.toString())"


@dataclass(frozen=True)
class Listed:
    """One bundle in the list. text, image: Kotlin behind `it.`, of a `text` or a `bitmap`; None where it takes none.

    sound: Kotlin behind the outputs of a stream.
    """

    id: str
    version: str
    name: str
    text: str | None
    sound: str | None
    image: str | None
    attempts: bool  # what became of each accelerator is shown


def shown(main: Call, given: str) -> str | None:
    """Return the Kotlin that shows what the model makes of a `bitmap` or a `text`; None where it takes neither."""
    fed = {"bitmap": main.images, "text": main.texts}[given]
    if len(main.inputs) != 1 or not fed:
        return None
    decoder = next(iter(main.decoders), None)
    if decoder is not None and not main.many:
        return f"{main.verb}({given}).{decoder.function}()"
    read = _classes(main)
    return f"{main.verb}({given}).{read}" if read else None


def heard(main: Call) -> str | None:
    """Return the Kotlin that shows what a stream of the model gives; None where it takes no sound."""
    return _classes(main) if main.stream is not None else None


def _classes(main: Call) -> str | None:
    """Return the Kotlin that reads the classes of a call's first output; None where it has none."""
    output = main.outputs[0]
    return {"scores": f"{output.tensor.ident}Top(3)", "yes": f"{output.tensor.ident}Score()"}.get(output.form)


def render_list(module: Path, bundles: Mapping[str, DroppedBundle]) -> dict[str, bytes]:
    """Return the list by its path in the module; nothing where the module is no android_stub."""
    folder = (module / REGISTRY).parent
    if not folder.is_dir():
        return {}
    # A project that was copied from an older android_stub shows words, has no line for a text, no microphone, and no
    # button for the accelerators.
    draws, hears = (folder / "Seen.kt").is_file(), (folder / "Microphone.kt").is_file()
    attempts = "val attempts:" in _text(folder / "DroppedBundle.kt")
    listed = [
        Listed(
            id=key,
            version=bundle.version,
            name=bundle.name,
            text=bundle.text if draws else None,
            sound=bundle.sound if hears else None,
            image=_image(bundle.image, draws=draws),
            attempts=attempts,
        )
        for key, bundle in sorted(bundles.items())
    ]
    return {str(REGISTRY): render_text("drop/Bundles.kt.j2", {"bundles": listed}).encode()}


def _text(path: Path) -> str:
    """Return what a source file says; "" where it is none."""
    try:
        return read_bounded(path, MOST_TEXT).decode("utf-8", "replace")
    except OSError:
        return ""


def _image(call: str | None, *, draws: bool) -> str | None:
    if call is None or not draws:
        return call and f"{call}.toString()"
    seen = next((kotlin for end, kotlin in _SEEN.items() if call.endswith(end)), _WORDS)
    return f"{call}.let {{ found -> {seen} }}"
