"""The contract between host and worker: what one writes the other reads, exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.errors import KINDS
from kit.shared import job
from kit.shared.job import (
    InputSpec,
    Job,
    JobError,
    ModelPart,
    OutputSpec,
    Refusal,
    Result,
    SignatureSpec,
    TensorSpec,
    TrainSpec,
    VariableStatus,
    dump,
    load_job,
    load_result,
)

JOB = Job(
    parts=(ModelPart("model.keras", ".keras", False, "pre.keras"), ModelPart("model1", "SavedModel", False, "net")),
    allow_code=True,
    scheme="int8",
    io="uint8",
    inputs=(
        InputSpec("image", "input_1", image=True, shape=(8, 8, 1)),
        InputSpec("ids", shape=(-1,), dtype="int32", range=(0.0, 99.0)),
        InputSpec("context"),
    ),
    outputs=(OutputSpec("digit", "dense_3", classes=True, labels=10, activation="softmax"), OutputSpec("box")),
    calibrate=True,
    evaluate=False,
    golden=3,
    code=True,
    structure=True,
    allow_flex=True,
    signatures=("serving_default", "embed"),
    input_order=("ids", "image"),
    output_order=("box", "digit"),
    batch=-1,
    keep=("head/*",),
    train=TrainSpec("mean_squared_error", "adam", 0.1 + 0.2, 4),
    seed=11,
)
IMAGE = TensorSpec("image", (1, 8, 8, 1), "uint8", 0.1 + 0.2, 128, origin="input_1")
DIGIT = TensorSpec("digit", (1, 10), "uint8", 1 / 256, 0)
RESULT = Result(
    signature=SignatureSpec("serving_default", (IMAGE, TensorSpec("context", (1, -1), "float32")), (DIGIT,)),
    others=(SignatureSpec("embed", (), (TensorSpec("sum", (), "float32", batched=False),)),),
    kept=(TensorSpec("head/kernel", (16, 10), "float32", batched=False),),
    train=SignatureSpec("train", (IMAGE,), ()),
    variables=(VariableStatus("head/kernel", (16, 10), "float32", "kept"),),
    flex=("FlexErf",),
    notes=("a note",),
    drawn=("noise",),
    samples=360,
    measured_on="checks",
    parameters=12_345,
    loader="keras 3.15.1",
    tensorflow="2.19.1",
    machine="x86_64",
    portable=True,
)
BARE = Job((ModelPart("m.h5", ".h5", True),), False, "float32", "float32", (), (), False, False)


@pytest.mark.parametrize("whole", [JOB, BARE])
def test_a_job_comes_out_as_it_went_in(whole: Job) -> None:
    assert load_job(dump(whole)) == whole


@pytest.mark.parametrize("whole", [RESULT, Refusal("recipe", "no such input: 'imgae'", "did you mean 'image'?")])
def test_a_result_and_a_refusal_come_out_as_they_went_in(whole: Result | Refusal) -> None:
    assert load_result(dump(whole)) == whole


def test_what_is_read_can_be_compared_and_kept_in_sets() -> None:
    assert {load_job(dump(JOB)), JOB} == {JOB}
    assert {load_result(dump(RESULT)), RESULT} == {RESULT}


def test_the_text_is_the_same_for_the_same_value() -> None:
    assert dump(load_job(dump(JOB))) == dump(JOB)
    assert dump(JOB).endswith("}\n")


@pytest.mark.parametrize("names", ["ü", "a\nb", '"', "\u2028", "𝄞"])
def test_any_name_survives(names: str) -> None:
    parts = (ModelPart("m", names, False, names),)
    request = Job(parts, False, "float32", "float32", (InputSpec(names),), (OutputSpec(names),), False, False)
    assert load_job(dump(request)) == request


@pytest.mark.parametrize("number", [0, 1, 2, 4, "3", None])
def test_another_format_is_refused(number: Any) -> None:
    for value, load in ((JOB, load_job), (RESULT, load_result)):
        raw = json.loads(dump(value))
        next(iter(raw.values()))["format"] = number
        with pytest.raises(ValueError, match=f"format {number!r} is not {job.FORMAT}"):
            load(json.dumps(raw))


def test_a_key_of_a_later_worker_is_refused_and_not_lost() -> None:
    raw = json.loads(dump(RESULT))
    raw["result"]["novelty"] = 1
    with pytest.raises(KeyError, match="novelty"):
        load_result(json.dumps(raw))


def test_an_error_in_the_worker_becomes_a_refusal_of_a_kind_that_the_host_knows() -> None:
    error = JobError("model", "Keras cannot load it", "save it again")
    assert load_result(dump(error.refusal)) == Refusal("model", "Keras cannot load it", "save it again")
    assert error.refusal.kind in KINDS


def test_the_files_of_a_job_have_names_of_their_own() -> None:
    names = [
        job.JOB,
        job.RESULT,
        job.MODEL,
        job.GOLDEN,
        job.CALIBRATION,
        job.EVALUATION,
        job.EVALUATED,
        job.CODE,
        job.STRUCTURE,
    ]
    assert len(set(names)) == len(names)
