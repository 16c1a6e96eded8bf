"""The next step of each refusal of the worker, done as it says: the job then ends well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from next_steps import CASES
from test_messages import Outcome, left_by

# One of each kind in each run of the tests; the others with --all.
QUICK = {
    "two outputs of one name",
    "samples with NaN",
    "data that gives NaN",
    "training what no output needs",
    "a mask in 8 bits",
    "a start behind a mask",
    "a lookup of text",
    "a stream with a computed begin",
}


class Left:
    """What the jobs of next_steps.py left, each group run once: one TensorFlow for all of a group."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._python, self._folder = python, folder
        self._outcomes: dict[bool, Outcome] = {}

    def of(self, name: str) -> Outcome:
        """Return what the jobs of a case left."""
        quick = name in QUICK
        if quick not in self._outcomes:
            names = [each for each in CASES if (each in QUICK) == quick]
            self._outcomes[quick] = left_by(self._python, "next_steps.py", self._folder / f"{quick}.json", names)
        left: Outcome = self._outcomes[quick][name]
        return left


@pytest.fixture(scope="module")
def left(toolchain_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Give what the jobs left, as they are asked for."""
    return Left(toolchain_python, tmp_path_factory.mktemp("steps"))


NAMES: list[Any] = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]


@pytest.mark.parametrize("name", NAMES)
def test_a_job_ends_well_after_the_next_step(left: Left, name: str) -> None:
    wrong, right = left.of(name)["wrong"], left.of(name)["right"]
    assert wrong["result"] is not None, wrong["log"]
    refusal = wrong["result"]["refusal"]
    assert CASES[name].says in refusal["message"]
    assert CASES[name].next in refusal["hint"]
    assert right
    for each in right:
        assert each["result"] is not None, each["log"]
        assert "result" in each["result"], each["result"]
