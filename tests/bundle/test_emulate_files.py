"""Many files at once, with names and in folders as users have them: what a bundle's harness makes of them, and the kit.

The harness runs as a command on LiteRT; the kit as `kit`, `python -m kit` and `inv`.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Desk, assert_one_clear_line
from worlds import DIGITS, ROOT, run_kit

NAMES = (
    "with space.png",
    "it's.png",
    'a "quoted".png',
    "back\\slash.png",
    "$HOME.png",
    "-odd.png",
    "--json",
    "a  b.png",
)


@pytest.fixture
def desk(tmp_path: Path, digits_bundle: Path, runtime_python: Path) -> Desk:
    (tmp_path / "inputs").mkdir()
    return Desk(runtime_python, shutil.copytree(digits_bundle, tmp_path / "bundle"), tmp_path / "inputs")


def album(desk: Desk, *names: str) -> list[str]:
    """Save an image under each name below the folder of inputs, and return the names."""
    for index, name in enumerate(names):
        (desk.inputs / name).parent.mkdir(exist_ok=True)
        image = desk.image(index % len(desk.golden["input/image"]), "made.png")
        image.rename(desk.inputs / name)
    return list(names)


def bad(desk: Desk, name: str) -> str:
    """Write a file that is no image, and return its name."""
    (desk.inputs / name).write_text("hello", "utf-8")
    return name


def inputs_of(report: dict[str, Any]) -> list[str]:
    return [result["input"] for result in report["results"]]


# ---------------------------------------------------------------- bad files among good ones


def test_the_good_files_are_printed_and_each_bad_one_is_one_line(desk: Desk) -> None:
    first, third = album(desk, "first.png", "third.png")
    done = desk.run(first, bad(desk, "second.png"), third, "none.png")
    assert done.returncode == 2
    assert [line for line in done.stdout.splitlines() if line.endswith(".png")] == [first, third]
    lines = done.stderr.splitlines()
    assert [line.partition("; ")[2] for line in lines] == [
        "emulate.py --help has what an INPUT may be",
        "check the name",
    ]
    assert lines[0].startswith("emulate: second.png: is not an image that Pillow can read")
    assert lines[1].startswith("emulate: none.png: there is no such file")


def test_json_has_the_good_files_as_results_and_the_bad_ones_as_errors(desk: Desk) -> None:
    good = album(desk, "first.png", "third.png")
    done = desk.run(good[0], bad(desk, "second.png"), good[1], "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert report["results"] == desk.report(*good)["results"]
    (error,) = report["errors"]
    assert (error["input"], error["hint"]) == ("second.png", "emulate.py --help has what an INPUT may be")
    assert done.stderr == f"emulate: second.png: {error['error']}; {error['hint']}\n"
    assert "errors" not in desk.report(*good)


def test_bad_files_alone_print_nothing_but_their_lines(desk: Desk) -> None:
    assert_one_clear_line(desk.run(bad(desk, "a.png")), 2, "a.png: is not an image")
    done = desk.run(bad(desk, "a.png"), bad(desk, "b.npy"), "--benchmark")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 2)
    report = json.loads(desk.run("a.png", "--json").stdout)
    assert (report["results"], [error["input"] for error in report["errors"]]) == ([], ["a.png"])


def test_a_bad_file_keeps_neither_the_golden_vectors_nor_the_benchmark_from_running(desk: Desk) -> None:
    (good,) = album(desk, "good.png")
    done = desk.run(bad(desk, "bad.png"), good, "--golden", "--benchmark=3", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], report["benchmark"]["runs"]) == (2, "pass", 3)


def test_golden_vectors_that_are_off_end_with_4_whatever_the_files(desk: Desk) -> None:
    desk.change_golden(output_digit=desk.golden["output/digit"] ^ 0x80)
    assert desk.run(bad(desk, "bad.png"), "--golden").returncode == 4


def test_debug_shows_the_traceback_of_each_bad_file(desk: Desk) -> None:
    (good,) = album(desk, "good.png")
    done = desk.run(bad(desk, "a.png"), good, "none.png", "--debug")
    assert done.returncode == 2
    assert [done.stderr.count(f"Error: {name}: ") for name in ("a.png", "none.png")] == [1, 1]
    assert done.stderr.splitlines()[-1] == "emulate: none.png: there is no such file; check the name"
    assert good in done.stdout


@pytest.mark.parametrize("name", ["two\nlines.png", "x" * 300 + ".png"])
def test_a_name_that_no_line_or_no_disk_holds_is_one_line(desk: Desk, name: str) -> None:
    done = desk.run(*album(desk, "good.png"), name)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "good.png" in done.stdout


# ---------------------------------------------------------------- names


def test_behind_two_dashes_all_is_a_file(desk: Desk) -> None:
    names = album(desk, *NAMES)
    done = desk.run("--json", "--", *names)
    assert (done.returncode, done.stderr) == (0, "")
    assert inputs_of(json.loads(done.stdout)) == names
    both = desk.run("with space.png", "--json", "--", "-odd.png")
    assert inputs_of(json.loads(both.stdout)) == ["with space.png", "-odd.png"]


def test_an_empty_name_is_no_folder(desk: Desk) -> None:
    album(desk, "a.png")
    assert_one_clear_line(desk.run(""), 2, "the name of an INPUT is empty; emulate.py --help shows the options")


def kit(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("kit")), *words], cwd=cwd, capture_output=True, text=True, check=False
    )


def inv(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Invoke on the checkout's tasks."""
    argv = [sys.executable, "-m", "invoke", "--search-root", str(ROOT), *words]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)


