"""The page from values: nothing breaks out of it, nothing differs by CPU, images are whole, the worst come first."""

from __future__ import annotations

import base64
import dataclasses
import io
import typing
from typing import Any

import numpy as np
import pytest
from html_pages import read_page
from PIL import Image

from kit.bundle.output_forms import BoxesForm, KeypointsForm, MaskForm
from kit.bundle.signature import ClassesEntry, ImageEntry, TensorEntry
from kit.charts.axis import Axis, round_numbers
from kit.charts.histogram import BINS, histogram
from kit.charts.scatter import Limit, Point, front_of, lines_of, marks_of
from kit.report.inputs import MOST_TEXT, shown_input
from kit.report.numbers import fixed, places, short, steady
from kit.report.outputs import Outputs, Subject
from kit.report.page import Page, render_page
from kit.report.png import PageImage, mask_image, page_image
from kit.report.samples import Inputs, changes, histograms, shown_samples

HOSTILE = "</td></style></title><script>alert(1)</script>\" onload='x' & {{ 7 * 7 }} \x00\x08\ud800"
SHOWN = HOSTILE.replace("\x00", "\ufffd").replace("\x08", "\ufffd").replace("\ud800", "\ufffd")


OWN = {"href": "data:image/png;base64,", "state": "chosen"}  # the kit's own words, and never a user's


def filled(kind: Any, text: str, name: str = "") -> Any:
    """Return a value of a type with that text wherever a text is."""
    if kind is str:
        return OWN.get(name, text)
    if kind in (int, float, bool):
        return kind(1)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        several = (arguments[0],) * 2 if arguments[-1] is ... else arguments
        return tuple(filled(each, text, name) for each in several)
    if origin is not None:  # of several types, the first: what may be None is there
        return filled(arguments[0], text, name)
    if kind is Axis:
        return Axis(0.0, 1.0, 10.0, 90.0)
    types = typing.get_type_hints(kind)
    return kind(**{each.name: filled(types[each.name], text, each.name) for each in dataclasses.fields(kind)})


def classes(name: str = "digit", count: int = 40, scale: float | None = 1 / 256) -> Subject:
    """Return an output of three classes, whose file differs by some steps."""
    rng = np.random.default_rng(7)
    exact = rng.dirichlet([0.4, 0.4, 0.4], count).astype(np.float32)
    steps = np.clip(np.rint(exact * 256 + rng.normal(0, 3, exact.shape)), 0, 255)
    return made(name, exact, (steps / 256).astype(np.float32), scale)


def made(name: str, exact: np.ndarray, got: np.ndarray, scale: float | None = None) -> Subject:
    """Return an output of classes of both models' scores, float32 [N, classes]."""
    entry = TensorEntry(name, (1, exact.shape[-1]), "uint8", scale, 0, "classes", classes=ClassesEntry())
    winners = exact.argmax(-1), got.argmax(-1)
    truth = np.arange(len(exact)) % exact.shape[-1]
    return Subject(entry, exact, got, ("red", "green", "blue"), winners, truth)


def test_no_text_of_a_user_s_breaks_out_of_the_page() -> None:
    page = read_page(render_page(filled(Page, HOSTILE)))
    assert page.all("script") == [] and "alert(1)" not in page.all("style")[0].text
    assert page.all("title")[0].text == f"{SHOWN} {SHOWN}"
    shown = page.all("body")[0].text
    assert "49" not in shown and shown.count(SHOWN) > 60
    labels = [each.attributes["aria-label"] for each in page.all("svg") if "aria-label" in each.attributes]
    assert sum(SHOWN in label for label in labels) > 8


def test_every_part_of_the_values_is_on_the_page() -> None:
    """A field that the template forgets would be a part of the report that nobody sees."""
    text = render_page(marked(filled(Page, "plain")))
    names = {f"{kind.__name__}.{name}" for kind in walk(Page) for name in texts_of(kind)}
    assert {name for name in names if f"[{name}]" not in text} == {"Scatter.title"}, "the page has a heading of its own"
    assert len(names) > 50


