"""Reports of four kinds from values that are the same on every machine: what screenshots are compared on.

Nothing is trained and nothing runs a model, for another CPU would round another way and another sample would be worst.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kit.bundle.output_forms import BoxesForm, MaskForm
from kit.bundle.signature import AudioEntry, ClassesEntry, ImageEntry, TensorEntry
from kit.charts.axis import Axis
from kit.charts.scatter import Limit, Point, Scatter, front_of, lines_of, marks_of
from kit.report.outputs import Outputs, Subject
from kit.report.page import CheckRow, Kotlin, LayerRow, Page, RuntimeRow, TensorRow, render_page
from kit.report.samples import Inputs, changes, histograms, shown_samples
from kit.report.values import Measured, Pairs

COUNT = 6  # samples of each
RATE = 8000
WORDS = "the size of a file, and how far its outputs are from those of the model that was trained".split()


def gallery() -> dict[str, str]:
    """Return the pages by the name of their kind."""
    makers = {"boxes": _boxes, "classes": _classes, "sound": _sound, "text": _text}
    return {name: render_page(make(name)) for name, make in makers.items()}


def _page(name: str, inputs: Inputs, *subjects: Subject) -> Page:
    """Return a page of samples, with rows of every table."""
    outputs = Outputs.of({subject.name: subject for subject in subjects})
    return Page(
        title=name,
        version="1.2.0",
        description=f"A page of {name} for the tests.",
        verdict="All 3 checks passed",
        good=True,
        tiles=(("size", "160.0 kB to 33.3 kB"), ("accuracy", "99.44% to 99.72%"), ("scheme", "int8, uint8 in and out")),
        measured_on="Measured on 360 samples of [checks] data, with litert:2.3.0.",
        checks=(
            CheckRow("max_bytes", "<= 45,000 B", "33,346 B", "pass"),
            CheckRow("min_agreement", ">= 98.00%", "97.20%", "beyond"),
        ),
        measured=(
            Measured("accuracy", "99.44%", "99.72%", "+0.28 points", "-0.49 to +1.04 points"),
            Measured("max error", "", "4.7 steps", "", ""),
        ),
        samples=shown_samples(inputs, outputs, COUNT),
        samples_note="The worst 6 of 12, the worst first.",
        changes=changes(outputs),
        histograms=histograms(outputs),
        layers=(LayerRow("conv1", "CONV_2D", "31.5 dB", "1.2%", 1.0, "outlier channel 3"),),
        signature=tuple(TensorRow("input", each.name, each.dtype, "1 x 8", each.kind) for each in inputs.entries),
        runtimes=(
            RuntimeRow("litert:2.3.0", "has every operator; the golden vectors pass", fits=True, own=True),
            RuntimeRow("tflite:2.14.0", "lacks FULLY_CONNECTED version 12", fits=False, own=False),
        ),
        variables=Pairs("2 kept; 5 constant", (("head/kernel", "float32 [4, 3]"), ("head/bias", "float32 [3]"))),
        provenance=Pairs("", (("model file", "model.keras, 160.0 kB"), ("its SHA-256", "0123456789abcdef" * 4))),
        kotlin=Kotlin(
            'implementation("com.google.ai.edge.litert:litert:2.3.0")',
            "Model.create(context).use { it.classify(bitmap) }",
            "Model.kt",
            "package com.example\n\nclass Model\n",
        ),
        notes=("one note, which is long enough to need a second line on a narrow screen, as notes of builds often do",),
    )


def _scores(rng: np.random.Generator, labels: tuple[str, ...]) -> Subject:
    """Return an output of classes; of every third sample another one wins."""
    exact = rng.integers(1, 100, (2 * COUNT, len(labels))).astype(np.float32)
    exact /= exact.sum(-1, keepdims=True)
    got = exact.copy()
    got[::3] = np.roll(exact[::3], 1, axis=-1)
    entry = TensorEntry("label", (1, len(labels)), "uint8", 1 / 256, 0, "classes", classes=ClassesEntry())
    winners = exact.argmax(-1), got.argmax(-1)
    return Subject(entry, exact, got, labels, winners, np.arange(2 * COUNT) % len(labels))


def _boxes(name: str) -> Page:
    rng = np.random.default_rng(1)
    pixels = np.full((2 * COUNT, 72, 96, 3), 235, np.uint8)
    corners = np.zeros((2 * COUNT, 2, 4), np.float32)
    for row in range(2 * COUNT):
        for box, color in enumerate(((200, 60, 40), (40, 90, 200))):
            top, left = rng.integers(0, 40, 2)
            pixels[row, top : top + 24, left : left + 40] = color
            corners[row, box] = top / 72, left / 96, (top + 24) / 72, (left + 40) / 96
    image = TensorEntry("image", (1, 72, 96, 3), "uint8", kind="image", image=ImageEntry("rgb"))
    boxes = TensorEntry("found", (1, 2, 4), "float32", kind="boxes", boxes=BoxesForm(scores="scores"))
    scores = np.array([[[0.9, 0.1], [0.2, 0.8]]] * 2 * COUNT, np.float32)
    mask = np.zeros((2 * COUNT, 18, 24, 3), np.float32)
    mask[..., 0], mask[:, 6:, :12, 1], mask[:, :9, 12:, 2] = 0.5, 1, 1
    labels = ("ground", "low", "high")
    return _page(
        name,
        Inputs((image,), {"image": pixels}, names=tuple(f"street/{row}.png" for row in range(2 * COUNT))),
        Subject(boxes, corners, corners * np.float32(0.97), ("car", "bus")),
        Subject(TensorEntry("scores", (1, 2, 2), "float32"), scores, scores),
        Subject(
            TensorEntry("area", (1, 18, 24, 3), "float32", kind="mask", mask=MaskForm()), mask, mask[:, ::-1], labels
        ),
    )


def _classes(name: str) -> Page:
    rng = np.random.default_rng(2)
    image = TensorEntry("image", (1, 8, 8, 1), "uint8", kind="image", image=ImageEntry("grayscale"))
    pixels = rng.integers(0, 256, (2 * COUNT, 8, 8, 1), np.uint8)
    page = _page(name, Inputs((image,), {"image": pixels}), _scores(rng, ("red", "green", "blue", "none of these")))
    x, y = Axis(0, 120, 62, 470), Axis(0, 4, 300, 24)
    points = [Point(f"candidate {n}", f"{n * 11} kB", n * 11, 4 - 0.5 * n, "keeps") for n in range(1, 8)]
    points[2] = replace(points[2], state="chosen")
    lines = lines_of([Limit(2.0, "max_drop"), Limit(90, "max_bytes", on_x=True)], x, y)
    chart = Scatter("Search", "kB", "loss", x, y, marks_of(points, x, y), lines, front_of(points, x, y))
    return replace(page, chart=chart)


def _sound(name: str) -> Page:
    rng = np.random.default_rng(3)
    entry = TensorEntry("heard", (1, RATE), "float32", kind="audio", audio=AudioEntry(RATE, RATE, RATE))
    time = np.arange(RATE, dtype=np.float64) / RATE
    rows = [(1 - abs(2 * time - 1)) * np.sign(np.sin(400 * (row + 1) * time)) for row in range(2 * COUNT)]
    return _page(name, Inputs((entry,), {"heard": np.array(rows, np.float32)}), _scores(rng, ("yes", "no", "stop")))


def _text(name: str) -> Page:
    rng = np.random.default_rng(4)
    ids, series = TensorEntry("text", (1, 8), "int32"), TensorEntry("series", (1, 40, 2), "float32")
    texts = np.array([" ".join(WORDS[row:] + WORDS[: 2 * row]) for row in range(2 * COUNT)])
    steps = rng.integers(-9, 10, (2 * COUNT, 40, 2)).cumsum(1).astype(np.float32)
    values = {"text": np.zeros((2 * COUNT, 8), np.int32), "series": steps}
    return _page(name, Inputs((ids, series), values, {"text": texts}), _scores(rng, ("files", "network", "numbers")))
