"""The table of docs/models.md: its judge, one row from end to end, and with --all a dozen rows in four toolchains."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.models import page, runner
from benchmarks.models.architecture import SCHEMES, TEST, architectures
from benchmarks.models.judge import judge
from benchmarks.models.runner import Outcome

ROWS = architectures()
OLD = [
    "vgg_like_k2",
    "capsules_k2",
    "unet_k2",
    "yolo_k2",
    "anomaly_k2",
    "conv1d_k2",
    "kws_mel_k2",
    "text_cnn_k2",
    "two_towers_k2",
    "mixed_float16_k2",
    "lists_k2",
    "saved_model_k2",
]
NEW = [
    "squeeze_excite_k3",
    "mlp_mixer_k3",
    "yolo_k3",
    "vae_k3",
    "tcn_k3",
    "embedding_bag_k3",
    "bert_k3",
    "tabular_k3",
    "two_towers_k3",
    "mixed_bfloat16_k3",
    "dicts_k3",
    "exported_k3",
]


# Eight bits do not hold these in any toolchain: they are built, and a note names the output and what helps.
NOTED = {("anomaly_k2", "int8"), ("capsules_k2", "int8")}


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder in which each row's model is made once."""
    return tmp_path_factory.mktemp("bench")


@pytest.mark.slow
def test_a_row_is_made_built_and_right_in_float32_and_int8(work: Path) -> None:
    for scheme in ("float32", "int8"):
        outcome = runner.run(ROWS["custom_layers_keras_k3"], scheme, "2.19.1", work)
        assert outcome.status == "right", outcome
        assert outcome.output == "label"
        assert outcome.size > 1000


def test_a_built_file_that_gives_other_outputs_than_keras_is_wrong(work: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(runner.made(ROWS["custom_layers_keras_k3"], work), folder)
    with np.load(folder / "reference.npz") as reference:
        shifted = {name: np.roll(array, 1, axis=0) for name, array in reference.items()}
    np.savez(folder / "reference.npz", **shifted)
    outcome = runner.attempt(folder, "float32", "2.19.1", "main")
    assert outcome.status == "wrong"
    assert outcome.code == 0
    assert outcome.share > 0.1


def test_a_refusal_is_kept_in_the_kits_words_without_paths(work: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(runner.made(ROWS["custom_layers_keras_k3"], work), folder)
    about = json.loads((folder / "about.json").read_text("utf-8"))
    about["tables"] = "[[outputs]]\nname = 'nowhere'\n"
    (folder / "about.json").write_text(json.dumps(about), "utf-8")
    outcome = runner.attempt(folder, "float32", "2.19.1", "main")
    assert outcome.status == "refused"
    assert "nowhere" in outcome.message
    assert outcome.hint
    assert str(tmp_path) not in outcome.message + outcome.hint


def _outputs(values: np.ndarray, again: np.ndarray | None = None) -> dict[str, np.ndarray]:
    return {"score": values, "again/score": values[:1] if again is None else again}


EXACT = np.random.default_rng(7).normal(0, 1, (TEST, 5)).astype(np.float32)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "values",
    [np.roll(EXACT, 1, axis=0), EXACT + 0.5, EXACT / 2, EXACT[:, ::-1], np.zeros_like(EXACT), EXACT * np.nan],
    ids=["other samples", "an offset", "half", "other order", "all zero", "NaN"],
)
def test_outputs_that_are_not_the_models_are_wrong_in_every_scheme(scheme: str, values: np.ndarray) -> None:
    assert not judge(scheme, {"score": EXACT}, _outputs(values))[0].right


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_models_own_outputs_are_right_in_every_scheme(scheme: str) -> None:
    assert judge(scheme, {"score": EXACT}, _outputs(EXACT))[0].right


def test_float32_may_differ_by_a_thousandth_of_the_spread_and_not_by_two() -> None:
    spread = EXACT.max() - EXACT.min()
    near, far = EXACT.copy(), EXACT.copy()
    near[3, 2] += 0.9e-3 * spread
    far[3, 2] += 2e-3 * spread
    assert judge("float32", {"score": EXACT}, _outputs(near))[0].right
    assert not judge("float32", {"score": EXACT}, _outputs(far))[0].right


def test_int8_classes_are_right_where_the_same_class_wins() -> None:
    flat = np.where(np.eye(5, dtype=bool)[EXACT.argmax(axis=1)], 0.3, 0.1)
    assert judge("int8", {"score": EXACT}, _outputs(flat), ["score"])[0].right
    assert not judge("int8", {"score": EXACT}, _outputs(flat))[0].right
    # Where the class is right, more than numbers of eight bits is asked of the other schemes.
    assert not judge("dynamic", {"score": EXACT}, _outputs(flat), ["score"])[0].right


def test_not_a_number_is_wrong_even_where_its_place_is_the_winning_class() -> None:
    first = np.tile(np.eye(5, dtype=np.float32)[0], (TEST, 1))
    values = np.where(first > 0, np.nan, 0.0)
    judged = judge("int8", {"score": first}, _outputs(values), ["score"])[0]
    assert not judged.right
    assert judged.why == "NaN or infinity"


def test_a_file_that_keeps_state_between_calls_is_wrong() -> None:
    judged = judge("float32", {"score": EXACT}, _outputs(EXACT, again=EXACT[:1] + 0.1))[0]
    assert not judged.right
    assert "asked again" in judged.why


def test_an_output_that_the_file_does_not_have_is_wrong_and_named() -> None:
    judged = judge("float32", {"label": EXACT}, _outputs(EXACT))[0]
    assert not judged.right
    assert "'label'" in judged.why


def test_the_page_says_loudly_what_was_built_and_is_wrong(tmp_path: Path) -> None:
    rows = [ROWS["lstm_k3"]]
    outcomes = {
        ("lstm_k3", "float32"): Outcome("right", 43656, "label", 1e-6, 0.99999),
        ("lstm_k3", "dynamic"): Outcome("wrong", 20000, "label", 0.45, 0.2),
        ("lstm_k3", "int8"): Outcome("refused", code=3, message="no <loops>", hint="use\ndynamic"),
    }
    text = page.page(rows, outcomes, tmp_path)
    assert text == page.page(rows, outcomes, tmp_path)
    assert "| 43.7 kB, &lt; 1e-5 |" in text
    assert "**WRONG**: `label` 0.200, differs by 0.45 of the spread" in text
    assert "| 1 | no &lt;loops> | use dynamic | not tried |" in text
    assert "- LSTM (Keras 3), dynamic: **wrong**" in text


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["float32", "int8"])
@pytest.mark.parametrize(
    ("version", "identity"),
    [(version, identity) for version in ("2.12.1", "2.15.1") for identity in OLD]
    + [(version, identity) for version in ("2.19.1", "2.21.0") for identity in NEW],
)
def test_a_dozen_of_the_table_is_right_or_noted_in_old_and_new_toolchains(
    version: str, identity: str, scheme: str, work: Path
) -> None:
    outcome = runner.run(ROWS[identity], scheme, version, work)
    assert outcome.status == ("noted" if (identity, scheme) in NOTED else "right"), outcome
