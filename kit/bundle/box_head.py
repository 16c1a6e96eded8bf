"""From what signature.json says of boxes to what decodes them."""

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
