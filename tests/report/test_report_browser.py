"""Pages in headless Chromium: nothing is wider than the window, axe finds nothing serious, html-validate nothing.

Pages of report_gallery.py are compared with stored screenshots, in a font that npm brings and an eighth of the size, so
that neither the machine's fonts nor how a letter's edge is smoothed make a difference. DROPKIT_STORE_SCREENSHOTS=1
stores them anew: look at each. A failure names the folder where the whole ones lie.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import report_world
from html_pages import read_page
from PIL import Image
from report_gallery import gallery
from screens import PAGES, SERIOUS, another, smaller, store, validate
from worlds import DIGITS, run_kit

pytestmark = pytest.mark.slow
STORED = Path(__file__).parent / "screenshots"
VIEWS = {"wide": 1280, "phone": 360, "dark": 1280, "print": 794}


def looked_at(browser: str, tools: Path, folder: Path, *pages: Path, pinned: bool = False) -> list[dict[str, Any]]:
    """Return what was found in each view of each page; folder: for the screenshots. pinned: also in npm's font."""
    argv = ["node", str(PAGES / "look.mjs"), browser, str(folder), *map(str, pages)]
    env = os.environ | ({"PINNED": "1"} if pinned else {})
    done = subprocess.run(argv, cwd=tools, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def check(browser: str, tools: Path, folder: Path, *pages: Path, pinned: bool = False) -> None:
    """Check pages in every view, and their HTML."""
    views = looked_at(browser, tools, folder, *pages, pinned=pinned)
    assert len(views) == len(VIEWS) * len(pages)
    for view in views:
        of = f"{view['page']} {view['view']}, screenshots in {folder}"
        assert view["page_width"] <= view["window"] == VIEWS[view["view"]] and not view["wide"], f"{of}: {view['wide']}"
        assert not [each for each in view["violations"] if each["impact"] in SERIOUS], f"{of}: {view['violations']}"
        assert not view["requests"], f"{of}: it fetches {view['requests']}"
        assert (folder / f"{view['page']}-{view['view']}.png").stat().st_size > 10_000
    validate(tools, *pages)


def test_reports_of_four_kinds_look_as_they_were_stored(tmp_path: Path, browser: str, tools: Path) -> None:
    pages = [tmp_path / f"{name}.html" for name in gallery()]
    for page, text in zip(pages, gallery().values(), strict=True):
        page.write_text(text, "utf-8")
    check(browser, tools, tmp_path, *pages, pinned=True)
    seen = {
        f"{page.stem}-{view}": smaller(tmp_path / f"{page.stem}-{view}-pinned.png") for page in pages for view in VIEWS
    }
    if os.environ.get("DROPKIT_STORE_SCREENSHOTS"):
        for name, image in seen.items():
            store(image, STORED / f"{name}.png")
    assert {path.stem for path in STORED.glob("*.png")} == set(seen)
    found = {name: another(Image.open(STORED / f"{name}.png").convert("RGB"), image) for name, image in seen.items()}
    assert {name: words for name, words in found.items() if words} == {}, f"screenshots in {tmp_path}"


def test_a_page_that_looks_another_is_found(tmp_path: Path, browser: str, tools: Path) -> None:
    text = gallery()["sound"]
    faults = {
        "bars": text.replace(".bar {", ".bar { display: none; ", 1),
        "dark": text.replace("prefers-color-scheme: dark", "prefers-color-scheme: no-preference"),
        "order": text.replace("<h2>Signature</h2>", "<h2>Signature</h2><p>One line more than there was.</p>"),
    }
    for name, changed in faults.items():
        assert changed != text, name
        (tmp_path / f"{name}.html").write_text(changed, "utf-8")
    looked_at(browser, tools, tmp_path, *(tmp_path / f"{name}.html" for name in faults), pinned=True)
    for name, view in {"bars": "phone", "dark": "dark", "order": "wide"}.items():
        stored = Image.open(STORED / f"sound-{view}.png").convert("RGB")
        assert another(stored, smaller(tmp_path / f"{name}-{view}-pinned.png")), name


@pytest.mark.parametrize("kind", report_world.KINDS)
def test_a_report_is_whole_in_every_view(
    tmp_path: Path, toolchain_python: Path, browser: str, tools: Path, kind: str
) -> None:
    bundle = report_world.build(toolchain_python, kind, tmp_path)
    page = tmp_path / f"{kind}.html"
    shutil.copyfile(bundle / "report.html", page)
    shown = read_page(page.read_text("utf-8"))
    samples = shown.all("article")
    assert len(samples) == min(12, len(samples) or 1) and len(samples) > 4
    drawn = [each.attributes["href"] for each in samples[0].all("use")]
    assert len(drawn) == (2 if kind in {"boxes", "mask", "keypoints", "drawn"} else 0)
    assert len(samples[0].all("image")) == {"towers": 2, "text": 0, "mask": 3}.get(kind, 1)
    check(browser, tools, tmp_path, page)


def test_classes_a_search_and_the_matrix_are_whole_in_every_view(
    tmp_path: Path, digits_bundle: Path, browser: str, tools: Path
) -> None:
    folder = tmp_path / "auto"
    shutil.copytree(DIGITS, folder)
    recipe = folder / "recipe.toml"
    text = recipe.read_text("utf-8").replace('scheme = "int8"', 'scheme = "auto"', 1)
    recipe.write_text(text.replace('io = "uint8"', "#", 1), "utf-8")
    made = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert made.returncode == 0, made.stderr
    argv = ("--tensorflow", "2.19.1", "--scheme", "int8,float16", "--engine", "local", "--out", str(tmp_path / "m"))
    made = run_kit("matrix", str(DIGITS / "recipe.toml"), *argv)
    assert made.returncode == 0, made.stderr
    pages = [tmp_path / name for name in ("digits.html", "search.html", "matrix.html")]
    shutil.copyfile(digits_bundle / "report.html", pages[0])
    shutil.copyfile(tmp_path / "dist" / "digits" / "report.html", pages[1])
    shutil.copyfile(tmp_path / "m" / "digits.matrix" / "matrix.html", pages[2])
    assert read_page(pages[1].read_text("utf-8")).all("svg", class_="scatter")
    check(browser, tools, tmp_path, *pages)


def test_what_is_wrong_with_a_page_is_found(tmp_path: Path, digits_bundle: Path, browser: str, tools: Path) -> None:
    page = (digits_bundle / "report.html").read_text("utf-8")
    wide = page.replace("<h2>", '<p><span style="white-space: nowrap">' + "wide " * 400 + "</span></p><h2>", 1)
    faults = {
        "wide": wide,
        "pale": page.replace("--ink: #1b1f24", "--ink: #dddddd"),
        "fetch": page.replace("<h2>", '<img alt="x" src="file:///nowhere.png"><h2>', 1),
    }
    for name, text in faults.items():
        (tmp_path / f"{name}.html").write_text(text, "utf-8")
    found = looked_at(browser, tools, tmp_path, *(tmp_path / f"{name}.html" for name in faults))
    phone = {view["page"]: view for view in found if view["view"] == "phone"}
    assert phone["wide"]["page_width"] > 360 and phone["wide"]["wide"]
    assert [each["id"] for each in phone["pale"]["violations"] if each["impact"] in SERIOUS] == ["color-contrast"]
    assert phone["fetch"]["requests"]
