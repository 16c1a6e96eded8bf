"""A comparison as lines, as JSON and as a page: what it means for an app, then what differs in the file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kit import __version__
from kit.comparison.app_view import AppView, view_pair
from kit.comparison.changes import Change, changes, verdict
from kit.render import render_text
from kit.tflite.describe import columns
from kit.tflite.diff import KINDS, Diff, compare, table

TEMPLATE = "diff/diff.html.j2"
MEANING = {
    "the same": "an app sees no difference",
    "compatible": "an app of A runs B as it is",
    "breaking": "an app of A does not run B rightly as it is",
}


@dataclass(frozen=True)
class Comparison:
    """Two bundles or files, what changes for an app, and what differs in the file."""

    a: AppView
    b: AppView
    changes: tuple[Change, ...]
    file: Diff

    @property
    def verdict(self) -> str:
        """Return a key of MEANING."""
        return verdict(self.changes, same_bytes=self.file.same)

    @property
    def same(self) -> bool:
        """Say whether there is nothing to tell: the same bytes, and around them the same for an app."""
        return self.verdict == "the same"


def compare_paths(a: Path, b: Path) -> Comparison:
    """Compare two bundles or .tflite files. Raises ModelError, RecipeError or CheckError where one cannot be read."""
    views = view_pair(a, b)
    found = changes(*views)
    same = views[0].file.sha256 == views[1].file.sha256
    # What is true of the two whether they differ or not is no difference.
    found = () if same and all(change.subject == "updates" for change in found) else found
    return Comparison(*views, found, compare(views[0].file, views[1].file))


def lines(comparison: Comparison) -> list[str]:
    """Return a comparison as lines to read."""
    head, rest = [], table(comparison.a.file, comparison.b.file, comparison.file)
    head, rest = rest[:2], rest[2:]
    if comparison.same:
        return [*head, *rest]
    word = comparison.verdict
    rows = columns([("BREAKING" if c.breaking else "compatible", c.subject, c.text) for c in comparison.changes])
    return [*head, "", f"for an app: {word}: {MEANING[word]}", *(f"  {row}" for row in rows), *rest]


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON has it, with everything that differs."""
    return comparison.file.to_json() | {
        "a": comparison.a.path,
        "b": comparison.b.path,
        "verdict": comparison.verdict,
        "changes": [asdict(change) for change in comparison.changes],
    }


def page(comparison: Comparison) -> str:
    """Return a comparison as one HTML page: complete in itself, no script, nothing fetched."""
    kinds = [(kind, [d.text for d in comparison.file.differences if d.kind == kind]) for kind in KINDS]
    return render_text(
        TEMPLATE,
        {
            "kit_version": __version__,
            "a": comparison.a,
            "b": comparison.b,
            "verdict": comparison.verdict,
            "meaning": MEANING[comparison.verdict],
            "changes": comparison.changes,
            "kinds": [(kind, texts) for kind, texts in kinds if texts],
            "same_bytes": comparison.file.same,
            "same_structure": comparison.file.same_structure,
        },
    )
