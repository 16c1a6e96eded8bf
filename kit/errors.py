"""What can go wrong, and the exit code of each kind. Every error says what and where, and carries the next step."""

from __future__ import annotations

DONE = 0
INTERRUPTED = 130


class KitError(Exception):
    """An error that a user can act on. `message` says what and where, `hint` the next step."""

    code = 1
    title = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.hint}" if self.hint else self.message


class RecipeError(KitError):
    """The recipe, its data or the command line: something that the user wrote."""

    code = 2
    title = "recipe"


class OutputError(RecipeError):
    """The place that a result should go to cannot be written."""

    title = "output"


class ModelError(KitError):
    """The model cannot be loaded, converted or run."""

    code = 3
    title = "model"


class CheckError(KitError):
    """A check or gate refused the result."""

    code = 4
    title = "check"


class EngineError(KitError):
    """No engine, no toolchain, or one that broke."""

    code = 5
    title = "engine"


class DifferenceError(KitError):
    """A bundle is not what its own pins give."""

    code = 6
    title = "verify"


KINDS: dict[str, type[KitError]] = {
    kind.title: kind for kind in (RecipeError, OutputError, ModelError, CheckError, EngineError)
}
