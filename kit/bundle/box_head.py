"""From what signature.json says of boxes to what decodes them: how, and of which outputs."""

from __future__ import annotations

from kit.bundle.output_forms import BoxesForm
from kit.shared.postprocess import BoxHead


def box_head(form: BoxesForm, threshold: float) -> BoxHead:
    """Return how the boxes of an output are decoded, those from a threshold on."""
    return BoxHead(
        head=form.head,
        format=form.format,
        size=None if form.size is None else (form.size[0], form.size[1]),
        transposed=form.transposed,
        activation=form.activation,
        background=form.background,
        variances=form.variances,
        threshold=threshold,
        nms=form.nms,
        iou=form.iou,
        most=form.most,
    )


def box_tensors(name: str, form: BoxesForm) -> dict[str, str]:
    """Return the outputs that boxes are decoded of, themselves first, by their part: as postprocess.detect has them."""
    names = {"boxes": name, "scores": form.scores, "classes": form.classes, "count": form.count}
    return {part: output for part, output in names.items() if output is not None}
