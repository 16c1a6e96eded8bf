"""What a bundle's harness prints behind its refusals, done: it then runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import Desk, assert_one_clear_line, clean_environment
from test_emulate import ZEROS, half, text, without


@pytest.fixture
def desk(tmp_path: Path, digits_bundle: Path, runtime_python: Path) -> Desk:
    (tmp_path / "inputs").mkdir()
    return Desk(runtime_python, shutil.copytree(digits_bundle, tmp_path / "bundle"), tmp_path / "inputs")


def refused(desk: Desk, *arguments: object, code: int = 2) -> str:
    """Return the next step of what the harness must refuse."""
    done = desk.run(*arguments)
    assert_one_clear_line(done, code, "")
    return done.stderr.strip().rpartition("; ")[2]


def runs(desk: Desk, *arguments: object) -> None:
    done = desk.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("wrong", "right"), [("digitt.png", "digit.png"), ("*.pgn", "*.png")])
def test_a_name_that_is_not_there_is_checked(desk: Desk, wrong: str, right: str) -> None:
    desk.image(0)
    assert refused(desk, desk.inputs / wrong) == "check the name"
    runs(desk, desk.inputs / right)


def test_a_folder_without_files_to_read_is_exchanged_for_one_that_has_them(desk: Desk) -> None:
    (desk.inputs / "album").mkdir()
    desk.image(0, "album/digit.png")
    assert refused(desk, desk.inputs) == "name a folder that has such files"
    runs(desk, desk.inputs / "album")


INPUTS: dict[str, tuple[Callable[[Desk], Path], Callable[[Desk], Path]]] = {
    "no image": (lambda desk: text(desk, "a.png"), lambda desk: desk.image(0)),
    "half an image": (lambda desk: half(desk.image(0)), lambda desk: desk.image(0)),
    "another name": (lambda desk: desk.save("a.npz", images=ZEROS), lambda desk: desk.save("a.npz", image=ZEROS)),
    "another shape": (lambda desk: desk.save("a.npy", image=ZEROS[0]), lambda desk: desk.save("a.npy", image=ZEROS)),
    "a few bytes": (lambda desk: text(desk, "a.raw"), lambda desk: text(desk, "a.raw", "x" * 64)),
}


@pytest.mark.parametrize("fault", INPUTS)
def test_an_input_is_taken_as_help_has_it(desk: Desk, fault: str) -> None:
    wrong, right = INPUTS[fault]
    assert refused(desk, wrong(desk)) == "emulate.py --help has what an INPUT may be"
    shown = " ".join(desk.run("--help").stdout.split())
    for kind in (".npy", ".npz", ".raw"):
        assert kind in shown
    runs(desk, right(desk))


@pytest.mark.parametrize(("wrong", "right"), [("--fast", "--benchmark=2"), ("--top=0", "--top=1")])
def test_an_option_is_taken_as_help_has_it(desk: Desk, wrong: str, right: str) -> None:
    assert refused(desk, wrong, desk.image(0)) == "emulate.py --help shows the options"
    assert right.partition("=")[0] in desk.run("--help").stdout
    runs(desk, right, desk.image(0))


DAMAGES: dict[str, Callable[[Desk], object]] = {
    "no golden vectors": lambda desk: (desk.emulate / "golden.npz").unlink(),
    "half of the golden vectors": lambda desk: half(desk.emulate / "golden.npz"),
    "no signature": lambda desk: (desk.assets / "signature.json").unlink(),
    "no labels": lambda desk: (desk.assets / "labels.txt").unlink(),
}


@pytest.mark.parametrize("fault", DAMAGES)
def test_a_damaged_bundle_runs_when_it_is_copied_again(desk: Desk, digits_bundle: Path, fault: str) -> None:
    DAMAGES[fault](desk)
    assert refused(desk) == "copy the bundle again, or build it again"
    shutil.copytree(digits_bundle, desk.bundle, dirs_exist_ok=True)
    runs(desk)


def test_a_file_of_another_model_runs_when_the_bundle_is_built_again(desk: Desk, digits_bundle: Path) -> None:
    """As one that was exchanged by hand: its signature is of another shape than signature.json has."""
    desk.change_signature(lambda signature: signature["inputs"][0].update(shape=[1, 9, 9, 1]))
    done = desk.run()
    assert_one_clear_line(done, 2, "in signature.json")
    assert done.stderr.endswith("; build the bundle again\n")
    shutil.copytree(digits_bundle, desk.bundle, dirs_exist_ok=True)
    runs(desk)


def test_a_file_that_is_no_model_runs_when_the_bundle_is_built_again(desk: Desk, digits_bundle: Path) -> None:
    (desk.bundle / "src/main/assets/digits/model.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    done = desk.run()
    assert_one_clear_line(done, 2, "cannot run this model")
    assert re.search(
        r"; build the bundle again, or run: \S+ -m pip install -r .*requirements\.txt$", done.stderr.strip()
    )
    shutil.copytree(digits_bundle, desk.bundle, dirs_exist_ok=True)
    runs(desk)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_report_that_fills_a_disk_is_sent_elsewhere(desk: Desk) -> None:
    for place, code in (("/dev/full", 2), (str(desk.inputs / "report"), 0)):
        with Path(place).open("w") as file:
            done = subprocess.run(
                desk.argv(), stdout=file, stderr=subprocess.PIPE, text=True, check=False, env=clean_environment()
            )
        assert done.returncode == code
        assert done.stderr.endswith("; send the output elsewhere\n") == bool(code)
    assert "pass" in (desk.inputs / "report").read_text("utf-8")


@pytest.mark.parametrize(
    ("packages", "says"),
    [(("ai_edge_litert", "tflite_runtime"), "no LiteRT interpreter"), (("pil", "pillow"), "Pillow")],
)
def test_a_package_that_is_missing_is_there_after_the_command_that_is_printed(
    desk: Desk, packages: tuple[str, ...], says: str
) -> None:
    """In the Python that has all of them: in it the command was run, once."""
    image, folder = desk.image(0), without(desk, *packages)

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        argv = [str(desk.python), *more, *desk.argv(image)[1:]]
        env = clean_environment() | ({"PYTHONPATH": str(folder)} if more else {})
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)

    bare = run("-S")
    assert_one_clear_line(bare, 5, says)
    step = bare.stderr.strip().rpartition("; ")[2]
    argv = step.removeprefix("run: ").split()
    assert argv[1:4] == ["-m", "pip", "install"]
    assert argv[4:] in (["-r", str(desk.emulate / "requirements.txt")], ["Pillow"]) or argv[4].startswith("pillow==")
    check = [str(desk.python), "-c", "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"]
    there = subprocess.run(check, capture_output=True, text=True, check=True).stdout.lower()
    assert "pillow" in there
    assert run().returncode == 0
