"""Faults of a converter and of its interpreter: each next step that is printed then, another version first of all.

Models that one pinned version refuses and another takes; what the kit works around, without that; and products that
are damaged on their way, as a converter would have to damage them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from android_world import quiet
from faults import FAULTS
from test_messages import left_by

from kit.engine.death import Trail, death
from kit.process import Exit
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv

QUICK = {"two names that change places", "a signature that is lost"}
Jobs = dict[str, list[dict[str, Any]]]
Run = Callable[[str, str, bool], Jobs]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give what runs a group of jobs in a version once: one TensorFlow for all of them."""
    folder, known = tmp_path_factory.mktemp("faults"), dict[str, Jobs]()

    def left(version: str, how: str, quick: bool) -> Jobs:
        key = f"{version}-{how}-{quick}"
        if key not in known:
            of = [name for name, fault in FAULTS.items() if version == getattr(fault, how)]
            names = ["refused" if how == "version" else "right", *(name for name in of if (name in QUICK) == quick)]
            python = toolchain_venv(find_toolchain(version), quiet)
            known[key] = left_by(python, "faults.py", folder / f"{key}.json", names)
        return known[key]

    return left


def refusal(job: dict[str, Any], folder: Path) -> tuple[str, str]:
    """Return the message and the next step of a job, also of one whose process died."""
    if job["result"] is not None:
        return job["result"]["refusal"]["message"], job["result"]["refusal"]["hint"]
    trail = Trail()
    for line in job["lines"]:
        trail.note(json.loads(line))
    (folder / "log").write_text(job["log"], "utf-8")
    error = death(folder / "log", Exit(job["status"]), "local", trail)
    return error.message, error.hint


NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAULTS]


@pytest.mark.parametrize("name", NAMES)
def test_the_next_step_gets_past_a_fault_of_a_converter(run: Run, tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    refused, *ways = run(fault.version, "version", name in QUICK)[name]
    message, hint = refusal(refused, tmp_path)
    assert fault.says in message
    assert hint == fault.next
    right = run(fault.other, "other", name in QUICK)[name] if fault.other else []
    assert ways or right
    for job in (*ways, *right):
        assert job["result"] is not None, job["log"]
        assert "result" in job["result"], job["result"]
