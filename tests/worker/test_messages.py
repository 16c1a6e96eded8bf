"""What the worker says of models that fail: stage, layer, cause and a next step, which is followed here and helps."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from failures import CASES, DEATHS
from worlds import ROOT, SUPPORT

from kit.engine.death import Trail, death
from kit.process import Exit

Outcome = dict[str, Any]


# One of each kind in each run of the tests; the others with --all.
QUICK = (
    "a custom layer that nobody gave",
    "a helper that the code lacks",
    "a reshape across samples",
    "an operator that TFLite lacks",
    "weights that are NaN",
)
QUICK_DEATHS = ("layer 'scale'", "convert to float32")


def left_by(python: Path, script: str, target: Path, names: Iterable[str]) -> Outcome:
    """Run a script of tests/support that shares one TensorFlow among jobs, and return what these left."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    argv = [str(python), str(SUPPORT / script), str(target), *names]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr[-2000:]
    message: Outcome = json.loads(target.read_text("utf-8"))
    return message


class Ends:
    """What jobs of tests/failures.py came to, each group run once: one TensorFlow for all of a group."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._python, self._folder = python, folder
        self._outcomes: dict[bool, Outcome] = {}

    def of(self, kind: str, name: str) -> Outcome:
        """Return what the case or death of that name came to."""
        quick = name in {*QUICK, *QUICK_DEATHS}
        if quick not in self._outcomes:
            names = [each for each in (*CASES, *DEATHS) if (each in {*QUICK, *QUICK_DEATHS}) == quick]
            target = self._folder / f"{len(names)}.json"
            self._outcomes[quick] = left_by(self._python, "failures.py", target, names)
        message: Outcome = self._outcomes[quick][kind][name]
        return message


@pytest.fixture(scope="module")
def ends(toolchain_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Ends:
    """Give what the jobs came to, as they are asked for."""
    return Ends(toolchain_python, tmp_path_factory.mktemp("failures"))


def marked(names: Iterable[str]) -> list[Any]:
    """Return names as parameters of a test, most of them for `inv test --all`."""
    quick = {*QUICK, *QUICK_DEATHS}
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", marked(CASES))
def test_a_failure_has_its_stage_layer_cause_and_next_step(ends: Ends, name: str) -> None:
    refused = ends.of("cases", name)["refused"]
    assert refused["result"] is not None, refused["log"]
    refusal = refused["result"]["refusal"]
    for word in CASES[name].says:
        assert word in refusal["message"], refusal
    for word in CASES[name].next:
        assert word in refusal["hint"], refusal
    assert "\n" not in refusal["message"]
    for raw in (
        "Traceback",
        "Graph execution error",
        "{{node",
        "TypeError",
        "InvalidArgumentError",
        "Arguments received",
    ):
        assert raw not in refusal["message"]


@pytest.mark.parametrize("name", marked(name for name, case in CASES.items() if case.mended))
def test_the_next_step_gets_past_the_failure(ends: Ends, name: str) -> None:
    for mended in ends.of("cases", name)["mended"]:
        assert mended["result"] is not None, mended["log"]
        assert "result" in mended["result"], mended["result"]


@pytest.mark.parametrize("at", marked(DEATHS))
def test_a_killed_worker_says_at_which_stage(ends: Ends, at: str, tmp_path: Path) -> None:
    """Killed for memory, as the system does it: without a word of its own."""
    ended, trail = ends.of("deaths", at), Trail()
    assert ended["status"] == -9, ended
    assert ended["result"] is None
    for line in ended["lines"]:
        trail.note(json.loads(line))
    found = death(tmp_path / "log", Exit(-9), "local", trail)
    assert at in found.message
    assert "killed (SIGKILL)" in found.message
    assert "--memory 16g" in found.hint
    if at == "layer 'scale'":
        assert "load the model" in found.message
