"""What the harness does for many samples at once is what it does for one; a replay loads only what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness.bundle import Bundle
from harness.calls import all_calls, call_of
from harness.entries import Classes
from harness.errors import EmulateError
from harness.feed import feed
from harness.groups import in_groups
from harness.inputs import Sample
from harness.interpreter import Runner
from harness.numbers import number, numbers
from harness.options import parse
from harness.outputs import read_output
from harness.results import Outcome
from harness.run import Run
from harness.run_inputs import CallError, _in_one_unit, _run_calls
from harness.signature import Signature
from harness.spread import Claims
from harness.tensor import Tensor
from worlds import ROOT

from kit.shared import preprocess

BUNDLE = Bundle("b", "litert:2.3.0", "0", Path("assets"), Path("emulate"))


def hex_of(found: Any) -> list[tuple[int, str | None, str | None]]:
    assert isinstance(found, Classes)
    return [(top.index, top.label, None if top.score is None else float(top.score).hex()) for top in found.top]


@pytest.mark.parametrize("activation", preprocess.ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("classes", [1, 2, 7, 1000])
def test_outputs_that_are_read_at_once_are_bit_for_bit_those_read_alone(
    activation: str, dtype: str, classes: int
) -> None:
    rng = np.random.default_rng(7)
    scale = 0.00390625 if dtype == "uint8" else None
    labels = tuple(f"label {index}" for index in range(classes))
    tensor = Tensor("y", (1, classes), dtype, scale, 3, "classes", labels=labels, activation=activation)
    calls = list((300 * rng.standard_normal((40, 1, classes))).astype(dtype))
    if dtype != "uint8":
        calls[3][0, 0] = np.nan
        calls[4][:] = np.inf
    with np.errstate(invalid="ignore"):
        together = read_output(tensor, calls, 5)
        alone = [read_output(tensor, [call], 5)[0] for call in calls]
    assert len(together) == 40
    assert list(map(hex_of, together)) == list(map(hex_of, alone))


def test_nan_is_no_best_class() -> None:
    tensor = Tensor("y", (1, 3), "float32", None, 0, "classes")
    (found,) = read_output(tensor, [np.array([[np.nan, -2, 5]], np.float32)], 3)
    assert [index for index, _, _ in hex_of(found)] == [2, 1, 0]


def test_outputs_of_several_sizes_are_read_each_by_itself() -> None:
    tensor = Tensor("y", (1, -1), "float32", None, 0, "classes")
    found = read_output(tensor, [np.array([[1, 3, 2]], np.float32), np.array([[5, 4]], np.float32)], 1)
    assert [each.top[0].index for each in found if isinstance(each, Classes)] == [1, 0]


def test_numbers_are_what_number_says_of_each() -> None:
    for values in ([0.1, np.nan, -np.inf, 1e-30, 3e38], [3, 255], [True, False]):
        for dtype in ("float16", "float32", "float64") if isinstance(values[0], float) else ("uint8", "int64", "bool"):
            with np.errstate(over="ignore"):
                array = np.array(values).astype(dtype)
            assert repr(numbers(array)) == repr(tuple(map(number, array)))


@pytest.mark.parametrize(
    ("dtype", "scale", "mean", "std"),
    [
        ("uint8", 1 / 255, (0.0,), (255.0,)),
        ("int8", 0.0078431377, (127.5,), (127.5,)),
        ("int8", 0.02, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        ("int16", 1e-4, (127.5, 127.5, 127.5), (127.5,)),
        ("float32", None, (123.675,), (58.395, 57.12, 57.375)),
        ("float16", None, (3.0,), (-7.0,)),
    ],
)
def test_pixels_are_fed_by_a_table_as_each_would_be_by_itself(
    dtype: str, scale: float | None, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    tensor = Tensor("x", (1, 16, 48, 3), dtype, scale, -1, "image", mean=mean, std=std, color="rgb", resize="stretch")
    pixels = np.random.default_rng(7).permutation(np.repeat(np.arange(256, dtype=np.uint8), 18)).reshape(2, 16, 48, 3)
    real = preprocess.normalize(pixels, mean, std)
    wanted = real.astype(dtype) if scale is None else preprocess.quantize(real, scale, -1, dtype)
    fed = feed(Path("x.npz"), tensor, pixels)
    assert (fed.dtype, fed.shape, fed.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())


def test_all_calls_are_those_of_call_of() -> None:
    tensors = {
        "rows": Tensor("rows", (2, 3), "float32", None, 0, "tensor"),
        "plain": Tensor("plain", (), "int32", None, 0, "tensor", batched=False),
        "shared": Tensor("shared", (2,), "int32", None, 0, "tensor", batched=False),
    }
    arrays = {
        "rows": np.asfortranarray(np.arange(24, dtype=np.float32).reshape(8, 3)),
        "plain": np.arange(4, dtype=np.int32),
        "shared": np.arange(2, dtype=np.int32),
    }
    made = list(all_calls(tensors, arrays, 4))
    assert len(made) == 4
    for index, call in enumerate(made):
        wanted = call_of(tensors, arrays, index)
        assert {name: (array.shape, array.tolist()) for name, array in call.items()} == {
            name: (array.shape, array.tolist()) for name, array in wanted.items()
        }


def test_groups_are_as_large_as_their_first_item_says_and_an_error_comes_behind_what_was_before_it() -> None:
    def items() -> Iterator[int]:
        yield from (3, 1, 1, 1, 2, 9)
        raise EmulateError("here it ends", "")

    found: list[list[int]] = []
    with pytest.raises(EmulateError, match="here it ends"):
        found.extend(in_groups(items(), int))  # keeps what came before it raises
    assert list(in_groups(list[int](), int)) == []
    assert found == [[3, 1, 1], [1], [2, 9]]


def test_a_call_that_is_refused_costs_none_of_those_behind_it() -> None:
    """In a large file calls are made some at a time."""

    def call(x: Any) -> dict[str, Any]:
        """Refuse odd numbers, as an interpreter does."""
        if int(x[0, 0]) % 2:
            raise RuntimeError("odd")
        return {"y": x}

    tensor = Tensor("x", (1, 1), "float32", None, 0, "tensor")
    signature = Signature("s", {"x": tensor}, {"y": Tensor("y", (1, 1), "float32", None, 0, "tensor")})
    run = Run(signature, Runner(BUNDLE, {"s": call}, "p", "0", 1), parse(BUNDLE, ["--jobs", "1", "x.npz"], ""))
    samples = [Sample("x.npz", index, {"x": np.full((1, 1), index, np.float32)}, count=1000) for index in range(5)]
    entries = _run_calls((1, Path("x.npz")), samples, run, run.runner)
    outcomes = [entry.result.index for entry in entries if isinstance(entry, Outcome)]
    assert (outcomes, sum(isinstance(entry, CallError) for entry in entries)) == ([0, 2, 4], 2)
    assert [_in_one_unit(sample._replace(count=count)) for sample in samples[:1] for count in (5, 1000, 10**6)] == [
        1,
        15,
        64,
    ]


def test_each_unit_is_taken_once_whichever_process_asks(tmp_path: Path) -> None:
    with (tmp_path / "next").open("w+b") as file:
        claims = Claims(file, 7)
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.write(write, bytes(claims.take() for _ in range(50)))
            os._exit(0)
        ours = [claims.take() for _ in range(50)]
        os.waitpid(child, 0)
        theirs = list(os.read(read, 100))
    assert sorted([*ours, *theirs]) == list(range(7, 107))


def test_a_replay_loads_no_part_of_the_harness_that_only_inputs_need() -> None:
    """What a replay takes beside numpy and the interpreter is mostly imports."""
    code = "import sys, harness.command, harness.replay, harness.text; print(*sorted(sys.modules))"
    path = os.pathsep.join(str(ROOT / part) for part in ("templates/bundle/emulate", "tests/beside_harness"))
    argv, env = [sys.executable, "-c", code], {"PYTHONPATH": path}
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=env)
    loaded = set(done.stdout.split())
    assert {"harness.replay", "harness.golden", "json", "numpy"} <= loaded, done.stderr
    assert not loaded & {"importlib.metadata", "email.message", "tempfile", "csv", "audio", "text", "postprocess"}
    assert {name for name in loaded if name.startswith("harness.")} == {
        f"harness.{part}"
        for part in "bundle calls checks command compare errors feed files golden interpreter meaning model numbers "
        "options replay report signature state tensor text training words".split()
    }
