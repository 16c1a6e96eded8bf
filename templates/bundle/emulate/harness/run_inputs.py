"""Run every INPUT: the outputs of those that can be used, one error for each that cannot."""

import contextlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from .entries import InputError, Result
from .errors import USAGE, EmulateError, one_line
from .files import Arrays
from .frame import ARRAYS
from .groups import in_groups
from .input_files import input_files
from .inputs import Sample, read_input
from .interpreter import Runner
from .results import Outcome, run_input, run_samples
from .run import Run
from .spread import Unit, Work, spread
from .stdin import STDIN, stdin_file
from .targets import check_target

LARGE = 1 << 20  # bytes: a file of arrays or sound from this size on is shared among processes
PIECES, MOST_CALLS = 64, 64  # a large file is cut into at least so many pieces, of so many calls at most
_SEVERAL = (*ARRAYS, ".wav")  # endings of files that may hold more than one call's worth


@dataclass(frozen=True)
class CallError:
    """The error of one call of a file that is shared: others of it may fail alike. place: the file's."""

    place: int
    error: InputError


Entry = Outcome | InputError | CallError


@dataclass(frozen=True)
class Ran:
    """What came of INPUTs. raw: of each result, [*shape] of each output in its dtype, where they are kept."""

    results: tuple[Result, ...]
    errors: tuple[InputError, ...]
    raw: tuple[Arrays, ...]


@dataclass(frozen=True)
class Cores:
    """How INPUTs are shared among processes. load: gives a process its runner, and takes `cost` seconds."""

    load: Callable[[], Runner]
    cost: float
    processes: int
    tell: Callable[[int, int], None]


def run_inputs(inputs: Sequence[Path], run: Run, cores: Cores) -> Ran:
    """Return the results of INPUTs, one for each call, and the errors of those that cannot be used.

    Raises EmulateError for what is no fault of an INPUT: a package that is missing, a place that no output may have.
    """
    with contextlib.ExitStack() as stack:
        files: list[Path | InputError] = []
        names: dict[str, str] = {}  # of files that a user does not know by their own
        for given in inputs:
            errors: list[InputError] = []
            with _collected(errors, given):
                if given == STDIN:
                    files.append(stack.enter_context(stdin_file(run.signature)))
                    names[str(files[-1])] = str(STDIN)
                else:
                    files += input_files(given, run.signature)
            files += errors
        if target := run.options.save_outputs:
            check_target("save-outputs", target, run.runner.bundle, [file for file in files if isinstance(file, Path)])
        may_split = partial(getattr, run, "knows_first")
        work = Work(
            partial(_units, files, run), run.runner, cores.load, cores.cost, cores.processes, may_split, cores.tell
        )
        entries = [_named(entry, names) if names else entry for entry in spread(work)]
    outcomes = [entry for entry in entries if isinstance(entry, Outcome)]
    return Ran(
        results=tuple(outcome.result for outcome in outcomes),
        errors=_errors(entries),
        raw=tuple(outcome.raw for outcome in outcomes),
    )


def _errors(entries: Sequence[Entry]) -> tuple[InputError, ...]:
    """Return the errors, and what all calls of one file say once."""
    found: dict[tuple[int, str], InputError] = {}
    for number, entry in enumerate(entries):
        if isinstance(entry, InputError):
            found[-1 - number, ""] = entry
        elif isinstance(entry, CallError):
            found.setdefault((entry.place, entry.error.error), entry.error)
    return tuple(found.values())


def _units(files: Sequence[Path | InputError], run: Run) -> Iterator[Unit]:
    """Yield what is to be done: each file, and of a large one some calls at a time."""
    for place, file in enumerate(files, 1):
        left = len(files) - place
        if isinstance(file, InputError):
            yield Unit(partial(_given, file), left)
        elif _is_large(file):
            yield from _calls(file, run, place, left)
        else:
            yield Unit(partial(_run_file, file, run), left)


def _is_large(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.suffix.lower() in _SEVERAL and path.stat().st_size >= LARGE
    return False


def _calls(path: Path, run: Run, place: int, left: int) -> Iterator[Unit]:
    """Yield the calls of a file, some at a time, and at last its error.

    place: the file's; left: how many files come behind it.
    """
    errors: list[InputError] = []
    done = 0
    with _collected(errors, path):
        for samples in in_groups(read_input(path, run.signature), _in_one_unit):
            done += len(samples)
            yield Unit(partial(_run_calls, (place, path), samples, run), left + samples[0].count - done, len(samples))
    yield from (Unit(partial(_given, error), left) for error in errors)


def _in_one_unit(sample: Sample) -> int:
    """Return how many calls of a file are done in one piece: so few that each process gets many pieces."""
    return max(1, min(sample.count // PIECES, MOST_CALLS))


def _given(error: InputError, _runner: Runner) -> list[Entry]:
    return [error]


def _run_file(path: Path, run: Run, runner: Runner) -> list[Entry]:
    """Return what comes of a file's calls, with its error where it cannot be used to its end."""
    entries: list[Entry] = []
    errors: list[InputError] = []
    with _collected(errors, path):
        entries.extend(run_input(path, run.on(runner)))  # those before an error stay
    return [*entries, *errors]


def _run_calls(file: tuple[int, Path], samples: Sequence[Sample], run: Run, runner: Runner) -> list[Entry]:
    """Return what comes of some calls of a file. file: its place and path."""
    entries: list[Entry] = []
    left = iter(samples)
    while True:
        errors: list[InputError] = []
        with _collected(errors, file[1]):
            entries.extend(run_samples(file[1], left, run.on(runner)))
        if not errors:
            return entries
        entries += [CallError(file[0], error) for error in errors]  # and on with the call behind it


def _named(entry: Entry, names: dict[str, str]) -> Entry:
    """Return what came of a file under the name that the user gave it."""
    if isinstance(entry, InputError):
        return replace(entry, input=names.get(entry.input, entry.input))
    if isinstance(entry, CallError):
        error = entry.error
        return replace(entry, error=replace(error, input=names.get(error.input, error.input)))
    name = names.get(entry.result.input, entry.result.input)
    return entry._replace(result=entry.result._replace(input=name))


@contextlib.contextmanager
def _collected(errors: list[InputError], path: Path) -> Iterator[None]:
    """Add to errors what is wrong with an INPUT. Raises EmulateError for what is wrong with something else."""
    try:
        yield
    except EmulateError as error:
        if error.code != USAGE:
            raise
        why = one_line(str(error).removeprefix(f"{path}: "))
        errors.append(InputError(str(path), why, error.hint, traceback.format_exc()))
