"""A .tflite without a bundle, and files as users have them: .csv, stdin, AVIF; what comes out as lines, and metrics.

The model is the small one of the readers' fuzzing: an image of 8 x 8 in, three classes out, with metadata.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness.entries import InputError, Result
from harness.errors import EmulateError
from harness.progress import Bar
from harness.run_inputs import CallError, _errors
from harness.saved import save_outputs
from harness.signature import Signature as HarnessSignature
from harness.spread import Unit, Work, spread
from harness.stdin import stdin_file
from harness.tensor import Tensor
from numpy.typing import NDArray
from PIL import Image
from worlds import ROOT, run_kit

from kit.bundle.layout import Bundle
from kit.bundle.signature import ClassesEntry
from kit.emulation.bare import bare_bundle, bare_signature, newest_runtime
from kit.emulation.run import harness_argv
from kit.errors import ModelError, RecipeError
from kit.metrics.scorer import MetricMeasure
from kit.packages.heic import heic_site
from kit.scoring.samples import Run
from kit.scoring.score import OutputScore, asked_of, score
from kit.tflite.model import Signature
from kit.tflite.reader import read_tflite

MODEL = ROOT / "tests" / "fuzz" / "seeds" / "tflite" / "model.tflite"
SIGNATURES = 7  # the field of the schema's Model
CLASSES = ("zero", "one", "two")  # as it may name them


@dataclass(frozen=True)
class Desk:
    """A folder of inputs, and the harness that the kit lays beside a model file."""

    folder: Path
    argv: tuple[str, ...]

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        """Run the harness as a command, in that folder."""
        done = subprocess.run([*self.argv, *words], cwd=self.folder, input=stdin, capture_output=True, check=False)
        return subprocess.CompletedProcess(self.argv, done.returncode, done.stdout.decode(), done.stderr.decode())

    def rows(self, *words: str, stdin: bytes = b"") -> list[dict[str, str]]:
        """Return the rows that --csv prints, from a run that went well."""
        done = self.run("--csv", *words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return table(done.stdout)

    def png(self, name: str, image: NDArray[Any]) -> str:
        """Save pixels [8, 8, 1] as an image; return its name."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(self.folder / name, quality=100)
        return name


@pytest.fixture(scope="module")
def harness() -> Iterator[tuple[str, ...]]:
    """Give the command that runs the model file."""
    with bare_bundle(MODEL, newest_runtime(), print) as folder:
        yield tuple(harness_argv(folder, newest_runtime(), [], print))


@pytest.fixture
def desk(tmp_path: Path, harness: tuple[str, ...]) -> Desk:
    return Desk(tmp_path, harness)


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def images() -> NDArray[Any]:
    """Give six images, uint8 [6, 8, 8, 1]."""
    return np.random.default_rng(7).integers(0, 256, (6, 8, 8, 1), np.uint8)


