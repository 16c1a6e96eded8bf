"""Calls on all cores: the same numbers from one process and from several, whichever ends first or dies."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from kit.emulation.all_cores import Claims, Work, run_calls
from kit.progress import Reporter, rest

COUNT = 400
PARENT = os.getpid()


def outputs(number: int) -> dict[str, np.ndarray]:
    """Return two outputs of a call, and one without a number in it."""
    values = np.random.default_rng(number).normal(size=(2, 3)).astype(np.float32)
    return {"a": values, "b/c": np.array(number % 100, np.int8), "none": np.zeros((0, 2), np.float32)}


def slow(seconds: float) -> Callable[[int], Mapping[str, np.ndarray]]:
    """Return such calls that take their time."""

    def call(number: int) -> Mapping[str, np.ndarray]:
        time.sleep(seconds)
        return outputs(number)

    return call


def ran(folder: Path, work: Work, call: Callable[[int], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Run all calls in a new folder."""
    folder.mkdir()
    return run_calls(work, call, folder)


@pytest.mark.parametrize(("here", "there"), [(0.002, 0.0005), (0.0005, 0.004)], ids=["helpers first", "helpers last"])
def test_one_process_and_three_give_the_same_in_any_order_of_finishing(
    tmp_path: Path, here: float, there: float
) -> None:
    seen: set[int] = set()

    def count(done: int, total: int, processes: int) -> None:
        assert 0 < done <= total == COUNT
        seen.add(processes)

    wanted = ran(tmp_path / "1", Work(COUNT, lambda: outputs), outputs)
    # Less than nothing to start one: `here` alone is too short for three.
    several = Work(COUNT, lambda: slow(there), cost=-0.09, processes=3, tell=count)
    found = ran(tmp_path / "3", several, slow(here))
    assert 3 in seen
    assert {name: (a.shape, a.dtype.name) for name, a in found.items()} == {
        "a": ((COUNT, 2, 3), "float32"),
        "b/c": ((COUNT,), "int8"),
        "none": ((COUNT, 0, 2), "float32"),
    }
    for name, array in wanted.items():
        assert array.tobytes() == found[name].tobytes()
        assert np.array_equal(array, np.stack([outputs(number)[name] for number in range(COUNT)]))


def test_processes_take_ever_fewer_calls_at_the_end_and_every_call_once(tmp_path: Path) -> None:
    with (tmp_path / "claims").open("w+b") as file:
        claims = Claims(file, count=1000, processes=2)
        taken, process = [], 0
        while numbers := claims.take(400, process):
            assert claims.left(process) == numbers
            taken.append(numbers)
            process = 1 - process
    assert [number for numbers in taken for number in numbers] == list(range(1000))
    # Half of what each of two has left: then the one that is last is busy alone for one call, not for 400.
    assert [len(numbers) for numbers in taken][:3] == [250, 187, 140]
    assert [len(numbers) for numbers in taken][-4:] == [1, 1, 1, 1]


def test_what_is_short_stays_in_one_process(tmp_path: Path) -> None:
    seen: set[int] = set()
    work = Work(COUNT, lambda: outputs, cost=60, processes=3, tell=lambda *event: seen.add(event[2]))
    ran(tmp_path / "short", work, slow(0.0005))
    assert seen == {1}


@pytest.mark.parametrize("how", ["killed", "raises", "cannot load"])
def test_calls_of_a_process_that_dies_are_made_here(tmp_path: Path, how: str) -> None:
    calls: list[int] = []

    def broken(number: int) -> Mapping[str, np.ndarray]:
        if number > COUNT // 2:
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError("no")
        return outputs(number)

    def load() -> Callable[[int], Mapping[str, np.ndarray]]:
        if how == "cannot load":
            raise MemoryError
        return broken

    def here(number: int) -> Mapping[str, np.ndarray]:
        calls.append(number)
        return slow(0.001)(number)

    found = ran(tmp_path / "dies", Work(COUNT, load, cost=-0.09, processes=2), here)
    assert np.array_equal(found["a"], np.stack([outputs(number)["a"] for number in range(COUNT)]))
    assert os.getpid() == PARENT
    assert len(calls) >= COUNT // 2 - 60


def test_what_a_call_raises_is_raised_here_whoever_met_it(tmp_path: Path) -> None:
    def call(number: int) -> Mapping[str, np.ndarray]:
        time.sleep(0.001)
        if number == COUNT - 30:
            raise KeyError(number)
        return outputs(number)

    with pytest.raises(KeyError, match=str(COUNT - 30)):
        ran(tmp_path / "raises", Work(COUNT, lambda: call, cost=-0.09, processes=3), call)
    with pytest.raises(ValueError, match=r"output 'a' is \[1\], and was \[2\]"):
        ran(tmp_path / "uneven", Work(2, lambda: call), lambda n: {"a": np.zeros(2 - n)})


def test_the_rest_is_estimated_from_what_was_done() -> None:
    assert rest(4.0, 100, 300) == ", about 12 s left"
    assert rest(60.0, 100, 300) == ", about 3 min left"
    assert rest(1.0, 0, 300) == rest(1.0, 100, 0) == ""


def test_a_stage_says_what_is_left_once_it_takes_more_than_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    reporter = Reporter(Terminal())
    reporter.stage("run it")
    shown = []
    for done in (100, 150, 200, 400):
        now[0] += 1.5
        reporter.advance(done, 400)
        shown.append(reporter.stream.getvalue().rpartition("] ")[2])  # type: ignore[attr-defined]
    assert shown == ["100/400", "150/400, about 8 s left", "200/400, about 6 s left", "400/400"]
