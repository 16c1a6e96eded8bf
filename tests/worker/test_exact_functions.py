"""Functions of constants are computed in double precision: float kernels give other last bits on other processors."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from worlds import ROOT

from benchmarks import cpu_types, reproducibility
from benchmarks.arm64 import Arm64, missing
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv

MEL = "kws_melspectrogram_k3"
# Runs in a toolchain, as the worker does.
FROZEN = """
import json, math
import numpy as np
import tensorflow as tf
from kit.worker.graph.freeze import freeze
from kit.worker.graph.stand_ins import value_of

x = tf.TensorSpec([None, 4000], tf.float32, name="x")
numbers = np.linspace(0.01, 0.99, 4000, dtype=np.float32)
one = {"Cos": (tf.cos, np.cos), "Sin": (tf.sin, np.sin), "Exp": (tf.exp, np.exp), "Log": (tf.math.log, np.log),
       "Tanh": (tf.tanh, np.tanh), "Sigmoid": (tf.sigmoid, lambda v: 1 / (1 + np.exp(-v))),
       "Erf": (tf.math.erf, np.vectorize(math.erf)), "Sqrt": (tf.sqrt, np.sqrt),
       "Pow": (lambda v: tf.pow(10000.0, v), lambda v: np.power(10000.0, v))}
large = {name: np.tile(numbers, 5) for name in ("Log",)}  # above 64 KB it is a stand-in
found = {"left": {}, "exact": {}, "other in TensorFlow": {}}

def graph_of(function, *specs):
    return freeze(tf.function(function).get_concrete_function(*specs), [], []).graph

def constant(graph, like):
    values = [value_of(node) for node in graph.node if node.op == "Const"]
    values = [v for v in values if v.shape == like.shape and v.dtype == np.float32]
    return [v for v in values if not np.array_equal(v, like)][-1]

for name, (ours, exact) in one.items():
    given = large.get(name, numbers)
    graph = graph_of(lambda x: x[:, :1] * ours(tf.constant(given) + 0.0), x)
    wanted = exact(np.asarray(given, np.float64)).astype(np.float32)
    found["left"][name] = sum(node.op == name for node in graph.node)
    found["exact"][name] = bool(np.array_equal(constant(graph, given), wanted))
    found["other in TensorFlow"][name] = int((ours(tf.constant(given)).numpy() != wanted).sum())

nested = graph_of(lambda x: x * tf.math.log(2 + tf.cos(tf.exp(tf.constant(numbers)))), x)
rounded = np.exp(numbers.astype(np.float64)).astype(np.float32)
rounded = np.cos(rounded.astype(np.float64)).astype(np.float32) + np.float32(2)
wanted = np.log(rounded.astype(np.float64)).astype(np.float32)
found["exact"]["nested"] = bool(np.array_equal(constant(nested, numbers), wanted))
found["left"]["nested"] = sum(node.op in one for node in nested.node)

def varying(x):
    drawn = tf.random.uniform([4000])
    default = tf.raw_ops.PlaceholderWithDefault(input=tf.constant(numbers), shape=[4000])
    def body(i, total):
        return i + 1, total + tf.tanh(tf.constant(0.3))
    _, looped = tf.while_loop(lambda i, _: i < 3, body, (0, tf.constant(0.0)))
    without_end = tf.math.log(tf.constant(0.0)), tf.exp(tf.constant(100.0))
    return tf.cos(x) + tf.sin(drawn) + tf.exp(default) + looped + without_end[0] + without_end[1]

graph = graph_of(varying, x)
found["kept"] = sorted(node.op for node in graph.node if node.op in one)
numbers_there = [value_of(node) for node in graph.node if node.op == "Const"]
found["log of 0"] = any(np.array_equal(value, np.float32(-np.inf)) for value in numbers_there)
plain = graph_of(lambda x: tf.cos(x), x)
found["plain"] = [node.op for node in plain.node]
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["2.19.1", pytest.param("2.12.1", marks=pytest.mark.slow)])
def found(request: pytest.FixtureRequest) -> Any:
    """Give what FROZEN printed."""
    python = toolchain_venv(find_toolchain(request.param), lambda _: None)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    argv = [str(python), "-s", "-W", "error::RuntimeWarning", "-c", FROZEN]  # a number beyond float32 is no news
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_function_of_constants_is_a_constant_rounded_once(found: Any) -> None:
    assert not any(found["left"].values()), found["left"]
    assert all(found["exact"].values()), found["exact"]


def test_tensorflow_s_own_kernels_would_not_do(found: Any) -> None:
    assert sum(count > 0 for count in found["other in TensorFlow"].values()) >= 3, found["other in TensorFlow"]


def test_what_is_not_fixed_is_left_to_the_app(found: Any) -> None:
    assert found["kept"] == ["Cos", "Exp", "Sin"], "of the input, of a default that a caller may replace, of a draw"
    assert found["log of 0"], "as the source has it"
    assert found["plain"].count("Cos") == 1 and "Const" not in found["plain"]


@pytest.mark.slow
def test_a_mel_spectrogram_has_the_same_bytes_on_arm64(tmp_path: Path) -> None:
    if missing():
        pytest.skip(missing())
    recipes = {scheme: recipe for _, scheme, recipe in cpu_types.of_practice(MEL, tmp_path)}
    case = reproducibility.Case(MEL, "float32", recipes["float32"])
    here, there = (
        reproducibility.as_worker(engine)(case, reproducibility.fresh(tmp_path))
        for engine in (reproducibility.Under(), Arm64())
    )
    assert here.model == there.model
