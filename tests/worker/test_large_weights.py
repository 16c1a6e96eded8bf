"""Large weights are in no graph that the worker makes, and in the file as they were."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from worlds import ROOT, SUPPORT

from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv


def converted(folder: Path, version: str, scheme: str) -> dict[str, Any]:
    """Convert tests.support.large_weights' model in a toolchain; return what it finds."""
    python = toolchain_venv(find_toolchain(version), lambda _line: None)
    argv = [str(python), str(SUPPORT / "large_weights.py"), str(folder / scheme), scheme]
    env = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / scheme / "found.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize(
    ("version", "scheme", "most", "share"),
    [
        ("2.19.1", "float32", 1e-5, 1.0),
        ("2.19.1", "dynamic", 2e-2, 0.5),
        pytest.param("2.19.1", "float16", 1e-2, 0.6, marks=pytest.mark.slow),
        pytest.param("2.16.2", "float32", 1e-5, 1.0, marks=pytest.mark.slow),
        pytest.param("2.21.0", "dynamic", 2e-2, 0.5, marks=pytest.mark.slow),
    ],
)
def test_no_graph_holds_the_weights_and_the_file_does(
    tmp_path: Path, version: str, scheme: str, most: float, share: float
) -> None:
    found = converted(tmp_path, version, scheme)
    assert found["weights"] > 8_000_000
    assert found["graph"] < 0.4 * found["weights"], found  # the loop's kernel is in a function: that stays
    assert found["error"] < most, found
    assert found["size"] < share * found["weights"] + 100_000, found
    assert found["wrong"] == []
