"""A bundle on files of the user's, and the metrics of what came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.bundle.layout import Bundle
from kit.bundle.signature import SignatureEntry, read_signature
from kit.emulation.run import run_harness
from kit.errors import RecipeError
from kit.files import temporary_folder
from kit.scoring.described import described
from kit.scoring.samples import read_run
from kit.scoring.score import OutputScore, score

_OWN = "--save-outputs"


@dataclass(frozen=True)
class ScoredRun:
    """What the harness printed, its exit code, and the metrics."""

    text: str
    code: int
    scores: tuple[OutputScore, ...]

    @property
    def document(self) -> dict[str, Any]:
        """Return what --json prints: the harness's report with "metrics"."""
        return {**json.loads(self.text), "metrics": [each.to_json() for each in self.scores]}


@dataclass(frozen=True)
class Asked:
    """How the harness is run. arguments: its own, with files behind --; allow_code: the bundle's harness."""

    runtime: str
    arguments: Sequence[str]
    allow_code: bool = False


def run_scored(bundle: Path, truth: Path, asked: Asked, notify: Callable[[str], None]) -> ScoredRun:
    """Run a bundle, or a model file alone, on files; return what came of it.

    Raises RecipeError where the truth cannot be read, or does not fit.
    """
    arguments = asked.arguments
    with temporary_folder("dropkit-score-") as folder:
        own = _value(arguments, _OWN)
        saved = Path(own) if own else folder / "outputs.npz"
        words = [*([] if own else [_OWN, str(saved)]), *arguments]
        printed = folder / "printed"
        with printed.open("wb") as stdout:
            code = run_harness(bundle, asked.runtime, words, notify, allow_code=asked.allow_code, stdout=stdout)
        text = printed.read_text("utf-8")
        if code not in {0, RecipeError.code} or not saved.is_file():
            return ScoredRun(text, code, ())
        with described(bundle) as (place, metrics):
            signature = _signature(place, _value(arguments, "--signature"))
            run = read_run(saved, signature, errors=code != 0)
            scores = score(place, signature, run, truth, metrics) if run.count else ()
    return ScoredRun(text, code, scores)


def _value(arguments: Sequence[str], option: str) -> str:
    """Return an option's value, "" where it is not given."""
    own = arguments[: arguments.index("--")]
    return own[own.index(option) + 1] if option in own else ""


def _signature(bundle: Bundle, key: str) -> SignatureEntry:
    signatures = read_signature(bundle.signature).all_signatures()
    return next((each for each in signatures if each.key == key), signatures[0])