RUNS: dict[str, Callable[..., subprocess.CompletedProcess[str]]] = {"kit": kit, "python -m kit": run_kit, "inv": inv}


@pytest.mark.parametrize("run", RUNS)
def test_the_kit_hands_on_each_name_as_the_shell_gave_it(desk: Desk, digits_bundle: Path, run: str) -> None:
    names = album(desk, *NAMES)
    done = RUNS[run]("emulate", str(digits_bundle), "--json", "--", *names, cwd=desk.inputs)
    assert (done.returncode, done.stderr) == (0, "")
    assert inputs_of(json.loads(done.stdout)) == names


def test_the_kit_ends_with_2_after_the_good_files(desk: Desk, digits_bundle: Path) -> None:
    (good,) = album(desk, "good one.png")
    words = ("--input", bad(desk, "bad one.png"), "--golden", "--threads", "2", "--", good)
    done = run_kit("emulate", str(digits_bundle), *words, cwd=desk.inputs)
    assert done.returncode == 2
    assert done.stderr.startswith("emulate: bad one.png: is not an image that Pillow can read")
    assert f"\n{good}\n" in done.stdout
    assert "golden: pass" in done.stdout
    assert "2 threads" in done.stdout


# ---------------------------------------------------------------- folders and patterns


def test_a_folder_stands_for_the_files_in_it_that_can_be_read(desk: Desk) -> None:
    album(desk, "album/b.png", "album/a.JPEG", "album/.hidden.png", "album/deeper.png/c.png")
    shutil.copy(desk.save("x.npz", image=desk.golden["pixels/image"][:2]), desk.inputs / "album" / "c.npz")
    shutil.copy(desk.save("x.npy", image=desk.golden["pixels/image"][0]), desk.inputs / "album" / "d.npy")
    for name in ("e.raw", "f.bin"):
        (desk.inputs / "album" / name).write_bytes(desk.golden["input/image"][0].tobytes())
    bad(desk, "album/labels.txt")
    names = "a.JPEG b.png c.npz c.npz d.npy e.raw f.bin".split()
    assert inputs_of(desk.report("album")) == [f"album/{name}" for name in names]


def test_a_bad_file_in_a_folder_is_one_line_and_the_others_are_printed(desk: Desk) -> None:
    album(desk, "album/a.png", "album/c.png")
    done = desk.run("album/", bad(desk, "album/b.png"), *album(desk, "z.png"))
    assert done.returncode == 2
    lines = [line for line in done.stdout.splitlines() if line.endswith(".png")]
    assert lines == ["album/a.png", "album/c.png", "z.png"]
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["album/b.png"] * 2


