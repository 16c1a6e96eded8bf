"""The fixed Kotlin against postprocess.py and text.py, bit for bit on a JVM: random values and the worst there are."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from runtime_kotlin import (
    COORDINATES,
    EMBEDDING,
    HEATMAP,
    MASK,
    SCORES,
    SSD,
    YOLO,
    Case,
    Given,
    bits,
    compile_runtime,
    given,
    on_the_jvm,
    run_program,
)
from text_cases import DECISIVE, FORMS, TextCase, case_of, code_points, every_code_point, scripts, some_code_points

from kit.shared import postprocess as post
from kit.shared.text import SPLITS, STANDARDIZE, TextForm, write_vocabulary

pytestmark = pytest.mark.usefixtures("android_tools")

ACTIVATIONS = ("none", "sigmoid", "softmax")
STRETCH = (640.0, 0.0, 0.0, 0.0, 480.0, 0.0)
TURNED = (0.0, -300.25, 310.5, 412.125, 0.0, -7.0)  # by 90 degrees, with an edge on each side
SKEWED = (200.0, 31.0, 5.5, -17.0, 150.0, 9.75)
NASTY = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38, 0.5, 1.0, -1.0], np.float32)

Pair = tuple[Case, Given]


def expected(floats: np.ndarray, ints: np.ndarray) -> Given:
    return Given(bits(floats), ints.astype(np.int64).astype(np.uint32).view(np.int32).reshape(-1))


def numbers(head: post.BoxHead) -> list[int]:
    size = head.size or (1, 1)
    return [post.FORMATS.index(head.format), post.SUPPRESSIONS.index(head.nms), head.most, *size]


def boxes_of(
    head: post.BoxHead, tensors: dict[str, np.ndarray], placement: tuple[float, ...], anchors: np.ndarray | None = None
) -> Pair:
    """Return the case of one detector's tensors, and what postprocess.py gives."""
    found = post.detect(head, tensors, anchors)
    corners = post.boxes_on_frame(found.corners, placement)
    wanted = expected(np.concatenate([corners, found.scores[:, None]], axis=-1), found.classes)
    doubles = [*placement, head.threshold, head.iou, *head.variances]
    boxes, form = tensors["boxes"], [ACTIVATIONS.index(head.activation), int(head.background)]
    if head.head == "ssd":
        parts = [tensors[part] for part in ("boxes", "scores", "classes", "count") if part in tensors]
        return Case(SSD, [len(boxes), *numbers(head)], doubles, parts), wanted
    if head.head in ("scores", "anchors"):
        ints = [len(boxes), *numbers(head), *form, tensors["scores"].shape[-1]]
        parts = [boxes, tensors["scores"], *([] if anchors is None else [anchors])]
        return Case(SCORES, ints, doubles, parts), wanted
    channels, count = boxes.shape if head.transposed else boxes.shape[::-1]
    ints = [count, *numbers(head), *form, channels, int(head.transposed), int(head.head == "yolo-objectness")]
    return Case(YOLO, ints, doubles, [boxes]), wanted


def spoiled(rng: np.random.Generator, values: np.ndarray, share: float) -> np.ndarray:
    """Return values with a share of them replaced by the worst there are."""
    return np.where(rng.random(values.shape) < share, rng.choice(NASTY, values.shape), values).astype(np.float32)