def walk(kind: Any) -> set[Any]:
    """Return the types of values that a type is made of."""
    if not dataclasses.is_dataclass(kind):
        return {found for each in typing.get_args(kind) if each is not ... for found in walk(each)}
    return {kind} | {found for each in typing.get_type_hints(kind).values() for found in walk(each)}


def texts_of(kind: Any) -> list[str]:
    """Return the fields that are texts of their own."""
    types = typing.get_type_hints(kind)
    return [each.name for each in dataclasses.fields(kind) if types[each.name] is str and each.name not in OWN]


def marked(value: Any) -> Any:
    """Return a value with its type and field as each of its texts."""
    if isinstance(value, tuple):
        return tuple(marked(each) for each in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changed = {each.name: marked(getattr(value, each.name)) for each in dataclasses.fields(value)}
    changed |= {name: f"[{type(value).__name__}.{name}]" for name in texts_of(type(value))}
    return dataclasses.replace(value, **changed)


def test_what_differs_in_the_last_bits_alone_is_the_same_page() -> None:
    def shown(subject: Subject) -> object:
        outputs = Outputs.of({subject.name: subject})
        inputs = Inputs((), {})
        return shown_samples(inputs, outputs, 12), changes(outputs), histograms(outputs)

    quantized, floats = classes(), classes(scale=None)
    floats = dataclasses.replace(floats, got=floats.exact + np.float32(1e-7), winners=(floats.exact.argmax(-1),) * 2)
    for subject in (quantized, floats):
        before = shown(subject)
        for seed in range(8):
            noise = np.random.default_rng(seed).uniform(-2e-7, 2e-7, subject.exact.shape)
            other = dataclasses.replace(subject, exact=(subject.exact + noise).astype(np.float32))
            assert shown(other) == before
    assert histograms(Outputs.of({"digit": floats})) == (), "rounding is no error"
    assert len(histograms(Outputs.of({"digit": quantized}))) == 1


def test_the_worst_samples_come_first() -> None:
    exact = np.array([[0.6, 0.4, 0.0], [0.1, 0.8, 0.1], [0.4, 0.6, 0.0], [0.6, 0.4, 0.0], [0.3, 0.3, 0.4]], np.float32)
    got = exact.copy()
    got[0] = [0.4, 0.6, 0.0]  # was right: row 0 is red
    got[1, 1] = 0.5  # far off, and the same class
    got[2] = [0.6, 0.4, 0.0]  # wrong before and after: row 2 is blue
    got[4] = [0.3, 0.4, 0.3]  # became right: row 4 is green
    found = shown_samples(Inputs((), {}), Outputs.of({"digit": made("digit", exact, got)}), 4)
    assert [(each.number, each.change, each.truth) for each in found] == [
        (0, "became wrong", "red"),
        (2, "class changed", "blue"),
        (4, "became right", "green"),
        (1, "", "green"),
    ]
    (both,) = found[0].outputs
    assert [row.name for row in both.before.rows] == ["red", "green", "blue"]
    assert [row.value for row in both.after.rows] == ["0.60", "0.40", "0.00"]
    assert both.difference.startswith("red became green, max error 0.2")
    rows = [(each.before, each.after, each.count) for each in changes(Outputs.of({"digit": made("digit", exact, got)}))]
    assert sorted(rows) == [("blue", "green", 1), ("green", "red", 1), ("red", "green", 1)]


def test_nan_and_infinity_are_worst_and_shown_as_such() -> None:
    exact = np.ones((3, 2), np.float32)
    exact[:, 1] = [0, 1, 2]
    got = exact.copy()
    got[1, 0] = np.nan
    entry = TensorEntry("y", (1, 2), "float32")
    found = shown_samples(Inputs((), {}), Outputs.of({"y": Subject(entry, exact, got)}), 3)
    assert [each.number for each in found] == [1, 0, 2]
    assert "nan" in found[0].outputs[0].after.text and "NaN or infinity" in found[0].outputs[0].difference


def decoded(shown: PageImage) -> Image.Image:
    """Return an image of the page as Pillow reads it."""
    return Image.open(io.BytesIO(base64.b64decode(shown.href.partition(",")[2])))


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 300, 3), (200, 150, 1), (1, 1, 3)])
def test_an_image_is_what_it_was_and_never_larger_than_its_bound(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(7).integers(0, 256, shape, np.uint8)
    shown = page_image(pixels, 300)
    assert np.array_equal(np.asarray(decoded(shown)).reshape(shape), pixels)
    small = page_image(pixels, 100)
    assert max(small.width, small.height) <= 100
    flat = page_image(np.full(shape, 77, np.uint8), 100)
    assert (np.asarray(decoded(flat)) == 77).all()


@pytest.mark.parametrize("count", [2, 3, 9, 21])
def test_a_mask_has_the_colour_of_each_class(count: int) -> None:
    mask = np.random.default_rng(7).integers(0, count, (13, 21))
    colors = np.random.default_rng(8).integers(0, 256, (count, 4), np.uint8)
    shown = np.asarray(decoded(mask_image(mask, colors, 50)).convert("RGBA"))
    assert np.array_equal(shown, colors[mask])


def test_boxes_masks_and_keypoints_lie_over_the_image_that_was_fed() -> None:
    image = TensorEntry("image", (1, 20, 40, 3), "uint8", kind="image", image=ImageEntry("bgr"))
    pixels = np.zeros((2, 20, 40, 3), np.uint8)
    pixels[..., 0] = 250  # blue, as the model takes it
    corners = np.array([[[0.25, 0.5, 0.75, 1.0]]] * 2, np.float32)  # top, left, bottom, right
    boxes = TensorEntry("found", (1, 1, 4), "float32", kind="boxes", boxes=BoxesForm(scores="scores"))
    mask = TensorEntry("mask", (1, 2, 2, 2), "float32", kind="mask", mask=MaskForm())
    points = TensorEntry("points", (1, 1, 2), "float32", kind="keypoints", keypoints=KeypointsForm(head="coordinates"))
    classes = np.zeros((2, 2, 2, 2), np.float32)
    classes[:, 0, :, 1] = 1.0
    given = {
        "found": (boxes, corners),
        "scores": (TensorEntry("scores", (1, 1, 1), "float32"), np.full((2, 1, 1), 0.9, np.float32)),
        "mask": (mask, classes),
        "points": (points, np.array([[[0.5, 0.25]]] * 2, np.float32)),
    }
    subjects = {name: Subject(entry, array, array, ("<cat>",)) for name, (entry, array) in given.items()}
    (sample, _) = shown_samples(Inputs((image,), {"image": pixels}), Outputs.of(subjects), 2)
    shown = sample.inputs[0].image
    assert shown is not None and decoded(shown).getpixel((0, 0)) == (0, 0, 250)
    found = {both.name: both for both in sample.outputs}
    assert set(found) == {"found", "mask", "points"}, "scores are in the boxes"
    assert all(both.over and both.before == both.after for both in sample.outputs)
    (box,) = found["found"].before.shapes
    assert (box.x, box.y, box.width, box.height, box.text) == (20.0, 5.0, 20.0, 10.0, "<cat> 0.90")
    (point,) = found["points"].after.shapes
    assert (point.x, point.y, point.width) == (20.0, 5.0, 0.0)
    over = found["mask"].before
    assert over.mask is not None and over.text == "<cat> 50.0%, class 1 50.0%"
    pixel = decoded(over.mask).convert("RGBA")
    assert pixel.getpixel((0, 1)) == (0, 0, 0, 0) and pixel.getpixel((0, 0)) == (128, 0, 0, 160)


def test_other_inputs_are_a_wave_series_text_or_numbers() -> None:
    plain = TensorEntry("x", (1, 4), "float32")
    assert shown_input(plain, np.array([1.0, -0.5, 0.25], np.float32), None, 99).text == "1.00, -0.50, 0.25"
    assert shown_input(plain, np.arange(30), None, 99).text == f"{', '.join(map(str, range(24)))}, ... (30 in all)"
    series = shown_input(plain, np.stack([np.arange(1000.0)] * 9, axis=-1), None, 99).lines
    assert series is not None and len(series.points) == 6 and len(series.points[0].split()) == 200
    assert series.points[0].split()[0] == "0.0,39.0" and (series.low, series.high) == ("0", "995")
    wave = shown_input(TensorEntry("s", (1, 9), "float32"), np.sin(np.arange(4000.0)), None, 99).lines
    assert wave is not None
    words = shown_input(plain, np.zeros(3), "word " * 1000, 99)
    assert words.text is not None and len(words.text) == MOST_TEXT + 3
    image = shown_input(plain, np.random.default_rng(7).normal(size=(9, 9, 3)), None, 99)
    assert image.image is not None and np.asarray(decoded(image.image)).max() == 255


def test_numbers_are_short_and_have_no_last_bits() -> None:
    assert [short(value) for value in (None, 0.0, 3e-7, 0.12345, 1234567.0, float("nan"))] == [
        *("-", "0", "0", "0.123", "1.23e+06", "nan"),
    ]
    assert [places(scale) for scale in (0.99999997, 1.0000001, 255.0, 0.004)] == [2, 2, 0, 5]
    assert (fixed(-0.0004, 2), fixed(-1.5, 0), fixed(float("inf"), 2)) == ("0.00", "-2", "inf")
    assert steady("worst 0.123456789 of 1,234 (p < 1e-6), 2.5e-08") == "worst 0.1235 of 1,234 (p < 1e-6), 1e-05 or less"
    assert steady("litert:2.3.0, 34,106 B, step 3 of 12") == "litert:2.3.0, 34,106 B, step 3 of 12"


def test_no_label_of_a_chart_covers_another_or_a_mark() -> None:
    x, y = Axis(0, 100, 60, 470), Axis(0, 1, 300, 24)
    rng = np.random.default_rng(7)
    crowd = [Point(f"c{n}", "", 40 + rng.normal(0, 6), 0.5 + rng.normal(0, 0.08), "keeps") for n in range(14)]
    points = sorted(
        [*crowd, Point("far", "", 99, 7.0, "lost"), Point("edge", "", 100, 0.0, "chosen")], key=lambda p: p.x
    )
    marks = marks_of(points, x, y)
    halves = [3.2 * len(str(mark.number)) for mark in marks]
    boxes = [
        (mark.label[0] - half, mark.label[1] - 5.5, mark.label[0] + half, mark.label[1] + 5.5)
        for mark, half in zip(marks, halves, strict=True)
    ]
    for index, one in enumerate(boxes):
        assert one[0] >= x.start and one[2] <= x.end
        for other in boxes[:index]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        for mark in marks:
            assert not (one[0] < mark.x < one[2] and one[1] < mark.y < one[3])
    assert [mark.beyond for mark in marks if mark.point.name == "far"] == [True]
    assert all(y.end <= mark.y <= y.start for mark in marks)
    stairs = [Point("a", "", 10, 0.5, ""), Point("b", "", 20, 0.6, ""), Point("c", "", 30, 0.1, "")]
    assert [corner[0] for corner in front_of(stairs, x, y)] == [x.at(10), x.at(30), x.at(30)]
    assert [line.text for line in lines_of([Limit(0.5, "in"), Limit(2.0, "out")], x, y)] == ["in"]


def test_axes_have_round_numbers_and_a_histogram_every_value() -> None:
    assert round_numbers(0, 1.05) == [0.0, 0.5, 1.0] and len(round_numbers(-3.7, 121.0)) <= 8
    chart = histogram("y", "steps", [1, *[0] * (BINS - 2), 1000], 2.0)
    assert len(chart.bars) == 2 and chart.bars[1].text.endswith("1,000 values")
    assert all(12 <= bar.x <= 468 and bar.y >= 0 and bar.height > 3 for bar in chart.bars)
