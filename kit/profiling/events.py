"""What LiteRT's profiler saw of calls, added up by what ran: operators, and XNNPACK's own. Standard library only.

Source: TFLite's profiler.h (types of events) and profile_buffer.h. The metadata of an operator's event are its place in
its subgraph and the subgraph; of an event of a delegate, the place in the delegate's own list and the subgraph.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

INVOKE, OPERATOR, DELEGATE = 1, 2, 8  # types of events: of a call of a subgraph among others; of operators
_CALL = "Invoke"


@dataclass(frozen=True)
class Event:
    """One event. start, elapsed: microseconds, whole ones; an event of a delegate has no start."""

    tag: str
    type: int
    start: int
    elapsed: int
    first: int
    second: int


@dataclass(frozen=True)
class Step:
    """What ran in a call: an operator of the file, or one of XNNPACK's.

    operator: the place of an operator in its subgraph, -1 for one of XNNPACK's; place: of that one's in the order of
    its subgraph, else -1; microseconds: of a call, without what ran inside of it; times: how often it ran in a call;
    outer: whether others ran inside of it, as in a loop: then its time is mostly the profiler's own, which measures the
    process's memory at each turn.
    """

    name: str  # "DEPTHWISE_CONV_2D", "Convolution (NHWC, QC8) IGEMM"
    subgraph: int
    operator: int
    place: int
    microseconds: float
    times: float
    outer: bool = False


@dataclass(frozen=True)
class Steps:
    """Calls that were profiled. steps: in the order that they ran; whole: whether the profiler had room for a call."""

    steps: tuple[Step, ...]
    whole: bool


@dataclass
class _Ran:
    """An operator that ran once. inner: what ran inside of it."""

    key: tuple[int, int, int]  # subgraph, operator, place
    name: str
    microseconds: float
    outer: bool = False


def added_up(calls: Sequence[Sequence[Event]]) -> Steps:
    """Return of each operator the mean of its faster half of calls: another program's turn is no operator's time.

    Raises ValueError where one of them is no call of a model.
    """
    names: dict[tuple[int, int, int], str] = {}
    took: dict[tuple[int, int, int], list[float]] = {}
    times, outer = Counter[tuple[int, int, int]](), set[tuple[int, int, int]]()
    for own in map(_ran, calls):
        sums: dict[tuple[int, int, int], float] = {}
        for each in own:
            names.setdefault(each.key, each.name)
            sums[each.key] = sums.get(each.key, 0.0) + each.microseconds
            times[each.key] += 1
            outer |= {each.key} if each.outer else set()
        for key, microseconds in sums.items():
            took.setdefault(key, []).append(microseconds)
    steps = (
        Step(name, *key, faster_half(took[key]), times[key] / len(calls), key in outer) for key, name in names.items()
    )
    return Steps(tuple(steps), all(map(_whole, calls)))


def faster_half(values: Sequence[float]) -> float:
    """Return the mean of the smaller half of values."""
    return statistics.fmean(sorted(values)[: (len(values) + 1) // 2])


def _whole(events: Sequence[Event]) -> bool:
    """Say whether the profiler had room for a call: the end of each call of a subgraph is an event, too."""
    began = sum(event.tag == _CALL and event.type == INVOKE for event in events)
    ended = sum(event.tag == _CALL and event.type not in {INVOKE, OPERATOR, DELEGATE} for event in events)
    return ended >= began


def _ran(events: Sequence[Event]) -> list[_Ran]:
    """Return each operator that ran, in the order that they began. Raises ValueError where there was no call."""
    found: list[_Ran] = []
    inside: list[_Ran] = []  # operators that may be running, the innermost last
    places: dict[int, int] = {}  # of XNNPACK's next operator in this call of a subgraph
    for event in events:
        graph = event.second
        if event.type == INVOKE and event.tag == _CALL:
            places[graph] = 0
        if event.type not in {OPERATOR, DELEGATE}:
            continue
        at = next((index for index, outer in enumerate(inside) if outer.key[0] == graph), None)
        if at is not None:
            del inside[at:]  # the next operator of a subgraph: the last one has ended
        if inside:
            inside[-1].microseconds -= event.elapsed
            inside[-1].outer = True
        if event.type == OPERATOR:
            found.append(_Ran((graph, event.first, -1), event.tag, event.elapsed))
            inside.append(found[-1])
        else:
            found.append(_Ran((graph, -1, places.get(graph, 0)), event.tag, event.elapsed))
            places[graph] = places.get(graph, 0) + 1
    if not places:
        raise ValueError("LiteRT's profiler saw no call")
    for each in found:
        each.microseconds = max(0.0, each.microseconds)
    return found
