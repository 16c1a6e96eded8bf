"""The host reads nothing without a bound: each limit at its edge, and what is no regular file."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from worlds import DIGITS, run_kit, write_recipe

from kit import bounded
from kit.bounded import open_regular, open_zip, printable, read_bounded
from kit.engine.base import fills_up, too_large
from kit.errors import ModelError, RecipeError
from kit.process import Command, run, tail
from kit.recipe.labels import read_labels
from kit.recipe.load import load_recipe
from kit.shared.job import load_result
from kit.shared.preprocess import load_image
from kit.source_model.model_file import read_model_file


def test_a_file_is_read_to_its_limit_and_not_beyond(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 10)
    assert read_bounded(path, 10) == b"x" * 10
    with pytest.raises(OSError, match="larger than 9 bytes"):
        read_bounded(path, 9)


@pytest.mark.parametrize("path", [Path("/dev/zero"), Path("pipe"), Path()], ids=str)
def test_a_pipe_a_device_and_a_folder_are_no_files(tmp_path: Path, path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a folder, a pipe or a device"):
        open_regular(tmp_path / path)


def test_no_command_waits_for_the_writer_of_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="a pipe or a device"):
        read_model_file(tmp_path / "pipe")
    with pytest.raises(RecipeError, match="a pipe or a device"):
        load_recipe(tmp_path / "pipe")
    with pytest.raises(RecipeError, match="a pipe or a device"):
        read_labels(tmp_path / "pipe")
    assert run_kit("build", str(tmp_path / "pipe")).returncode == 2


def zipped(path: Path, **members: bytes) -> Path:
    """Write a zip file of these members, compressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("MOST_MEMBERS", 2, "3 members, and 2 are borne"),
        ("MOST_UNPACKED", 3_002_999, "unpacks to 3,003,000 bytes"),
        ("MOST_DIRECTORY", 100, "its list of members takes"),
        ("FREE_OF_RATIO", 1_000_000, "out of hardly any"),
    ],
)
def test_a_zip_file_is_opened_to_its_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str
) -> None:
    path = zipped(tmp_path / "z", a=bytes(3_000_000), b=bytes(2000), c=bytes(1000))
    open_zip(path).close()
    monkeypatch.setattr(bounded, limit, value)
    with pytest.raises(ValueError, match=words):
        open_zip(path)


def test_small_members_are_a_large_archive_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "z", **{str(i): bytes(1_000_000) for i in range(4)})
    monkeypatch.setattr(bounded, "FREE_OF_RATIO", 4_000_000)
    open_zip(path).close()
    monkeypatch.setattr(bounded, "FREE_OF_RATIO", 3_999_999)
    with pytest.raises(ValueError, match=r"unpacks to 4,000,000 bytes, out of [0-9,]+$"):
        open_zip(path)


def test_a_model_whose_description_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.source_model.model_file.MOST_JSON", 100)
    config = json.dumps({"class_name": "Functional", "config": {"name": "x" * 100}}).encode()
    path = zipped(tmp_path / "m.keras", **{"metadata.json": b'{"keras_version": "3"}', "config.json": config})
    with pytest.raises(ModelError, match=r"config\.json in it is larger than 100 bytes"):
        read_model_file(path)


def test_an_image_is_one_of_a_list_of_formats_whatever_its_name(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    assert load_image(tmp_path / "a.png", (8, 8, 1), "grayscale", "stretch").shape == (8, 8, 1)
    Image.new("L", (8, 8)).save(tmp_path / "b.eps")
    (tmp_path / "b.eps").rename(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"b\.png is not an image"):
        load_image(tmp_path / "b.png", (8, 8, 1), "grayscale", "stretch")


def test_an_image_of_many_pixels_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (8, 9)).save(tmp_path / "a.png")
    monkeypatch.setattr("kit.shared.preprocess.MOST_PIXELS", 72)
    assert load_image(tmp_path / "a.png", (8, 8, 1), "grayscale", "stretch").shape == (8, 8, 1)
    monkeypatch.setattr("kit.shared.preprocess.MOST_PIXELS", 71)
    with pytest.raises(ValueError, match="it has 8 x 9 pixels, and 71 are read"):
        load_image(tmp_path / "a.png", (8, 8, 1), "grayscale", "stretch")


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match="is no file"):
        load_image(tmp_path / "a.png", (8, 8, 1), "grayscale", "stretch")


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\x07", "a\x9b31m", "a\rb", "a\u202eb", "a\x00"])
def test_what_steers_a_terminal_is_written_out(text: str) -> None:
    assert printable(text).isprintable()
    assert printable("\tä 漢\n") == "\tä 漢\n"


