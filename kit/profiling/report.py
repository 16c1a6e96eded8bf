"""A profile as lines and as JSON: operators by time and by error. Runs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kit.emulation.output_check import InputError
from kit.profiling.operators import BUILT_IN, FUSED, UNKNOWN, XNNPACK, Profiled
from kit.shared.quantization import PERFECT
from kit.tflite.describe import columns, escaped

SHOWN = 10  # rows of each table
WIDE = 60  # letters of a layer's names
_CLOCK = 0.5  # microseconds: XNNPACK's times are whole ones, so that a mean below is no measurement
HINT = (
    "a desktop's milliseconds are not a phone's: it has other kernels, caches and clocks. What is large here is a hint "
    "where to look (docs/emulation.md)"
)


@dataclass(frozen=True)
class Profile:
    """Where a call spends its time and makes its error.

    app: the runtime that the app links, "" where no bundle says it; milliseconds: of a call without the profiler;
    calls: so many were timed; samples: so many inputs were compared; against: what errors were measured against.
    """

    model: str
    version: str
    app: str
    package: str
    signature: str
    threads: int
    calls: int
    samples: int
    milliseconds: float
    operators: tuple[Profiled, ...]
    against: str
    notes: tuple[str, ...]
    errors: tuple[InputError, ...]

    @property
    def operator_milliseconds(self) -> float:
        """Return the time in operators."""
        return sum(row.microseconds for row in self.operators) / 1000

    def to_json(self) -> dict[str, Any]:
        """Return what --json prints."""
        operators = [self._row(row) for row in self.operators]
        rest = {"operator_milliseconds": self.operator_milliseconds, "operators": operators, "hint": HINT}
        return asdict(self) | rest

    def _row(self, row: Profiled) -> dict[str, Any]:
        share = row.microseconds / 1000 / (self.operator_milliseconds or 1.0)
        return asdict(row) | {"share": share}


def lines_of(profile: Profile) -> Iterator[str]:
    """Yield the lines that a user reads."""
    threads = f"{profile.threads} thread{'s' * (profile.threads > 1)}"
    yield f"{' '.join(filter(None, (profile.model, profile.version)))}: {profile.package}, {threads}, on this machine"
    if profile.app:
        yield f"  the app links {profile.app}"
    total = profile.operator_milliseconds
    share = f"{total / profile.milliseconds:.0%}"
    yield f"  a call takes {profile.milliseconds:.4g} ms, its operators {total:.4g} ms of that ({share})"
    macs, moved = (sum(getattr(row, name) for row in profile.operators) for name in ("macs", "moved"))
    yield f"  {macs:,} multiply-adds, {moved:,} bytes read and written"
    yield from _delegates(profile)
    yield ""
    yield f"most time{_first(profile.operators)}"
    yield from _time_table(profile)
    yield ""
    yield from _error_table(profile)
    yield from (f"note: {escaped(note)}" for note in profile.notes)
    yield HINT


def by_time(operators: Sequence[Profiled]) -> list[Profiled]:
    """Return operators, those first that take most."""
    return sorted(operators, key=lambda row: (-row.microseconds, row.subgraph, row.operator))


def by_error(operators: Sequence[Profiled]) -> list[Profiled]:
    """Return the operators that have an error, those first that add most."""
    known = [(row.error, row) for row in operators if row.error is not None and row.error.snr < PERFECT]
    return [row for error, row in sorted(known, key=lambda pair: (-pair[0].added, pair[0].snr, pair[0].tensor))]


def _delegates(profile: Profile) -> Iterator[str]:
    """Yield who runs the operators, and why XNNPACK does not run them all."""
    rows = [row for row in profile.operators if row.operator >= 0]
    total = sum(row.microseconds for row in profile.operators) or 1.0
    for name, of in ((XNNPACK, (XNNPACK, FUSED)), (BUILT_IN, (BUILT_IN,)), (UNKNOWN, (UNKNOWN,))):
        own = [row for row in rows if row.delegate in of]
        if own:
            share = sum(row.microseconds for row in own) / total
            yield f"  {name}: {len(own)} of {len(rows)} operators, {share:.0%} of their time"
    for (operator, why), count in Counter((row.name, row.why) for row in rows if row.why).items():
        yield f"    {escaped(operator)}{f' x{count}' if count > 1 else ''}: {why}"


def _time_table(profile: Profile) -> Iterator[str]:
    total = sum(row.microseconds for row in profile.operators) or 1.0
    rows = [("#", "operator", "layer", "by", "ms", "share", "multiply-adds", "bytes")]
    for row in by_time(profile.operators)[:SHOWN]:
        milliseconds = f"{row.microseconds / 1000:.3g}{' (rest)' if row.rest else ''}"
        if row.delegate == XNNPACK and row.microseconds < _CLOCK * max(row.times, 1.0):
            milliseconds = f"< {max(row.times, 1.0) / 1000:.3g}"
        numbers = (milliseconds, f"{row.microseconds / total:.1%}", f"{row.macs:,}", f"{row.moved:,}")
        rows.append((_place(row), escaped(row.name), _layer(row), row.delegate, *numbers))
    yield from columns(rows)


def _error_table(profile: Profile) -> Iterator[str]:
    if not profile.against:
        return
    worst = by_error(profile.operators)
    if not worst:
        yield f"no operator has an error, beside {escaped(profile.against)}"
        return
    yield f"largest error{_first(worst)}, beside {escaped(profile.against)}"
    rows = [("#", "operator", "layer", "adds", "SNR", "why")]
    for row in worst[:SHOWN]:
        if row.error is not None:
            error = row.error
            numbers = f"{error.added:.3%}", f"{error.snr:.1f} dB"
            rows.append((_place(row), escaped(row.name), _layer(row), *numbers, escaped(error.reason)))
    yield from columns(rows)


def _first(rows: Sequence[Profiled]) -> str:
    return f", the first {SHOWN} of {len(rows)} (--json has all)" if len(rows) > SHOWN else ""


def _place(row: Profiled) -> str:
    return "" if row.operator < 0 else f"{row.subgraph}.{row.operator}" if row.subgraph else str(row.operator)


def _layer(row: Profiled) -> str:
    text = escaped(row.layer)
    return text if len(text) <= WIDE else f"{text[: WIDE - 3]}..."
