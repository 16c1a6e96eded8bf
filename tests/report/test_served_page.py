"""The page of `emulate --serve`, used in headless Chromium as a user does, under its own policy, and looked at.

Its screenshots of the digits are compared with stored ones, as those of reports are: see test_report_browser.py.
DROPKIT_STORE_SCREENSHOTS=1 stores them anew: look at each.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_world
from PIL import Image
from screens import PAGES, SERIOUS, another, smaller, store, validate
from served import Served, served
from worlds import DIGITS

pytestmark = pytest.mark.slow
STORED = Path(__file__).parent / "screenshots_served"
WIDTHS = {"wide": 1280, "phone": 360, "dark": 1280}
Steps = Sequence[tuple[str, str | Path]]


@pytest.fixture
def use(tmp_path: Path, browser: str, tools: Path) -> Any:
    """Give what takes steps on a page and returns what was found: see tests/support/pages/serve.mjs."""

    def used(page: Served, steps: Steps, *, refusals: int = 0) -> dict[str, Any]:
        words = json.dumps([(action, str(argument)) for action, argument in steps])
        argv = ["node", str(PAGES / "serve.mjs"), browser, str(tmp_path), page.address, words]
        done = subprocess.run(argv, cwd=tools, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert not found["requests"], found["requests"]
        # Chromium notes each reply that is a refusal, and would note what the page's policy forbids.
        assert len([fault for fault in found["faults"] if "status of 4" in fault]) == len(found["faults"]) == refusals
        for look in found["looks"]:
            of = f"{look['name']}, screenshots in {tmp_path}"
            assert look["page_width"] <= look["window"] and not look["wide"], f"{of}: {look['wide']}"
            assert not [each for each in look["violations"] if each["impact"] in SERIOUS], f"{of}: {look['violations']}"
        return found

    return used


def test_an_image_is_dropped_and_a_wrong_file_refused_as_the_stored_screenshots_show(
    tmp_path: Path, digits_bundle: Path, tools: Path, use: Any
) -> None:
    (tmp_path / "digits").symlink_to(digits_bundle)
    (tmp_path / "wrong.png").write_text("no image", "utf-8")
    (tmp_path / "notes.docx").write_text("no image", "utf-8")
    seven, wrong, notes = DIGITS / "seven.png", tmp_path / "wrong.png", tmp_path / "notes.docx"
    steps: Steps = [
        ("tab", "5"),
        ("look", "empty-wide"),
        ("drop", seven),
        ("wait", "seven.png:"),
        *[step for view in WIDTHS for step in (("view", view), ("look", f"seven-{view}"))],
        ("view", "wide"),
        ("style", ".bar { display: none; }"),
        ("look", "faulty"),
        ("style", ""),
        ("read", "results"),
        ("tab", "7"),
        ("choose", wrong),
        ("wait", "wrong.png cannot be used."),
        ("look", "wrong-wide"),
        ("read", "results"),
        ("drop", notes),
        ("wait", "notes.docx cannot be used."),
        ("read", "results"),
        ("count", ".frame"),
    ]
    with served("digits", cwd=tmp_path) as page:
        (tmp_path / "page.html").write_bytes(page.request().body)
        found = use(page, steps, refusals=1)
    validate(tools, tmp_path / "page.html")
    # The buttons of other processors wait for a file.
    assert found["focus"][:4] == ["file", "camera", "runtime", "kernels"]
    assert {"gpu", "arm64"} <= set(found["focus"][5:]) - set(found["focus"][:5])
    said, unreadable, unknown = found["texts"]
    assert said.split("\n")[-10:-8] == ["7", "99.6%"], said
    assert "wrong.png: is not an image that Pillow can read" in unreadable and "Next: give another file" in unreadable
    assert "notes.docx: it ends in .docx, and this model takes .png, .jpg" in unknown
    assert found["counts"] == [0]
    seen = {look["name"]: smaller(tmp_path / f"{look['name']}.png") for look in found["looks"]}
    faulty = seen.pop("faulty")
    if os.environ.get("DROPKIT_STORE_SCREENSHOTS"):
        for name, image in seen.items():
            store(image, STORED / f"{name}.png")
    assert {path.stem for path in STORED.glob("*.png")} == set(seen)
    others = {name: another(Image.open(STORED / f"{name}.png").convert("RGB"), image) for name, image in seen.items()}
    assert {name: words for name, words in others.items() if words} == {}, f"screenshots in {tmp_path}"
    assert another(Image.open(STORED / "seven-wide.png").convert("RGB"), faulty), "without bars it is the same"


def test_the_camera_another_bundle_and_other_kernels(tmp_path: Path, digits_bundle: Path, use: Any) -> None:
    steps: Steps = [
        ("camera", ""),
        ("wait", "camera.png:"),
        ("count", ".result .frame"),
        ("count", ".result .share"),
        ("look", "camera"),
        ("select", "kernels=reference"),
        ("wait", "reference kernels"),
        ("press", "camera"),
        ("count", "#live[hidden]"),
    ]
    with served(digits_bundle, "--against", digits_bundle) as page:
        found = use(page, steps)
        assert page.interrupt()[0] == 0
    assert found["counts"] == [2, 10, 1]


@pytest.mark.parametrize("kind", ["boxes", "mask", "keypoints", "audio", "text", "towers"])
def test_what_models_find_is_drawn_or_written(tmp_path: Path, toolchain_python: Path, use: Any, kind: str) -> None:
    bundle = report_world.build(toolchain_python, kind, tmp_path)
    file = given(tmp_path, kind)
    steps: list[tuple[str, str | Path]] = [("drop", file), ("wait", f"{file.name}:")]
    if kind == "text":
        steps = [("write", "rain and wind\nthe goal of the match"), ("wait", "text.txt:")]
    shapes = {"boxes": "rect.halo", "mask": "image[transform]", "keypoints": "path.halo"}
    steps += [("count", f".frame {shapes.get(kind, 'rect')}"), ("count", ".result h4"), ("look", kind)]
    steps += [("view", "phone"), ("look", f"{kind}-phone")]
    with served(bundle) as page:
        found = use(page, steps)
    drawn, titles = found["counts"]
    assert titles >= 1
    assert drawn >= 1 if kind in shapes else drawn == 0, f"screenshots in {tmp_path}"


def given(folder: Path, kind: str) -> Path:
    """Write a file that a kind of model takes: the first sample of its data, as a user would have it."""
    source = next(path for name in ("shown.npz", "test.npz", "calibration.npz") if (path := folder / name).exists())
    with np.load(source, allow_pickle=False) as archive:
        arrays = {name: archive[name][:1] for name in archive.files if not name.startswith("y")}
    if kind == "audio":
        return sound(folder, next(iter(arrays.values()))[0])
    if kind in {"boxes", "mask", "keypoints"}:
        Image.fromarray(arrays["image"][0, ..., 0]).save(folder / "image.png")
        return folder / "image.png"
    np.savez(folder / "one.npz", **arrays)
    return folder / "one.npz"


def sound(folder: Path, samples: Any) -> Path:
    """Write a .wav of samples, [n] of int16 or of floats from -1 to 1, at 8 kHz."""
    frames = samples if samples.dtype == np.int16 else np.round(samples * 32767).astype(np.int16)
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(frames.tobytes())
    (folder / "sound.wav").write_bytes(content.getvalue())
    return folder / "sound.wav"
