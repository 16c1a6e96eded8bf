"""What each pinned runtime made of a bundle, as values, a table and JSON. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kit.errors import CheckError

NEWER = "name a runtime that runs it: [android] runtime; or take another [quantize] scheme"
FAILS, OFF, RUNS = "fails", "off", "runs"


@dataclass(frozen=True)
class OutputOff:
    """How far one output is from its golden vectors at worst. worst is None where a value is not finite."""

    signature: str
    output: str
    unit: str  # steps (of quantization, or whole numbers), or absolute
    worst: float | None
    allowed: float
    passed: bool

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> OutputOff:
        """Return an output of the script's line. Raises KeyError or TypeError where it is none."""
        worst = None if raw["worst"] is None else float(raw["worst"])
        where = (str(raw["signature"]), str(raw["output"]), str(raw["unit"]))
        return OutputOff(*where, worst, float(raw["allowed"]), bool(raw["pass"]))

    @property
    def words(self) -> str:
        """Say how far it is off: "2 steps"."""
        if self.worst is None:
            return "not finite"
        return f"{self.worst:.3g}" + ("" if self.unit != "steps" else " step" if self.worst == 1 else " steps")


@dataclass(frozen=True)
class RuntimeRow:
    """One runtime with one kind of kernels and one number of threads. error: why it does not run the model there."""

    runtime: str
    kernels: str
    threads: int
    outputs: tuple[OutputOff, ...] = ()
    stable: bool = True
    error: str = ""

    @staticmethod
    def from_json(runtime: str, kernels: str, raw: Mapping[str, Any]) -> RuntimeRow:
        """Return the row of the script's line. Raises KeyError or TypeError where it is none."""
        threads = int(raw["threads"])
        if "error" in raw:
            return RuntimeRow(runtime, kernels, threads, error=str(raw["error"]))
        outputs = tuple(OutputOff.from_json(each) for each in raw["outputs"])
        return RuntimeRow(runtime, kernels, threads, outputs, bool(raw["stable"]))

    @property
    def verdict(self) -> str:
        """Return "fails" where it does not run the model, "off" where a bound is not kept, else "runs"."""
        if self.error:
            return FAILS
        return RUNS if self.stable and all(output.passed for output in self.outputs) else OFF

    @property
    def words(self) -> str:
        """Say what it made of the model."""
        if self.error:
            return self.error
        worst = [f"{output.output} {output.words} ({output.allowed:.3g} allowed)" for output in self.outputs]
        return ", ".join([*worst, *([] if self.stable else ["not the same when it is asked again"])])


@dataclass(frozen=True)
class RuntimesReport:
    """All rows of a bundle. app: the runtime that it was built for; machine: the processor's kind."""

    bundle: str
    version: str
    app: str
    machine: str
    rows: tuple[RuntimeRow, ...]

    @property
    def works_on(self) -> tuple[str, ...]:
        """Return the runtimes that run it as built with their default kernels, by name, oldest first."""
        found: dict[str, bool] = {}
        for row in self.rows:
            if row.kernels == "default":
                found[row.runtime] = found.get(row.runtime, True) and row.verdict == RUNS
        return tuple(name for name, works in found.items() if works)

    def to_json(self) -> dict[str, Any]:
        """Return the whole report, as <id>.emulate.json keeps it."""
        rows = [{**asdict(row), "outputs": [asdict(each) for each in row.outputs], "verdict": row.verdict}
                for row in self.rows]  # fmt: skip
        return {
            "bundle": self.bundle,
            "version": self.version,
            "app": self.app,
            "machine": self.machine,
            "works_on": list(self.works_on),
            "rows": rows,
        }


def table(report: RuntimesReport) -> Iterator[str]:
    """Yield the lines of the table: one for each runtime and kind of kernels, threads together where they are alike."""
    yield f"{report.bundle} {report.version}, golden vectors on {report.machine}; the app links {report.app}"
    head = ("runtime", "kernels", "threads", "", "difference from the outputs as built")
    cells = [head, *(_cells(rows) for rows in _alike(report.rows))]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head) - 1)]
    for row in cells:
        yield "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
    yield f"works on: {', '.join(report.works_on) or 'none'}"


def _alike(rows: Sequence[RuntimeRow]) -> Iterator[list[RuntimeRow]]:
    """Yield rows that differ in their threads alone, together."""
    group: list[RuntimeRow] = []
    for row in rows:
        if group and (row.runtime, row.kernels, row.words) != (group[0].runtime, group[0].kernels, group[0].words):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _cells(rows: Sequence[RuntimeRow]) -> tuple[str, str, str, str, str]:
    first = rows[0]
    return first.runtime, first.kernels, ", ".join(str(row.threads) for row in rows), first.verdict, first.words


def judge_runtimes(report: RuntimesReport) -> None:
    """Refuse a bundle that its own runtime does not run as it was built. Raises CheckError."""
    bad = [row for row in report.rows if (row.runtime, row.kernels) == (report.app, "default") and row.verdict != RUNS]
    if bad:
        raise CheckError(f"{report.app}, which the app links, {_sentence(bad[0])}", NEWER)


def _sentence(row: RuntimeRow) -> str:
    return f"does not run it: {row.error}" if row.error else f"gives other outputs: {row.words}"
