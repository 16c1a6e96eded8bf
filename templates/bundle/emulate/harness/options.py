"""The command line of emulate.py as values."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .benchmark import RUNS
from .bundle import Bundle
from .errors import EmulateError

ABOUT = "Run this bundle's model as the app does. Without INPUT: replay its golden vectors."


@dataclass(frozen=True)
class Options:
    """What a user asked for."""

    inputs: tuple[Path, ...]
    json: bool
    top: int  # classes
    threads: int
    runs: int | None  # of the benchmark; None: no benchmark
    golden: bool
    signature: str | None  # its key; None: the main one
    variables: bool
    load: Path | None
    save: Path | None
    save_images: Path | None  # the folder for what was found, drawn

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
    given = parser.parse_intermixed_args(own)
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
    if given.save_images is not None and not inputs:
        parser.error(f"--save-images {given.save_images} is for an INPUT, and there is none")
    for name, value in (("top", given.top), ("threads", given.threads), ("benchmark", runs)):
        if value is not None and value < 1:
            parser.error(f"--{name} {value} is less than 1")
    return Options(
        inputs=tuple(map(Path, inputs)),
        json=given.json,
        top=given.top,
        threads=given.threads,
        runs=runs,
        golden=given.golden,
        signature=given.signature,
        variables=given.variables,
        load=given.load,
        save=given.save,
        save_images=given.save_images,
    )


def _split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the words before `--`, and those behind it: INPUTs, whatever their names begin with."""
    # argparse reads intermixed words twice, the second time without `--`: -odd.png would be an option then.
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _parser(bundle: Bundle, more: str) -> _Parser:
    parser = _Parser(prog="emulate.py", description=ABOUT, epilog=more)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="*", help="an image, .wav, .txt, .npz, .npy, .raw or .bin, or a folder of them"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="how many classes (default 5)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="for the interpreter (default 1)")
    timing = f"time one call ({RUNS} runs)"
    parser.add_argument("--benchmark", nargs="?", const=str(RUNS), metavar="RUNS", help=timing)
    parser.add_argument("--golden", action="store_true", help="replay the golden vectors, with INPUTs too")
    parser.add_argument("--signature", metavar="KEY", help="run INPUTs through this signature of the model")
    parser.add_argument("--variables", action="store_true", help="show the variables that the model keeps")
    parser.add_argument("--load", type=Path, metavar="STATE", help="first give them these values (.npz)")
    parser.add_argument("--save", type=Path, metavar="STATE", help="at last write their values (.npz)")
    drawn = "draw boxes, masks and keypoints on each image, and write it there"
    parser.add_argument("--save-images", type=Path, metavar="FOLDER", help=drawn)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    built = f"{bundle.id}, made by dropkit {bundle.kit} for {bundle.runtime}"
    parser.add_argument("--version", action="version", version=built)
    return parser
