"""What the host makes of a job folder that a worker left, also of a hostile one."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import bare_result

from kit.engine.base import JobFolder
from kit.engine.death import Trail
from kit.engine.local import LocalEngine
from kit.engine.run import _outcome
from kit.errors import ModelError, RecipeError
from kit.process import Exit
from kit.shared.job import RESULT, Refusal, SignatureSpec, dump


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


def trail(*events: dict[str, object]) -> Trail:
    """Return how far a worker came that wrote these lines."""
    made = Trail()
    for event in events:
        made.note(event)
    return made


LOADED: dict[str, object] = {"stage": "load the model"}
TRACED: dict[str, object] = {"step": "trace the model"}
CALLED: dict[str, object] = {"layer": "layer 'scale' (Scale)"}
QUESTION: dict[str, object] = {"layers": ["layer 'gru' (While)"]}
CONVERTED: dict[str, object] = {"stage": "convert to int8"}
KILLED = Exit(-9)


@pytest.mark.parametrize(
    ("ended", "events", "message", "step"),
    [
        (Exit(-11), (), "while it was to 'start Python' (local", "another TensorFlow version"),
        (Exit(-11), (LOADED, CALLED), "'load the model', in layer 'scale' (Scale) (local", "replace layer 'scale'"),
        (Exit(-11), (LOADED, CALLED, TRACED), "'load the model: trace the model' (local", "another TensorFlow version"),
        (Exit(-11), (QUESTION, CONVERTED), "'convert to int8'; in question: layer 'gru' (While)", '"dynamic"'),
        (KILLED, (LOADED, CALLED), "killed (SIGKILL)", "--memory 16g"),
        (KILLED, (QUESTION, CONVERTED), "in question: layer 'gru'", "give it more memory, as in --memory 16g"),
        (
            Exit(-9, timed_out=True),
            (LOADED, CALLED),
            "(Scale) (local engine): it ran out",
            "--timeout 7200",
        ),
        (Exit(-9, too_large=True), (QUESTION, CONVERTED), "wrote more than a job may", "fewer evaluation samples"),
    ],
)
def test_a_death_has_its_stage_its_layers_its_cause_and_a_next_step(
    folder: JobFolder, ended: Exit, events: tuple[dict[str, object], ...], message: str, step: str
) -> None:
    with pytest.raises(ModelError) as caught:
        _outcome(folder, ended, LocalEngine(), trail(*events))
    assert message in caught.value.message
    assert step in caught.value.hint
    assert ("--memory" in caught.value.hint) == (ended == KILLED), "memory is no remedy for time"


@pytest.mark.parametrize(
    "said", ["std::bad_alloc", "Check failed: ret == 0 (11 vs. 0)Thread x via pthread_create() failed"]
)
def test_a_process_that_ends_itself_for_lack_of_memory_is_given_more(folder: JobFolder, said: str) -> None:
    folder.log.write_text(f"{said}\nFatal Python error: Aborted\n" + "  frame\n" * 30)
    with pytest.raises(ModelError) as caught:
        _outcome(folder, Exit(-6), LocalEngine(), trail(QUESTION, CONVERTED))
    assert caught.value.hint.startswith("give it more memory, as in --memory 16g")


def test_a_job_that_leaves_too_much_is_taken_with_fewer_samples(folder: JobFolder) -> None:
    """As sparse files: they have the size without the disk."""
    (folder.out / RESULT).write_text(dump(bare_result(SignatureSpec("serving_default", (), ()), samples=1)))

    def leave(gigabytes: int) -> None:
        with (folder.out / "evaluated.bin").open("wb") as file:
            file.truncate(gigabytes << 30)

    leave(gigabytes=5)
    with pytest.raises(ModelError, match="wrote more than a job may") as caught:
        _outcome(folder, Exit(0), LocalEngine(), Trail())
    assert caught.value.hint == "a job may leave 4 GB in 64 files: fewer evaluation samples, [checks] data"
    leave(gigabytes=1)
    assert _outcome(folder, Exit(0), LocalEngine(), Trail()).samples == 1


def test_a_death_in_the_models_own_code_names_the_line(folder: JobFolder) -> None:
    """Python's fault handler leaves it in the log."""
    folder.log.write_text(
        "Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007f (most recent call first):\n"
        '  File "/job/in/custom.py", line 4 in call\n  File "/venv/keras/layer.py", line 9 in __call__\n'
    )
    with pytest.raises(ModelError, match=r"in layer 'scale' \(Scale\), custom\.py, line 4 ") as caught:
        _outcome(folder, Exit(-11), LocalEngine(), trail(LOADED, CALLED))
    assert caught.value.hint == "correct custom.py, line 4: the process ends there"


def test_progress_that_is_none_is_no_harm(folder: JobFolder) -> None:
    from kit.engine.run import _pass_on
    from kit.progress import Reporter

    seen = Trail()
    for line in ('{"stage": 3}', '{"layers": 5}', '{"layer": "\\u001b[31m"}', "[]", "{", '{"layers": [[1], {}]}', "7"):
        _pass_on(line, Reporter(quiet=True), seen)
    assert "\x1b" not in seen.layer + seen.stage
    with pytest.raises(ModelError):
        _outcome(folder, Exit(-6), LocalEngine(), seen)