def scores(rows: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    return [(row["digit"], row["digit_score"]) for row in rows]


def without_signatures(model: bytes) -> bytes:
    """Return a model file whose table of signatures is gone, as converters of 2020 wrote them."""
    content = bytearray(model)
    (root,) = struct.unpack_from("<I", content, 0)
    table = root - struct.unpack_from("<i", content, root)[0]
    struct.pack_into("<H", content, table + 4 + 2 * SIGNATURES, 0)
    return bytes(content)


# ---------------------------------------------------------------- a model file alone


def test_the_kit_runs_a_model_file_by_its_signature_and_its_metadata(desk: Desk, images: NDArray[Any]) -> None:
    desk.png("my digit.png", images[0])
    done = run_kit("emulate", str(MODEL), "--", "my digit.png", cwd=desk.folder)
    assert (done.returncode, done.stderr) == (0, "")
    first, name, output, *classes = done.stdout.splitlines()
    assert first == "model 1.0.0 on ai-edge-litert 2.3.0, 1 thread"
    assert (name, output.strip(), len(classes)) == ("my digit.png", "digit", 3)


def test_a_model_file_without_signatures_runs_by_its_tensors_names(desk: Desk, images: NDArray[Any]) -> None:
    plain = desk.folder / "plain.tflite"
    plain.write_bytes(without_signatures(MODEL.read_bytes()))
    name = desk.png("a.png", images[0])
    (wanted,) = desk.rows(name)
    older = ("--runtime", "tflite:2.14.0", "--kernels", "reference")
    done = run_kit("emulate", str(plain), "--csv", *older, "--", name, cwd=desk.folder)
    (row,) = table(done.stdout)
    assert list(row.values()) == list(wanted.values())
    assert "digit" not in row


def test_a_model_file_without_files_says_that_it_has_no_golden_vectors(desk: Desk, images: NDArray[Any]) -> None:
    for words in ((), ("--golden", "--", "a.png")):
        done = run_kit("emulate", str(MODEL), *words, cwd=desk.folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert "a model file alone has no golden vectors" in done.stderr
        assert "give files: kit emulate model.tflite -- FILES; or build a bundle of it" in done.stderr
    desk.png("a.png", images[0])
    assert run_kit("emulate", str(MODEL), "--", "a.png", cwd=desk.folder).returncode == 0


def test_metadata_says_how_pixels_become_values_and_what_classes_are_called() -> None:
    signature, labels = bare_signature(read_tflite(MODEL), "tiny", {"labels.txt": b"zero\none\ntwo\n"})
    image, digit = signature.inputs[0].image, signature.outputs[0].classes
    assert image is not None and digit is not None
    assert (image.color, image.mean, image.std) == ("grayscale", (0.0,), (255.0,))
    assert (digit.labels, labels) == ("labels.txt", {"labels.txt": CLASSES})
    few, none = bare_signature(read_tflite(MODEL), "tiny", {"labels.txt": b"zero\none\n"})
    assert (few.outputs[0].kind, none) == ("tensor", {})  # not one for each class


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"hello")
    with (
        pytest.raises(ModelError, match=r"not a \.tflite file"),
        bare_bundle(tmp_path / "model.tflite", newest_runtime(), print),
    ):
        pass


def test_a_signature_of_texts_is_left_out_and_without_another_the_file_is_refused() -> None:
    file = read_tflite(MODEL)
    (graph,) = file.subgraphs
    strings = replace(graph, tensors=tuple(replace(tensor, dtype="string") for tensor in graph.tensors))
    for lacking in (replace(file, subgraphs=(strings,)), replace(file, signatures=(Signature("x", 0, {}, {}),))):
        with pytest.raises(
            ModelError, match="none of its signatures has inputs and outputs, and numbers alone"
        ) as caught:
            bare_signature(lacking, "tiny", {})
        assert caught.value.hint == "convert it with a signature that takes and gives numbers"
    both = replace(
        file, signatures=(Signature("texts", 1, {"x": 0}, {"y": 0}), *file.signatures), subgraphs=(graph, strings)
    )
    assert bare_signature(both, "tiny", {})[0] == bare_signature(file, "tiny", {})[0]


# ---------------------------------------------------------------- files of any kind


def test_images_tables_arrays_and_stdin_give_the_same(desk: Desk, images: NDArray[Any]) -> None:
    rows = images.reshape(6, 64)
    titles = ",".join(f"image_{index}" for index in range(64))
    body = [",".join(map(str, row)) for row in rows]
    (desk.folder / "plain.csv").write_text("\n".join(body), "utf-8")
    (desk.folder / "titled.csv").write_text("\n".join([f"y,{titles}", *(f"1,{row}" for row in body)]), "utf-8")
    np.savez(desk.folder / "x.npz", image=images)
    np.save(desk.folder / "x.npy", images)
    wanted = scores(desk.rows(*(desk.png(f"album/{index}.png", image) for index, image in enumerate(images))))
    assert len(wanted) == 6
    found = desk.rows("plain.csv", "titled.csv", "x.npz", "x.npy", "album")
    assert scores(found) == 5 * wanted
    assert [row["index"] for row in found[:6]] == ["0", "1", "2", "3", "4", "5"]
    for name in ("plain.csv", "x.npy"):
        piped = desk.rows("-", stdin=(desk.folder / name).read_bytes())
        assert (scores(piped), {row["input"] for row in piped}) == (wanted, {"-"})
    assert scores(desk.rows("-", stdin=images[2].tobytes())) == wanted[2:3]  # raw bytes
    assert scores(desk.rows("-", stdin=(desk.folder / "album/3.png").read_bytes())) == wanted[3:4]


def test_an_avif_is_read_and_a_heic_is_refused_with_what_to_do(desk: Desk, images: NDArray[Any]) -> None:
    (desk.folder / "p.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    done = desk.run("--csv", "p.heic", desk.png("p.avif", images[0]))
    assert done.returncode == 2
    assert done.stderr.startswith(
        "emulate: p.heic: is a HEIC image, and pillow-heif is not installed; save it as JPEG or PNG; or run: "
    )
    assert done.stderr.rstrip().endswith("-m pip install pillow-heif")
    assert [row["input"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["p.avif", "p.heic"]


def test_the_kit_reads_heic_as_a_phone_takes_it(desk: Desk) -> None:
    album = desk.folder / "album"
    album.mkdir()
    site = heic_site([str(album / "seven.heic")], print)
    script = (
        "import sys; from PIL import Image; import pillow_heif as h; h.register_heif_opener(); "
        "image = Image.open(sys.argv[1]).convert('RGB').resize((64, 64), 0); "
        "image.save(sys.argv[2], quality=100); image.save(sys.argv[2] + '.png')"
    )
    argv = [desk.argv[0], "-c", script, str(ROOT / "examples/digits/seven.png"), str(album / "seven.heic")]
    subprocess.run(argv, check=True, env={**os.environ, "PYTHONPATH": str(site)})
    assert (album / "seven.heic").read_bytes()[4:12] == b"ftypheic"
    done = run_kit("emulate", str(MODEL), "--csv", "--", str(album))
    assert done.returncode == 0, done.stderr
    heic, png = table(done.stdout)
    assert [row["input"] for row in (heic, png)] == [str(album / "seven.heic"), str(album / "seven.heic.png")]
    assert heic["digit"] == png["digit"]
    assert float(heic["digit_score"]) == pytest.approx(float(png["digit_score"]), abs=0.05)


BAD_TABLES = {
    "a,b\n1,2\n": "its first row has no column 'image', nor 'image_0'",
    "1,2,3\n": "image has 3 columns, and a sample is [8, 8, 1]",
    "1,2\n3\n": "row 2 has 1 cells, and the first one 2",
    "image\nseven\n": "row 2: 'seven' is no number",
    "image\n-1\n": "image has values that are no pixels: whole numbers from 0 to 255",
    "image\n": "it has titles and no rows",
    "": "it has no rows",
}


def test_each_bad_table_is_one_line_and_the_good_one_is_run(desk: Desk, images: NDArray[Any]) -> None:
    for number, text in enumerate(BAD_TABLES):
        (desk.folder / f"{number}.csv").write_text(text, "utf-8")
    (desk.folder / "latin.csv").write_bytes(b"image\n\xe9\n")
    done = desk.run("--jsonl", *(f"{number}.csv" for number in range(7)), "latin.csv", desk.png("a.png", images[0]))
    assert done.returncode == 2
    good, *bad = map(json.loads, done.stdout.splitlines())
    assert good["input"] == "a.png"
    assert [entry["error"] for entry in bad[:7]] == list(BAD_TABLES.values())
    assert bad[7]["error"].startswith("it is no .csv in UTF-8")
    assert done.stderr.count("\n") == 8


def test_empty_stdin_is_refused_and_a_file_that_is_piped_is_run(desk: Desk, images: NDArray[Any]) -> None:
    done = desk.run("-")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "emulate: -: stdin is empty; pipe a file into it: emulate.py - < seven.png\n"
    assert desk.run("-", stdin=(desk.folder / desk.png("seven.png", images[0])).read_bytes()).returncode == 0


def test_more_than_a_file_through_stdin_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: NDArray[Any]
) -> None:
    (tmp_path / "x.raw").write_bytes(images[0].tobytes())
    signature = HarnessSignature("s", {"image": Tensor("image", (1, 8, 8, 1), "uint8", None, 0, "tensor")}, {})
    for most, refused in ((63, True), (64, False)):
        monkeypatch.setattr("harness.stdin.MOST_BYTES", most)
        with (tmp_path / "x.raw").open("r") as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            if refused:
                with pytest.raises(EmulateError, match="more than 63 bytes come through stdin") as caught:
                    stdin_file(signature).__enter__()
                assert caught.value.hint == "name the file"
            else:
                with stdin_file(signature) as path:
                    assert (path.suffix, path.read_bytes()) == (".raw", images[0].tobytes())


# ---------------------------------------------------------------- what comes out


def test_two_forms_at_once_and_lines_of_no_file_are_refused(desk: Desk, images: NDArray[Any]) -> None:
    name = desk.png("a.png", images[0])
    done = desk.run("--csv", "--jsonl", name)
    assert (done.returncode, "--jsonl and --csv are two forms of one output: give one of them" in done.stderr) == (
        2,
        True,
    )
    done = desk.run("--csv", "--benchmark=3", name)
    assert (done.returncode, "--csv has a line for each INPUT and nothing else" in done.stderr) == (2, True)


def test_outputs_are_saved_as_the_model_gave_them(desk: Desk, images: NDArray[Any]) -> None:
    np.savez(desk.folder / "x.npz", image=images)
    done = desk.run("--save-outputs", "out.npz", "--json", "x.npz", desk.png("a.png", images[0]))
    assert done.returncode == 0, done.stderr
    with np.load(desk.folder / "out.npz") as saved:
        digit, names, index = saved["output/digit"], saved["input"].tolist(), saved["index"].tolist()
    assert (digit.dtype, digit.shape) == (np.uint8, (7, 1, 3))
    assert (names, index) == ([*["x.npz"] * 6, "a.png"], [0, 1, 2, 3, 4, 5, -1])
    assert digit[0].tobytes() == digit[6].tobytes()
    best = [result["outputs"]["digit"]["top"][0]["index"] for result in json.loads(done.stdout)["results"]]
    assert best == digit[:, 0].argmax(axis=-1).tolist()


def test_outputs_that_cannot_be_saved_are_one_clear_line(desk: Desk, images: NDArray[Any]) -> None:
    done = desk.run("--save-outputs", "none/out.npz", desk.png("a.png", images[0]))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("name a file that can be written: --save-outputs FILE.npz\n")
    results = [Result("a", None, ()), Result("b", None, ())]
    calls = [{"y": np.zeros((1, size), np.float32)} for size in (2, 3)]
    with pytest.raises(EmulateError, match="the outputs have several shapes") as caught:
        save_outputs(desk.folder / "out.npz", results, calls)
    assert caught.value.hint == "give INPUTs of one size"
    save_outputs(desk.folder / "out.npz", results, [calls[0], calls[0]])


@pytest.mark.slow
def test_several_processes_print_what_one_prints(desk: Desk, images: NDArray[Any]) -> None:
    many = np.tile(images, (1500, 1, 1, 1))
    many[:, 0, 0, 0] = np.arange(len(many)) % 251
    np.savez(desk.folder / "many.npz", image=many, y=np.zeros(150_000))  # large enough to be shared call by call
    seen = []
    for jobs in ("1", "3"):
        done = desk.run("--csv", "--jobs", jobs, "--save-outputs", f"{jobs}.npz", "many.npz")
        assert done.returncode == 0, done.stderr
        with np.load(desk.folder / f"{jobs}.npz") as saved:
            seen.append((done.stdout, saved["output/digit"].tobytes()))
    assert seen[0] == seen[1]
    assert seen[0][0].count("\n") == len(many) + 1


def test_calls_of_one_file_that_fail_alike_are_one_line_and_a_file_named_twice_is_two() -> None:
    error = InputError("a.npz", "why", "hint")
    of_calls = [CallError(place, replace(error, trace=str(number))) for place in (1, 2) for number in range(3)]
    assert [each.trace for each in _errors([error, *of_calls, error])] == ["", "0", "0", ""]


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_long_work_has_a_bar_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    screens = (Terminal(), io.StringIO())
    for name in ("_SOON", "_OFTEN"):
        monkeypatch.setattr(f"harness.progress.{name}", 0)
    for screen in screens:
        bar = Bar(screen)
        bar.advance(6, 18)
        bar.close()
    shown, silent = (screen.getvalue() for screen in screens)
    assert re.fullmatch(r"\r\x1b\[Krun \[######\.{18}\] 6/24, about \d+ s left\r\x1b\[K", shown)
    assert silent == ""
    monkeypatch.setattr("harness.progress._SOON", 60)
    bar = Bar(soon := Terminal())
    bar.advance(6, 18)
    bar.close()
    assert soon.getvalue() == ""


def work(processes: int, fail_in: str = "") -> Work:
    """Return work of which each unit takes 10 ms and gives its number and the process that made it."""
    ours = os.getpid()

    def make(number: int, _own: object) -> list[tuple[int, int]]:
        """Give one unit, or fail."""
        time.sleep(0.01)
        if fail_in == ("here" if os.getpid() == ours else "there"):
            raise ValueError("of this unit")
        return [(number, os.getpid())]

    def units() -> Iterator[Unit]:
        """Give 120 of them."""
        return (Unit(partial(make, number), 119 - number) for number in range(120))

    return Work(units, None, lambda: None, 0.0, processes, lambda: True, lambda *_: None)


def test_units_come_back_in_order_from_several_processes() -> None:
    made = spread(work(3))
    assert [number for number, _ in made] == list(range(120))
    assert len({process for _, process in made}) == 3
    assert {process for _, process in spread(work(1))} == {os.getpid()}


def test_units_of_a_process_that_fails_are_made_here_and_what_fails_here_says_so() -> None:
    assert spread(work(2, "there")) == [(number, os.getpid()) for number in range(120)]
    with pytest.raises(ValueError, match="of this unit"):
        spread(work(1, "here"))


# ---------------------------------------------------------------- truth beside


def truth(desk: Desk, images: NDArray[Any]) -> list[str]:
    """Save the images in a folder, and what the model says of them, but for one, in truth.csv; return the truth."""
    names = [desk.png(f"album/{index}.png", image) for index, image in enumerate(images)]
    said = best(desk, names)
    said[4] = (said[4] + 1) % 3
    rows = [f"{name.removeprefix('album/')},{number}" for name, number in zip(names, said, strict=True)]
    (desk.folder / "truth.csv").write_text("\n".join(["file,digit", *reversed(rows)]) + "\n", "utf-8")
    return list(map(str, said))


def best(desk: Desk, names: Sequence[str]) -> list[int]:
    """Return the model's class of each image."""
    report = json.loads(desk.run("--json", *names).stdout)
    return [result["outputs"]["digit"]["top"][0]["index"] for result in report["results"]]


def test_truth_beside_files_gives_the_metrics(desk: Desk, images: NDArray[Any]) -> None:
    classes = truth(desk, images)
    (desk.folder / "bad.png").write_text("hello", "utf-8")
    words = ("emulate", str(MODEL), "--labels")
    done = run_kit(*words, "truth.csv", "--", "album", cwd=desk.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "digit, 6 samples: accuracy 0.8333"
    # Lines for programs stay alone on stdout, and a bad file is no sample.
    done = run_kit(*words, "truth.csv", "--csv", "--", "album", "bad.png", cwd=desk.folder)
    assert (done.returncode, len(table(done.stdout))) == (2, 7)
    assert done.stderr.splitlines()[-1] == "digit, 6 samples: accuracy 0.8333"
    np.savez(desk.folder / "x.npz", image=images, y=np.array(classes, np.int64))
    done = run_kit(*words, "x.npz", "--json", "--", "x.npz", cwd=desk.folder)
    (measured,) = json.loads(done.stdout)["metrics"]
    assert measured["output"] == "digit"
    assert measured["metrics"][0] == {"name": "accuracy", "k": None, "value": 0.833333333, "samples": 6, "why": ""}


REFUSALS = {
    "few.csv": ("file,digit\n0.png,1\n", "no row has the file 'album/1.png'", "into the column file"),
    "other.csv": ("file,cat\n0.png,1\n", "the truth of no output of this model: digit", "name a column as the output"),
    "high.csv": ("digit\n7\n7\n", r"holds 7.0\.\.7.0, the model's classes are 0\.\.2", "number the classes from 0"),
    "long.csv": ("digit\n1\n1\n1\n", "3 rows for 2 samples", "write one row a sample, in their order"),
    "truth.txt": ("1\n", "it is no truth that is known", "give a .csv or an .npz, COCO JSON for boxes"),
    "broken.npz": ("PK", "it is no whole .npz of plain arrays", "give a .csv or an .npz"),
    "boxes.json": ("{}", "no output is of kind 'boxes'", "give a .csv or an .npz"),
    "album": (None, "no output is of kind 'mask'", "give a .csv or an .npz"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_truth_that_does_not_fit_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    text, what, hint = REFUSALS[name]
    (tmp_path / name).write_text(text, "utf-8") if text is not None else (tmp_path / name).mkdir()
    with pytest.raises(RecipeError, match=what) as caught:
        scored(tmp_path / name, ("album/0.png", "album/1.png"))
    assert hint in caught.value.hint


def scored(
    beside: Path, files: tuple[str, ...], *, alone: bool = True, errors: bool = False
) -> tuple[OutputScore, ...]:
    """Return the metrics of two samples, both of class 1, of files by these names."""
    signature, _ = bare_signature(read_tflite(MODEL), "tiny", {"labels.txt": b"a\nb\nc"})
    plain = replace(signature.outputs[0].classes or ClassesEntry(), labels=None)
    main = replace(signature.main, outputs=(replace(signature.outputs[0], classes=plain),))
    run = Run({"digit": np.array([[0, 1, 0], [0, 1, 0]], np.float32)}, files, alone, images=True, errors=errors)
    return score(Bundle(beside.parent, "tiny"), main, run, beside, {})


def test_rows_are_of_files_by_name_or_in_the_order_of_the_samples(tmp_path: Path) -> None:
    named, ordered = tmp_path / "named.csv", tmp_path / "ordered.csv"
    named.write_text("file,y\nb/1.png,1\nb/0.png,2\n", "utf-8")
    ordered.write_text("y\n2\n1\n", "utf-8")
    near = tuple(str(tmp_path / "b" / name) for name in ("0.png", "1.png"))
    for found in (scored(named, near), scored(ordered, near, alone=False)):
        assert [(metric.name, metric.after) for metric in found[0].metrics] == [("accuracy", 0.5)]
    with pytest.raises(RecipeError, match="one of them holds several samples") as caught:
        scored(named, near, alone=False)
    assert caught.value.hint == "leave the column file out, and write one row a sample, in their order"
    with pytest.raises(RecipeError, match="some files cannot be used") as caught:
        scored(ordered, near, errors=True)
    assert caught.value.hint == "leave those files out, or name each row's file in a column `file`"
    assert scored(named, near, errors=True)


def test_metrics_of_a_bundles_recipe_are_measured_again_but_for_the_users_own() -> None:
    names = (("top_k", 3), ("recall_at_k", 1), ("agreement", None), ("code:mine", None))
    measures = {"digit": [MetricMeasure(name, 6, k=k) for name, k in names]}
    assert asked_of(measures) == {"digit": [("top_k", 3), ("recall_at_k", None)]}


def test_labels_without_files_or_that_are_not_there_are_refused(desk: Desk, images: NDArray[Any]) -> None:
    desk.png("a.png", images[0])
    words = ("emulate", str(MODEL), "--labels", "truth.csv")
    done = run_kit(*words, "--", "a.png", cwd=desk.folder)
    assert (done.returncode, done.stderr) == (
        2,
        "recipe: --labels truth.csv: there is no such file or folder\n  next: check the name\n",
    )
    (desk.folder / "truth.csv").write_text("file,digit\na.png,1\n", "utf-8")
    done = run_kit(*words, cwd=desk.folder)
    assert done.returncode == 2
    assert done.stderr.endswith("is the truth of files, and there are none\n  next: give files: -- FILES\n")
    assert run_kit(*words, "--", "a.png", cwd=desk.folder).returncode == 0