def test_a_models_own_names_never_steer_the_terminal(tmp_path: Path) -> None:
    config = {
        "class_name": "Functional",
        "config": {"layers": [{"class_name": "Lambda", "config": {"name": "\x1b]0;x\x07"}}]},
    }
    zipped(
        tmp_path / "m.keras",
        **{"metadata.json": b'{"keras_version": "3.15.1"}', "config.json": json.dumps(config).encode()},
    )
    done = run_kit("inspect", str(tmp_path / "m.keras"))
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    built = run_kit("build", str(write_recipe(tmp_path, model_path="'m.keras'")), "--engine", "local")
    assert built.returncode == 3
    assert "\x1b" not in built.stderr
    assert "\\x1b" in built.stderr


# ---------------------------------------------------------------- what a job leaves


def python(tmp_path: Path, code: str, **more: object) -> tuple[object, list[str]]:
    """Run Python as a worker is run; return how it ended and its lines."""
    lines: list[str] = []
    ended = run(
        Command([sys.executable, "-c", code], {}, tmp_path),
        log=tmp_path / "log",
        on_line=lines.append,
        timeout=60,
        **more,  # type: ignore[arg-type]
    )
    return ended, lines


def test_of_a_log_a_part_is_kept_and_of_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.process.MOST_LOG", 1000)
    monkeypatch.setattr("kit.process.MOST_LINE", 100)
    code = "import sys\nfor _ in range(300): sys.stderr.write('x' * 1000)\nprint('y' * 1000)"
    _, lines = python(tmp_path, code)
    assert (tmp_path / "log").stat().st_size == 1000
    assert max(map(len, lines)) == 100
    assert tail(tmp_path / "log") == "x" * 1000


def test_a_job_that_writes_without_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.engine.base.MOST_OUT", 1000)
    (tmp_path / "out").mkdir()
    code = "import time\nopen('out/x', 'wb').write(bytes(1001))\ntime.sleep(50)"
    ended, _ = python(tmp_path, code, watch=lambda: too_large(tmp_path / "out"))
    assert "wrote more than a job may" in ended.cause  # type: ignore[attr-defined]


def test_its_temporary_folder_has_a_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(bytes(1001))
    assert not fills_up(tmp_path)
    monkeypatch.setattr("kit.engine.base.MOST_SCRATCH", 1000)
    assert fills_up(tmp_path)


def test_many_files_are_too_much_as_well(tmp_path: Path) -> None:
    for i in range(bounded.MOST_OUT_FILES):
        (tmp_path / str(i)).touch()
    assert not too_large(tmp_path)
    (tmp_path / "one more").touch()
    assert too_large(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        '{"refusal": {"kind": ["model"], "message": "x"}}',
        '{"refusal": {"kind": "model", "message": "x", "more": 1}}',
        '{"result": {"format": 3, "samples": "8"}}',
        '{"result": {"format": 3, "notes": "a"}}',
        '{"result": {"format": 3, "signature": {"key": 3, "inputs": [], "outputs": []}}}',
    ],
)
def test_a_result_of_other_types_is_none(text: str) -> None:
    with pytest.raises((TypeError, KeyError), match=r"is no (str|int|list)|more"):
        load_result(text)


def test_arrays_of_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", image=np.array([print], dtype=object))
    model = f"'{DIGITS / 'digits.keras'}'"
    path = write_recipe(tmp_path, model_path=model, checks_data="'x.npz'")
    done = run_kit("build", str(path), "--engine", "local")
    assert done.returncode == 2
    assert "not a whole .npz file of plain arrays" in done.stderr
