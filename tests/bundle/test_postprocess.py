"""postprocess.py against other ways to compute the same: boxes by brute force, masks and peaks by loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.shared import postprocess as post

Corner = tuple[float, float, float, float]


def brute_force(boxes: list[Corner], scores: list[float], classes: list[int], head: post.BoxHead) -> list[int]:
    """Return the boxes that stay: one by one it takes the best that is left, and removes what that one covers."""
    left = {i for i, score in enumerate(scores) if score >= head.threshold}
    stay: list[int] = []
    while left and len(stay) < head.most:
        best = min(left, key=lambda i: (-scores[i], i))
        stay.append(best)
        left.discard(best)
        for other in set(left):
            rivals = head.nms == "all" or (head.nms == "class" and classes[other] == classes[best])
            if rivals and covers(boxes[best], boxes[other]) > head.iou:
                left.discard(other)
    return stay


def covers(one: Corner, other: Corner) -> float:
    """Return intersection over union by areas of whole cells: the corners are whole numbers."""
    cells = [
        {(x, y) for x in range(int(left), int(right)) for y in range(int(top), int(bottom))}
        for left, top, right, bottom in (one, other)
    ]
    union = len(cells[0] | cells[1])
    return len(cells[0] & cells[1]) / union if union else 0.0


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(post.SUPPRESSIONS), st.integers(1, 12), st.sampled_from([0.0, 0.3, 0.5]))
def test_the_boxes_that_stay_are_those_of_brute_force(seed: int, nms: str, most: int, iou: float) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(16))
    boxes: list[Corner] = []
    for _ in range(count):
        left, top = (int(each) for each in rng.integers(8, size=2))
        boxes.append((left, top, left + int(rng.integers(6)), top + int(rng.integers(6))))
    scores = [int(rng.integers(9)) / 8 for _ in range(count)]  # many are equal
    classes = [int(rng.integers(2)) for _ in range(count)]
    head = post.BoxHead("ssd", format="xyxy", threshold=0.25, nms=nms, iou=iou, most=most)
    given = {"boxes": np.array(boxes).reshape(-1, 4), "scores": np.array(scores), "classes": np.array(classes)}
    found = post.detect(head, given)
    stay = brute_force(boxes, scores, classes, head)
    assert found.corners.tolist() == [list(boxes[i]) for i in stay]
    assert found.scores.tolist() == [scores[i] for i in stay]
    assert found.classes.tolist() == [classes[i] for i in stay]


def test_every_format_and_unit_is_the_same_box() -> None:
    box, center = (0.25, 0.125, 0.75, 0.625), (0.5, 0.375, 0.5, 0.5)
    formats = {"xyxy": box, "yxyx": (0.125, 0.25, 0.625, 0.75), "cxcywh": center}
    for form, numbers in formats.items():
        for size in (None, (320, 160)):
            scale = np.ones(4) if size is None else np.array([320, 160, 320, 160] if form != "yxyx" else [160, 320] * 2)
            tensors = {"boxes": (np.array([numbers]) * scale)[None], "scores": np.ones((1, 1, 1))}
            found = post.detect(post.BoxHead("scores", format=form, size=size), tensors)
            assert found.corners.tolist() == [list(box)], (form, size)


def test_yolo_tensors_lie_either_way_and_objectness_multiplies() -> None:
    row = np.array([0.5, 0.5, 0.25, 0.25, 0.5, 0.25, 0.75, 0.5], np.float32)
    plain = post.detect(post.BoxHead("yolo", format="cxcywh"), {"boxes": row[None, None]})
    turned = post.detect(post.BoxHead("yolo", format="cxcywh", transposed=True), {"boxes": row[None, :, None]})
    objects = post.detect(post.BoxHead("yolo-objectness", format="cxcywh"), {"boxes": row[None, None]})
    assert (
        (plain.scores.tolist(), plain.classes.tolist())
        == ([0.75], [2])
        == (turned.scores.tolist(), turned.classes.tolist())
    )
    assert (objects.scores.tolist(), objects.classes.tolist()) == ([0.375], [1])


def test_a_background_is_never_reported_and_classes_begin_behind_it() -> None:
    scores = np.array([[0.9, 0.3, 0.5], [0.1, 0.8, 0.2]])
    boxes = np.array([[0, 0, 0.1, 0.1], [0.5, 0.5, 1, 1]])
    found = post.detect(post.BoxHead("scores", background=True), {"boxes": boxes, "scores": scores})
    assert (found.classes.tolist(), found.scores.tolist()) == ([0, 1], [np.float32(0.8), 0.5])


def test_offsets_from_anchors_are_those_of_the_papers_formula() -> None:
    rng = np.random.default_rng(1)
    offsets, anchors = rng.normal(size=(20, 4)), rng.uniform(0.1, 0.5, (20, 4))
    head = post.BoxHead("anchors", threshold=-1, nms="none", variances=(0.1, 0.1, 0.2, 0.2))
    found = post.detect(head, {"boxes": offsets, "scores": np.zeros((20, 1))}, anchors.astype(np.float32))
    for (ty, tx, th, tw), (y, x, height, width), corners in zip(offsets, anchors, found.corners, strict=True):
        middle, sides = (
            (x + 0.1 * tx * width, y + 0.1 * ty * height),
            (width * math.exp(0.2 * tw), height * math.exp(0.2 * th)),
        )
        wanted = [
            middle[0] - sides[0] / 2,
            middle[1] - sides[1] / 2,
            middle[0] + sides[0] / 2,
            middle[1] + sides[1] / 2,
        ]
        assert np.allclose(corners, wanted, atol=1e-6)


def test_a_count_ends_the_list_of_a_file_with_its_own_nms() -> None:
    tensors = {"boxes": np.zeros((5, 4)), "scores": np.ones(5), "classes": np.arange(5)}
    head = post.BoxHead("ssd", nms="none")
    for count, size in ((3, 3), (99, 5), (-1, 0), (np.nan, 0), (np.inf, 5)):
        assert len(post.detect(head, tensors | {"count": np.array([count])}).scores) == size


def test_the_exponential_function_is_the_librarys_but_for_the_last_bit() -> None:
    x = np.concatenate([np.linspace(-700, 700, 20001), [0.0, -0.0, -1e-300]])
    assert np.all(np.abs(post.exponential(x) / np.exp(x) - 1) < 5e-16)
    assert post.exponential(np.array([-np.inf, np.inf, -1e6, 1e6])).tolist() == [0.0, np.inf, 0.0, np.inf]
    assert np.isnan(post.exponential(np.array([np.nan]))).all()


def test_a_softmax_is_a_softmax() -> None:
    rng = np.random.default_rng(2)
    raw = rng.normal(size=(30, 5)).astype(np.float32) * 20
    powers = np.exp(raw.astype(np.float64) - raw.max(-1, keepdims=True))
    scores, classes = post.best_classes(raw, "softmax")
    assert np.allclose(scores, (powers / powers.sum(-1, keepdims=True)).max(-1), rtol=1e-6)
    assert (classes == raw.argmax(-1)).all()


def test_a_mask_takes_the_first_of_equal_classes_and_never_nan() -> None:
    scores = np.array([[[1, 1, 0], [np.nan, -2, -3], [0, 0, 9]]])
    assert post.segment(scores).tolist() == [[0, 1, 2]]
    assert post.segment(np.array([[0.5, 0.4999, np.nan]])).tolist() == [[1, 0, 0]]
    assert post.segment(np.array([[[0.1], [-0.1]]]), "sigmoid").tolist() == [[1, 0]]


def test_a_mask_on_the_frame_is_where_the_model_saw_it() -> None:
    mask = np.array([[1, 2], [3, 4]], np.int32)
    frame = post.mask_on_frame(mask, (4.0, 0, 1.0, 0, 4.0, 0.0), (6, 4))
    assert frame.tolist() == [[-1, 1, 1, 2, 2, -1]] * 2 + [[-1, 3, 3, 4, 4, -1]] * 2
    turned = post.mask_on_frame(mask, (0.0, -2.0, 2.0, 2.0, 0.0, 0.0), (2, 2))
    assert turned.tolist() == [[3, 1], [4, 2]]
    with pytest.raises(ValueError, match="to a line"):
        post.mask_on_frame(mask, (0.0,) * 6, (2, 2))


def test_colours_are_pascal_vocs() -> None:
    known = ["000000", "800000", "008000", "808000", "000080", "800080", "008080", "808080", "400000", "c00000"]
    assert [f"{color:06x}" for color in post.palette(10)] == known
    assert [f"{color:08x}" for color in post.overlay(np.array([[-1, 0, 1]]))[0]] == ["00000000", "00000000", "a0800000"]
    assert [f"{c:08x}" for c in post.overlay(np.array([[-1, 0]]), background=False)[0]] == ["00000000", "a0800000"]


def test_a_peak_moves_a_quarter_towards_its_higher_neighbour() -> None:
    heat = np.zeros((4, 6, 1))
    heat[2, 3], heat[2, 4], heat[1, 3] = 1, 0.5, 0.2
    assert post.peaks(heat).tolist() == [[np.float32(3.75 / 6), np.float32(2.25 / 4), 1.0]]
    heat[2, 4] = heat[1, 3] = 0
    assert post.peaks(heat).tolist() == [[np.float32(3.5 / 6), 2.5 / 4, 1.0]]
    assert np.isnan(post.peaks(np.full((2, 2, 1), np.nan))[0, 2])


def test_coordinates_come_in_either_order_and_unit() -> None:
    for form, size in itertools.product(("xy", "yx"), (None, (8, 4))):
        point = np.array([0.25, 0.5]) * (1 if size is None else np.array(size))
        given = np.append(point if form == "xy" else point[::-1], 0.9)[None]
        assert post.coordinates(given, form, size).tolist() == [[0.25, 0.5, np.float32(0.9)]]
    assert post.coordinates(np.zeros((1, 2)), "xy").tolist() == [[0.0, 0.0, 1.0]]


def test_embeddings_have_length_1_and_a_cosine() -> None:
    assert post.unit_length(np.array([3.0, 4.0])).tolist() == [np.float32(0.6), np.float32(0.8)]
    assert post.unit_length(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert post.cosine(np.array([1.0, 0]), np.array([1.0, 1])) == pytest.approx(math.sqrt(0.5))
    assert post.cosine(np.zeros(2), np.ones(2)) == 0.0


def test_places_go_to_the_frame_by_two_corners_that_are_sorted() -> None:
    box = np.array([[0.25, 0.5, 0.5, 1.0]], np.float32)
    assert post.boxes_on_frame(box, (0, -100, 100, 200, 0, 0)).tolist() == [[0.0, 50.0, 50.0, 100.0]]
    assert post.keypoints_on_frame(np.array([[0.5, 0.25, 0.7]]), (100, 0, 1, 0, 100, 2)).tolist() == [
        [51.0, 27.0, np.float32(0.7)]
    ]


@pytest.mark.parametrize(
    ("head", "tensors", "message"),
    [
        ("scores", {"boxes": np.zeros((2, 4)), "scores": np.zeros((3, 2))}, "2 boxes, 3 rows of scores"),
        ("ssd", {"boxes": np.zeros((2, 4)), "scores": np.zeros(3)}, "2 boxes, 3 scores"),
        ("scores", {"boxes": np.zeros((2, 5)), "scores": np.zeros((2, 2))}, r"the shape \[2, 5\] is not \[1, N, 4\]"),
        ("yolo", {"boxes": np.zeros((1, 9, 4))}, "a row of 4 values has no scores behind its first 4"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(head: str, tensors: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        post.detect(post.BoxHead(head), tensors)
