"""Pages in headless Chromium: nothing is wider than the window, axe finds nothing serious, html-validate nothing.

No screenshots are stored: fonts are another on another machine, and with them every line break. A failure names the
folder where they lie.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import report_world
from filelock import FileLock
from html_pages import read_page
from third_party import cache_folder
from worlds import DIGITS, SUPPORT, run_kit

pytestmark = pytest.mark.slow
PAGES = SUPPORT / "pages"
SERIOUS = {"serious", "critical"}
VIEWS = {"wide": 1280, "phone": 360, "dark": 1280, "print": 794}


@pytest.fixture(scope="module")
def browser() -> str:
    """Give the path of Chromium. Skips with the reason where it, node or npm is missing."""
    missing = [name for name in ("chromium", "node", "npm") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install chromium npm")
    return str(shutil.which("chromium"))


@pytest.fixture(scope="module")
def tools(browser: str) -> Path:
    """Give a folder with the packages of tests/support/pages, which npm installs once as their lock says."""
    key = hashlib.sha256((PAGES / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"pages-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "node_modules" / ".package-lock.json").exists():
            shutil.copytree(PAGES, folder, dirs_exist_ok=True)
            argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    return folder


def looked_at(browser: str, tools: Path, folder: Path, *pages: Path) -> list[dict[str, Any]]:
    """Return what was found in each view of each page; folder: for the screenshots."""
    argv = ["node", str(PAGES / "look.mjs"), browser, str(folder), *map(str, pages)]
    done = subprocess.run(argv, cwd=tools, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def check(browser: str, tools: Path, folder: Path, *pages: Path) -> None:
    """Check pages in every view, and their HTML."""
    views = looked_at(browser, tools, folder, *pages)
    assert len(views) == len(VIEWS) * len(pages)
    for view in views:
        of = f"{view['page']} {view['view']}, screenshots in {folder}"
        assert view["page_width"] <= view["window"] == VIEWS[view["view"]] and not view["wide"], f"{of}: {view['wide']}"
        assert not [each for each in view["violations"] if each["impact"] in SERIOUS], f"{of}: {view['violations']}"
        assert not view["requests"], f"{of}: it fetches {view['requests']}"
        assert (folder / f"{view['page']}-{view['view']}.png").stat().st_size > 10_000
    argv = [str(tools / "node_modules" / ".bin" / "html-validate"), "--config", str(PAGES / ".htmlvalidate.json")]
    done = subprocess.run([*argv, *map(str, pages)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


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
    recipe.write_text(recipe.read_text("utf-8").replace('scheme = "int8"', 'scheme = "auto"', 1), "utf-8")
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