def test_a_folder_of_an_input_that_is_no_image_stands_for_its_arrays(desk: Desk) -> None:
    def no_image(signature: dict[str, Any]) -> None:
        kept = ("name", "shape", "dtype", "scale", "zero_point")
        signature["inputs"] = [{key: signature["inputs"][0][key] for key in kept} | {"kind": "tensor"}]

    desk.change_signature(no_image)
    album(desk, "album/a.png")
    assert_one_clear_line(
        desk.run("album"), 2, "album: no file in this folder ends in .npz, .csv, .npy, .raw, .bin; name a"
    )
    shutil.copy(desk.save("x.npy", image=desk.golden["input/image"][0]), desk.inputs / "album" / "d.npy")
    assert inputs_of(desk.report("album")) == ["album/d.npy"]


def test_an_empty_folder_is_one_clear_line(desk: Desk) -> None:
    (desk.inputs / "album").mkdir()
    bad(desk, "album/labels.txt")
    assert_one_clear_line(
        desk.run("album"), 2, "album: no file in this folder ends in .png, .jpg, .*, .npz, .csv, .npy, .raw"
    )


def test_a_pattern_that_the_shell_left_is_expanded(desk: Desk) -> None:
    album(desk, "album/b.png", "album/a.png", "album/c.jpg", "album/.hidden.png", "album/folder.png/d.png", "[1].png")
    assert inputs_of(desk.report("album/*.png")) == ["album/a.png", "album/b.png"]
    assert inputs_of(desk.report(desk.inputs / "album" / "[bc].*")) == [
        str(desk.inputs / "album" / name) for name in ("b.png", "c.jpg")
    ]
    assert inputs_of(desk.report("album/**/d.png")) == ["album/folder.png/d.png"]
    assert inputs_of(desk.report("[1].png")) == ["[1].png"]  # a file of that very name


def test_a_pattern_that_nothing_matches_is_one_clear_line(desk: Desk) -> None:
    (good,) = album(desk, "album/a.png")
    assert_one_clear_line(desk.run("album/*.jpg"), 2, r"album/\*.jpg: no file matches this pattern; check the name")
    done = desk.run("album/*.jpg", good)
    assert done.returncode == 2
    assert good in done.stdout


def test_a_pattern_may_come_through_the_kit(desk: Desk, digits_bundle: Path) -> None:
    album(desk, "my album/a.png", "my album/b.png")
    done = run_kit("emulate", str(digits_bundle), "--json", "--", "my album/*.png", cwd=desk.inputs)
    assert (done.returncode, done.stderr) == (0, "")
    assert inputs_of(json.loads(done.stdout)) == ["my album/a.png", "my album/b.png"]
    assert run_kit("emulate", str(digits_bundle), "--", "my album", cwd=desk.inputs).returncode == 0


# ---------------------------------------------------------------- tables whose columns are not what they seem


def table(desk: Desk, name: str, titles: list[str]) -> str:
    """Write the pixels of the first golden vector as a .csv with these titles, and return its name."""
    pixels = desk.golden["pixels/image"][0].reshape(-1)
    rows = [",".join(titles), ",".join(map(str, pixels[: len(titles)]))]
    (desk.inputs / name).write_text("\n".join(rows) + "\n", "utf-8")
    return name


def test_columns_are_numbered_from_0_or_1_without_a_hole(desk: Desk) -> None:
    titles = [f"image_{at}" for at in range(64)]
    best = desk.top(table(desk, "right.csv", titles))
    assert desk.top(table(desk, "from1.csv", [f"image_{at}" for at in range(1, 65)])) == best
    holed = table(desk, "hole.csv", [*titles[:5], "image_99", *titles[6:]])
    assert_one_clear_line(desk.run(holed), 2, "its first row has no column image_5, and a column image_99")
    twice = table(desk, "twice.csv", [*titles[:5], "image_4", *titles[6:]])
    assert_one_clear_line(desk.run(twice), 2, "its first row has two columns image_4, and a column image_63")
    from2 = table(desk, "from2.csv", [f"image_{at}" for at in range(2, 66)])
    assert_one_clear_line(desk.run(from2), 2, "its first row has no column image_0, and a column image_65")


# ---------------------------------------------------------------- where results go


