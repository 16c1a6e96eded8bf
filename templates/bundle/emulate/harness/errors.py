"""What a user can put right, with the exit code of each kind. Needs no package: it says which one is missing."""

import os
import shlex
import sys
from pathlib import Path

USAGE, OFF, MISSING, INTERRUPTED = 2, 4, 5, 130

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
PIP = (sys.executable or "python3", "-m", "pip", "install")
INSTALL = shlex.join([*PIP, "-r", str(REQUIREMENTS)])
# What may help where an interpreter refuses a model. dropkit runs it on the locked packages, and says so.
OR_INSTALL = "" if "DROPKIT_LOCKED" in os.environ else f", or run: {INSTALL}"


class EmulateError(Exception):
    """What a user can put right: what is wrong, and the next step."""

    def __init__(self, message: str, hint: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def broken(path: Path, why: str) -> EmulateError:
    """Return the error for a file of the bundle."""
    return EmulateError(f"{path}: {why}", "copy the bundle again, or build it again")


def refused(path: Path, why: str) -> EmulateError:
    """Return the error for an INPUT."""
    return EmulateError(f"{path}: {why}", "emulate.py --help has what an INPUT may be")


def one_line(error: BaseException | str) -> str:
    """Return an error's text on one line of at most 400 characters, or its type's name where it has none."""
    return " ".join(str(error).split())[:400] or type(error).__name__
