"""Times by turns: orders, rounds and the interval of a ratio; a file that does not run costs no other one."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import pytest

from kit.bundle.layout import Bundle
from kit.bundle.signature import read_signature
from kit.emulation.by_turns import FEWEST, MOST, Turn, orders, time_by_turns
from kit.emulation.latency import Order, TimedCalls, TimedFile, interval_rank, latencies, time_files


def test_every_order_is_followed_by_its_reverse_and_all_are_the_same_each_time() -> None:
    found = list(orders(5, 8))
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in found)
    assert all(found[number + 1] == found[number][::-1] for number in range(0, 8, 2))
    assert len({tuple(order) for order in found}) > 2
    assert found == list(orders(5, 8))


def test_functions_run_in_blocks_in_that_order_and_each_block_is_prepared() -> None:
    seen: list[str] = []

    def turn(name: str, seconds: float) -> Turn:
        def call() -> None:
            time.sleep(seconds)
            seen.append(name)

        return Turn(call, lambda: seen.append(f"before {name}"))

    slow, fast = time_by_turns([turn("slow", 0.02), turn("fast", 0.001)], seconds=0.0, singly=True)
    assert len(slow.blocks) == len(fast.blocks) == FEWEST, "however little time there is"
    assert slow.calls == 1 and fast.calls > 4
    assert len(slow.single) == FEWEST and len(fast.single) == FEWEST * fast.calls
    starts = [word.removeprefix("before ") for word in seen if word.startswith("before")]
    names = ("slow", "fast")
    assert starts == [*names, *(names[place] for order in orders(2, FEWEST) for place in order)]
    # Behind the warm-up: in each block one call that is not timed, then those of the block, then those timed singly.
    assert seen.count("slow") - seen[: seen.index("before fast")].count("slow") == FEWEST * 3


def test_a_short_function_gets_as_many_rounds_as_are_worth_it_and_no_more() -> None:
    (timing,) = time_by_turns([Turn(lambda: None)], seconds=1e6 / 1e4)
    assert len(timing.blocks) == MOST and not timing.single


# Conover's table of the sign test: which order statistic is the lower end of the median's 95 % interval, from 0 here.
@pytest.mark.parametrize(
    ("count", "rank"), [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (20, 5), (25, 7), (30, 9)]
)
def test_the_interval_is_that_of_the_sign_test(count: int, rank: int) -> None:
    assert interval_rank(count) == rank
    missed = [2 * sum(math.comb(count, below) for below in range(at + 1)) / 2**count for at in (rank, rank + 1)]
    assert missed[1] > 0.05 and (missed[0] <= 0.05 or count < 6)


def test_a_ratio_is_of_rounds_so_a_round_that_was_slow_for_both_changes_nothing() -> None:
    first = (1.0, 1.0, 9.0, 1.0, 1.0, 5.0, 1.0)
    other = (2.0, 2.2, 18.0, 2.0, 1.8, 10.0, 2.0)
    timed = [TimedCalls(calls=1, blocks=blocks) for blocks in (first, other)]
    one, two, dead = latencies(["float32", "int8", "int4"], [*timed, TimedCalls("no kernel")])
    assert dead is None
    assert one is not None and (one.ratio, one.low, one.high, one.of) == (1.0, 1.0, 1.0, "float32")
    assert two is not None and (two.ratio, two.low, two.high, two.rounds) == (2.0, 1.8, 2.2, 7)
    assert two.median_ms == 2000.0
    assert latencies(["float32", "int8"], [TimedCalls("no kernel"), timed[1]]) == [None, None]


def test_files_are_timed_on_the_runtime_and_one_that_is_none_costs_no_other(
    digits_bundle: Path, runtime_python: Path, tmp_path: Path
) -> None:
    bundle = Bundle(digits_bundle, "digits")
    key = read_signature(bundle.signature).main.key
    file = TimedFile(str(bundle.model), str(bundle.golden_npz), key)
    (tmp_path / "none.tflite").write_bytes(b"none")
    wrong = (TimedFile(str(tmp_path / "none.tflite"), file.vectors, key), TimedFile(file.model, file.vectors, "other"))
    found = time_files(runtime_python, Order((file, *wrong, file), 0.1, threads=2, singly=True))
    assert [bool(each.error) for each in found] == [False, True, True, False]
    for each in (found[0], found[3]):
        assert each.calls > 1 and len(each.blocks) >= FEWEST and min(each.blocks) > 0
        median, p95, mean = each.single
        assert 0 < median <= p95 and mean > 0
    (one, two) = latencies(["a", "b"], [found[0], found[3]])
    assert one is not None and two is not None and 0 < two.low <= two.ratio <= two.high


def test_where_nothing_runs_every_file_says_why(tmp_path: Path) -> None:
    order = Order((TimedFile("a.tflite", "a.npz", "serving_default"),) * 2, 0.1)
    assert [each.error for each in time_files(Path(sys.executable), order)] == ["no interpreter is installed"] * 2
    dead = tmp_path / "python"
    dead.write_text("#!/bin/sh\necho 'all is lost' >&2\nexit 3\n", "utf-8")
    dead.chmod(0o755)
    assert [each.error for each in time_files(dead, order)] == ["all is lost"] * 2