def test_outputs_are_written_over_no_input_and_no_file_of_the_bundle(desk: Desk) -> None:
    given = desk.save("own.npz", image=desk.golden["pixels/image"])
    before = given.read_bytes()
    refused = desk.run("own.npz", "--save-outputs", "../inputs/own.npz")
    assert_one_clear_line(refused, 2, "--save-outputs ../inputs/own.npz: that is an INPUT; name another file")
    assert given.read_bytes() == before
    assert_one_clear_line(desk.run(".", "--save-outputs", "own.npz"), 2, "that is an INPUT")
    golden = desk.emulate / "golden.npz"
    refused = desk.run("own.npz", "--save-outputs", golden)
    assert_one_clear_line(refused, 2, "that is in the bundle; name a file in another place")
    assert desk.run("own.npz", "--save-outputs", "made.npz").returncode == 0
    assert sorted(path.name for path in desk.inputs.iterdir()) == ["made.npz", "own.npz"]


def test_the_kit_writes_nothing_into_a_bundle(digits_bundle: Path, tmp_path: Path) -> None:
    inside = digits_bundle / "emulate" / "golden.npz"
    refused = run_kit("emulate", str(digits_bundle), "--save-outputs", str(inside), "--", str(DIGITS / "seven.png"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"--save-outputs {inside}: that is in the bundle\n  next: name a file in another place" in refused.stderr
    other = str(tmp_path / "outputs.npz")
    done = run_kit("emulate", str(digits_bundle), "--save-outputs", other, "--", str(DIGITS / "seven.png"))
    assert done.returncode == 0, done.stderr


def test_a_float_model_beside_files_needs_a_word_more(digits_bundle: Path) -> None:
    words = ("emulate", str(digits_bundle), "--against", str(digits_bundle))
    refused = run_kit(*words, "--", str(DIGITS / "seven.png"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "with files neither --compare nor --profile is given\n  next: add --compare, or --profile" in refused.stderr
    done = run_kit(*words, "--compare", "--", str(DIGITS / "seven.png"))
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- streams


def test_a_pipe_is_refused_without_waiting_for_its_writer(desk: Desk) -> None:
    os.mkfifo(desk.inputs / "pipe.png")
    assert_one_clear_line(
        desk.run("pipe.png"), 2, "pipe.png: it is a pipe or a device; send it through stdin: - for the INPUT"
    )
    content = desk.image(0).read_bytes()
    done = subprocess.run(desk.argv("-"), input=content, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_no_exit_code(desk: Desk, closed: str) -> None:
    (good,) = album(desk, "good.png")
    for words, code in (((good, "--csv"), 0), ((), 0), (("none.png",), 2)):
        line = f"{shlex.join(desk.argv(*words))} {closed}"
        done = subprocess.run(["sh", "-c", line], cwd=desk.inputs, capture_output=True, text=True, check=False)
        assert done.returncode == code, (words, done.stderr)
        assert "unexpected" not in done.stderr


def test_a_reader_that_has_enough_is_no_fault(desk: Desk) -> None:
    desk.save("many.npz", image=np.resize(desk.golden["pixels/image"], (20_000, 8, 8, 1)))
    process = subprocess.Popen(
        desk.argv("many.npz", "--csv"), cwd=desk.inputs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0


def test_what_cannot_be_said_changes_no_exit_code(desk: Desk) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(desk.argv("none.png"), cwd=desk.inputs, stderr=full, check=False)
    assert done.returncode == 2


# ---------------------------------------------------------------- names that steer a terminal


def test_a_name_or_a_label_steers_no_terminal_and_fakes_no_line(desk: Desk) -> None:
    name = "a\x1b[2J\nb.png"
    album(desk, name)
    labels = desk.assets / "labels.txt"
    labels.write_text("\n".join(f"\x1b[31m{label}" for label in labels.read_text("utf-8").splitlines()), "utf-8")
    done = desk.run(name, "none\x1b.png")
    assert done.stdout.splitlines()[1] == r"a\x1b[2J\nb.png"
    assert "\x1b" not in done.stdout + done.stderr
    assert r"none\x1b.png: there is no such file" in done.stderr
    assert desk.report(name)["results"][0]["input"] == name
