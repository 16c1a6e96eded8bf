"""The command line of emulate.py as values."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .bundle import Bundle
from .errors import EmulateError

FORMS = ("text", "json", "jsonl", "csv")
KERNELS = ("default", "reference")
RUNS = 100  # of the benchmark
MOST = 256  # threads of the interpreter, and processes
ABOUT = "Run this bundle's model as the app does. Without INPUT: replay its golden vectors."


@dataclass(frozen=True)
class Options:
    """What a user asked for."""

    inputs: tuple[Path, ...]
    form: str  # of what is printed: a key of FORMS
    top: int  # classes
    threads: int
    kernels: str  # default or reference
    jobs: int  # processes at most; 0: as many as there are cores
    runs: int | None  # of the benchmark; None: no benchmark
    golden: bool
    signature: str | None  # its key; None: the main one
    variables: bool
    load: Path | None
    save: Path | None
    save_images: Path | None  # the folder for what was found, drawn
    save_outputs: Path | None  # the .npz for what the model gave

    @property
    def shown(self) -> int:
        """How many classes are shown at most: a .csv has the best alone."""
        return 1 if self.form == "csv" else self.top

    @property
    def of_variables(self) -> tuple[str, ...]:
        """The options given that only a model with kept variables takes."""
        given = (("variables", self.variables), ("load", self.load), ("save", self.save))
        return tuple(f"--{name}" for name, value in given if value)


class _Parser(argparse.ArgumentParser):
    """argparse, with an error of one line that the command writes."""

    def error(self, message: str) -> NoReturn:
        raise EmulateError(message, "emulate.py --help shows the options")


def parse(bundle: Bundle, argv: list[str] | None, more: str) -> Options:
    """Return the options. more: what --help says behind the list of them. Raises EmulateError."""
    parser = _parser(bundle, more)
    own, behind = _split(sys.argv[1:] if argv is None else argv)
    # What takes INPUTs between options lays out the whole usage first.
    given = parser.parse_intermixed_args(own) if own else parser.parse_args(own)
    inputs, runs = [*given.inputs, *behind], given.benchmark
    if runs is not None and not runs.lstrip("-").isdecimal():
        # `--benchmark seven.png`: argparse cannot know that this is an INPUT.
        inputs.insert(0, runs)
        runs = str(RUNS)
    runs = None if runs is None else int(runs)
    if "" in inputs:
        parser.error("the name of an INPUT is empty")
    if given.signature is not None and not (inputs or runs):
        parser.error(f"--signature {given.signature} is for an INPUT, and there is none")
    if runs is not None and "-" in inputs:
        parser.error("--benchmark reads its INPUT twice, and - can be read once: name a file")
    for name, value in (("save-images", given.save_images), ("save-outputs", given.save_outputs)):
        if value is not None and not inputs:
            parser.error(f"--{name} {value} is for an INPUT, and there is none")
    form = _form(parser, given, rows_alone=bool(inputs) and not (given.golden or runs or given.variables))
    _check_numbers(parser, {"top": given.top, "threads": given.threads, "benchmark": runs, "jobs": given.jobs})
    return Options(
        inputs=tuple(map(Path, inputs)),
        form=form,
        top=given.top,
        threads=given.threads,
        kernels=given.kernels,
        jobs=given.jobs or 0,
        runs=runs,
        golden=given.golden,
        signature=given.signature,
        variables=given.variables,
        load=given.load,
        save=given.save,
        save_images=given.save_images,
        save_outputs=given.save_outputs,
    )


def _check_numbers(parser: _Parser, numbers: Mapping[str, int | None]) -> None:
    """Refuse a number that cannot be meant: an interpreter starts any number of threads."""
    for name, value in numbers.items():
        if value is not None and value < 1:
            parser.error(f"--{name} {value} is less than 1")
        if value is not None and value > MOST and name in ("threads", "jobs"):
            parser.error(f"--{name} {value} is more than {MOST}")


def _form(parser: _Parser, given: argparse.Namespace, *, rows_alone: bool) -> str:
    """Return in which form the report is printed. rows_alone: it has results of INPUTs and nothing else."""
    forms = [form for form in FORMS[1:] if getattr(given, form)]
    if len(forms) > 1:
        parser.error(f"--{forms[0]} and --{forms[1]} are two forms of one output: give one of them")
    if forms and forms[0] in ("jsonl", "csv") and not rows_alone:
        parser.error(f"--{forms[0]} has a line for each INPUT and nothing else: give INPUTs alone, or --json")
    return forms[0] if forms else "text"


def _split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the words before `--`, and those behind it: INPUTs, whatever their names begin with."""
    # argparse reads intermixed words twice, the second time without `--`: -odd.png would be an option then.
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _parser(bundle: Bundle, more: str) -> _Parser:
    parser = _Parser(prog="emulate.py", description=ABOUT, epilog=more)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    kinds = "an image, .wav, .txt, .csv, .npz, .npy, .raw or .bin; a folder of them; - for stdin"
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help=kinds)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--jsonl", action="store_true", help="print a JSON document a line, one for each sample")
    parser.add_argument("--csv", action="store_true", help="print a .csv with a row for each sample")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="how many classes (default 5)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="for the interpreter (default 1)")
    kernels = "of the interpreter: default, as an app has them, or reference: slow and plain"
    parser.add_argument("--kernels", choices=KERNELS, default="default", help=kernels)
    jobs = "processes for many INPUTs (default: one for each core)"
    parser.add_argument("--jobs", type=int, metavar="N", help=jobs)
    timing = f"time one call ({RUNS} runs)"
    parser.add_argument("--benchmark", nargs="?", const=str(RUNS), metavar="RUNS", help=timing)
    parser.add_argument("--golden", action="store_true", help="replay the golden vectors, with INPUTs too")
    parser.add_argument("--signature", metavar="KEY", help="run INPUTs through this signature of the model")
    parser.add_argument("--variables", action="store_true", help="show the variables that the model keeps")
    parser.add_argument("--load", type=Path, metavar="STATE", help="first give them these values (.npz)")
    parser.add_argument("--save", type=Path, metavar="STATE", help="at last write their values (.npz)")
    drawn = "draw boxes, masks and keypoints on each image, and write it there"
    parser.add_argument("--save-images", type=Path, metavar="FOLDER", help=drawn)
    written = "write the outputs of all samples as arrays (.npz)"
    parser.add_argument("--save-outputs", type=Path, metavar="FILE", help=written)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    built = f"{bundle.id}, made by dropkit {bundle.kit} for {bundle.runtime}"
    parser.add_argument("--version", action="version", version=built)
    return parser
