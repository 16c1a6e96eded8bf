"""mAP@[.5:.95] of boxes: pycocotools evaluates and accumulates, for all areas and at most 100 boxes an image.

Boxes are float64 [n, 4] of one sample: left, top, right, bottom, truth and predictions in one unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.metrics.scorer import Scorer, UndefinedError

if TYPE_CHECKING:
    import numpy as np

    from kit.metrics.scorer import Rows

MOST = 100  # boxes of an image that count, the best ones: COCO's maxDets


@dataclass(frozen=True)
class Found:
    """Boxes of one sample, float64 [n, 4]. classes: int64 [n]; scores: float64 [n] of predictions.

    crowd: bool [n] of the truth: a box on such a region counts as neither right nor wrong.
    """

    corners: np.ndarray
    classes: np.ndarray
    scores: np.ndarray | None = None
    crowd: np.ndarray | None = None


def scorer(truth: Sequence[Found], predicted: Sequence[Found]) -> Scorer:
    """Return the scorer of the boxes of each sample; what is right is found once, and put together as samples are."""
    import numpy as np

    boxes = sum(len(each.classes) for each in (*truth, *predicted))
    if not any(len(each.classes) for each in truth):
        return Scorer(len(truth), _none, boxes)
    evaluation = _evaluated(truth, predicted)
    matches, samples, groups = evaluation.evalImgs, len(truth), len(evaluation.params.catIds)

    def measure(rows: Rows) -> float:
        """Return mAP of these samples. Raises UndefinedError."""
        chosen = range(samples) if rows is None else rows
        evaluation.evalImgs = [matches[group * samples + int(row)] for group in range(groups) for row in chosen]
        drawn = list(range(len(chosen)))
        evaluation.params.imgIds = evaluation._paramsEval.imgIds = drawn
        evaluation.accumulate()
        precision = evaluation.eval["precision"][:, :, :, 0, 0]
        counted = precision[precision > -1]
        if not counted.size:
            raise UndefinedError("the truth has no boxes")
        return float(np.mean(counted))

    # Ten overlaps of each box, and 101 recalls of each class.
    return Scorer(samples, measure, 10 * boxes + 1010 * groups)


def _none(_rows: Rows) -> float:
    raise UndefinedError("the truth has no boxes")


def _evaluated(truth: Sequence[Found], predicted: Sequence[Found]) -> Any:
    """Return pycocotools' evaluation, before it is accumulated."""
    import numpy as np

    coco, cocoeval = _silent_tools()
    classes = sorted({int(number) for each in (*truth, *predicted) for number in np.unique(each.classes)})
    evaluation = cocoeval.COCOeval(_coco(coco, truth, classes), _coco(coco, predicted, classes), "bbox")
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.params.maxDets = [MOST]
    evaluation.evaluate()
    return evaluation


def _silent_tools() -> tuple[Any, Any]:
    """Return pycocotools' modules, whose progress is not printed.

    Stdout itself is all threads': one that is put aside in two of them at a time may not come back.
    """
    from pycocotools import coco, cocoeval

    for module in (coco, cocoeval):
        module.print = _print_nothing
    return coco, cocoeval


def _print_nothing(*_: object, **__: object) -> None:
    pass


def _coco(coco: Any, samples: Sequence[Found], classes: Sequence[int]) -> Any:
    """Return boxes as pycocotools holds them. Its numbers of boxes begin at 1: 0 means that none matched."""
    held = coco.COCO()
    held.dataset = {
        "images": [{"id": index} for index in range(len(samples))],
        "categories": [{"id": number} for number in classes],
        "annotations": list(_annotations(samples)),
    }
    held.createIndex()
    return held


def _annotations(samples: Sequence[Found]) -> Any:
    number = 0
    for index, sample in enumerate(samples):
        for place, (left, top, right, bottom) in enumerate(sample.corners.tolist()):
            number += 1
            yield {
                "id": number,
                "image_id": index,
                "category_id": int(sample.classes[place]),
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top),
                "iscrowd": 0 if sample.crowd is None else int(sample.crowd[place]),
                **({} if sample.scores is None else {"score": float(sample.scores[place])}),
            }