def boxes_near(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return float32 [count, 4]: boxes in clusters, so that many overlap, on a coarse grid, so that some are equal."""
    center = rng.choice(rng.random((6, 2)), count) + rng.normal(0, 0.02, (count, 2))
    return (np.round(np.concatenate([center, rng.uniform(0, 0.3, (count, 2))], axis=-1) * 64) / 64).astype(np.float32)


def detectors() -> list[Pair]:
    """Return every head, format, suppression, activation and placement in turn, a third of them spoiled."""
    rng, cases = np.random.default_rng(5), []
    turns = itertools.product(post.HEADS, post.FORMATS, post.SUPPRESSIONS, ACTIVATIONS, range(6))
    for number, (name, form, nms, activation, turn) in enumerate(turns):
        head = post.BoxHead(
            name,
            format=form,
            nms=nms,
            activation=activation,
            background=turn % 2 == 1 and name != "ssd",
            size=(320, 240) if turn % 3 == 2 else None,
            transposed=turn > 2,
            threshold=(0.25, -5.0, 0.0, 0.9)[number % 4],
            iou=(0.5, 0.0, 0.7)[number % 3],
            most=(100, 1, 7)[number % 3],
            variances=(0.1, 0.1, 0.2, 0.3),
        )
        count, classes = (int(rng.integers(1, 70)), int(rng.integers(2, 6)))
        share = 0.05 if number % 3 == 0 else 0.0
        scores = np.round(rng.random((count, classes)) * 16) / 16 * (1 if activation == "none" else 6)
        scores = spoiled(rng, scores, share)
        boxes = spoiled(rng, boxes_near(rng, count) * (200 if head.size else 1), share)
        tensors, anchors = {"boxes": boxes, "scores": scores}, None
        if name == "ssd":
            whole = rng.integers(-1, 9, count) + rng.choice([0.0, 0.49, -0.5], count)
            tensors = {"boxes": boxes, "scores": scores[:, 0], "classes": spoiled(rng, whole, share)}
            tensors |= {"count": rng.choice(NASTY, 1) if turn == 1 else np.array([count - 0.6], np.float32)}
        elif name == "anchors":
            anchors = boxes_near(rng, count)
            tensors["boxes"] = spoiled(rng, rng.normal(0, 4, (count, 4)), share)
        elif name.startswith("yolo"):
            there = [rng.random((count, 1)).astype(np.float32)] if name.endswith("objectness") else []
            rows = np.concatenate([boxes, *there, scores], axis=-1)
            tensors = {"boxes": np.ascontiguousarray(rows.T if head.transposed else rows)}
        cases.append(boxes_of(head, tensors, (STRETCH, TURNED, SKEWED)[number % 3], anchors))
    return cases


def extremes() -> list[Pair]:
    """Return detectors at their limits: equal scores, everything above the threshold, nothing, boxes without area."""
    rng = np.random.default_rng(6)
    same = np.full((50, 3), 0.5, np.float32)
    boxes = boxes_near(rng, 50)
    flat = boxes * np.array([1, 1, 0, 1], np.float32)
    huge = np.tile(np.array([[-3e38, -3e38, 3e38, 3e38]], np.float32), (5, 1))
    head = post.BoxHead("scores", format="cxcywh")
    every = post.BoxHead("scores", format="cxcywh", threshold=-np.inf, iou=1.0, most=50)
    low = post.BoxHead("scores", format="cxcywh", threshold=1.5)
    many = boxes_near(rng, 3000)
    scores = rng.random((3000, 4)).astype(np.float32)
    turned = np.zeros((4, 4), np.float32) - np.float32(0)
    return [
        boxes_of(head, {"boxes": boxes, "scores": same}, STRETCH),
        boxes_of(every, {"boxes": boxes, "scores": same}, STRETCH),
        boxes_of(low, {"boxes": boxes, "scores": same}, STRETCH),
        boxes_of(head, {"boxes": flat, "scores": same}, TURNED),
        boxes_of(post.BoxHead("scores", format="xyxy"), {"boxes": huge, "scores": same[:5]}, STRETCH),
        boxes_of(post.BoxHead("scores", format="xyxy"), {"boxes": turned, "scores": same[:4]}, SKEWED),
        boxes_of(head, {"boxes": many, "scores": scores}, STRETCH),
        boxes_of(head, {"boxes": many, "scores": np.full_like(scores, np.nan)}, STRETCH),
        boxes_of(post.BoxHead("ssd"), {"boxes": many, "scores": scores[:, 0]}, STRETCH),
    ]


def masks() -> list[Pair]:
    rng, cases = np.random.default_rng(7), []
    for number in range(36):
        width, height, channels = (int(rng.integers(1, 12)), int(rng.integers(1, 12)), (1, 2, 30)[number % 3])
        activation = ACTIVATIONS[number % 2]
        values = spoiled(rng, np.round(rng.normal(0, 2, (height, width, channels)) * 4) / 4, 0.1 * (number % 2))
        placement, size = (STRETCH, TURNED, SKEWED)[number // 3 % 3], (int(rng.integers(1, 90)), 61)
        background = number % 4 < 2
        classes = post.segment(values, activation, 0.6)
        frame = post.mask_on_frame(classes, placement, size)
        ints = [width, height, channels, ACTIVATIONS.index(activation), int(background), *size]
        shown = post.overlay(frame, background=background)
        parts = [classes.reshape(-1), frame.reshape(-1), shown.reshape(-1).view(np.int32)]
        cases.append((Case(MASK, ints, [*placement, 0.6], [values]), expected(np.zeros(0), np.concatenate(parts))))
    return cases


def keypoints() -> list[Pair]:
    rng, cases = np.random.default_rng(8), []
    for number in range(48):
        count, placement = int(rng.integers(1, 9)), (STRETCH, TURNED, SKEWED)[number % 3]
        threshold = (None, 0.0, 0.6)[number // 3 % 3]
        if number % 2:
            width, height, activation = int(rng.integers(1, 9)), int(rng.integers(1, 9)), ACTIVATIONS[number // 2 % 2]
            values = np.round(rng.normal(0, 1, (height, width, count)) * 3) / 3
            values = spoiled(rng, values, 0.2 if number % 5 == 0 else 0)
            points = post.peaks(values, activation)
            case = (HEATMAP, [width, height, count, ACTIVATIONS.index(activation)])
        else:
            columns, form, size = (
                2 + number // 2 % 2,
                ("xy", "yx")[number // 4 % 2],
                ((256, 192), None)[number // 8 % 2],
            )
            values = spoiled(rng, rng.random((count, columns)), 0.2 if number % 3 == 0 else 0)
            points = post.coordinates(values, form, size)
            case = (COORDINATES, [count, columns, int(form == "yx"), *(size or (1, 1))])
        seen = post.seen(points, threshold)
        wanted = expected(post.keypoints_on_frame(points, placement)[seen], np.flatnonzero(seen))
        cases.append((Case(*case, [*placement, -np.inf if threshold is None else threshold], [values]), wanted))
    return cases


def embeddings() -> list[Pair]:
    rng, cases = np.random.default_rng(9), []
    for number in range(24):
        one, other = (spoiled(rng, rng.normal(size=257), 0.3 if number % 4 == 3 else 0) for _ in range(2))
        with np.errstate(all="ignore"):
            one = one * np.float32(0 if number % 6 == 5 else 10.0 ** (number - 12))
        wide = np.array([post.cosine(one, other)])
        wide[np.isnan(wide)] = np.nan
        high, low = divmod(int(wide.view(np.uint64)[0]) if not np.isnan(wide[0]) else 0x7FF8 << 48, 1 << 32)
        cases.append((Case(EMBEDDING, [], [], [one, other]), expected(post.unit_length(one), np.array([high, low]))))
    return cases


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory, android_tools: None) -> Path:
    """Give a folder with the compiled files."""
    folder = tmp_path_factory.mktemp("runtime")
    compile_runtime(folder)
    return folder


@pytest.mark.parametrize("make", [detectors, extremes, masks, keypoints, embeddings])
def test_kotlin_gives_the_bits_of_postprocess(runtime: Path, make: Callable[[], list[Pair]]) -> None:
    cases = make()
    found = given(runtime, [case for case, _ in cases])
    for number, ((case, wanted), got) in enumerate(zip(cases, found, strict=True)):
        assert np.array_equal(got.ints, wanted.ints), (number, case, got.ints, wanted.ints)
        assert np.array_equal(got.floats, wanted.floats), (number, case, got.floats, wanted.floats)
    assert sum(got.ints.size for got in found) > 100 or make is embeddings


def test_8400_boxes_make_nothing_but_the_result(runtime: Path) -> None:
    """A box is 40 bytes, a list 24 and its array 16 + 4 a box. A YOLO head of 80 classes reads 2.7 MB."""
    rng = np.random.default_rng(3)
    boxes, plain = boxes_near(rng, 8400), post.BoxHead("ssd", format="cxcywh")
    usual, every = rng.random(8400).astype(np.float32) ** 12, rng.random(8400).astype(np.float32) / 2 + np.float32(0.5)
    cases = [boxes_of(plain, {"boxes": boxes, "scores": scores}, STRETCH)[0] for scores in (usual, every)]
    rows = np.concatenate([boxes, (rng.random((8400, 80)) ** 40).astype(np.float32)], axis=-1)
    for transposed in (False, True):
        head = post.BoxHead("yolo", format="cxcywh", transposed=transposed)
        cases.append(boxes_of(head, {"boxes": np.ascontiguousarray(rows.T if transposed else rows)}, STRETCH)[0])
    for line in on_the_jvm(runtime, "measure", cases).splitlines():
        _micros, made, size = map(float, line.split())
        assert size > 5
        assert made <= 40 * size + 48 + 4 * size


def text_cases(*, every: bool) -> Iterator[TextCase]:
    """Yield every code point, some of them in every form, texts of twenty scripts, and what UTF-8 cannot hold."""
    yield from code_points(every_code_point(), DECISIVE) if every else ()
    yield from code_points(some_code_points())
    yield from scripts(np.random.default_rng(12), 500)
    alone = ["\ud800", "a\udc00b \udbff", "\ud800!\udc00", "\udbff\udbff x", "\udc00\udc00"]
    yield from (case_of(alone, standardize, split) for standardize, split in FORMS)
    table = TextForm(("[UNK]", "light green", "a\nb", "\\n", "\r"), "none", "none", 0)
    yield TextCase(table, ("a\nb", "\\n", "\r", "", "x", "[UNK]", "light green"))


def utf_16(words: Sequence[str]) -> bytes:
    """Return texts in UTF-16, with surrogates as they are, as RuntimeText.kt reads them."""
    raws = [word.encode("utf-16-be", "surrogatepass") for word in words]
    return struct.pack(">i", len(raws)) + b"".join(struct.pack(">i", len(raw) // 2) + raw for raw in raws)


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_kotlin_gives_the_ids_of_text_py(runtime: Path, every: bool) -> None:
    with (runtime / "in").open("wb") as file:
        file.write(struct.pack(">i", sum(1 for _ in text_cases(every=every))))
        for case in text_cases(every=every):
            form, lines = case.form, write_vocabulary(case.form.vocabulary).decode().removesuffix("\n").split("\n")
            numbers = (STANDARDIZE.index(form.standardize), SPLITS.index(form.split), form.unknown)
            file.write(utf_16(lines) + struct.pack(">3i", *numbers) + utf_16(case.texts))
    run_program(runtime, "RuntimeTextKt")
    found, place = np.frombuffer((runtime / "out").read_bytes(), ">i4"), 0
    for case in text_cases(every=every):
        for text, ids in zip(case.texts, case.ids, strict=True):
            unknown, count = found[place : place + 2]
            assert found[place + 2 : place + 2 + count].tolist() == ids, (case.form, text[:99])
            assert unknown == ids.count(case.form.unknown)
            place += 2 + count
    assert place == found.size > (7_000_000 if every else 200_000)
