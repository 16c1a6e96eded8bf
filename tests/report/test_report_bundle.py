"""report.html of a bundle: what it says beside what was measured, and what a recipe leaves out of it."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
from html_pages import Element, read_page
from PIL import Image
from worlds import DIGITS, run_kit

from kit.files import sha256_file

HOSTILE = "</td><script>alert(1)</script> & \"x\" 'y' {{ 7 * 7 }}"


def page_of(bundle: Path) -> Element:
    """Return the page of a bundle."""
    return read_page((bundle / "report.html").read_text("utf-8"))


def section(page: Element, title: str) -> Element:
    """Return the section of a heading."""
    return next(each for each in page.all("section") if each.all("h2")[0].text == title)


def words(element: Element) -> str:
    """Return the text with single spaces."""
    return element.words


def test_the_page_says_what_was_measured(digits_bundle: Path) -> None:
    manifest = json.loads((digits_bundle / "bundle.json").read_text("utf-8"))
    page = page_of(digits_bundle)
    (digit,) = manifest["measures"]["outputs"]
    assert words(page.all("p", class_="verdict")[0]) == f"✓ All {len(manifest['checks'])} checks passed"
    reached = words(section(page, "What it reaches"))
    (metric,) = digit["metrics"]
    assert f"accuracy {digit['float_accuracy']:.2%} {digit['accuracy']:.2%}" in reached
    assert f"{-100 * metric['high']:.2f} to +{-100 * metric['low']:.2f} points" in reached
    assert "360 samples of [checks] data, with litert:2.3.0" in reached
    tiles = words(page.all("dl")[0])
    before, after = (
        (DIGITS.parent / "digits.keras").stat().st_size if DIGITS.is_file() else 0,
        manifest["model"]["bytes"],
    )
    assert f"{after / 1000:,.1f}\N{NO-BREAK SPACE}kB" in page.all("dl")[0].text and "size" in tiles
    assert before == 0 or f"{before / 1000:,.1f}\N{NO-BREAK SPACE}kB" in page.all("dl")[0].text
    checks = section(page, "Checks").all("tr")
    assert [words(row.all("th")[0]) for row in checks[1:]] == [check["name"] for check in manifest["checks"]]
    rows = [words(row).replace("\N{MULTIPLICATION SIGN}", "x") for row in section(page, "Signature").all("tr")[1:]]
    assert rows[0].startswith("image input uint8 1 x 8 x 8 x 1") and rows[1].startswith("digit output uint8 1 x 10")
    provenance = words(section(page, "Provenance"))
    assert manifest["model"]["sha256"] in provenance and manifest["source"]["files"][0]["sha256"] in provenance
    assert manifest["toolchain"]["tensorflow"] in provenance and "written by Keras" in provenance
    code = [each.text for each in section(page, "Kotlin").all("pre")]
    assert "litert:2.3.0" in code[0] and "Digits.create(context)" in code[1] and "outputs.digitTop(k = 3)" in code[1]
    assert code[2] == next(digits_bundle.rglob("Digits.kt")).read_text("utf-8")
    assert "the golden vectors were replayed on it and pass" in words(section(page, "Runtimes"))
    counts = words(section(page, "Variables"))
    assert counts.startswith("Variables 0 kept") and "constant" in counts
    assert len(section(page, "Errors of digit").all("rect")) > 5
    assert manifest["files"]["report.html"] == sha256_file(digits_bundle / "report.html")


def test_samples_are_those_that_were_measured_the_worst_first(digits_bundle: Path) -> None:
    samples = section(page_of(digits_bundle), "Samples").all("article")
    assert len(samples) == 12
    with np.load(DIGITS / "test.npz") as archive:
        images, y = archive["image"], archive["y"]
    for sample in samples:
        row = int(words(sample.all("h3")[0]).split()[1])
        href = sample.all("image")[0].attributes["href"]
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(href.partition(",")[2]))))
        assert np.array_equal(shown, images[row].reshape(shown.shape))
        assert f"true: {y[row]}" in words(sample)
        assert [words(each) for each in sample.all("p", class_="who")] == ["float model", "this file"]
    changed = [bool(sample.all("h3")[0].all("span")) for sample in samples]
    assert changed == sorted(changed, reverse=True) and changed[0]
    assert len((digits_bundle / "report.html").read_bytes()) < 100_000


def test_a_recipe_without_samples_shows_none_and_no_text_of_its_breaks_out(tmp_path: Path) -> None:
    shutil.copytree(DIGITS, tmp_path / "digits")
    recipe = tmp_path / "digits" / "recipe.toml"
    (tmp_path / "digits" / "labels.txt").write_text("".join(f"{HOSTILE} {n}\n" for n in range(10)), "utf-8")
    text = recipe.read_text("utf-8")
    name = json.dumps(HOSTILE)
    described = text.replace("[model]\n", f"[model]\ndescription = {name}\nauthor = {name}\n", 1)
    recipe.write_text(f"{described}\n[report]\nsamples = 0\n", "utf-8")
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert built.returncode == 0, built.stderr
    page = page_of(tmp_path / "dist" / "digits")
    samples = section(page, "Samples")
    assert "[report] samples = 0" in words(samples)
    assert not samples.all("article") and not page.all("image")
    shown = page.all("body")[0].text
    assert f"{HOSTILE} 6" in shown and "49" not in words(page.all("p", class_="sub")[0])
    assert words(page.all("p", class_="sub")[0]) == HOSTILE
    assert str(tmp_path) not in (tmp_path / "dist" / "digits" / "report.html").read_text("utf-8")
