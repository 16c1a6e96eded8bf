"""What LiteRT's GPU accelerator made of a bundle, as values, lines and JSON. Runs nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kit.emulation.output_check import InputError, OutputCheck, check_lines
from kit.errors import CheckError, EngineError, KitError

PRECISIONS = ("float32", "float16")  # whether the kernels are right; how far half precision is off
_WHY = (
    "an estimate: LiteRT's WebGPU accelerator on a software driver; phones mostly use OpenCL and round otherwise "
    "(docs/emulation.md)"
)
_FULL_PRECISION = "let the app ask for float32: create(context, precision = GpuPrecision.FP32)"
_NO_GPU = "leave the GPU out in the app: create(context, listOf(Accelerator.CPU))"
_STATIC = re.compile(r"only supports static-sized tensors .*\(tensor#(\d+) is a dynamic-sized tensor\)")
_OPS = re.compile(r"not supported by GPU delegate:\n((?:[A-Z0-9_]+(?: [^:\n]*)?: .*\n)+)")


@dataclass(frozen=True)
class GpuCheck(OutputCheck):
    """How far the GPU's values are from what they should be."""

    worst: float  # of the finite values
    not_finite: int  # NaN and infinity where the CPU has none

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> GpuCheck:
        """Return a check of the script's result. Raises TypeError or KeyError where it is none."""
        top1 = raw["top1"] and (int(raw["top1"][0]), int(raw["top1"][1]))
        return GpuCheck(**{**raw, "top1": top1})

    @property
    def sentence(self) -> str:
        """Say how far it is off."""
        parts = [f"{self.output}: max difference {self.distance(self.worst)} ({self.allowed:.3g} allowed)"]
        if self.top1:
            parts.append(f"top-1 as on the CPU in {self.top1[0]} of {self.top1[1]}")
        if self.not_finite:
            parts.append(f"{self.not_finite} values are NaN or infinite, and finite on the CPU")
        return ", ".join(parts)


@dataclass(frozen=True)
class GpuRun:
    """What came of the model in one precision."""

    precision: str
    whole: bool = False  # no operator runs on the CPU
    checks: tuple[GpuCheck, ...] = ()
    errors: tuple[InputError, ...] = ()
    refused: str = ""  # why LiteRT does not compile or run it
    operators: tuple[str, ...] = ()  # that the GPU does not take, each with LiteRT's reason
    ended: str = ""  # how the process ended before it said anything: "SIGSEGV"

    @staticmethod
    def from_json(precision: str, raw: Mapping[str, Any], log: str, producers: Mapping[int, str]) -> GpuRun:
        """Return a run of what the script wrote, and of what LiteRT wrote to stderr.

        producers: the operator that makes a tensor, by the tensor's index. Raises TypeError or KeyError.
        """
        operators = _operators(log, producers)
        if "refused" in raw:
            return GpuRun(precision, refused=str(raw["refused"]), operators=operators)
        checks = tuple(GpuCheck.from_json(check) for check in raw["checks"])
        errors = tuple(InputError(**error) for error in raw["errors"])
        return GpuRun(precision, bool(raw["whole"]), checks, errors, operators=() if raw["whole"] else operators)

    @property
    def failed(self) -> tuple[GpuCheck, ...]:
        """Return the checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def fault(self) -> str:
        """Return what is wrong with it in words; "" where nothing is."""
        if self.ended:
            return f"in {self.precision} the GPU's driver {self.ended}"
        if self.refused:
            of = f" ({'; '.join(self.operators)})" if self.operators else ""
            return f"LiteRT refuses to run it on a GPU{of}: an app that asks for the GPU throws here"
        if not self.failed:
            return ""
        worst = max(self.failed, key=lambda check: (check.not_finite, check.worst))
        how = "overflows" if worst.not_finite else "is off"
        return f"{self.precision} {how} on {worst.inputs}: {worst.sentence}"


@dataclass(frozen=True)
class GpuReport:
    """A bundle on the GPU accelerator, in each precision."""

    bundle: str
    version: str  # of the model
    app: str  # the runtime that the app links
    package: str  # "ai-edge-litert 2.3.0"
    driver: str  # "llvmpipe, Mesa 25.0.7"
    runs: tuple[GpuRun, ...]

    @property
    def errors(self) -> tuple[InputError, ...]:
        """Return the files that cannot be used, each once."""
        return tuple(dict.fromkeys(error for run in self.runs for error in run.errors))

    def to_json(self) -> dict[str, Any]:
        """Return what --json prints."""
        document = asdict(self) | {"accelerator": "gpu", "estimate": _WHY, "errors": list(map(asdict, self.errors))}
        for run, raw in zip(self.runs, document["runs"], strict=True):
            raw["fault"] = run.fault
            del raw["errors"]
        return document


def _operators(log: str, producers: Mapping[int, str]) -> tuple[str, ...]:
    """Return the operators that LiteRT says its GPU does not take: "WHILE: Operation is not supported"."""
    found = [line.strip().rstrip(".") for match in _OPS.finditer(log) for line in match[1].splitlines()]
    for match in _STATIC.finditer(log):
        name = producers.get(int(match[1]), "an input")
        found.append(f"{name}: its size is found in the call, and a GPU takes none")
    return tuple(dict.fromkeys(found))


def lines_of(report: GpuReport) -> Iterator[str]:
    """Yield the lines that a user reads."""
    yield f"{report.bundle} {report.version}, GPU estimate: {report.package}, WebGPU on {report.driver}"
    yield f"  the app links {report.app}"
    for run in report.runs:
        if run.fault and not run.checks:
            yield f"  {run.precision}: {run.fault}"
            continue
        where = "the whole graph is on the GPU" if run.whole else "a part runs on the CPU: " + "; ".join(run.operators)
        yield f"  {run.precision}: {where}"
        yield from check_lines(run.checks, "    ")
    yield _WHY


def judge(report: GpuReport) -> None:
    """Raise CheckError where the GPU refuses the model or is off, EngineError where its driver ended."""
    faults = [run for run in report.runs if run.fault]
    if not faults:
        return
    # Both precisions are refused with the same words.
    words = "; ".join(dict.fromkeys(run.fault for run in faults))
    message = f"{report.bundle}: GPU estimate: {words}"
    raise _error(message, faults, {run.precision for run in report.runs if not run.fault})


def _error(message: str, faults: Sequence[GpuRun], sound: Collection[str]) -> KitError:
    if any(run.ended for run in faults):
        return EngineError(message, "run it again; where it ends so again, leave the GPU out in the app")
    if any(run.refused for run in faults):
        return CheckError(message, "keep the CPU in the app's list of accelerators, or replace the operator")
    return CheckError(message, _FULL_PRECISION if "float32" in sound else _NO_GPU)
