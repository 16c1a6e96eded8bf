"""What the host makes of a job folder that a worker left, also of a hostile one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.engine.base import JobFolder
from kit.engine.death import Trail
from kit.engine.local import LocalEngine
from kit.engine.run import _outcome
from kit.errors import ModelError, RecipeError
from kit.process import Exit
from kit.shared.job import RESULT, Refusal, dump


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """Give a job folder whose worker has ended and left nothing."""
    (tmp_path / "out").mkdir()
    (tmp_path / "log").write_text("the last words\n")
    return JobFolder(tmp_path / "in", tmp_path / "out", tmp_path / "log")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"result": []}', '{"result": {}}', "[" * 5000, '{"refusal": 3}'])
def test_a_damaged_result_is_a_death_of_the_worker(folder: JobFolder, text: str) -> None:
    (folder.out / RESULT).write_text(text)
    with pytest.raises(ModelError, match="the last words"):
        _outcome(folder, Exit(0), LocalEngine(), Trail())


def test_a_refusal_becomes_the_error_that_it_names(folder: JobFolder) -> None:
    (folder.out / RESULT).write_text(dump(Refusal("recipe", "no such input", "look again")))
    with pytest.raises(RecipeError, match="no such input"):
        _outcome(folder, Exit(0), LocalEngine(), Trail())


def test_a_link_out_of_the_job_folder_is_refused(folder: JobFolder, tmp_path: Path) -> None:
    """Code in a model could otherwise make the host copy any file that it can read into the bundle."""
    (tmp_path / "secret").write_text("secret")
    (folder.out / "model.tflite").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match=r"model\.tflite"):
        _outcome(folder, Exit(0), LocalEngine(), Trail())
